"""The ledger of openings: how often these test questions were looked at, over all runs of this store.

Every look at a test makes the next result a little less of a surprise, so the verdict says which look it rests on.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
EACH = """
create table if not exists looked (
    question text not null,
    opening integer not null,
    primary key (question, opening)
) without rowid
"""
STUDY = "substr(run || '/', 1, instr(run || '/', '/') - 1)"
BEFORE = f"""
select count(*), max(n) from (
    select count(distinct {STUDY}) as n from looked join openings on number = opening
    where opening < :this and {STUDY} != :study
    and question in (select question from looked where opening = :this) group by question
)
"""  # what one study opens in several parts (folds), it looks at once
WAIT_SECONDS = 30.0  # for another run that is writing


@dataclass(frozen=True)
class Opening:
    """One look at a test.

    ``look`` is 1 where no run opened any of these questions before; otherwise one more than the run that the most
    looked-at question has seen. ``share`` of the questions were looked at before.
    """

    questions: str
    run: str
    plan: str
    opened_at: str
    look: int
    share: float = 0.0


def study_of(run: str) -> str:
    """The run that a part of one belongs to."""
    return run.partition("/")[0]


class Ledger:
    """The openings of all runs in one file, ``<store>/ledger.sqlite``.

    Args:
        path: the file; it is made when it is first written to.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def record(self, questions: str, run: str, plan: str, each: Sequence[str] = ()) -> Opening:
        """Write down that ``run`` opens ``questions``; it is on disk when this returns.

        The same run again (resumed after a kill) is the same look, with the time and plan of the first.

        Args:
            questions: hash of the test questions.
            run: identity of the run; of a part of one (a fold) the run's, a slash, and the part.
            plan: hash of the written plan.
            each: hash of each question: a test that shares questions with another is a look at them, too.

        Raises:
            UserError: the ledger cannot be written.
        """
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._open() as db:
            db.execute(
                "insert or ignore into openings (questions, run, plan, opened_at) values (?, ?, ?, ?)",
                (questions, run, plan, now),
            )
            find = "select number from openings where questions = ? and run = ?"
            (number,) = db.execute(find, (questions, run)).fetchone()
            db.executemany("insert or ignore into looked values (?, ?)", ((q, number) for q in each))
            seen, most = db.execute(BEFORE, {"this": number, "study": study_of(run)}).fetchone()
        opening = next(o for o in self.openings(questions) if o.run == run)
        if opening.look > 1:  # the very same questions
            return replace(opening, look=max(opening.look, (most or 0) + 1), share=1.0)
        return replace(opening, look=(most or 0) + 1, share=seen / max(1, len(set(each))))

    def openings(self, questions: str) -> tuple[Opening, ...]:
        """Return all looks at this very set of questions, oldest first."""
        if not self.path.exists():
            return ()
        with self._open() as db:
            rows = db.execute(
                "select questions, run, plan, opened_at from openings where questions = ? order by number", (questions,)
            ).fetchall()
        studies: dict[str, int] = {}  # to the number of each
        return tuple(
            Opening(q, run, plan, at, studies.setdefault(study_of(run), len(studies) + 1)) for q, run, plan, at in rows
        )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=WAIT_SECONDS)
            try:
                db.execute("pragma journal_mode = wal")
                db.execute("pragma synchronous = full")
                db.execute(SCHEMA)
                db.execute(EACH)
                with db:
                    yield db
            finally:
                db.close()
        except (sqlite3.Error, OSError) as e:
            do = "Free disk space or mend its permissions; without it no test is opened."
            if isinstance(e, sqlite3.DatabaseError) and not isinstance(e, sqlite3.OperationalError):  # damaged
                do = "Put back a copy, or move it away: a new one is begun, in which earlier looks are not counted."
            raise UserError(f"the ledger of test openings cannot be used ({e}).", str(self.path), do) from None
