"""Artefacts by content: the only code that turns a ref such as ``adapter:3f2a…`` into a path.

A folder is written under a temporary name, hashed, and renamed into place, so a kill or a full disk leaves either
the whole artefact or none. What is stored is never changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sharpen.errors import UserError
from sharpen.types import Ref

REF = re.compile(r"([a-z][a-z0-9_-]*):([0-9a-f]{64})")
NO_ARTEFACTS = ("data", "work")  # folders of the store whose entries no ref names
STALE_SECONDS = 24 * 3600  # what is older and not named belongs to nobody who still writes


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def hash_folder(folder: Path) -> str:
    """Return one sha256 over the relative names and contents of all files below ``folder``."""
    h = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        h.update(f"{path.relative_to(folder).as_posix()}\0{hash_file(path)}\n".encode())
    return h.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write ``path`` whole or not at all: yields a temporary file that takes its place when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with temporary.open("rb+") as f:
            os.fsync(f.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _on_disk(path: Path) -> None:
    """See that a file, or a folder's list of names, outlives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class Store:
    """A folder of artefacts, ``<root>/<kind>/<sha256>/``."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()

    def keep(self, kind: str, fill: Callable[[Path], None]) -> Ref:
        """Let ``fill`` write into an empty folder, then store that folder by its content and return its ref."""
        parent = self.root / kind
        parent.mkdir(parents=True, exist_ok=True)
        temporary = parent / f".new-{secrets.token_hex(8)}"
        temporary.mkdir()
        try:
            fill(temporary)
            name = hash_folder(temporary)
            for path in temporary.rglob("*"):
                _on_disk(path)
            final = parent / name
            try:
                temporary.rename(final)
            except OSError:
                if not final.is_dir():  # otherwise it was here already, or another process was faster
                    raise
            os.utime(final)  # it is in use from now on, also where it was here before
            _on_disk(parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return f"{kind}:{name}"

    def has(self, ref: Ref) -> bool:
        """Whether the artefact is here."""
        match = REF.fullmatch(ref)
        return match is not None and (self.root / match[1] / match[2]).is_dir()

    def path(self, ref: Ref) -> Path:
        """Return the folder of an artefact.

        Raises:
            UserError: the store does not hold it.
        """
        if not self.has(ref):
            raise UserError(
                f"the store has no {ref}.", str(self.root), "Run the study again; it rebuilds what is missing."
            )
        kind, _, name = ref.partition(":")
        return self.root / kind / name

    def verify(self, ref: Ref) -> bool:
        """Whether the artefact's content still is what its name says."""
        return hash_folder(self.path(ref)) == ref.partition(":")[2]

    def refs(self) -> Iterator[Ref]:
        """All artefacts here; prepared data and the checkpoints of an interrupted training are none."""
        for folder in sorted(f for f in self.root.glob("*/*") if f.parent.name not in NO_ARTEFACTS):
            ref = f"{folder.parent.name}:{folder.name}"
            if self.has(ref):
                yield ref

    def loose(self, keep: Iterable[Ref]) -> list[Ref]:
        """Artefacts that ``keep`` does not name and that are older than a day."""
        wanted, now = set(keep), time.time()
        unnamed = (ref for ref in self.refs() if ref not in wanted)
        return [ref for ref in unnamed if now - self.path(ref).stat().st_mtime > STALE_SECONDS]

    def gc(self, keep: Iterable[Ref]) -> list[Ref]:
        """Delete the artefacts that ``keep`` does not name, and what killed runs left; return what was deleted.

        What is younger than a day stays: a study may be under way that has not written down yet what it made.
        """
        gone = self.loose(keep)
        for ref in gone:
            shutil.rmtree(self.path(ref))
        for left in self.root.glob("*/.new-*"):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        return gone
