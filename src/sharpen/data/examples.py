"""The rows of a file of examples, and why each row that is not used was dropped."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from sharpen.data.reading import SAVED, Note, Row, RowReader, open_reader
from sharpen.data.shapes import KNOWN, SHAPES, Refused, example_of, shape_of
from sharpen.data.threads import columns_of, conversations
from sharpen.errors import Problem
from sharpen.types import Example, digest

SHOWN = 20
"""Broken rows of a file that are listed one by one; the rest is counted."""


RULE = re.compile(r"(cleaner \w+|duplicates|benchmarks|sentences|spans), [\w.]+")
"""How the reason of a rule begins; its figures follow."""


@dataclass(frozen=True)
class Dropped:
    """A row that is not used: where it stands (``line 7``, ``row 7``) and why. It never holds the row's content."""

    file: str
    place: str
    field: str
    reason: str

    @property
    def kind(self) -> str:
        """The reason without a row's own figures and places, so that alike reasons are counted together."""
        if told := RULE.match(self.reason):
            return told[0]
        again = self.reason.startswith("is the same as ")
        return "is the same as an earlier row" if again else f"{self.field} {self.reason}".strip()


@dataclass(frozen=True)
class Draft:
    """An example as read from a row, before its documents are known; ``rest`` is what needs them.

    ``content`` is a hash of what it asks and answers, where the row gives no id and so its id is its place in the file.
    ``key`` is a hash of all that is asked and known: two rows of one are the same.
    """

    example: Example
    file: str
    place: str
    rest: Mapping[str, Any]
    content: str = ""
    key: str = ""


@dataclass
class Rows:
    """What a file of examples gave."""

    drafts: list[Draft] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_examples(path: Path, name: str, columns: Mapping[str, str] | None = None) -> Rows:
    """Read a file of examples.

    Args:
        path: the file; its ending chooses the reader.
        name: how messages and ids call it.
        columns: our name of a field -> its name in the file, or nothing where a column of our name is passed over.
    """
    reader = open_reader(path) if path.is_file() or (path / SAVED).is_file() else _no_file(path, name)
    if isinstance(reader, Problem):
        return Rows(problems=[Problem(reader.what, name, reader.do)])
    if not isinstance(reader, RowReader):
        kind = path.suffix
        do = "Use jsonl, csv or parquet."
        return Rows(problems=[Problem(f"{kind} files hold documents, not examples.", name, do)])
    return examples_of(reader.rows(path, name), name, columns)


def examples_of(found: Iterable[Row | Problem | Note], name: str, columns: Mapping[str, str] | None = None) -> Rows:
    """Make examples of rows, wherever they come from (a file, a query); otherwise as :func:`read_examples`."""
    made = Rows()
    rows: list[Row] = []
    try:
        for each in found:
            if isinstance(each, Row):
                rows.append(each)
            elif isinstance(each, Problem):
                made.problems.append(each)
                made.dropped.append(Dropped(name, each.where.removeprefix(name).lstrip(",: "), "", each.what))
            else:
                made.notes.append(f"{each.where}: {each.what}")
    except Exception as e:  # as for documents: a sentence instead of a traceback, whatever the reader is
        made.problems.append(Problem(f"cannot be read ({type(e).__name__}: {str(e)[:200]}).", name, "Save it anew."))
    if rows:
        _make(_threaded(rows, name, columns or {}, made), name, dict(columns or {}), made)
    elif not made.problems:
        made.problems.append(Problem("holds no rows.", name, "Add examples, one a line."))
    made.problems = shorten(made.problems, name)
    return made


def _threaded(rows: list[Row], name: str, columns: Mapping[str, str], made: Rows) -> list[Row]:
    """Rows that are posts which reply to each other as conversations; all others as they are."""
    log = None if columns else columns_of(dict.fromkeys(key for row in rows for key in row.fields))
    if log is None or any(_fits(row.fields, set()) for row in rows):
        return rows
    found = conversations(rows, log)
    made.dropped += [Dropped(name, place, "", reason) for place, reason in found.dropped]
    made.notes += [f"{name}: {note}" for note in found.notes]
    return found.rows or rows


