"""Cells as a person sees them in a spreadsheet, and sheets as lines ``a | b``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

LONGEST = 64_000_000
"""Characters that the sheets of one file are written out to at most: a cell's text may stand in many cells."""

CELLS = 3_000_000
"""Cells, empty ones included, that are looked at in one file at most."""

_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


def cell_text(value: object, code: str = "General") -> str:
    """Return one cell's text on one line; ``code`` is its number format in Excel's notation.

    Percent, fixed decimals, thousands and dates are shown as Excel shows them, currencies without their sign.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        hour = value.time() != time() or ("h" in _QUOTED.sub("", code).lower() and code != "General")
        return value.isoformat(" ", "minutes" if not value.second else "seconds") if hour else str(value.date())
    if isinstance(value, date | time | timedelta):
        return str(value)
    if isinstance(value, int | float):
        return _number(value, _QUOTED.sub("", code.partition(";")[0]))
    return " ".join(str(value).split())


def _number(value: float, code: str) -> str:
    try:
        if "%" in code:
            return f"{value * 100:.{_decimals(code)}f}%"
        if "." in code and "E" not in code and "?" not in code:
            return f"{value:{',' if '#,##0' in code else ''}.{_decimals(code)}f}"
        if "#,##0" in code:
            return f"{value:,.0f}"
        if code == "0":
            return f"{value:.0f}"
        return str(value) if isinstance(value, int) else f"{value:.11g}"
    except (ValueError, OverflowError):
        return ""


def _decimals(code: str) -> int:
    found = re.search(r"\.([0#]+)", code)
    return min(len(found[1]), 20) if found else 0


def sheet_lines(rows: Iterable[list[str]]) -> Iterator[str]:
    """Yield the lines of a sheet without empty cells at their ends, and a blank one for empty rows."""
    waiting = False
    for cells in rows:
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            waiting = True
            continue
        if waiting:
            yield ""
        waiting = False
        yield " | ".join(cells)


def sheet_text(name: str, lines: Iterable[str]) -> str:
    """A sheet under its name; nothing where it is empty."""
    body = "\n".join(lines).strip("\n")
    return f"# {' '.join(name.split())}\n\n{body}" if body else ""


class TooMuch(Exception):
    """What was read so far is more than a workbook may come to."""


class Measured:
    """Counts what was looked at and written, so that a small file cannot become an endless text."""

    def __init__(self) -> None:
        self.cells = 0
        self.characters = 0

    def add(self, cells: list[str]) -> None:
        """Count one row.

        Raises:
            TooMuch: it is more than ``CELLS`` or ``LONGEST`` now.
        """
        self.cells += 1 + len(cells)
        self.characters += sum(map(len, cells)) + 3 * len(cells)
        if self.cells > CELLS or self.characters > LONGEST:
            raise TooMuch
