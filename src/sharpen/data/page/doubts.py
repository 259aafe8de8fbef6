"""Labels that a person should look at again: likely errors, and one text under several labels.

The page lists the first of each; the CSV holds all, one line a row, with an empty column for the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sharpen.data.dataset import Dataset
from sharpen.data.features import as_csv
from sharpen.data.labels.inconsistent import inconsistent, normalised
from sharpen.data.lineage import lines_of
from sharpen.data.page.masking import shown
from sharpen.errors import UserError
from sharpen.types import Example

COLUMNS = ("what", "id", "split", "file", "place", "question", "label", "likely", "margin", "why", "verdict", "note")
WRONG, CLASH = "likely wrong", "inconsistent"
FOLDS = 5


def label_of(example: Example) -> str:
    """A row's class: its label, or its first reference where it has none."""
    return (example.labels or example.targets or ("",))[0]


def where(data: Dataset) -> dict[str, tuple[str, str, str]]:
    """Split, file and place of each row of train and dev, by its id."""
    seen = {e.id: split for split, part in (("train", data.train), ("dev", data.dev)) for e in part}
    held = {r["id"]: (r["split"], r["file"], r["place"]) for r in lines_of(data.folder) if r["kind"] == "example"}
    return {
        name: at if (at := held.get(name)) and at[0] == split else (split, "", name) for name, split in seen.items()
    }


def doubts(data: Dataset, rows: Sequence[Example] = (), features: Any = None, why: str = "") -> dict[str, Any]:
    """Return what is doubtful in the labels of train and dev.

    Args:
        data: as prepared; of all its rows the inconsistent ones are found.
        rows, features: rows with their features (n, d), in which errors are looked for.
        why: why there are no features.

    Returns:
        ``suspects`` and ``clashing``, lines as the CSV has them; ``clashes``, how many texts the latter are; ``n``
        rows were looked at of ``of``; ``noise``, the estimated share of wrong labels, None where ``why`` says why not.
    """
    at = where(data)
    every = [e for e in (*data.train, *data.dev) if label_of(e)]
    rows = list(rows) if features is not None else []
    found: dict[str, Any] = {"suspects": [], "noise": None, "n": len(rows), "of": len(every), "why": why}
    if rows:
        try:
            found |= _suspects(rows, features, at)
        except UserError as e:
            found["why"] = " ".join(map(str, e.problems))
    clashes = inconsistent([e.question for e in every], [label_of(e) for e in every])
    lines = []
    for clash in clashes:
        said = ", ".join(f"{label} {n} times" for label, n in clash.labels)
        more = {"likely": clash.suggested or "", "why": f"this text is {said}"}
        lines += [{**_line(CLASH, every[i], at), **more} for i in clash.rows]
    return {**found, "clashing": lines, "clashes": len(clashes)}


def _suspects(rows: Sequence[Example], features: Any, at: Mapping[str, tuple[str, str, str]]) -> dict[str, Any]:
    from sharpen.data.labels.suspects import find_suspects

    groups = [normalised(e.question) for e in rows]  # a copy of a row would vouch for its wrong label
    made = find_suspects(features, [label_of(e) for e in rows], FOLDS, groups=groups)
    lines = [
        {**_line(WRONG, rows[s.row], at), "likely": s.suggested, "margin": round(s.margin, 4), "why": s.reason}
        for s in made.found
    ]
    return {"suspects": lines, "noise": round(made.noise, 4)}


def _line(what: str, example: Example, at: Mapping[str, tuple[str, str, str]]) -> dict[str, Any]:
    split, file, place = at.get(example.id, ("", "", example.id))
    line = {"what": what, "id": example.id, "split": split, "file": file, "place": place}
    return {**line, "question": example.question, "text": shown(example.question), "label": label_of(example)}


def sheet(found: Mapping[str, Any]) -> str:
    """All doubtful rows as a table, with empty columns for who goes through them."""
    return as_csv([*found["suspects"], *found["clashing"]], COLUMNS)
