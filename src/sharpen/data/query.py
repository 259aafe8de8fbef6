"""Rows of an SQL query, over any database that SQLAlchemy reaches; nothing is written there.

The query runs in a transaction that is rolled back, read-only where the database knows that, and only one that begins
with SELECT, WITH, VALUES or TABLE is sent. Rows come as they are read, a thousand at a time.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sharpen.data.reading import Row
from sharpen.errors import MissingExtra, Problem, UserError

AT_ONCE = 1_000
"""Rows that are held in memory at once."""

_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/", re.S)
_READS = re.compile(r"(?:select|with|values|table)\b", re.I)


def read_query(url: str, query: str, name: str = "query") -> Iterator[Row | Problem]:
    """Yield the rows of a query, and a problem where reading ends before its time.

    Args:
        url: the database, as SQLAlchemy writes it: ``postgresql+psycopg://user@host/db``, ``sqlite:///file.db``.
        query: one statement that reads; a ``:name`` in it is written ``\\:name``.
        name: how messages call it.

    Raises:
        MissingExtra: SQLAlchemy is not installed.
        UserError: the query does not read, or the address is none.
    """
    if importlib.util.find_spec("sqlalchemy") is None:
        raise MissingExtra("reading a query", "sqlalchemy", "sql")
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if not _READS.match(_plain(query)):
        raise UserError("is no query that reads.", name, "Let it begin with SELECT or WITH.")
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        do = "Write it as SQLAlchemy does: sqlite:///file.db, postgresql+psycopg://user@host/db."
        raise UserError("is no address of a database.", name, do) from None
    return _rows(address, query, name)


def _plain(query: str) -> str:
    """The query without the white space, comments and brackets at its beginning."""
    while found := _COMMENT.match(query):
        query = query[found.end() :]
    return _plain(query[1:]) if query.startswith("(") else query


def _rows(address: Any, query: str, name: str) -> Iterator[Row | Problem]:
    from sqlalchemy import create_engine, event, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    number = 0
    engine: Any = None
    try:
        if address.get_backend_name() == "sqlite" and address.database and address.database != ":memory:":
            _must_be_there(address.database, name)
        engine = create_engine(address, poolclass=NullPool)
        if address.get_backend_name() == "sqlite":
            event.listen(engine, "connect", lambda made, _: made.execute("PRAGMA query_only = ON"))
        options = {"postgresql_readonly": True} if address.get_backend_name() == "postgresql" else {}
        with engine.connect().execution_options(stream_results=True, yield_per=AT_ONCE, **options) as connection:
            if address.get_backend_name() in ("mysql", "mariadb"):
                connection.execute(text("SET TRANSACTION READ ONLY"))
            found = connection.execute(text(query))
            columns = _columns(list(found.keys()), name)
            for values in found:
                number += 1
                yield Row(number, dict(zip(columns, map(_value, values), strict=True)), f"row {number}")
            connection.rollback()
    except UserError as e:
        yield from e.problems
    except ImportError as e:
        yield Problem(f"needs a driver that is not installed ({e.name or e}).", name, f"pip install {e.name or 'it'}")
    except (SQLAlchemyError, OSError, ValueError, OverflowError) as e:
        said = str(getattr(e, "orig", None) or e).strip().split("\n")[0][:300].rstrip(".")
        where = f"{name}, row {number + 1}" if number else name
        yield Problem(f"cannot be read: {said}.", where, "Try the query in the database's own program.")
    finally:
        if engine is not None:
            engine.dispose()


def _must_be_there(database: str, name: str) -> None:
    """SQLite makes a file that is not there, which nobody wants of a query."""
    from pathlib import Path

    if not database.startswith("file:") and not Path(database).is_file():
        raise UserError("there is no such database file.", name, "Check the address; three slashes come before a path.")


def _columns(names: list[str], name: str) -> list[str]:
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UserError(f"gives two columns called {twice[0]!r}.", name, "Rename one with AS.")
    return names


def _value(value: Any) -> Any:
    """A value as the other readers give it: what JSON has, and dates and decimals as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 10**15 else str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else str(value)
