"""Rows of a query: a file of one SQL statement that says in its first line which database is asked.

::

    -- url: sqlite:///shop.db
    SELECT question, answer, article AS source FROM faq

The address is written as SQLAlchemy has it. ``-- url: env:SHOP_DB`` takes it from an environment variable, which is
where passwords belong. A SQLite file without a leading slash lies beside the file. The query only reads, and what it
gives is part of what a study is made of: other rows, another study.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from sharpen.data.query import read_query
from sharpen.data.reading import Note, Row, RowReader, read_text
from sharpen.errors import MissingExtra, Problem, UserError

SUFFIXES = (".sql",)
NEEDS = {"sqlalchemy": "sql"}
LIVE = True
"""What it reads does not stand in the file: the rows themselves are hashed."""

MOST = 1_000_000
"""Rows that are taken: a query can give rows without end."""

_ADDRESS = re.compile(r"\s*--\s*url:\s*(\S+)[^\S\n]*(?:\n|\Z)", re.I)
_BESIDE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|file:|:memory:)(.+)", re.S)


def sql() -> RowReader:
    """Return the reader."""
    return RowReader(_rows)


def _rows(path: Path, name: str) -> Iterator[Row | Problem | Note]:
    for each in read_text(path, name):
        if not isinstance(each, str):
            yield each
            continue
        found = _ADDRESS.match(each)
        if not found:
            do = "Begin it with: -- url: sqlite:///shop.db, or -- url: env:NAME for a variable that holds the address."
            yield Problem("does not say which database it asks.", name, do)
            return
        url = found[1]
        if url.startswith("env:"):
            url = os.environ.get(url[4:], "")
            if not url:
                yield Problem(f"its database is to stand in {found[1][4:]}, which is empty.", name, "Set the variable.")
                return
        url = _BESIDE.sub(lambda m: m[1] + str((path.parent / m[2]).resolve()), url)
        try:
            for n, row in enumerate(read_query(url, each[found.end() :], name), 1):
                if n > MOST:
                    yield Problem(f"gives more than {MOST:,} rows.", name, "Have fewer chosen: WHERE, LIMIT.")
                    return
                yield row
        except (UserError, MissingExtra) as e:
            yield from e.problems
