"""The organisation's own rules for its rows (``data.quality.rules``), held against train and dev.

A rule names a field: a column of the rows, or ``question``, ``answer``, ``label``, ``source``. What is empty is the
matter of completeness and is not checked. Values are equal where they are the same number, or the same words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sharpen.data.dataset import Dataset
from sharpen.data.page.doubts import where
from sharpen.data.reading import Row, RowReader, open_reader
from sharpen.data.wording import words
from sharpen.errors import Problem, UserError
from sharpen.inputs import Rule
from sharpen.types import Example

OWN: Mapping[str, Callable[[Example], str]] = {
    "question": lambda e: e.question,
    "answer": lambda e: "" if e.answerable is False else next(iter(e.targets), ""),
    "label": lambda e: next(iter(e.labels), ""),
    "source": lambda e: e.source,
    "group": lambda e: e.group,
}
"""Fields that every row may have, beside its columns."""
PLACES = 3
"""Places that are named of what breaks a rule."""
WHERE = "data.quality: rules"


def value(example: Example, field: str) -> str:
    """What a row says of a field; empty where it says nothing."""
    found = example.meta.get(field) if field in example.meta or field not in OWN else OWN[field](example)
    return "" if found is None else str(found).strip()


def obeyed(rules: Sequence[Rule], data: Dataset, base: Path) -> list[dict[str, Any]]:
    """Each check of each rule: what it asks for, how many keep it of how many, and places of some that do not.

    Args:
        rules: of the use case.
        data: as prepared; train and dev are looked at.
        base: the folder that tables of reference are relative to.

    Raises:
        UserError: with every field that no row has, and every table that cannot be read.
    """
    every = (*data.train, *data.dev)
    known = {*OWN, *(key for e in every for key in e.meta)}
    problems, made, at = list[Problem](), list[dict[str, Any]](), where(data) if rules else {}
    for rule in rules:
        asked = [rule.field, *filter(None, (rule.same_as, rule.per, rule.key))]
        for field in dict.fromkeys(f for f in asked if f not in known):
            near = get_close_matches(field, known, n=1)
            do = f"Did you mean {near[0]}?" if near else f"Columns are: {', '.join(sorted(known))}."
            problems.append(Problem(f"no row has a column {field!r}.", WHERE, do))
        table: dict[str, str] = {}
        if rule.table:
            try:
                table = reference(base / rule.table, str(rule.key), rule.column or rule.field)
            except UserError as e:
                problems += e.problems
        for kind, said, units in _checks(rule, every, table):
            wrong = [rows for rows, ok in units if not ok]
            places = [", ".join(filter(None, at[rows[0].id][1:])) for rows in wrong[:PLACES]]
            n, of = len(units) - len(wrong), len(units)
            line = {"field": rule.field, "rule": said, "kind": kind, "n": n, "of": of}
            made.append({**line, "share": round(n / of, 4) if of else None, "least": rule.least, "places": places})
    if problems:
        raise UserError(problems)
    return made


Units = list[tuple[list[Example], bool]]
"""What is checked, a row or several, and whether it keeps the rule."""


def _checks(rule: Rule, every: Sequence[Example], table: Mapping[str, str]) -> Iterator[tuple[str, str, Units]]:
    """The checks of a rule: the measure that each belongs to, what it asks for, and what it was held against."""
    stated = [(e, value(e, rule.field)) for e in every if value(e, rule.field)]
    if rule.regex is not None:
        pattern = re.compile(rule.regex)
        yield "accuracy", f"matches {rule.regex}", [([e], bool(pattern.fullmatch(v))) for e, v in stated]
    if rule.min is not None or rule.max is not None:
        low, high = (float("-inf") if rule.min is None else rule.min), (float("inf") if rule.max is None else rule.max)
        bounds = " and ".join(f"at {w} {b:g}" for w, b in (("least", rule.min), ("most", rule.max)) if b is not None)
        within = [([e], (x := number(v)) is not None and low <= x <= high) for e, v in stated]
        yield "accuracy", f"is a number of {bounds}", within
    if rule.allowed:
        yield "accuracy", f"is one of {len(rule.allowed)} values", [([e], v in rule.allowed) for e, v in stated]
    if rule.same_as:
        both = [(e, v, value(e, rule.same_as)) for e, v in stated if value(e, rule.same_as)]
        yield "consistency", f"is what {rule.same_as} says", [([e], same(v) == same(w)) for e, v, w in both]
    if rule.per:
        held: dict[str, list[tuple[Example, str]]] = defaultdict(list)
        for e, v in stated:
            if key := value(e, rule.per):
                held[same(key)].append((e, same(v)))
        again = [some for some in held.values() if len(some) > 1]
        units = [([e for e, _ in some], len({v for _, v in some}) == 1) for some in again]
        yield "consistency", f"is the same for one {rule.per}, in whichever row or source", units
    if rule.table and rule.key:
        found = [(e, v, table.get(same(value(e, rule.key)))) for e, v in stated]
        units = [([e], same(v) == same(w)) for e, v, w in found if w is not None]
        yield "accuracy", f"is what {rule.table} says of its {rule.key}", units


def number(text: str) -> float | None:
    """A text as a number, None where it is none."""
    try:
        return float(text.replace(",", "") if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text) else text)
    except ValueError:
        return None


def same(text: str) -> str:
    """What two texts have in common that say the same: their number, or their words."""
    x = number(text)
    return f"{x:g}" if x is not None else " ".join(words(text)) or text


def reference(path: Path, key: str, column: str) -> dict[str, str]:
    """Read a table of reference: what ``column`` says by ``key``.

    Raises:
        UserError: it is not there, is no table, or lacks one of the two columns.
    """
    name = path.name
    if not path.is_file():
        raise UserError("there is no such table.", f"{WHERE}: {name}", "Check its path, relative to the use case.")
    reader = open_reader(path)
    if not isinstance(reader, RowReader):
        why = reader.what if isinstance(reader, Problem) else "it is a document."
        raise UserError(f"is no table of rows: {why}", f"{WHERE}: {name}", "Give a CSV or a file like it.")
    rows = [r.fields for r in reader.rows(path, name) if isinstance(r, Row)]
    lacking = [c for c in (key, column) if not any(c in r for r in rows)]
    if lacking:
        do = "Name the columns of the table as key and column."
        raise UserError(f"has no column {' and no column '.join(lacking)}.", f"{WHERE}: {name}", do)
    pairs = [(str(r.get(key) or "").strip(), r.get(column)) for r in rows]
    return {same(k): str(v).strip() for k, v in pairs if k and v is not None and str(v).strip()}
