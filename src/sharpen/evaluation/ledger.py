"""The ledger of openings: how often these test questions were looked at, over all runs of this store.

Every look at a test makes the next result a little less of a surprise, so the verdict says which look it rests on.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sharpen.errors import UserError

SCHEMA = """
create table if not exists openings (
    number integer primary key autoincrement,
    questions text not null,
    run text not null,
    plan text not null,
    opened_at text not null,
    unique (questions, run)
)
"""
WAIT_SECONDS = 30.0  # for another run that is writing


@dataclass(frozen=True)
class Opening:
    """One look at a test: ``look`` is 1 for the first run that opened these questions."""

    questions: str
    run: str
    plan: str
    opened_at: str
    look: int


class Ledger:
    """The openings of all runs in one file, ``<store>/ledger.sqlite``.

    Args:
        path: the file; it is made when it is first written to.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def record(self, questions: str, run: str, plan: str) -> Opening:
        """Write down that ``run`` opens ``questions``; it is on disk when this returns.

        The same run again (resumed after a kill) is the same look, with the time and plan of the first.

        Args:
            questions: hash of the test questions.
            run: identity of the run.
            plan: hash of the written plan.

        Raises:
            UserError: the ledger cannot be written.
        """
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._open() as db:
            db.execute(
                "insert or ignore into openings (questions, run, plan, opened_at) values (?, ?, ?, ?)",
                (questions, run, plan, now),
            )
        return next(o for o in self.openings(questions) if o.run == run)

    def openings(self, questions: str) -> tuple[Opening, ...]:
        """Return all looks at these questions, oldest first."""
        if not self.path.exists():
            return ()
        with self._open() as db:
            rows = db.execute(
                "select questions, run, plan, opened_at from openings where questions = ? order by number", (questions,)
            ).fetchall()
        return tuple(Opening(q, run, plan, at, i) for i, (q, run, plan, at) in enumerate(rows, start=1))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=WAIT_SECONDS)
            try:
                db.execute("pragma journal_mode = wal")
                db.execute("pragma synchronous = full")
                db.execute(SCHEMA)
                with db:
                    yield db
            finally:
                db.close()
        except (sqlite3.Error, OSError) as e:
            raise UserError(
                f"the ledger of test openings cannot be used ({e}).",
                str(self.path),
                "Free disk space or mend its permissions; without it no test is opened.",
            ) from None