def _no_file(path: Path, name: str) -> Problem:
    if (path / "dataset_dict.json").is_file():
        splits = ", ".join(sorted(p.parent.name for p in path.glob(f"*/{SAVED}")))
        return Problem(
            f"is a folder of several splits: {splits}.", name, "Name the one: the folder, a slash, the split."
        )
    if path.is_dir():
        return Problem("is a folder, not a file of examples.", name, "Name the file in it; documents have a folder.")
    what = "is not a file that can be read." if path.exists() else "there is no such file."
    return Problem(what, name, "Check its name under data.")


def shorten(problems: list[Problem], name: str) -> list[Problem]:
    """The first problems of a file's rows, and how many more there are."""
    if len(problems) <= SHOWN:
        return problems
    more = len(problems) - SHOWN
    return [
        *problems[:SHOWN],
        Problem(f"{more} more rows have problems.", name, "Mend these first; the same command says the next."),
    ]


def _make(rows: list[Row], name: str, columns: dict[str, str], made: Rows) -> None:
    there = list(dict.fromkeys(key for row in rows for key in row.fields))
    plain = {_spaced(c): c for c in reversed(there)}
    columns = {ours: c if not c or c in there else plain.get(_spaced(c), c) for ours, c in columns.items()}
    named = {ours for ours, theirs in columns.items() if theirs}
    wrong = [_no_name(ours) for ours in columns if ours not in KNOWN] + _both(columns)
    for theirs in (c for c in columns.values() if c and c not in there):
        near = get_close_matches(theirs, there, n=1, cutoff=0.5)
        do = f"Did you mean {near[0]}?" if near else f"Its columns are: {_listed(there)}."
        wrong.append(Problem(f"has no column {theirs!r}, which data.columns names.", name, do))
    if not wrong and not any(_fits(_renamed(row.fields, columns), named) for row in rows):
        wrong.append(_unknown_shape(list(_renamed(dict.fromkeys(there), columns)), named, there, name))
    if wrong:
        made.problems += wrong
        made.dropped += [Dropped(name, row.at, "", "the file's columns are not known") for row in rows]
        return
    seen: dict[str, str] = {}
    ids: Counter[str] = Counter()
    taken: list[tuple[str, str]] = []
    for row in rows:
        try:
            example, rest = example_of(_renamed(row.fields, columns), "", named)
            key = _content(example, rest)
            if key in seen:
                raise Refused("", f"is the same as {seen[key]}")
        except Refused as e:
            made.dropped.append(Dropped(name, row.at, columns.get(e.field, e.field), e.reason))
            continue
        seen[key] = row.at
        content = "" if example.id else digest((example.messages, example.targets, example.labels))
        example = example if example.id else replace(example, id=f"{Path(name).stem}:{row.line}")
        if example.id in ids:
            taken.append((row.at, example.id))
            ids[example.id] += 1
            while f"{example.id}#{ids[example.id]}" in ids:
                ids[example.id] += 1
            example = replace(example, id=f"{example.id}#{ids[example.id]}")
        ids[example.id] = 1
        made.drafts.append(Draft(example, name, row.at, rest, content, key))
    if taken:
        at, first = taken[0]
        more = f", and {len(taken) - 1} more were" if len(taken) > 1 else ""
        made.notes.append(f"{name}, {at}: the id {first[:80]!r} is taken{more}; each got a number behind it.")


def _fits(row: Mapping[str, Any], named: Set[str]) -> bool:
    try:
        return shape_of(row, named) is not None
    except Refused:
        return False


