"""Where each example goes, and what it belongs to: what is never torn apart, and what counts as one in a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sharpen.data.examples import Draft, Dropped, shorten
from sharpen.data.grouping import UNITS, by_time, calendar, moment, similar, unit_of
from sharpen.data.remarks import alone, unused, weighted
from sharpen.data.splitting import SPLITS, cluster, clustered, deal, split, split_fold
from sharpen.errors import Problem
from sharpen.inputs import Data, Split
from sharpen.types import Example

ONE_FILE = "examples"
NO_TIME = "Write a date such as 2024-05-31, a date with a time, or seconds since 1970."


@dataclass
class Placed:
    """Rows by split, what they are never torn from, and what is to be said of it."""

    rows: dict[str, list[Example]] = field(default_factory=lambda: {name: [] for name in SPLITS})
    by: str = "source"
    dropped: list[Dropped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def place(examples: Sequence[Example], drafts: Sequence[Draft], uses: Sequence[str], data: Data) -> Placed:
    """Give every example its split.

    Args:
        examples: linked, and told of what document theirs is a copy.
        drafts: what each was read from.
        uses: what the file of each is for: examples (one file that is split), train, dev or test.
        data: the settings.
    """
    made = Placed(by=data.split.by)
    made.notes += weighted(examples, data.columns.get("weight", "weight"))
    if made.by == "time":
        _in_time(made, examples, drafts, uses, data)
        return made
    one_file = ONE_FILE in uses
    examples = _belonging(made, examples, one_file, data)
    if not one_file:
        made.notes += unused(data.split) if "dev" in uses else []
        _put(made, examples, uses if "dev" in uses else _dev_of_train(examples, drafts, uses, data.split, made.by))
        return made
    # A place in a file is no name to split by: in another order, or under another name, it would be another split.
    pairs = zip(examples, drafts, strict=True)
    named_so = [replace(e, id=d.content or e.id) for e, d in pairs]
    n = len({cluster(e, made.by) for e in named_so})
    if n < max(3, data.split.folds):
        what = f"{n} clusters ({made.by}) are too few for {data.split.folds} folds." if data.split.folds else ""
        made.problems += [Problem(what, "data.split: folds", "Give fewer folds, or split by row.")] if what else []
        if what:
            return made
    if data.split.folds and not data.split.fold:
        made.notes.append(f"what is shown is the first of {data.split.folds} folds.")
    _put(made, examples, _shares(named_so, data.split, made.by))
    return made


def _put(made: Placed, examples: Sequence[Example], given: Sequence[str]) -> None:
    for e, name in zip(examples, given, strict=True):
        made.rows[name].append(e)


def _dev_of_train(
    examples: Sequence[Example], drafts: Sequence[Draft], uses: Sequence[str], s: Split, by: str
) -> list[str]:
    """The splits of a data set that brings a train and a test: its dev is cut from train, the test stays."""
    named_so = [replace(e, id=d.content or e.id) for e, d in zip(examples, drafts, strict=True)]
    shares = {"train": s.train, "dev": s.dev}
    return split_fold(named_so, [1 if use == "test" else 2 for use in uses], 1, shares, by, s.seed)


def _shares(examples: Sequence[Example], s: Split, by: str) -> list[str]:
    shares = {"train": s.train, "dev": s.dev, "test": s.test}
    if not s.folds:
        return split(examples, shares, by, s.seed)
    return split_fold(examples, deal(examples, s.folds, by, s.seed), max(1, s.fold), shares, by, s.seed)


def _belonging(made: Placed, examples: Sequence[Example], one_file: bool, data: Data) -> Sequence[Example]:
    """The examples, told what they are like where that is what holds them together; sets ``made.by``."""
    sourceless = made.by == "source" and one_file and not any(e.source for e in examples)
    if made.by != "similar" and not sourceless:
        made.notes += alone(examples, made.by, one_file)
        return examples
    names = similar(examples, data.near_duplicates)
    sizes = Counter(name for name in names if name)
    if not sizes and sourceless:
        made.notes += alone(examples, made.by, one_file)
        return examples
    made.by = "similar"
    what = f"{sizes.total()} of {len(examples)} rows ask nearly the same as another, in {len(sizes)} groups"
    kept = "a group is never torn apart and counts as one; every other row is taken to stand alone"
    made.notes.append(
        f"{'no row has a source, and ' if sourceless else ''}{what}: {kept} (data.split: {{by: similar}})."
    )
    if sourceless:
        why = "Where rows belong together otherwise (one customer, one document), name the column that says so"
        made.notes.append(f"{why}: data.columns: {{source: COLUMN}}.")
    if sizes and 2 * (most := max(sizes.values())) > len(examples):
        made.notes.append(f"the largest of these groups holds {most} rows, more than half; near_duplicates: 1 cuts it.")
    return [clustered(e, name) for e, name in zip(examples, names, strict=True)]


def _in_time(
    made: Placed, examples: Sequence[Example], drafts: Sequence[Draft], uses: Sequence[str], data: Data
) -> None:
    """The oldest are learned from, the newest tested on; a row without a time that can be read is left out."""
    column = data.columns.get("time") or "time"
    values: list[Any] = [d.example.meta.get("time") for d in drafts]
    times = [moment(v) for v in values]
    if not any(times):
        what = f"no row has a time that can be read in a column {column!r}"
        do = f"Name the column that says it: data.columns: {{time: COLUMN}}. {NO_TIME}"
        made.problems.append(Problem(f"{what}, and data.split is by time.", ", ".join({d.file for d in drafts}), do))
        return
    for file in dict.fromkeys(d.file for d in drafts):
        lost = [(d, v) for d, v, t in zip(drafts, values, times, strict=True) if t is None and d.file == file]
        told = [(d, "has no time" if v in (None, "") else "has a time that cannot be read") for d, v in lost]
        made.dropped += [Dropped(file, d.place, column, why) for d, why in told]
        found = [Problem(f"{why}: the row is left out.", f"{file}, {d.place}: {column}", NO_TIME) for d, why in told]
        made.problems += shorten(found, file)
    rows = [(e, t, use) for e, t, use in zip(examples, times, uses, strict=True) if t is not None]
    s, known = data.split, [t for _, t, _ in rows]
    given = by_time(known, (s.train, s.dev, s.test)) if ONE_FILE in uses else [use for _, _, use in rows]
    unit = unit_of([t for t, name in zip(known, given, strict=True) if name == "test"])
    named = [clustered(e, calendar(t, unit)) for e, t, _ in rows]
    _put(made, named, given)
    spans = {name: [t for t, g in zip(known, given, strict=True) if g == name] for name in SPLITS}
    days = ((name, calendar(min(ts), "day"), calendar(max(ts), "day")) for name, ts in spans.items() if ts)
    ends = "; ".join(f"{name} {first} to {last}" for name, first, last in days)
    made.notes.append(f"split by time (UTC): {ends}. Questions of one {UNITS[unit]} count as one cluster.")
