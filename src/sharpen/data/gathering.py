"""Many tables merged into one schema: what each gave, how its columns are called, and where tables contradict.

Tables are merged in the order of their names, so that the order in which they are given changes nothing. A row that
stands in two tables is taken once. Conflicts are told by file and line and never by what rows say: one of them may be
a test row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sharpen.data.examples import Draft, Dropped, Rows, examples_of, shorten
from sharpen.data.naming import split_of
from sharpen.data.reading import Row
from sharpen.data.shapes import KNOWN
from sharpen.data.splitting import SPLITS
from sharpen.data.tables import Found, files_of, find
from sharpen.errors import Problem
from sharpen.inputs import Given, Table
from sharpen.types import digest

TABLE = "table"
"""Where ``Example.meta`` holds which table a row is of, where there are several."""


@dataclass
class Part:
    """One table: what it is called, what was read of it, and the settings it was read by."""

    found: Found
    rows: Rows
    label: str
    columns: Mapping[str, str] = field(default_factory=dict)
    there: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    n: int = 0
    kept: list[Draft] = field(default_factory=list)


@dataclass
class Gathered:
    """What tables came to: rows by table, problems and notes of all, and a line a table for reports."""

    parts: list[Part] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: bool = False

    @property
    def drafts(self) -> list[Draft]:
        """All rows; none where something that was named is not there, for then it would be another data set."""
        return [] if self.missing else [d for part in self.parts for d in part.kept]

    @property
    def dropped(self) -> list[Dropped]:
        """All rows that are not used."""
        return [d for part in self.parts for d in part.rows.dropped]

    def facts(self, use: str) -> list[dict[str, Any]]:
        """For a report: counts and names of columns."""
        return [
            {
                "table": part.found.name,
                "for": use,
                "called": part.label,
                "rows": part.n,
                "used": len(part.kept),
                "dropped": len(part.rows.dropped),
                "columns": {ours: theirs for ours, theirs in part.columns.items() if ours != theirs and theirs},
            }
            for part in self.parts
        ]


def items_of(given: Given | Sequence[Any]) -> list[Table]:
    """What is given, as tables, also as JSON holds it."""
    items = (given,) if isinstance(given, str) else given
    return [Table(file=item) if isinstance(item, str) else Table.model_validate(item) for item in items]


def called(given: Given) -> str:
    """What is given, as a message calls it."""
    return ", ".join(item.file for item in items_of(given))


def inputs(use: str, given: Given, base: Path) -> dict[str, str]:
    """Names of the files and folders on disk that are read, by use; one alone keeps its use as its name."""
    names: dict[str, str] = {}
    for item in items_of(given):
        names |= {n: str(p) for n, p in files_of(item.file, base).items()} or {item.file: item.file}
    if isinstance(given, str) and len(names) == 1:
        return {use: next(iter(names.values()))}
    return {f"{use} {n}": path for n, path in sorted(names.items())}


def gather(given: Given, base: Path, columns: Mapping[str, str]) -> Gathered:
    """Read all tables and merge them.

    Args:
        given: as in a use case.
        base: the folder of the use case.
        columns: of all tables, as ``data.columns``; those of a table alone come before them.
    """
    made = Gathered()
    items = items_of(given)
    with ExitStack() as hold:
        known: dict[str, tuple[Found, Table]] = {}
        for item in items:
            for found in find(item.file, base, hold):
                if isinstance(found, Found):
                    first = known.setdefault(found.name, (found, item))
                    if item.columns and not first[1].columns:  # by a pattern, and by its name
                        known[found.name] = (found, item)
                elif isinstance(found, Problem):
                    made.problems.append(found)
                    made.missing = True
                else:
                    made.notes.append(f"{found.where}: {found.what}")
        several = max(len(known), len(items)) > 1
        rank = {"test": 0, "dev": 1}  # of a row that stands in two splits the one that is judged stays
        for name in sorted(known, key=lambda n: (rank.get(known[n][0].split, 2), n)):
            found, item = known[name]
            part = _read(found, item, columns, several)
            made.parts.append(part)
    _columns_of_none(made, items, columns, several)
    for part in made.parts:
        made.problems += [p for p in part.rows.problems if p not in made.problems]
        made.notes += part.rows.notes
    if several:
        _merge(made)
    else:
        for part in made.parts:
            part.kept = [_told(d, items[0].name) for d in part.rows.drafts]
    return made


def _read(found: Found, item: Table, columns: Mapping[str, str], several: bool) -> Part:
    rows = list(found.read())
    there: dict[str, tuple[str, str]] = {}
    for row in rows:
        if isinstance(row, Row):
            for key, value in row.fields.items():
                if kind := _kind(value):
                    there.setdefault(str(key), (kind, row.at))
                    if there[str(key)][0] == "number" and kind == "text":
                        there[str(key)] = (kind, row.at)
    spaced = {" ".join(str(k).split()) for row in rows if isinstance(row, Row) for k in row.fields}
    shared = {o: c for o, c in columns.items() if not several or not c or " ".join(c.split()) in spaced}
    own = {**shared, **item.columns}
    label = item.name or (found.name if several else "")
    n = sum(isinstance(row, Row) for row in rows)
    made = examples_of(rows, found.name, own)
    if not found.named and not made.drafts:  # a file that lies in a folder of tables and is none
        why = made.problems[0] if made.problems else None
        made.problems = [Problem(f"is left out: {why.what if why else 'none of its rows can be used.'}", found.name,
                                 why.do if why else "")]  # fmt: skip
    elif several and not made.drafts and not made.problems:
        made.problems.append(Problem("none of its rows can be used.", found.name, f"First: {made.dropped[0].reason}."))
    named = {c: o for o, c in own.items()}
    return Part(found, made, label, own, {named.get(k, k): v for k, v in there.items()}, n)


def _kind(value: Any) -> str:
    """What a cell holds, as tables of any format can say it; nothing where it is empty."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        if value.strip().lower() in ("true", "false"):
            return "true or false"
        try:
            float(value)
        except ValueError:
            return "text"
        return "number"
    return {int: "number", float: "number", list: "a list", dict: "an object"}.get(type(value), "text")


