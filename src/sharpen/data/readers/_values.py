"""JSON values with a sentence for everything that can be wrong with them."""

from __future__ import annotations

import json
from typing import Any

from sharpen.data.reading import Row
from sharpen.errors import Problem

KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}


class Twice(dict[str, Any]):
    """An object in which a key stands twice; a plain one would keep the last and say nothing."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [key for key, _ in pairs]
        self.key = next(key for key in names if names.count(key) > 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Twice(pairs)


DECODER = json.JSONDecoder(object_pairs_hook=_object)


def kind_of(value: Any) -> str:
    """Say what a JSON value is."""
    return KINDS.get(type(value), "a number")


def why_broken(error: Exception, line: int | None = None) -> str:
    """Say what the JSON parser stumbled over; ``line`` where the text was a single line."""
    if isinstance(error, json.JSONDecodeError):
        column = f" at character {error.colno}" if line is None or error.lineno == 1 else ""
        return f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}{column}."
    if isinstance(error, RecursionError):
        return "is nested too deeply."
    return "holds a number with too many digits."


def parse_object(text: str, line: int, name: str) -> Row | Problem:
    """Read one object."""
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError) as e:
        return Problem(why_broken(e, line), f"{name}, line {line}", "Mend that line.")
    return as_row(value, line, name)


def as_row(value: Any, line: int, name: str, place: str = "") -> Row | Problem:
    """Return a value as a row, if it is an object; ``place`` as in :class:`Row`."""
    row = Row(line, value, place)
    if not isinstance(value, dict):
        where = f"{name}, {row.at}"
        return Problem(f"is {kind_of(value)}, not an object with named fields.", where, 'Write {"question": …, …}.')
    left: list[Any] = [value]
    while left:
        one = left.pop()
        if isinstance(one, Twice):
            return Problem(f"holds the key {one.key[:80]!r} twice.", f"{name}, {row.at}", "Keep one.")
        left += [v for v in (one.values() if isinstance(one, dict) else one) if isinstance(v, dict | list)]
    return row
