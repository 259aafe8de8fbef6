"""What is said of examples that can be read: splits that are too small, rows that stand alone or weigh more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from sharpen.data.splitting import SPLITS, cluster
from sharpen.errors import Problem
from sharpen.inputs import Split
from sharpen.types import Example

FEWEST = {"train": 8, "dev": 4, "test": 8}
"""Examples below which a split is no use; said as a problem."""

SHOWN = 20  # labels that are named in a sentence


def alone(examples: Sequence[Example], by: str, one_file: bool) -> list[str]:
    """Say how many rows lack what examples are split by: such a row is a cluster of its own, and counts as one."""
    lacking = sum(not getattr(e, by) for e in examples) if by in ("source", "group") else 0
    if 0 < lacking < len(examples):
        have = "has" if lacking == 1 else "have"
        which = f"{lacking} of {len(examples)} rows {have} no {by}; each is taken to stand alone"
        why = "so what belongs together may be torn apart, and p values and intervals too small"
        return [f"{which}, {why}. Give each its {by}, or split by row (data.split: {{by: row}})."]
    if lacking and one_file:
        return [
            f"no row has a {by}, so every row is taken to stand alone. Where rows belong together (one customer, "
            f"one document), name the column that says so: data.columns: {{{by}: COLUMN}}."
        ]
    return []


def unused(given: Split) -> list[str]:
    """Say which settings of the split do nothing where train, dev and test are files."""
    plain = Split()
    names = [name for name in (*SPLITS, "seed", "folds", "fold") if getattr(given, name) != getattr(plain, name)]
    listed = ", ".join(f"{name}: {getattr(given, name):g}" for name in names)
    return [f"data.split ({listed}) does nothing: train, dev and test are files of their own."] if names else []


def weighted(examples: Sequence[Example], column: str) -> list[str]:
    """Say that scores are weighted: a column may be called ``weight`` and hold the kilos of a parcel."""
    least, most = min(e.weight for e in examples), max(e.weight for e in examples)
    do = 'If that is not meant, have it passed over: data.columns: {weight: ""}.'
    return [f"scores are weighted by the column {column}, from {least:g} to {most:g}. {do}"] if least < most else []


def remarks(
    rows: Mapping[str, Sequence[Example]], by: str, where: str, folded: bool = False
) -> tuple[list[Problem], list[str]]:
    """Return problems and notes of examples that are split; ``where`` names their files.

    ``folded``: what is tested here is one part of the test.
    """
    problems, notes = list[Problem](), list[str]()
    for name, fewest in {**FEWEST, **({"test": 1} if folded else {})}.items():
        n = len(rows[name])
        if n < fewest:
            do = f"Give at least {fewest}, by more examples or a larger share."
            problems.append(Problem(f"{n} examples are left for {name}.", where, do))
    if rows["test"] and not folded and len({cluster(e, by) for e in rows["test"]}) < 2:
        do = "Give rows finer sources, a larger test share, or split by row."
        what = {"similar": "group of similar questions", "time": "hour"}.get(by, by)
        problems.append(Problem(f"the test split is one single {what}; nothing can be shown with it.", where, do))
    told = {e.labels or e.targets for e in rows["train"]}
    if len(rows["train"]) > 1 and len(told) == 1 and told != {()}:
        notes.append("every reference of train is the same: who always answers that needs no model.")
    held = Counter(label for e in rows["train"] for label in e.labels)
    if len(held) > 1:
        notes += [*_alike(held), *_single(held)]
    for name in ("dev", "test"):
        lacking = sorted({label for e in rows[name] for label in e.labels} - held.keys())
        if lacking:
            listed = ", ".join(lacking[:SHOWN]) + (" …" if len(lacking) > SHOWN else "")
            do = "Add training examples for them, or split by label."
            problems.append(Problem(f"train lacks {len(lacking)} labels of {name}: {listed}.", where, do))
    return problems, notes


def _alike(held: Counter[str]) -> list[str]:
    """Name classes that differ in case or white space alone: the metric ``accuracy`` takes them for one."""
    found: dict[str, list[str]] = {}
    for label in sorted(held):
        found.setdefault(" ".join(label.casefold().split()), []).append(label)
    same = [" and ".join(labels) for labels in found.values() if len(labels) > 1]
    some = "; ".join(same[:SHOWN]) + (" …" if len(same) > SHOWN else "")
    what = f"train has classes that differ in case or white space alone: {some}"
    return [f"{what}. accuracy takes them for one, everything else for two; write them alike."] if same else []


def _single(held: Counter[str]) -> list[str]:
    """Say which classes have one training example only: often another one, misspelt."""
    often = [label for label, n in held.items() if n > 1]
    single, named = [label for label, n in held.items() if n == 1], []
    for label in single[:SHOWN]:
        near = get_close_matches(label, often[:1000], n=1, cutoff=0.8) if len(label) <= 100 else []
        named.append(f"{label} (did you mean {near[0]}?)" if near else label)
    some = ", ".join(named) + (" …" if len(single) > SHOWN else "")
    return [f"train has one example only of {len(single)} of {len(held)} classes: {some}."] if single else []
