"""Changing a collection: only documents that changed are chunked and embedded, and what is gone is gone at once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.errors import UserError
from sharpen.retrieval.chunking import Chunking, chunk
from sharpen.retrieval.collection import PART, Collection
from sharpen.retrieval.index import Embed
from sharpen.store import locked
from sharpen.types import Document, Passage, Progress, digest, silent

log = logging.getLogger("sharpen.retrieval")
BATCH = 128  # passages that are embedded, and kept, at once
Gone = Callable[[str, str], bool]


@dataclass(frozen=True)
class Change:
    """What an update did: sources by what became of them, passages that were cut and embedded anew, the version."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    passages: int = 0
    embedded: int = 0
    version: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def nothing(source: str, file: str) -> bool:
    """That no document is gone."""
    return False


def update(
    collection: Collection,
    files: Mapping[str, Sequence[Document]],
    embed: Embed | None,
    gone: Gone = nothing,
    settings: Mapping[str, Any] | None = None,
    tell: Progress = silent,
) -> Change:
    """Put documents into a collection, in one change that a kill makes whole or not at all.

    Args:
        collection: is changed by one process at a time; the others wait.
        files: the documents of each file; what was known of such a file and is not among them is taken out.
        embed: of the model that the collection was made with; None where it is searched by words alone.
        gone: whether a document, by its source and file, is taken out besides.
        settings: to be kept instead of what is there.
        tell: told what is going on.

    Raises:
        UserError: two files give documents of one source, or the file cannot be written.
    """

    def waits() -> None:
        log.warning("Another process changes %s; this one waits.", collection.path.name)

    new = _by_source(files)
    with locked(collection.path, waits):
        scrub(collection)  # what a kill prevented
        before, known = collection.settings, collection.known()
        sizes = Chunking(**(settings or before)["chunking"])
        hashes = {source: _hash(d, sizes) for source, (d, _) in new.items()}
        put = [new[s] for s, made in hashes.items() if s not in known or known[s][1:] != (new[s][1], made)]
        out = [s for s, (_, file, _) in known.items() if s not in new and (file in files or gone(s, file))]
        told = settings is not None and dict(settings) != before
        version = collection.version
        if not put and not out and not told:
            return Change(unchanged=len(new), version=version)
        if put and before["embeddings"] and embed is None:
            raise RuntimeError("this collection has vectors, and nothing was given that makes them")
        tell("cutting passages", 0, None)
        rows = [(d, file, chunk([d], sizes)) for d, file in put]
        embedded = _embed(collection, [p for _, _, some in rows for p in some], embed, tell) if embed else 0
        tell("writing", 0, None)
        _write(collection, rows, hashes, out, settings if told else None)
        change = Change(
            added=tuple(d.source for d, _ in put if d.source not in known),
            changed=tuple(d.source for d, _ in put if d.source in known),
            removed=tuple(out),
            unchanged=len(new) - len(put),
            passages=sum(len(some) for _, _, some in rows),
            embedded=embedded,
            version=version + 1,
        )
        scrub(collection)
    return change


def take_out(collection: Collection | Path, sources: Iterable[str], tell: Progress = silent) -> Change:
    """Take documents out by their sources."""
    out = frozenset(sources)
    opened = Collection(collection) if isinstance(collection, Path) else collection
    try:
        return update(opened, {}, None, lambda source, _: source in out, tell=tell)
    finally:
        if opened is not collection:
            opened.close()


def _by_source(files: Mapping[str, Sequence[Document]]) -> dict[str, tuple[Document, str]]:
    new: dict[str, tuple[Document, str]] = {}
    for file, documents in files.items():
        for d in documents:
            if d.source in new:
                do = "Rename one of them: what is found is called by its source."
                raise UserError(f"two documents are called {d.source}.", file, do)
            new[d.source] = (d, file)
    return new


def _hash(document: Document, sizes: Chunking) -> str:
    return digest([document.title, document.text, vars(sizes)])


def _content(passage: Passage) -> bytes:
    return hashlib.sha256(passage.headed.encode("utf-8", "surrogatepass")).digest()


def _parts(items: Sequence[Any], size: int = PART) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _embed(collection: Collection, passages: Sequence[Passage], embed: Embed, tell: Progress) -> int:
    """Embed the texts that have no vector yet; each batch is kept, so that a kill costs no more than one."""
    texts = {_content(p): p.headed for p in passages}
    for part in _parts(list(texts)):
        marks = ",".join("?" * len(part))
        with collection.speaking():
            there = collection.db.execute(f"SELECT content FROM vectors WHERE content IN ({marks})", part).fetchall()
        for (content,) in there:
            del texts[content]
    for n, part in enumerate(_parts(list(texts), BATCH)):
        tell("embedding passages", n * BATCH, len(texts))
        vectors = np.ascontiguousarray(embed([texts[c] for c in part]), np.float32)
        with collection.writing():
            made = [(c, v.tobytes()) for c, v in zip(part, vectors, strict=True)]
            collection.db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", made)
    if texts:
        tell("embedding passages", len(texts), len(texts))
    return len(texts)


def _write(
    collection: Collection,
    rows: Sequence[tuple[Document, str, Sequence[Passage]]],
    hashes: Mapping[str, str],
    out: Sequence[str],
    settings: Mapping[str, Any] | None,
) -> None:
    """The change itself, and the next version."""
    db = collection.db
    with collection.writing():
        version = int(db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0]) + 1
        for source in (*out, *(d.source for d, _, _ in rows)):
            db.execute("DELETE FROM passages WHERE document IN (SELECT id FROM documents WHERE source = ?)", (source,))
            db.execute("DELETE FROM documents WHERE source = ?", (source,))
        for d, file, passages in rows:
            values = (d.source, file, hashes[d.source], d.title, len(d.text), version)
            said = "INSERT INTO documents (source, file, hash, title, characters, version) VALUES (?, ?, ?, ?, ?, ?)"
            document = db.execute(said, values).lastrowid
            made = [
                (
                    document,
                    n,
                    p.span.start,
                    p.span.end,
                    p.text,
                    json.dumps(dict(p.meta), ensure_ascii=False),
                    _content(p),
                )
                for n, p in enumerate(passages)
            ]
            db.executemany("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?)", made)
        db.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM passages)")
        db.execute("DELETE FROM answers")  # they are of the version before, and may quote what is gone
        db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (json.dumps(version),))
        if settings is not None:
            db.execute("UPDATE meta SET value = ? WHERE key = 'settings'", (json.dumps(dict(settings)),))
        if out:
            db.execute("UPDATE meta SET value = '1' WHERE key = 'scrub'")


def scrub(collection: Collection) -> None:
    """See that no text of what was taken out is left in the file or its log.

    Deleted cells are zeroed as they go; where documents were taken out the file is written anew as well, because a page
    that was rearranged may keep old bytes.
    """
    db = collection.db
    with collection.speaking():
        due = db.execute("SELECT value FROM meta WHERE key = 'scrub'").fetchone()[0] == "1"
        if due:
            db.execute("VACUUM")
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if due and not busy:
            db.execute("UPDATE meta SET value = '0' WHERE key = 'scrub'")
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        log.warning("%s-wal keeps old text while others read; the next change clears it.", collection.path.name)
