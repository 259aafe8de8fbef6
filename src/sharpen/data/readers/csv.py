"""Examples from comma-separated values with a header line.

The delimiter is a comma, or a semicolon or tab where the header has those instead, or what Excel's first line ``sep=;``
names. Quoted fields may hold line breaks. A row with more or fewer fields than the header is dropped with its line. A
quote that is missing somewhere takes the lines after it along; they are named.
"""

from __future__ import annotations

import csv as stdlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
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
    named = re.match(r'"?sep=(.)"?[ ;,]*(?=\n)', text, re.I)
    if named:
        delimiter, text = named[1], text[named.end() :]  # its line stays, empty, so that lines keep their numbers
    head = text.lstrip("\n").partition("\n")[0]
    delimiter = delimiter or max(",;\t", key=lambda d: (head.count(d), d == ","))
    previous = stdlib.field_size_limit(max(len(text), 131072))
    lines = stdlib.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    waiting: list[Row | Problem] = []  # until a row fits the header
    begin, fits = 1, False
    try:
        while True:
            try:
                cells = next(lines)
            except StopIteration:
                uneven = sum(isinstance(w, Problem) for w in waiting)
                yield from waiting if uneven < 2 else [_no_header(header, uneven, name)]
                return
            except stdlib.Error as e:
                yield _broken(str(e), begin, lines.line_num, name)
                begin = lines.line_num + 1
                continue
            at, begin = begin, lines.line_num + 1
            blank = not any(c.strip() for c in cells)
            if blank and (len(cells) < 2 or not header):
                continue
            if not header:
                header = [c.strip() for c in cells]
                while len(header) > 1 and not header[-1]:  # as Excel writes columns that once held something
                    header.pop()
                twice = sorted(c for c, n in Counter(header).items() if n > 1)
                if twice:
                    yield Problem(f"has two columns called {twice[0]!r}.", f"{name}, line {at}", "Rename one.")
                    return
                continue
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            if len(cells) == len(header) or blank:  # which is dropped like any row that asks nothing, and counted
                waiting.append(Row(at, dict(zip_longest(header, cells, fillvalue=""))))
                fits = fits or not blank
            else:
                what = f"has {len(cells)} fields where the header has {len(header)}."
                do = "Put fields that hold the delimiter in double quotes."
                waiting.append(Problem(what, f"{name}, line {at}", do))
            if fits:
                yield from waiting
                waiting = []
    finally:
        stdlib.field_size_limit(previous)


def _no_header(header: list[str], rows: int, name: str) -> Problem:
    """Say once what would be said of every row: what was taken for the header is a title above it."""
    what = f"none of its {rows} rows has as many fields as its header, which was read as: {', '.join(header)[:300]}."
    do = "Columns such as question and answers are missing: let the file begin with the line that names them."
    return Problem(what, name, do)


def _broken(said: str, first: int, last: int, name: str) -> Problem:
    """What is wrong with a record that begins in line ``first`` and was given up in line ``last``."""
    what = "has a quote that is never closed" if said == "unexpected end of data" else f"is not CSV: {said}"
    lost = {0: "", 1: f"; line {last} was not read"}.get(last - first, f"; lines {first + 1} to {last} were not read")
    do = "Close the quote; one that belongs to the text is written twice, in a field within quotes."
    return Problem(f"{what}{lost}.", f"{name}, line {first}", do)
