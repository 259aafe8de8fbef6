"""Documents from a zip archive: each file in it through the reader for its ending, as if it lay in a folder.

A document is named ``archive.zip/folder/file.md``. Hidden files, and what no document reader takes, are left out, which
is noted; an archive within the archive is not opened. What unpacks to too much, or is locked, is refused.
"""

from __future__ import annotations

import posixpath
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sharpen.data.readers._archives import BROKEN
from sharpen.data.reading import DocumentReader, Note, Unpacked, open_reader, plain_characters
from sharpen.errors import Problem
from sharpen.types import Document

SUFFIXES = (".zip",)

MOST = 20_000
"""Files that are read from one archive at most."""

_ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz")


def zip() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename and not m.is_dir() and not _hidden(m.filename)]
            if len(members) > MOST:
                yield Problem(f"holds {len(members):,} files; at most {MOST:,} are read.", source, "Unpack it.")
            elif members:
                yield from _all(archive, members, Unpacked.limit(path.stat().st_size), source)
            else:
                yield Problem("holds no file.", source, "Fill it, or take it away.")
    except BROKEN as e:
        yield Problem(f"is not a zip archive that can be read ({type(e).__name__}).", source, "Pack it anew.")


def _hidden(name: str) -> bool:
    return any(
        (p.startswith((".", "~$")) and p not in (".", "..")) or p == "__MACOSX"
        for p in name.replace("\\", "/").split("/")
    )


def _all(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], limit: int, source: str
) -> Iterator[Document | Problem | Note]:
    size = sum(m.file_size for m in members)  # zipfile gives no more of a file than its size says
    if size > limit:
        yield Problem(f"unpacks to {size / 1e6:,.0f} MB.", source, "Check what it is.")
        return
    seen: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="sharpen-") as folder:
        for number, member in enumerate(sorted(members, key=lambda m: m.filename)):
            # A name may hold ".." or begin with "/": it names the document and never a place on this machine.
            inside = posixpath.normpath("/" + plain_characters(member.filename).replace("\\", "/")).lstrip("/")
            name = f"{source}/{inside}"
            suffix = Path(inside).suffix.lower()
            if name in seen:
                yield Note("left out: the archive holds another file of that name.", name)
            elif suffix in _ARCHIVES:
                yield Problem("is an archive within an archive, which is not opened.", name, "Unpack it beside.")
            elif len(suffix) < 20:
                yield from _one(archive, member, Path(folder) / f"{number}{suffix}", name)
            seen.add(name)


def _one(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, name: str
) -> Iterator[Document | Problem | Note]:
    from sharpen.data.documents import read_document

    if member.flag_bits & 1:
        yield Problem("is locked with a password.", name, "Pack it anew without one.")
        return
    if isinstance(open_reader(path), DocumentReader):
        try:
            path.write_bytes(archive.read(member))
        except BROKEN as e:
            yield Problem(f"cannot be unpacked ({type(e).__name__}).", name, "Pack it anew.")
            return
    yield from read_document(path, name)
    path.unlink(missing_ok=True)
