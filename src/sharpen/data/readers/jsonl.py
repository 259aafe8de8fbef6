"""Examples from JSON Lines: one object a line.

Empty lines are passed over. A line that is not an object is dropped with its number; the lines after it are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpen.data.readers._values import parse_object
from sharpen.data.reading import Note, Row, RowReader, read_text
from sharpen.errors import Problem

SUFFIXES = (".jsonl", ".ndjson")


def jsonl() -> RowReader:
    """Return the reader."""
    return RowReader(_rows)


def _rows(path: Path, name: str) -> Iterator[Row | Problem | Note]:
    for text in read_text(path, name):
        if not isinstance(text, str):
            yield text
            continue
        # Only "\n" ends a line: JSON strings may hold U+2028 and its kind, at which str.splitlines would cut.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield parse_object(line, number, name)
