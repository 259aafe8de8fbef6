"""A document from a plain text file, as it is.

The encoding is found out: UTF-8, UTF-16, an older one where its characters fit, or Windows-1252; all but the first are
said in a note. Its title is the file's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpen.data.reading import DocumentReader, Note, read_text
from sharpen.errors import Problem
from sharpen.types import Document

SUFFIXES = (".txt", ".text")


def text() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    for found in read_text(path, source):
        yield Document(source, found, Path(source).stem) if isinstance(found, str) else found
