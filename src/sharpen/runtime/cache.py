"""Answers by what they depend on: the program, the question and the model's identity.

One SQLite file (WAL), so that a kill loses at most the last second and several studies can share it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from sharpen.errors import UserError
from sharpen.runtime.drivers import batch
from sharpen.runtime.engines import Engines
from sharpen.types import Answer, Example, System, plain, restore

COMMIT_SECONDS = 1.0


class Answers:
    """A cache of answers, kept in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(self._open()) as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID")
        except sqlite3.DatabaseError as e:
            raise self._broken(e) from None

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=30)
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
        except sqlite3.DatabaseError as e:
            raise self._broken(e) from None
        return found

    def put(self, rows: Sequence[tuple[str, Answer]]) -> None:
        """Keep answers; an error is not an answer and is never kept."""
        kept = [(k, json.dumps(plain(a), ensure_ascii=False)) for k, a in rows if not a.error]
        try:
            with closing(self._open()) as db, db:
                db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", kept)
        except sqlite3.DatabaseError as e:
            raise self._broken(e) from None


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
    fresh: list[tuple[str, Answer]] = []
    last = time.monotonic()
    try:
        for position, answer in batch(program, [examples[i] for i in todo], engines):
            i = todo[position]
            answers[i] = answer
            fresh.append((keys[i], answer))
            if time.monotonic() - last > COMMIT_SECONDS:
                if cache:
                    cache.put(fresh)
                fresh, last = [], time.monotonic()
                on_done(len(answers))
    finally:
        if cache and fresh:
            cache.put(fresh)
    on_done(len(answers))
    return [answers[i] for i in range(len(examples))]

