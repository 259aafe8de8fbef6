"""A document from a PDF with a text layer, by PDFium.

Lines are joined into paragraphs, words that were broken at a line's end are made whole, running heads and page numbers
that come back on most pages are taken off, and pages are apart by a blank line. Columns are read in the order in which
the file draws them. A scanned PDF has no text: it needs OCR first, which is said. Pages with pictures of text among
others are noted.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"pypdfium2": "documents"}
SUFFIXES = (".pdf",)

_BULLET = re.compile(r"(?:[-•●▪◦·*–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|[☐☑✓])\s")
_NUMBER = re.compile(r"(?:page|seite|página)\s+\d+(?:\s*(?:of|/|von|de)\s*\d+)?", re.I)
_NO_TITLES = {"", "(anonymous)", "untitled", "(unspecified)", "microsoft word"}
_END = (".", "!", "?", ":", ";", ".”", '."', ".)")


def pdf() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import pypdfium2

    try:
        file = pypdfium2.PdfDocument(path)
    except (pypdfium2.PdfiumError, OSError, ValueError) as e:
        locked = "password" in str(e).lower()
        what = "is locked with a password." if locked else f"is not a PDF that can be read: {str(e)[:150].rstrip('.')}."
        yield Problem(what, source, "Save it without one." if locked else "Open it and save it anew.")
        return
    try:
        pages, broken = _pages(file)
        title = tidy(file.get_metadata_value("Title") or "").strip()
    finally:
        file.close()
    text = "\n\n".join(filter(None, map(_paragraphs, _without_running_heads(pages))))
    if not text.strip():
        yield Problem("holds no text; it seems to be scanned.", source, "Run OCR on it (for example ocrmypdf).")
        return
    empty = [n for n, lines in enumerate(pages, 1) if not lines]
    if broken:
        yield Problem(f"page {broken[0]} cannot be read ({len(broken)} such pages).", source, "Save the PDF anew.")
    if len(empty) > len(broken):
        yield Note(f"{len(empty)} of {len(pages)} pages hold no text (first: {empty[0]}); pictures need OCR.", source)
    yield Document(source, text, Path(source).stem if title.lower() in _NO_TITLES else title, {"pages": len(pages)})


def _pages(file: object) -> tuple[list[list[str]], list[int]]:
    """The lines of each page, and the numbers of pages that PDFium could not load."""
    import pypdfium2

    assert isinstance(file, pypdfium2.PdfDocument)
    pages: list[list[str]] = []
    broken = []
    for number in range(len(file)):
        try:
            page = file[number]
            layer = page.get_textpage()
            text = tidy(layer.get_text_range())
            layer.close()
            page.close()
        except (pypdfium2.PdfiumError, ValueError, UnicodeError):
            broken.append(number + 1)
            text = ""
        # PDFium marks a hyphen at which a word was broken with U+FFFE or U+0002.
        text = re.sub(r"[\ufffe\x02][ \t]*\n?[ \t]*", "", text)
        text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\uffff]", " ", text)
        lines = (line.strip() for line in text.split("\n"))
        pages.append([line for line in lines if line and not _NUMBER.fullmatch(line)])
    return pages, broken


def _without_running_heads(pages: list[list[str]]) -> list[list[str]]:
    """Take off first and last lines that, numbers aside, come back on more than half of at least four pages."""
    if len(pages) < 4:
        return pages

    def mask(line: str) -> str:
        return re.sub(r"\d+", "#", line)

    for edge in (0, -1):
        for _ in range(2):  # a head of two lines, at most
            common = Counter(mask(lines[edge]) for lines in pages if lines)
            often = {line for line, n in common.items() if n > len(pages) / 2}
            pages = [
                (lines[1:] if edge == 0 else lines[:-1]) if lines and mask(lines[edge]) in often else lines
                for lines in pages
            ]
    return pages


def _paragraphs(lines: list[str]) -> str:
    """Join lines that run on: a paragraph ends where a line ends a sentence early, and before headings and bullets."""
    if not lines:
        return ""
    full = 0.8 * median(sorted(map(len, lines))[len(lines) // 2 :])  # what is a full line, by the longer half
    made = [lines[0]]
    for before, line in itertools.pairwise(lines):
        short = len(before) < full
        if _BULLET.match(line) or (short and (before.endswith(_END) or line[:1].isupper() or len(before) < full / 2)):
            made.append(line)
        elif re.search(r"[a-z]-$", made[-1]) and line[:1].islower():
            made[-1] = made[-1][:-1] + line
        else:
            made[-1] += " " + line
    return "\n\n".join(made)
