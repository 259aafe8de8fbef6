"""A living index: one SQLite file (WAL) that documents are added to, changed in and taken out of.

A change is one transaction that raises the version, so a kill leaves the old or the new one. Vectors (float32) stand in
the same file: text and vectors cannot disagree, and what is deleted is deleted once. They are kept by the text that was
embedded, and written before the change itself, so that an update that was stopped goes on where it was. A search is
made by an :class:`Index` over what its asker may see; word statistics are those of such passages alone, and the scores
those of a frozen index of the same documents.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import quote

import numpy as np

from sharpen.errors import UserError
from sharpen.retrieval.access import Access
from sharpen.retrieval.index import Embed, Index
from sharpen.retrieval.wording import Wording
from sharpen.store import replacing
from sharpen.types import Passage, Ref, Span, digest

FORMAT = 1
MARK = "sharpen collection"
VIEWS = 8  # indexes of different askers that are held at once
PART = 500  # rows of one statement
BUSY = 60.0  # seconds that one process waits for another's transaction
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL UNIQUE, file TEXT NOT NULL, hash TEXT NOT NULL,
    title TEXT NOT NULL, characters INTEGER NOT NULL, version INTEGER NOT NULL);
CREATE TABLE passages (
    document INTEGER NOT NULL REFERENCES documents (id), n INTEGER NOT NULL, start INTEGER NOT NULL,
    stop INTEGER NOT NULL, text TEXT NOT NULL, meta TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (document, n));
CREATE INDEX by_content ON passages (content);
CREATE TABLE vectors (content BLOB PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL);
"""


def create(path: Path, settings: Mapping[str, Any]) -> None:
    """Write an empty collection; ``settings`` say how it is made, for whoever adds to it later.

    Raises:
        UserError: there is something already.
    """
    if path.exists():
        raise UserError("is there already.", str(path), "Name another one, or delete it.")
    with replacing(path) as temporary, _said(path), closing(sqlite3.connect(temporary, isolation_level=None)) as db:
        db.executescript(TABLES)
        first = {"format": FORMAT, "mark": MARK, "id": secrets.token_hex(8), "version": 0, "scrub": 0}
        rows = [*first.items(), ("settings", dict(settings))]
        db.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in rows])


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say what SQLite's errors mean to the user."""
    try:
        yield
    except sqlite3.Error as e:
        raise UserError(*_meaning(e, path)) from None


def _meaning(error: Exception, path: Path) -> tuple[str, str, str]:
    said = str(error)
    if "full" in said or "disk I/O" in said:
        do = "Free some space and repeat the command; the collection is as it was."
        return f"cannot be written: {said}.", str(path), do
    if "lock" in said:
        return f"is in use: {said}.", str(path), "Wait until the other process is done, then repeat the command."
    if "readonly" in said or "unable to open" in said:
        return f"cannot be used: {said}.", str(path), "See that this is a file, and that you may write its folder."
    return f"is no collection, or damaged: {said}.", str(path), "Delete it and build it anew: sharpen index build"


def version_of(name: Ref) -> int:
    """The version in the name of what was searched."""
    return int(name.partition("@")[2].partition("#")[0])


