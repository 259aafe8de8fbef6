"""Answers by what they depend on: the program, the question, the model's identity and the code of the answer path.

One SQLite file (WAL). Every answer is written when it comes, so a kill loses none, and several studies can share it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache as once
from pathlib import Path
from threading import RLock
from typing import Any

from sharpen.errors import UserError
from sharpen.runtime.drivers import batch
from sharpen.runtime.engines import Engines
from sharpen.store import hash_files
from sharpen.types import Answer, Example, System, plain, restore

TELL_SECONDS = 0.2  # between two reports of progress


class Answers:
    """A cache of answers, kept in ``path``. Threads may share it, and so may processes, each with its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        self._own: set[str] = set()
        self.reused = 0  # answers that another process, or this one before a kill, had computed
        with self._said():
            path.parent.mkdir(parents=True, exist_ok=True)
            # One connection for as long as it is used: closing one moves everything from the log to the file.
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID")

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Say what SQLite's errors mean to the user."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as e:
            what, do = _meaning(e)
            raise UserError(what, str(self.path), do) from None

    def get(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Return the answers that are known among ``keys``."""
        rows: list[tuple[str, Any]] = []
        with self._said():
            for i in range(0, len(keys), 500):
                part = list(keys[i : i + 500])
                marks = ",".join("?" * len(part))
                rows += self._db.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", part)
            read = {key: _answer(text) for key, text in rows}
            for key, answer in read.items():
                if answer is None:  # damaged: it is computed anew
                    self._db.execute("DELETE FROM answers WHERE key = ?", (key,))
        found = {key: answer for key, answer in read.items() if answer is not None}
        self.reused += len(found.keys() - self._own)
        self._own |= found.keys()
        return found

    def put(self, rows: Sequence[tuple[str, Answer]]) -> None:
        """Keep answers; an error is not an answer and is never kept."""
        kept = [(k, json.dumps(plain(a))) for k, a in rows if not a.error]
        self._own.update(k for k, _ in kept)
        with self._said():
            for row in kept:
                self._db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", row)


def _answer(text: Any) -> Answer | None:
    """The answer of a row, or None where the row holds none."""
    try:
        found = restore(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, Answer) and isinstance(found.text, str) else None


def _meaning(error: Exception) -> tuple[str, str]:
    """What went wrong and what to do; only a file that is broken is worth deleting with all its answers."""
    said = str(error)
    if "full" in said or "disk I/O" in said or "No space" in said:
        return f"cannot be written: {said}.", "Free some space and run again."
    if "lock" in said:
        return f"is in use: {said}.", "Wait until the other study is done, then run again."
    if isinstance(error, OSError) or "readonly" in said or "unable to open" in said:
        return f"cannot be used: {said}.", "See that this is a file, and that you may write it and its folder."
    return f"cannot be used: {said}.", "Delete it; answers are then computed anew."


@once
def code() -> str:
    """Hash of the code that finds passages, makes prompts, runs models and reads replies: other code, other answers."""
    here = Path(__file__).parent
    rooms = [here, here.parent / "models", here.parent / "retrieval"]
    others = [here.parent / "metrics" / "parsing.py", here.parent / "data" / "wording.py"]
    files = [*(f for room in rooms for f in sorted(room.glob("*.py"))), *others]
    return hash_files(files)


def key_of(program: System, example: Example, identity: str) -> str:
    """What an answer depends on, as one hash."""
    return hashlib.sha256(f"{program.fingerprint}\0{example.content}\0{identity}\0{code()}".encode()).hexdigest()


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
    identity = engines.identity_of(program) if cache else ""
    keys = [key_of(program, e, identity) for e in examples]
    known = cache.get(keys) if cache else {}
    answers: dict[int, Answer] = {i: known[k] for i, k in enumerate(keys) if k in known}
    on_done(len(answers))
    todo = [i for i in range(len(examples)) if i not in answers]
    if not todo:
        return [answers[i] for i in range(len(examples))]
    told = time.monotonic()
    for position, answer in batch(program, [examples[i] for i in todo], engines):
        i = todo[position]
        answers[i] = answer
        if cache:
            cache.put([(keys[i], answer)])
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            on_done(len(answers))
    on_done(len(answers))
    return [answers[i] for i in range(len(examples))]
