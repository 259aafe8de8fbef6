"""A document from an EPUB book: its chapters in reading order, each through the HTML reader.

The order is that of the book's spine; its table of contents and what the spine marks as aside are left out. Books that
are locked (DRM) are refused; pictures are not read.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sharpen.data.readers._archives import BROKEN, parse_xml, refused
from sharpen.data.readers.html import page_text
from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"lxml": "documents"}
SUFFIXES = (".epub",)

_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""How fonts are encrypted, which locks no text."""


def epub() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    if problem := refused(path, source, "an EPUB book"):
        yield problem
        return
    try:
        with zipfile.ZipFile(path) as archive:
            book = _Book(archive)
            if book.locked():
                yield Problem("is locked (DRM).", source, "Ask its publisher for a copy without.")
                return
            pages = [page_text(book.read(name)) if name in book.names else None for name in book.chapters()]
            title = book.title()
    except BROKEN as e:
        yield Problem(f"is not an EPUB book that can be read ({type(e).__name__}).", source, "Save it anew.")
        return
    lost = sum(page is None for page in pages)
    if lost:
        yield Note(f"{lost} of {len(pages)} chapters are not in the file.", source)
    text = "\n\n".join(filter(None, (page[0] for page in pages if page)))
    if not text:
        yield Problem("holds no text.", source, "If its pages are pictures, run OCR on them.")
        return
    yield Document(source, tidy(text), tidy(title)[:300] or Path(source).stem, {"chapters": len(pages)})


class _Book:
    """The package file of a book: what it consists of, and in which order it is read."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.names = set(archive.namelist())
        container = self._tree("META-INF/container.xml")
        roots = _named(container, "rootfile") if container is not None else []
        self.place = next((r.get("full-path") for r in roots if r.get("full-path")), "")
        self.package = self._tree(self.place)
        if self.package is None:
            raise ValueError("no package file")

    def read(self, name: str) -> bytes:
        return self.archive.read(name)

    def _tree(self, name: str) -> Any:
        return parse_xml(self.read(name))[0] if name in self.names else None

    def locked(self) -> bool:
        """Whether more than fonts is encrypted."""
        found = self._tree("META-INF/encryption.xml")
        methods = [m.get("Algorithm") for m in _named(found, "EncryptionMethod")] if found is not None else []
        return any(m not in _FONTS for m in methods)

    def title(self) -> str:
        return next((" ".join(t.split()) for e in _named(self.package, "title") if (t := "".join(e.itertext()))), "")

    def chapters(self) -> list[str]:
        """Names of the chapters' files, each once."""
        items = {i.get("id"): i for i in _named(self.package, "item")}
        found = []
        for reference in _named(self.package, "itemref"):
            item = items.get(reference.get("idref"))
            if item is None or reference.get("linear") == "no" or "nav" in (item.get("properties") or "").split():
                continue
            if "html" in (item.get("media-type") or "html"):
                inside = posixpath.join(posixpath.dirname(self.place), unquote(item.get("href") or ""))
                found.append(posixpath.normpath(inside.partition("#")[0]))
        return list(dict.fromkeys(found))


def _named(tree: Any, name: str) -> list[Any]:
    """Elements of one name in any namespace."""
    return [e for e in tree.iter() if isinstance(e.tag, str) and e.tag.rpartition("}")[2] == name]
