"""What was tried for each arm, read from its notes: trials on dev, training, and notes of kinds not known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharpen.study.page.values import Facts, pointer

BIG = ("curve", "example", "options", "note", "adapter")  # shown elsewhere, or folded away


def levers_of(facts: Facts) -> list[dict[str, Any]]:
    """One entry a lever: where it and its arm stand, its trials by subject, its trainings, its other notes."""
    arms = {a.get("name"): i for i, a in enumerate(facts.report.get("arms") or [])}
    found = []
    for i, lever in enumerate(facts.report.get("levers") or []):
        notes = [(pointer("levers", i, "notes", j), n) for j, n in enumerate(lever.get("notes") or []) if n]
        name = lever.get("arm")
        found.append(
            {
                "at": pointer("levers", i),
                "arm": pointer("arms", arms[name]) if name in arms else None,
                "trials": trials(notes),
                "trained": [_training(at, n) for at, n in notes if n.get("note") == "trained"],
                "others": [_other(at, n) for at, n in notes if n.get("note") not in ("tried", "chose", "trained")],
            }
        )
    return [f for f in found if f["trials"] or f["trained"] or f["others"]]


def trials(notes: list[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Trials by subject, last round first; each with its values' names and the pointers of its cells."""
    chosen = {(str(n.get("what", "")), str(n.get("candidate"))) for _, n in notes if n.get("note") == "chose"}
    subjects: dict[str, list[dict[str, Any]]] = {}
    columns: dict[str, list[str]] = {}
    for at, note in notes:
        if note.get("note") != "tried":
            continue
        what = str(note.get("what", ""))
        values, number = note.get("values"), note.get("round")
        cells = list(values) if isinstance(values, Mapping) else [str(k) for k in range(_length(values))]
        columns.setdefault(what, [])
        columns[what] += [k for k in cells if k not in columns[what]]
        facts = [k for k in note if k not in ("note", "what", "values", "candidate", "n", "round")]
        subjects.setdefault(what, []).append(
            {
                "at": at,
                "values": {k: pointer_in(at, "values", k) for k in cells},
                "facts": [] if "candidate" in note else [(k, pointer_in(at, k)) for k in facts],
                "round": number if isinstance(number, int) else 0,
                "chosen": (what, str(note.get("candidate"))) in chosen,
            }
        )
    for rows in subjects.values():
        final = max(r["round"] for r in rows)
        for row in rows:
            row["chosen"] = row["chosen"] and row["round"] == final
    return [
        {
            "what": f"{rows[0]['at']}/what",
            "columns": columns[what],
            "heads": {c: next(r["values"][c] for r in rows if c in r["values"]) for c in columns[what]},
            "named": not all(c.isdigit() for c in columns[what]),
            "rows": sorted(rows, key=lambda r: -r["round"]),
        }
        for what, rows in subjects.items()
    ]


def pointer_in(at: str, *keys: object) -> str:
    """A pointer below another."""
    return at + pointer(*keys)


def _training(at: str, note: Mapping[str, Any]) -> dict[str, Any]:
    plain = [(k, pointer_in(at, k)) for k, v in note.items() if k not in BIG and not isinstance(v, list | Mapping)]
    return {
        "at": at,
        "facts": plain,
        "options": pointer_in(at, "options") if note.get("options") else None,
        "example": pointer_in(at, "example") if note.get("example") else None,
        "dropped": pointer_in(at, "dropped") if note.get("dropped") else None,
        "notes": [pointer_in(at, "notes", k) for k in range(_length(note.get("notes")))],
    }


def _length(value: Any) -> int:
    """Of a list; what somebody else's technique notes may be anything."""
    return len(value) if isinstance(value, list) else 0


def _other(at: str, note: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": at, "facts": [(k, pointer_in(at, k)) for k in note if k != "note"]}