def _columns_of_none(made: Gathered, items: Sequence[Table], columns: Mapping[str, str], several: bool) -> None:
    """Columns of ``data.columns`` that no table has, which one table alone says by itself."""
    if not several:
        return
    for ours, theirs in columns.items():
        if theirs and all(part.columns.get(ours) != theirs for part in made.parts):
            do = "Mend the name, or give the table that has it columns of its own."
            made.problems.append(Problem(f"no table has a column {theirs!r}.", f"data.columns: {ours}", do))


def _merge(made: Gathered) -> None:
    """Take each row once, and list what contradicts."""
    seen: dict[str, Draft] = {}
    ids: dict[str, Draft] = {}
    asked: dict[str, Draft] = {}
    found: dict[str, list[Problem]] = {"id": [], "answer": []}
    for part in made.parts:
        for d in part.rows.drafts:
            if d.key in seen:
                first = seen[d.key]
                why = f"is the same as {first.file}, {first.place}"
                part.rows.dropped.append(Dropped(d.file, d.place, "", why))
                continue
            seen[d.key] = d
            question = digest(d.example.messages)
            other = asked.setdefault(question, d)
            if _answer(other) != _answer(d) and other.file != d.file:
                what = f"asks the same as {other.file}, {other.place}, and is answered otherwise."
                found["answer"].append(Problem(what, f"{d.file}, {d.place}", "Mend or remove one of the two."))
            name = d.example.id
            if name in ids:
                if not d.content:
                    what = f"has the id {name[:80]!r} of {ids[name].file}, {ids[name].place}, and is another row."
                    do = "Give one of them another id; here it got the name of its table."
                    found["id"].append(Problem(what, f"{d.file}, {d.place}", do))
                name = f"{d.file}:{name.rpartition(':')[2] if d.content else name}"
            ids[name] = d
            part.kept.append(_told(replace(d, example=replace(d.example, id=name)), part.label))
    where = _listed(made.parts)
    for problems in (*found.values(), _types(made.parts), _jobs(made.parts)):
        made.problems += shorten(problems, where)


def _listed(parts: Sequence[Part]) -> str:
    """The tables, as a message calls them."""
    names = [part.found.name for part in parts]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _told(draft: Draft, label: str) -> Draft:
    """The row with the name of its table, where that is to be told."""
    return replace(draft, example=replace(draft.example, meta={**draft.example.meta, TABLE: label})) if label else draft


def _answer(d: Draft) -> Any:
    """What a row answers, to be held against another's; the first reference, for more may be listed in one file."""
    return d.example.labels or d.example.targets[:1]


def _types(parts: Sequence[Part]) -> list[Problem]:
    """Columns that are kept and hold numbers in one table and texts in another."""
    first: dict[str, tuple[str, str, str]] = {}
    made = []
    for part in (p for p in parts if p.kept):
        for column, (kind, at) in part.there.items():
            if column in KNOWN:  # these are made what they have to be
                continue
            held, file, place = first.setdefault(column, (kind, part.found.name, at))
            if held != kind:
                what = f"the column {column[:60]!r} holds {kind}, and {held} in {file}, {place}."
                made.append(Problem(what, f"{part.found.name}, {at}", "Write them alike, or name one of them anew."))
    return made


def _jobs(parts: Sequence[Part]) -> list[Problem]:
    """Tables whose rows have classes beside tables whose rows have answers: one study has one job."""
    classes = {part.found.name: any(d.example.labels for d in part.kept) for part in parts if part.kept}
    some, none = ([n for n, has in classes.items() if has is yes] for yes in (True, False))
    if not some or not none:
        return []
    what = f"its rows have classes, and those of {none[0]} have none."
    return [Problem(what, some[0], "One study has one job: make a use case of each, or name the column of labels.")]


def own_splits(made: Gathered) -> dict[str, list[Draft]] | None:
    """Rows by the split that their table or their column ``split`` says they are of; None where some say nothing.

    Without a dev of its own, train and test are enough.
    """
    rows: dict[str, list[Draft]] = {name: [] for name in SPLITS}
    for part in made.parts:
        for d in part.kept:
            split = split_of(str(d.example.meta.get("split", ""))) or part.found.split
            if not split:
                return None
            rows[split].append(d)
    return rows if rows["train"] and rows["test"] else None


def said_own(rows: Mapping[str, Sequence[Draft]]) -> str:
    """What is said of splits that were kept."""
    counts = Counter({name: len(found) for name, found in rows.items()})
    listed = ", ".join(f"{name} {counts[name]:,}" for name in SPLITS if counts[name])
    dev = "" if counts["dev"] else " It has no dev, which is cut from train as data.split says."
    return f"rows say which split they are of, and that is kept: {listed}.{dev} data.split: {{own: false}} deals anew."


__all__ = ["TABLE", "Gathered", "called", "gather", "inputs", "own_splits", "said_own"]