def _renamed(fields: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Give fields our names; a field of the file that has one of our names but was mapped over is left out."""
    theirs = set(columns.values())
    made = {k: v for k, v in fields.items() if k not in theirs and k not in columns}
    made.update({ours: fields[name] for ours, name in columns.items() if name and name in fields})
    return made


def _no_name(ours: str) -> Problem:
    near = get_close_matches(ours, KNOWN, n=1, cutoff=0.7)
    do = f"Did you mean {near[0]}?" if near else f"Names are: {', '.join(KNOWN)}. Other columns keep their own."
    return Problem("is no name that sharpen has for a field.", f"data.columns: {ours}", do)


def _both(columns: Mapping[str, str]) -> list[Problem]:
    """Columns that were named both for what asks and for what answers, or for a good reply and a bad one."""
    asks = {f for _, asking, _b, _s in SHAPES for f in asking}
    right = {f for _, _a, answering, _s in SHAPES for f in answering} | {"labels"}
    pairs = [(asks, right | {"rejected"}), (right, {"rejected"})]
    found: dict[str, Problem] = {}
    for (one, column), (other, same) in combinations([(o, c) for o, c in columns.items() if c], 2):
        if column == same and any((one in a and other in b) or (one in b and other in a) for a, b in pairs):
            what = f"names the column {column!r} for {one} and for {other}."
            found.setdefault(column, Problem(what, "data.columns", "Name another column for one of them."))
    return list(found.values())


def _spaced(column: str) -> str:
    """A name with each white space as a blank: nobody sees that one of them does not break lines."""
    return " ".join(str(column).split())


def _listed(columns: list[str]) -> str:
    return ", ".join(str(c)[:60] for c in columns[:30])


def _unknown_shape(columns: list[str], named: Set[str], there: list[str], name: str) -> Problem:
    """Say what is understood of the columns and what is missing, and guess which column has it."""
    half = _half_understood([c for c in columns if c in named]) or _half_understood(columns)
    unknown = [c for c in columns if c not in KNOWN]
    shapes, hints = (SHAPES, {half[1]: unknown[0]}) if half and len(unknown) == 1 else _guessed(columns)
    expected = "; ".join(dict.fromkeys(f"{'|'.join(a)}{' + ' + '|'.join(b) if b else ''}" for _, a, b, _s in shapes))
    what = f"{half[0]!r} is understood, but no column is {half[1]!r}" if half else f"sharpen knows {expected}"
    if hints:
        said = yaml.safe_dump(hints, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6).strip()
        do = f"Did you mean data.columns: {said}?"
    else:
        do = f"Say which it is: data.columns: {{{half[1] if half else 'ours'}: theirs}}."
    return Problem(f"its columns ({_listed(there)}) are no known shape: {what}.", name, do)


def _guessed(columns: list[str]) -> tuple[tuple[Any, ...], dict[str, str]]:
    """The first shape of which both halves are nearly there, and our names to theirs; or all shapes, and one half's."""
    halves: dict[str, str] = {}
    for shape in SHAPES:
        ask, answer = _called(shape[1], columns), _called(shape[2], columns)
        if ask and answer and ask[1] != answer[1]:
            return (shape,), {ours: theirs for ours, theirs in (ask, answer) if ours != theirs}
        halves = halves or {ours: theirs for ours, theirs in (half for half in (ask, answer) if half) if ours != theirs}
    return SHAPES, halves


def _called(names: tuple[str, ...], columns: list[str]) -> tuple[str, str] | None:
    """Which of the names is a column, or else nearly one (by its letters, or as one of its words), and that column."""
    for name in names:
        if name in columns:
            return name, name
    by_letters = {str(c).lower(): c for c in columns}
    near = [(n, c) for n in names for c in get_close_matches(n, by_letters, n=1, cutoff=0.7)]
    if near:
        ours, theirs = max(near, key=lambda pair: SequenceMatcher(None, *pair).ratio())
        return ours, by_letters[theirs]
    for name in names:
        if found := next((c for c in columns if name in re.split(r"[\W_]+", str(c).lower())), None):
            return name, found
    return None


def _half_understood(columns: list[str]) -> tuple[str, str] | None:
    """A column that answers, or else one that asks, and the field that is missing beside it; None where none is."""
    for _, asking, answering, _s in SHAPES:
        if found := next((f for f in answering if f in columns), None):
            return found, asking[0]
    for name, asking, answering, _s in SHAPES:
        if answering and name != "choice" and (found := next((f for f in asking if f in columns), None)):
            return found, answering[0]
    return None


def _content(example: Example, rest: Mapping[str, Any]) -> str:
    """What makes two rows the same: all that is asked and known, but for id, weight and what is only kept."""
    said = (example.messages, example.targets, example.labels, example.rejected, example.source, example.group)
    return hashlib.sha256((digest(said) + digest(rest.get("context", ""))).encode()).hexdigest()
