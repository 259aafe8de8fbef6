"""Versions of prepared data: what differs between two, and that the splits of one have nothing in common.

All of it is told from ``lineage.jsonl``, hashes and counts; the sealed rows are not read.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.data.dataset import Dataset, Seal, load, load_sealed
from sharpen.data.lineage import LINEAGE, ORIGIN, lines_of
from sharpen.data.splitting import SPLITS
from sharpen.errors import UserError
from sharpen.store import write_text
from sharpen.types import Example, digest

FIRST = 5
"""Ids that are named; the rest is counted."""

Line = Mapping[str, Any]


def folders(root: Path) -> list[Path]:
    """The prepared folders below ``root`` (``.sharpen/data``), the newest last."""
    found = [p.parent for p in root.glob("*/data.json") if not p.parent.name.startswith(".")]
    return sorted(found, key=lambda p: ((p / "data.json").stat().st_mtime_ns, p.name))


def told(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The lineage of a prepared folder, and what it was made of.

    Raises:
        UserError: it was prepared before these were kept.
    """
    if not (folder / LINEAGE).is_file() or not (folder / ORIGIN).is_file():
        do = "Prepare the data again: sharpen data report USECASE"
        raise UserError("was prepared before lineage was kept, so it cannot be told.", str(folder), do)
    return lines_of(folder), lines_of(folder, ORIGIN)[0]


def differences(one: Path, other: Path) -> dict[str, Any]:
    """What differs between two prepared folders: settings, files, rows, documents, classes, lengths, rules.

    A row is the same where its content is; then where its id is, and its content was changed.
    """
    (lines, made), (lines_2, made_2) = told(one), told(other)
    facts, facts_2 = (load(folder).facts for folder in (one, other))
    kept = [[r for r in found if r["content"]] for found in (lines, lines_2)]
    flat, flat_2 = dict(_flat(made["settings"])), dict(_flat(made_2["settings"]))
    rows = _rows(*([r for r in found if r["kind"] == "example"] for found in kept))
    return {
        "versions": [one.name, other.name],
        "settings": {k: [flat.get(k), flat_2.get(k)] for k in sorted({*flat, *flat_2}) if flat.get(k) != flat_2.get(k)},
        "files": _files(made["inputs"], made_2["inputs"]),
        "splits": {s: [facts[s]["n"], facts_2[s]["n"]] for s in SPLITS},
        "rows": rows,
        "documents": _rows(*([r for r in found if r["kind"] == "document"] for found in kept)),
        "labels": _labels(facts, facts_2),
        "lengths": _lengths(facts, facts_2),
        "rules": _both(rules(lines), rules(lines_2)),
        "remarks": _remarks({way: held["n"] for way, held in rows["moved"].items()}),
    }


def _remarks(moved: Mapping[str, int]) -> list[str]:
    """What rows that went from one split to another mean for models that were made of the one version."""
    made = []
    if n := sum(moved.get(f"{split} to test", 0) for split in ("train", "dev")):
        made.append(
            f"{n} rows of the second version's test were learned from or chosen on in the first: what was made of the "
            "first has seen them, and its scores on this test say too much."
        )
    if n := sum(moved.get(f"test to {split}", 0) for split in ("train", "dev")):
        made.append(
            f"{n} rows of the first version's test are learned from or chosen on in the second: what is made of the "
            "second cannot be tested on the first's."
        )
    return made