class Collection:
    """An open collection. Threads may share it; processes each open their own.

    Reading holds what it read in memory and reads only what changed since.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        self._version = -1
        self._order: list[int] = []  # of documents, by their sources
        self._sources: dict[int, str] = {}
        self._held: dict[int, tuple[list[Passage], Any]] = {}  # passages and vectors of each document
        self._views: dict[tuple[Any, ...], Index] = {}
        if not path.is_file():
            raise UserError("there is no such collection.", str(path), "Make it: sharpen index build DIR --to NAME")
        with self.speaking():
            address = f"file:{quote(str(path.absolute()), errors='surrogateescape')}?mode=rw"
            self.db = sqlite3.connect(address, BUSY, isolation_level=None, check_same_thread=False, uri=True)
            self.db.execute("PRAGMA busy_timeout = 60000")
            # Of what is deleted nothing stays in the file's free pages.
            self.db.execute("PRAGMA secure_delete = ON")
            found = self._meta()
        if found.get("mark") != MARK:
            raise UserError("is no collection.", str(path), "Name one that sharpen index build made.")
        if found["format"] != FORMAT:
            raise UserError(f"has format {found['format']}.", str(path), "Use the sharpen that made it, or build anew.")
        self.id = str(found["id"])
        with self.speaking(), suppress(sqlite3.OperationalError):  # one that may only be read stays as it is
            self.db.execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Let the file go."""
        self.db.close()

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Use the connection alone, and say what goes wrong in a sentence."""
        with self._lock, _said(self.path):
            yield

    def _meta(self) -> dict[str, Any]:
        there = self.db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
        rows = self.db.execute("SELECT key, value FROM meta") if there else ()
        return {k: json.loads(v) for k, v in rows}

    @property
    def settings(self) -> dict[str, Any]:
        """How it is made: chunking, wording, embeddings, where its documents come from."""
        with self.speaking():
            settings: dict[str, Any] = self._meta()["settings"]
            return settings

    @property
    def version(self) -> int:
        """How often it has been changed."""
        with self.speaking():
            return int(self.db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])

    @property
    def access(self) -> Access:
        """Who may see what."""
        return Access.model_validate(self.settings.get("access") or {"rules": [], "others": "everyone"})

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it or nothing."""
        with self.speaking():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk may have rolled it back already
                    self.db.execute("ROLLBACK")
                raise

    def known(self) -> dict[str, tuple[int, str, str]]:
        """Id, file and hash of each document, by its source, in the order of sources."""
        with self.speaking():
            rows = self.db.execute("SELECT source, id, file, hash FROM documents ORDER BY source")
            return {source: (i, file, known) for source, i, file, known in rows}

    def _refresh(self) -> int:
        """Read what changed, and return the version that is held now."""
        with self.speaking():
            self.db.execute("BEGIN")  # all of one version
            try:
                version = int(self.db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])
                if version != self._version:
                    rows = self.db.execute("SELECT id, source FROM documents ORDER BY source").fetchall()
                    self._sources = dict(rows)
                    self._order = [i for i, _ in rows]
                    self._held = {i: held for i, held in self._held.items() if i in self._sources}
                    self._read([i for i in self._order if i not in self._held])
                    self._views = {}
                    self._version = version
            finally:
                self.db.execute("COMMIT")
            return version

    def _read(self, wanted: Sequence[int]) -> None:
        """Read passages and vectors of documents."""
        dense = bool(self._meta()["settings"].get("embeddings"))
        for begin in range(0, len(wanted), PART):
            part = wanted[begin : begin + PART]
            marks = ",".join("?" * len(part))
            rows = self.db.execute(
                "SELECT document, n, start, stop, text, meta, vector FROM passages LEFT JOIN vectors USING (content) "
                f"WHERE document IN ({marks}) ORDER BY document, n",
                part,
            )
            found: dict[int, tuple[list[Passage], list[bytes]]] = {i: ([], []) for i in part}
            for i, n, start, stop, text, meta, vector in rows:
                source = self._sources[i]
                span = Span(source, start, stop)
                found[i][0].append(Passage(f"{source}#{n}", text, span, meta=json.loads(meta)))
                if dense and vector is None:
                    raise sqlite3.DatabaseError("a passage has no vector")
                found[i][1].append(vector)
            for i, (passages, blobs) in found.items():
                vectors = (
                    np.frombuffer(b"".join(blobs), np.float32).reshape(len(blobs), -1) if dense and blobs else None
                )
                self._held[i] = (passages, vectors)

    def index(
        self,
        groups: Sequence[str] | None = (),
        embed: Embed | None = None,
        refused: Callable[[str], bool] = lambda source: False,
        wording: Wording | None = None,
    ) -> tuple[Index, Ref]:
        """What an asker may search at this moment, and a name of exactly that.

        Args:
            groups: those that the asker belongs to; None: all is seen, for who keeps the collection.
            embed: needed to search by meaning.
            refused: sources that may not be used now, whoever asks.
            wording: what counts as a word; None: as the collection says.
        """
        with self._lock:
            version = self._refresh()
            settings = self.settings
            access = self.access
            wording = wording or Wording(**settings.get("wording", {}))
            seen = tuple(
                i
                for i in self._order
                if (groups is None or access.sees(self._sources[i], groups)) and not refused(self._sources[i])
            )
            key = (seen, wording, embed is None)
            if key not in self._views:
                while len(self._views) >= VIEWS:
                    self._views.pop(next(iter(self._views)))
                self._views[key] = self._made(seen, embed, wording)
            # Which documents an asker sees is part of the name, not by which groups: equal sights share answers.
            return self._views[key], f"collection:{self.id}@{version}#{digest([seen, vars(wording)])[:16]}"

    def _made(self, seen: Sequence[int], embed: Embed | None, wording: Wording) -> Index:
        passages = [p for i in seen for p in self._held[i][0]]
        parts = [v for i in seen if (v := self._held[i][1]) is not None]
        return Index(passages, np.concatenate(parts) if parts else None, embed, wording)

    def answer(self, key: str) -> str | None:
        """An answer that was kept by this key, of this version."""
        with self.speaking():
            row = self.db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            return row[0] if row else None

    def keep_answer(self, key: str, answer: str, name: Ref) -> None:
        """Keep an answer as long as nothing changes: it may quote what is deleted next.

        One of a version that is no more is not kept, nor is one kept where the file may only be read.
        """
        said = "INSERT OR REPLACE INTO answers SELECT ?, ? FROM meta WHERE key = 'version' AND CAST(value AS INT) = ?"
        with suppress(UserError), self.speaking():
            self.db.execute(said, (key, answer, version_of(name)))
