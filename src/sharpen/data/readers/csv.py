"""Examples from comma-separated values with a header line.

The delimiter is a comma, or a semicolon or tab where the header has those instead. Quoted fields may hold line breaks.
A row with more or fewer fields than the header is dropped with its line. A quote that is missing somewhere takes the
lines after it along; they are named.
"""

from __future__ import annotations

import csv as stdlib
import io
from collections.abc import Iterator
from pathlib import Path

from sharpen.data.reading import Note, Row, RowReader, read_text
from sharpen.errors import Problem

SUFFIXES = (".csv",)


def csv() -> RowReader:
    """Return the reader."""
    return RowReader(lambda path, name: read_separated(path, name, ""))


def read_separated(path: Path, name: str, delimiter: str) -> Iterator[Row | Problem | Note]:
    """Read rows under a header; an empty ``delimiter`` is chosen by the header."""
    for text in read_text(path, name):
        if isinstance(text, str):
            yield from _rows(text, name, delimiter)
        else:
            yield text


def _rows(text: str, name: str, delimiter: str) -> Iterator[Row | Problem | Note]:
    head = text.lstrip("\n").partition("\n")[0]
    delimiter = delimiter or max(",;\t", key=lambda d: (head.count(d), d == ","))
    previous = stdlib.field_size_limit(max(len(text), 131072))
    lines = stdlib.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    begin = 1
    try:
        while True:
            try:
                cells = next(lines)
            except StopIteration:
                return
            except stdlib.Error as e:
                yield _broken(str(e), begin, lines.line_num, name)
                begin = lines.line_num + 1
                continue
            at, begin = begin, lines.line_num + 1
            if not any(c.strip() for c in cells):
                continue
            if not header:
                header = [c.strip() for c in cells]
                while len(header) > 1 and not header[-1]:  # as Excel writes columns that once held something
                    header.pop()
                twice = sorted({c for c in header if header.count(c) > 1})
                if twice:
                    yield Problem(f"has two columns called {twice[0]!r}.", f"{name}, line {at}", "Rename one.")
                    return
                continue
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            if len(cells) != len(header):
                yield Problem(
                    f"has {len(cells)} fields where the header has {len(header)}.",
                    f"{name}, line {at}",
                    "Put fields that hold the delimiter in double quotes.",
                )
            else:
                yield Row(at, dict(zip(header, cells, strict=True)))
    finally:
        stdlib.field_size_limit(previous)


def _broken(said: str, first: int, last: int, name: str) -> Problem:
    """What is wrong with a record that begins in line ``first`` and was given up in line ``last``."""
    what = "has a quote that is never closed" if said == "unexpected end of data" else f"is not CSV: {said}"
    lost = {0: "", 1: f"; line {last} was not read"}.get(last - first, f"; lines {first + 1} to {last} were not read")
    do = "Close the quote; one that belongs to the text is written twice, in a field within quotes."
    return Problem(f"{what}{lost}.", f"{name}, line {first}", do)