def _flat(settings: Mapping[str, Any], at: str = "data") -> Iterable[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{at}.{key}")
        else:
            yield f"{at}.{key}", value


def _files(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        "added": sorted(set(other) - set(one)),
        "removed": sorted(set(one) - set(other)),
        "changed": sorted(name for name in set(one) & set(other) if one[name] != other[name]),
    }


def _rows(one: Sequence[Line], other: Sequence[Line]) -> dict[str, Any]:
    pairs, gone, new = _paired(one, other)
    changed = [(a, b) for a, b in pairs if a["content"] != b["content"]]
    moved: dict[str, list[str]] = defaultdict(list)
    for a, b in pairs:
        if a["split"] != b["split"]:
            moved[f"{a['split']} to {b['split']}"].append(b["id"])
    return {
        "same": len(pairs) - len(changed),
        "added": _some([r["id"] for r in new]),
        "removed": _some([r["id"] for r in gone]),
        "changed": _some([b["id"] for _, b in changed]),
        "moved": {way: _some(ids) for way, ids in sorted(moved.items())},
    }


def _paired(one: Sequence[Line], other: Sequence[Line]) -> tuple[list[tuple[Line, Line]], list[Line], list[Line]]:
    """Rows that belong together: of one id and content, then of one content, then of one id; and what is left."""
    pairs: list[tuple[Line, Line]] = []
    for key in (lambda r: (r["id"], r["content"]), lambda r: r["content"], lambda r: r["id"]):
        held: dict[Any, list[Line]] = defaultdict(list)
        for row in reversed(other):
            held[key(row)].append(row)
        left: list[Line] = []
        for row in one:
            if held.get(key(row)):
                pairs.append((row, held[key(row)].pop()))
            else:
                left.append(row)
        taken = {id(b) for _, b in pairs}
        one, other = left, [r for r in other if id(r) not in taken]
    return pairs, list(one), list(other)


def _some(ids: Sequence[str]) -> dict[str, Any]:
    return {"n": len(ids), "first": list(ids[:FIRST])}


def _labels(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[float]]:
    """The share of each class in train and dev of both, where it differs."""
    shares = []
    for facts in (one, other):
        counted = Counter(facts["train"]["labels"]) + Counter(facts["dev"]["labels"])
        shares.append({label: round(n / counted.total(), 4) for label, n in counted.items()})
    every = sorted({*shares[0], *shares[1]})
    pairs = {label: [shares[0].get(label, 0.0), shares[1].get(label, 0.0)] for label in every}
    return {label: pair for label, pair in pairs.items() if pair[0] != pair[1]}


def _lengths(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    made = {}
    for split in ("train", "dev"):
        for what in ("question_words", "answer_words"):
            pair = [facts[split][what] for facts in (one, other)]
            if pair[0] != pair[1]:
                made[f"{split} {what.replace('_', ' ')}"] = pair
    return made


def rules(lines: Iterable[Line]) -> Counter[str]:
    """How many rows and documents each rule touched: ``privacy EMAIL masked``."""
    found: Counter[str] = Counter()
    for line in lines:
        found.update({" ".join(filter(None, (s["by"], plain_rule(s["rule"]), s["did"]))) for s in line["steps"]})
    return found


def plain_rule(rule: str) -> str:
    """The rule without the place of an earlier row, so that alike ones are counted together."""
    if told := re.match(r"(exact|near): [\d.]+ like ", rule):
        return told[1]
    return "is the same as an earlier row" if rule.startswith("is the same as ") else rule


def _both(one: Counter[str], other: Counter[str]) -> dict[str, list[int]]:
    return {rule: [one[rule], other[rule]] for rule in sorted({*one, *other}) if one[rule] != other[rule]}


def splits(folder: Path) -> dict[str, Any]:
    """Counts of the splits, shares of the classes in train and dev, and what the splits have in common (nothing)."""
    made, (lines, origin) = load(folder), told(folder)
    settings = origin["settings"]["split"]
    total = sum(made.facts[s]["n"] for s in SPLITS)
    counted = {}
    for name in SPLITS:
        facts = made.facts[name]
        counted[name] = {"n": facts["n"], "share": round(facts["n"] / total, 4)}
        counted[name] |= {"clusters": len(facts["cluster_sizes"]), "labels": None}
        if name != "test":
            counted[name]["labels"] = _shares(facts["labels"])
    return {
        "version": folder.name,
        "by": settings["by"],
        "seed": settings["seed"],
        "given": {name: settings[name] for name in SPLITS} if origin["settings"]["examples"] else None,
        "splits": counted,
        "common": overlap(made, lines),
    }


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    return {label: round(n / sum(counts.values()), 4) for label, n in counts.items()}


def overlap(made: Dataset, lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    """How many ids, questions, sources and groups each pair of splits has in common.

    Of the test questions only hashes are known, so these are compared as they are written; near-duplicates were
    dropped when the data were prepared.
    """
    seen: dict[str, dict[str, set[str]]] = {
        name: {"ids": {digest(e.id)[:16] for e in rows}, "questions": {digest(e.question)[:16] for e in rows}}
        for name, rows in (("train", made.train), ("dev", made.dev))
    }
    seen["test"] = {"ids": set(made.seal.ids), "questions": set(made.seal.each)}
    for name, held in seen.items():
        for what in ("source", "group"):
            held[f"{what}s"] = {r[what] for r in lines if r["split"] == name and r.get(what)}
    pairs = (("train", "dev"), ("train", "test"), ("dev", "test"))
    return {f"{a} and {b}": {what: len(seen[a][what] & seen[b][what]) for what in seen[a]} for a, b in pairs}


def write_splits(made: Dataset, out: Path) -> list[Path]:
    """Write ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` for other tools. This opens the seal: count it first."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, rows in (("train", made.train), ("dev", made.dev), ("test", tuple(_opened(made.seal)))):
        text = "".join(json.dumps(plain_row(e), ensure_ascii=False) + "\n" for e in rows)
        write_text(out / f"{name}.jsonl", text)
        written.append(out / f"{name}.jsonl")
    return written


def _opened(seal: Seal) -> list[Example]:
    return load_sealed(seal)


def plain_row(example: Example) -> dict[str, Any]:
    """A row as files of examples have it; what it does not have is left out."""
    plain = len(example.messages) == 1 and not example.messages[0].tool_calls
    row: dict[str, Any] = {"id": example.id}
    if plain:
        row["question"] = example.question
    else:
        row["messages"] = [{"role": m.role, "content": m.content} for m in example.messages]
    row["answers"] = list(example.targets)
    for name in ("labels", "rejected"):
        row |= {name: list(getattr(example, name))} if getattr(example, name) else {}
    row |= (
        {"gold": [{"source": g.source, "start": g.start, "end": g.end} for g in example.gold]} if example.gold else {}
    )
    row |= {"answerable": example.answerable} if example.answerable is not None else {}
    row |= {name: getattr(example, name) for name in ("source", "group") if getattr(example, name)}
    row |= {"weight": example.weight} if example.weight != 1 else {}
    return {**{k: v for k, v in example.meta.items() if k not in row}, **row}
