"""What a reader is, which reader reads a file, and text out of bytes.

A reader is a part: one file in ``readers/`` with a constant ``SUFFIXES`` and a factory that returns a
:class:`RowReader` (a file of examples) or a :class:`DocumentReader` (a file that is one or several documents). What
cannot be read is yielded as a :class:`~sharpen.errors.Problem` between what can; a reader does not raise for content.
"""

from __future__ import annotations

import gzip
import importlib
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from sharpen import parts
from sharpen.data.encodings import told
from sharpen.errors import MissingExtra, Problem
from sharpen.store import hash_file
from sharpen.types import Document, digest


@dataclass(frozen=True)
class Row:
    """One record of a file of examples; ``line`` is where it begins, counted from 1.

    Where that is the line of no file, ``place`` says what it is: ``row 7``, ``question 56be4db0``.
    """

    line: int
    fields: Mapping[str, Any]
    place: str = ""

    @property
    def at(self) -> str:
        return self.place or f"line {self.line}"


@dataclass(frozen=True)
class Note:
    """Something a reader did that the user should know and need not mend (an unusual encoding)."""

    what: str
    where: str = ""


@dataclass(frozen=True)
class RowReader:
    """Reads examples: ``rows(path, name)`` yields rows; ``name`` is how messages call the file."""

    rows: Callable[[Path, str], Iterator[Row | Problem | Note]]


@dataclass(frozen=True)
class DocumentReader:
    """Reads documents: ``documents(path, source)`` yields them; ``source`` is the name a document gets."""

    documents: Callable[[Path, str], Iterator[Document | Problem | Note]]


Reader: TypeAlias = RowReader | DocumentReader


SAVED = "state.json"
"""The file that a folder holds which Hugging Face's datasets saved to disk."""


@cache
def suffixes() -> dict[str, str]:
    """Which reader takes which ending of a file's name, over all readers that there are."""
    found: dict[str, str] = {}
    for name, part in parts.all_parts("reader").items():
        try:  # modules of ours import their packages inside functions, so this works without the extras
            module = importlib.import_module(part.module) if part.origin == "sharpen" else parts.module(part)
        except MissingExtra:
            continue
        for suffix in getattr(module, "SUFFIXES", ()):
            found.setdefault(suffix, name)
    return found


def open_reader(path: Path) -> Reader | Problem:
    """Return the reader for a file, chosen by its ending, or why there is none.

    A folder is read where it is a dataset that was saved to disk. A file that ends in ``.gz`` has the reader for the
    ending before that, which gets it unpacked.
    """
    if path.suffix.lower() == ".gz":
        inner = open_reader(path.with_suffix(""))
        if isinstance(inner, RowReader):
            return RowReader(Unpacked(inner.rows))
        return DocumentReader(Unpacked(inner.documents)) if isinstance(inner, DocumentReader) else inner
    suffix = ".arrow" if (path / SAVED).is_file() else path.suffix.lower()
    name = suffixes().get(suffix)
    if name is None:
        return Problem(
            f"there is no reader for files that end in {path.suffix or 'nothing'}.",
            path.name,
            f"Convert it to one of: {', '.join(sorted(suffixes()))}.",
        )
    try:
        made: Reader = parts.factory("reader", name)()
        return made
    except MissingExtra as e:
        return e.problems[0]


def asks(path: Path) -> bool:
    """Whether what a file gives does not stand in it: its reader asks a database."""
    name = suffixes().get(path.suffix.lower(), "")
    return bool(name) and bool(getattr(parts.module(parts.find("reader", name)), "LIVE", False))


def content(path: Path) -> str:
    """Return what makes a file another one: the hash of its bytes, or that of its rows where it asks a database.

    Raises:
        OSError: it cannot be read.
    """
    if not asks(path):
        return hash_file(path)
    reader = open_reader(path)
    found = reader.rows(path, path.name) if isinstance(reader, RowReader) else [reader]
    # In no order: a query that names none may give the same rows in another one.
    return digest([hash_file(path), *sorted(digest(f.fields if isinstance(f, Row) else str(f)) for f in found)])


Found = TypeVar("Found")


