"""Fields without a value: rows are dropped, or a value is put in and the row says so.

A value is missing when the field is absent, None, not a number (NaN), an empty list, or a text that is empty or says so
("n/a", "null", "none", "-"). A field is named with what to do: ``drop``, ``mode``, ``median``, ``mean``, or
``{"value": ...}`` for a fixed one. What is put in comes from the rows themselves, read once before; a row that
got one has its field's name in ``imputed``. Whether guessing is right for a field only a person can say, so fields that
are not named are left.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sharpen.data.cleaning import Outcome, Row, RowCleaner
from sharpen.errors import UserError

SAID = frozenset(("", "n/a", "na", "nan", "null", "none", "nil", "-", "--", "?", "#n/a", "unknown"))
WAYS = ("drop", "mode", "median", "mean")
MOST = 100_000
"""Different values of a field, and numbers, that are remembered; later ones are not counted."""


def missing(fields: Mapping[str, Any] | Sequence[str] = ("text",)) -> RowCleaner:
    """Return the cleaner.

    Args:
        fields: names of those that must have a value, or each with what is done where it has none.
    """
    ways = dict(fields) if isinstance(fields, Mapping) else dict.fromkeys(fields, "drop")
    for name, way in ways.items():
        if way not in WAYS and not (isinstance(way, Mapping) and set(way) == {"value"}):
            hint = f'Use one of {", ".join(WAYS)}, or {{"value": ...}}.'
            raise UserError(f"cannot fill {name} by {way!r}.", "cleaner missing", hint)
    rules = tuple(f"{'dropped' if way == 'drop' else 'imputed'}.{name}" for name, way in ways.items())
    fixed = {name: way["value"] for name, way in ways.items() if isinstance(way, Mapping)}
    guessed = {name: way for name, way in ways.items() if way in WAYS[1:]}

    def made(values: Mapping[str, Any]) -> RowCleaner:
        return RowCleaner(rules, lambda rows: [_one(r, ways, values) for r in rows])

    def learned(rows: Iterable[Row]) -> RowCleaner:
        return made({**fixed, **_values(rows, guessed)})

    return RowCleaner(rules, made(fixed).rows, learned)


def absent(value: Any) -> bool:
    """Whether a field's value says that there is none."""
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, str):
        return value.strip().casefold() in SAID
    return value is None or (isinstance(value, list | tuple | dict) and not value)


def _one(row: Row, ways: Mapping[str, Any], values: Mapping[str, Any]) -> Outcome:
    lacks = [name for name in ways if absent(row.get(name))]
    for name in lacks:
        if ways[name] == "drop" or values.get(name) is None:
            rule = f"{'dropped' if ways[name] == 'drop' else 'imputed'}.{name}"
            why = "" if ways[name] == "drop" else ", and no other row has one"
            return Outcome(None, (rule,), f"{name} has no value{why}")
    if not lacks:
        return Outcome(row)
    filled = {name: values[name] for name in lacks}
    made = {**row, **filled, "imputed": [*row.get("imputed", ()), *lacks]}
    return Outcome(made, tuple(f"imputed.{name}" for name in lacks))


def _values(rows: Iterable[Row], ways: Mapping[str, str]) -> dict[str, Any]:
    """What is put in for each field: from at most so many different values, so that memory is bounded."""
    counts: dict[str, Counter[Any]] = {name: Counter() for name in ways}
    for row in rows:
        for name, seen in counts.items():
            value = row.get(name)
            if absent(value) or isinstance(value, list | dict):
                continue
            if ways[name] != "mode" and not (isinstance(value, int | float) and not isinstance(value, bool)):
                continue
            if value in seen or len(seen) < MOST:
                seen[value] += 1
    return {name: _value(ways[name], seen) for name, seen in counts.items() if seen}


def _value(way: str, seen: Counter[Any]) -> Any:
    if way == "mode":
        return min(seen, key=lambda v: (-seen[v], str(v)))
    if way == "median":
        return statistics.median_low(seen.elements())
    return sum(v * n for v, n in seen.items()) / sum(seen.values())
