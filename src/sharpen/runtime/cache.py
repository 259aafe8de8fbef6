"""Answers by what they depend on: the program, the question and the model's identity.

One SQLite file (WAL). Every answer is written when it comes, so a kill loses none, and several studies can share it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from sharpen.errors import UserError
from sharpen.runtime.drivers import batch
from sharpen.runtime.engines import Engines
from sharpen.types import Answer, Example, System, plain, restore

TELL_SECONDS = 0.2  # between two reports of progress
Keep = Callable[[str, Answer], None]


class Answers:
    """A cache of answers, kept in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(self._open()) as db:
                db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID")
        except sqlite3.DatabaseError as e:
            raise self._broken(e) from None

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        return db

    def _broken(self, error: Exception) -> UserError:
        if "full" in str(error) or "disk I/O" in str(error):
            return UserError(f"cannot be written: {error}.", str(self.path), "Free some space and run again.")
        return UserError(f"cannot be used: {error}.", str(self.path), "Delete it; answers are then computed anew.")

    def get(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Return the answers that are known among ``keys``."""
        found: dict[str, Answer] = {}
        try:
            with closing(self._open()) as db:
                for i in range(0, len(keys), 500):
                    part = list(keys[i : i + 500])
                    marks = ",".join("?" * len(part))
                    for key, text in db.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", part):
                        found[key] = restore(json.loads(text))
        except (sqlite3.DatabaseError, ValueError, LookupError, TypeError) as e:
            raise self._broken(e) from None
        return found

    @contextmanager
    def writing(self) -> Iterator[Keep]:
        """Yield a function that keeps an answer at once; an error is not an answer and is never kept."""

        def keep(key: str, answer: Answer) -> None:
            if not answer.error:
                try:
                    db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, json.dumps(plain(answer))))
                except sqlite3.DatabaseError as e:
                    raise self._broken(e) from None

        try:
            db = self._open()
        except sqlite3.DatabaseError as e:
            raise self._broken(e) from None
        with closing(db):
            yield keep

    def put(self, rows: Sequence[tuple[str, Answer]]) -> None:
        """Keep several answers."""
        with self.writing() as keep:
            for key, answer in rows:
                keep(key, answer)


def key_of(program: System, example: Example, identity: str) -> str:
    """What an answer depends on, as one hash."""
    return hashlib.sha256(f"{program.fingerprint}\0{example.content}\0{identity}".encode()).hexdigest()


def answer_all(
    program: System,
    examples: Sequence[Example],
    engines: Engines,
    cache: Answers | None = None,
    on_done: Callable[[int], None] = lambda n: None,
) -> list[Answer]:
    """Answer all questions, from the cache where it knows them; ``on_done`` is told how many are done."""
    if not examples:
        return []
    identity = engines.identity(program.model) if cache else ""
    keys = [key_of(program, e, identity) for e in examples]
    known = cache.get(keys) if cache else {}
    answers: dict[int, Answer] = {i: known[k] for i, k in enumerate(keys) if k in known}
    on_done(len(answers))
    todo = [i for i in range(len(examples)) if i not in answers]
    if not todo:
        return [answers[i] for i in range(len(examples))]
    told = time.monotonic()
    with cache.writing() if cache else nullcontext() as keep:
        for position, answer in batch(program, [examples[i] for i in todo], engines):
            i = todo[position]
            answers[i] = answer
            if keep:
                keep(keys[i], answer)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                on_done(len(answers))
    on_done(len(answers))
    return [answers[i] for i in range(len(examples))]
