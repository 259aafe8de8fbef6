"""Sheets of a workbook as tables of rows: the first row that holds something names the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sharpen.data.readers._tables import Measured, TooMuch
from sharpen.data.reading import Note, Row
from sharpen.errors import Problem


@dataclass(frozen=True)
class Sheet:
    """One visible sheet and its rows; cells are what Excel shows, as text."""

    title: str
    rows: list[Row | Problem]


def sheets(path: Path, name: str) -> Iterator[Sheet | Problem | Note]:
    """Read every visible sheet of an xlsx or xls workbook; empty ones are left out."""
    from sharpen.data.readers import xls, xlsx

    grids = xls.grids if path.suffix.lower() == ".xls" else xlsx.grids
    found = False
    try:
        for each in grids(path, name, Measured()):
            if isinstance(each, Problem | Note):
                yield each
                found = found or isinstance(each, Problem)
                continue
            title, cells = each
            rows = list(_rows(cells, f"{name}/{title}"))
            found = found or bool(rows)
            if rows:
                yield Sheet(title, rows)
    except TooMuch:
        yield Problem("writes out to too many cells or too much text.", name, "Save the sheets that matter as csv.")
        return
    except Exception as e:  # as in their readers: their parsers raise whatever damaged files make them
        yield Problem(f"is not a workbook that can be read ({type(e).__name__}).", name, "Save it anew.")
        return
    if not found:
        yield Problem("holds no rows.", name, "Fill it, or take it away.")


def _rows(grid: Iterable[list[str]], name: str) -> Iterator[Row | Problem]:
    header: list[str] = []
    for number, cells in enumerate(grid, 1):
        if not any(c.strip() for c in cells):
            continue
        if not header:
            header = [c.strip() for c in cells]
            twice = sorted(c for c, n in Counter(header).items() if c and n > 1)
            if twice:
                yield Problem(f"has two columns called {twice[0]!r}.", f"{name}, row {number}", "Rename one.")
                return
            continue
        over = [c for h, c in zip(header + [""] * len(cells), cells, strict=False) if not h and c.strip()]
        if over:
            what = "has a cell in a column without a name."
            yield Problem(what, f"{name}, row {number}", "Name each column in the first row.")
            continue
        cells += [""] * (len(header) - len(cells))
        yield Row(number, {h: c for h, c in zip(header, cells, strict=False) if h}, f"row {number}")