@dataclass(frozen=True)
class Unpacked(Generic[Found]):
    """Reads a file that gzip packed, by a reader of what is in it."""

    read: Callable[[Path, str], Iterator[Found | Problem | Note]]

    def __call__(self, path: Path, name: str) -> Iterator[Found | Problem | Note]:
        """Unpack into a folder that only this user sees, read, and take it away again."""
        with tempfile.TemporaryDirectory(prefix="sharpen-") as folder:
            inner = Path(folder) / f"unpacked{path.with_suffix('').suffix}"
            if problem := self._unpack(path, inner, name):
                yield problem
            else:
                yield from self.read(inner, name)

    def _unpack(self, path: Path, inner: Path, name: str) -> Problem | None:
        try:
            left = self.limit(path.stat().st_size)
            with gzip.open(path) as packed, inner.open("wb") as made:
                while piece := packed.read(1 << 20):
                    left -= len(piece)
                    if left < 0:
                        return Problem("unpacks to too much for its size, or for memory.", name, "Check what it is.")
                    made.write(piece)
        except (OSError, EOFError, zlib.error) as e:
            what = f"cannot be unpacked: {getattr(e, 'strerror', '') or str(e)[:150] or 'it is broken'}."
            return Problem(what, name, "Pack it anew, and check that all of it was copied.")
        return None

    @staticmethod
    def limit(size: int) -> int:
        """Bytes to which a packed file may unpack: a hundredfold, but 64 MB always and 1 GB at most."""
        return min(1_000_000_000, max(64_000_000, 100 * size))


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of a file and, where it was not plain UTF-8, what it was taken for.

    A byte-order mark decides; then UTF-8; then UTF-16 without a mark (many NUL bytes); then UTF-8 with damaged places,
    where most of what is not ASCII is well formed; then an old encoding that is told for sure; at last Windows-1252.
    """
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            text = data.decode("utf-8-sig" if name == "utf-8" else name, errors="replace")
            return text, "" if name == "utf-8" else "was read as UTF-16."
    pairs = data[: len(data) // 2 * 2][:4096]
    for half, name in ((pairs[1::2], "utf-16-le"), (pairs[::2], "utf-16-be")):
        if len(half) > 1 and half.count(0) > 0.6 * len(half) and pairs.count(0) < 0.6 * len(pairs):
            return data.decode(name, errors="replace"), "was read as UTF-16."
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError as e:
        first = data.count(b"\n", 0, e.start) + 1
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if sum(c > "\x7f" for c in text) > 2 * broken:
        return text, f"has {broken} places that are not UTF-8, the first in line {first}; they are shown as \ufffd."
    if known := told(data):
        return known[0], f"is not UTF-8 (line {first}); it was read as {known[1]}."
    return data.decode("cp1252", errors="replace"), f"is not UTF-8 (line {first}); it was read as Windows-1252."


def read_text(path: Path, name: str) -> Iterator[str | Problem | Note]:
    """Yield the text of a file with ``\\n`` at line ends, after a note on its encoding, or a problem instead."""
    try:
        data = path.read_bytes()
    except OSError as e:
        yield Problem(f"cannot be opened: {e.strerror or e}.", name, "Check the path and the permissions.")
        return
    text, said = decode(data)
    if not text.strip():
        yield Problem("is empty.", name, "Fill it, or take it away.")
        return
    sample = text[:65536]
    odd = sum((c < " " and c not in "\t\n\r\f\v") or c == "\ufffd" or "\x7f" <= c < "\xa0" for c in sample)
    if odd > 0.1 * len(sample):
        yield Problem("is not text.", name, "Its ending promises text; check what it is.")
        return
    if said:
        yield Note(said, name)
    yield tidy(text)


def tidy(text: str) -> str:
    """Return text that every later stage can carry: ``\\n`` line ends, no NUL, no lone surrogate."""
    return plain_characters(text.replace("\r\n", "\n").replace("\r", "\n"))


def plain_characters(text: str) -> str:
    """Put U+FFFD for each character that UTF-8 cannot carry and a space for NUL; positions stay as they are."""
    text = text.replace("\x00", " ")
    if text.isascii():
        return text
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
