"""A document from a PDF with a text layer, by PDFium; scanned pages by OCR where the extra ``ocr`` is installed.

Columns are read one after the other, tables, with drawn lines or without, become lines ``a | b``, and other lines are
joined into paragraphs, over the ends of columns and pages too. Words that were broken at a line's end are made whole,
running heads and page numbers that come back on many pages are taken off, and what is too small to be seen is left
out. A scanned PDF has no text: it is read by OCR, or it is said what to install. Pages with pictures of text among
others are noted. Not read: annotations, what is typed into forms, and headings as headings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sharpen.data.readers import _ocr
from sharpen.data.readers._grids import MOST, Edge, edges_of
from sharpen.data.readers._layout import Line, page_lines
from sharpen.data.readers._streams import too_large
from sharpen.data.readers._words import SOFT, Box, Word, unbroken, whole
from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"pypdfium2": "documents"}
SUFFIXES = (".pdf",)

_LONG = 200_000
"""Characters of one page up to which it is looked at where they stand."""

_OBJECTS = 20_000
"""Objects of one page up to which drawn lines are looked for."""

_SHADE = 60
"""Points up to which a filled rectangle without a line may be the field of a table."""

_NUMBER = re.compile(r"(?:page|seite|página)\s+\d+(?:\s*(?:of|/|von|de)\s*\d+)?", re.I)
_NO_TITLES = {"", "(anonymous)", "untitled", "(unspecified)", "microsoft word"}
# PDFium marks a hyphen at which a word was broken with U+FFFE or U+0002.
_TOKEN = re.compile(r"[^\s\ufffe\x02]+[\ufffe\x02]?|[\ufffe\x02]")
_INNER = re.compile(r"[^\W\d_A-Z](?=[A-Z][a-z])|[.:;,)](?=[^\W\d_]{2})|[\w.](?=[(])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LEADER = re.compile(r" ?(?:\. ?){5,}")


def pdf() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import pypdfium2

    try:
        if size := too_large(path):
            yield Problem(f"unpacks to {size / 1e6:,.0f} MB or more.", source, "Check what it is.")
            return
        file = pypdfium2.PdfDocument(path)
    except (pypdfium2.PdfiumError, OSError, ValueError) as e:
        locked = "password" in str(e).lower()
        what = "is locked with a password." if locked else f"is not a PDF that can be read: {str(e)[:150].rstrip('.')}."
        yield Problem(what, source, "Save it without one." if locked else "Open it and save it anew.")
        return
    read = _Read()
    try:
        _pages(file, read)
        title = tidy(file.get_metadata_value("Title") or "").strip()
    finally:
        file.close()
    text = _text(_without_running_heads(read.pages))
    do = f"To have them read: {_ocr.missing()}." if _ocr.missing() else ""
    if not text.strip():
        what = "holds no text; it seems to be scanned" + (", and OCR found none." if not do else ".")
        yield Problem(what, source, do or "Scan it anew, with 300 dots per inch.")
        return
    if read.broken:
        what = f"page {read.broken[0]} cannot be read ({len(read.broken)} such pages)."
        yield Problem(what, source, "Save the PDF anew.")
    if read.ocr:
        yield Note(f"{len(read.ocr)} of {len(read.pages)} pages were read by OCR ({_ocr.engine()}).", source)
    empty = [n for n, lines in enumerate(read.pages, 1) if not lines and n not in read.broken]
    if empty:
        what = f"{len(empty)} of {len(read.pages)} pages hold no text (first: {empty[0]}); pictures need OCR."
        yield Note(f"{what} {do}".strip(), source)
    yield Document(
        source, text, Path(source).stem if title.lower() in _NO_TITLES else title, {"pages": len(read.pages)}
    )


@dataclass
class _Read:
    """The lines of each page, and the numbers of those that PDFium could not load, and of those read by OCR."""

    pages: list[list[Line]] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    ocr: list[int] = field(default_factory=list)


def _pages(file: Any, read: _Read) -> None:
    """Read page after page."""
    import pypdfium2

    for number in range(1, len(file) + 1):
        lines: list[Line] = []
        try:
            page = file[number - 1]
            lines = _page(page)
            if not lines and _pictured(page) and not _ocr.missing() and len(read.ocr) < _ocr.PAGES:
                read.ocr.append(number)
                lines = _cleaned(page_lines(_ocr.words(page)))
            page.close()
        except (pypdfium2.PdfiumError, RuntimeError, ValueError):
            read.broken.append(number)
        read.pages.append([line for line in lines if not _NUMBER.fullmatch(line.text)])


def _pictured(page: Any) -> bool:
    """Whether a picture is on the page."""
    import pypdfium2.raw as raw

    return any(
        raw.FPDFPageObj_GetType(raw.FPDFPage_GetObject(page.raw, i)) in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM)
        for i in range(min(raw.FPDFPage_CountObjects(page.raw), 200))
    )


def _page(page: Any) -> list[Line]:
    """The lines of one page by its text layer."""
    layer = page.get_textpage()
    try:
        text = layer.get_text_range()
        n = layer.count_chars()
        if n > _LONG:
            return _cleaned(Line(line, True) for line in tidy(text).split("\n"))
        to = _turn(page.get_rotation())
        words = _seen(_words(layer, text, n, to))
        return _cleaned(page_lines(words, _edges(page, to) if words else ()))
    finally:
        layer.close()


def _cleaned(lines: Iterable[Line]) -> list[Line]:
    """Lines without what is no text, and without empty ones."""
    return [replace(line, text=text) for line in lines if (text := _clean(line.text))]


def _clean(text: str) -> str:
    return _LEADER.sub(" ... ", _CONTROL.sub(" ", tidy(text))).strip()


def _turn(degrees: int) -> Callable[[float, float, float, float], Box]:
    """Boxes (left, bottom, right, top) of a page as it is turned to be looked at."""

    def box(left: float, bottom: float, right: float, top: float) -> Box:
        left, right = min(left, right), max(left, right)
        bottom, top = min(bottom, top), max(bottom, top)
        if degrees == 90:
            return Box(bottom, top, -right, -left)
        if degrees == 180:
            return Box(-right, -left, -top, -bottom)
        return Box(-top, -bottom, left, right) if degrees == 270 else Box(left, right, bottom, top)

    return box


def _words(layer: Any, text: str, n: int, to: Callable[[float, float, float, float], Box]) -> list[Word]:
    """Words with their places."""
    import ctypes

    import pypdfium2.raw as raw

    if len(text) != n:  # characters beyond 16 bits, or such as have no text: the text counts otherwise than the boxes
        text = "".join(chr(raw.FPDFText_GetUnicode(layer.raw, i)) for i in range(n))
        text = _SURROGATE.sub("\ufffd", text)
    rect = raw.FS_RECTF()
    place = ctypes.byref(rect)

    def box(at: int) -> Box:
        raw.FPDFText_GetLooseCharBox(layer.raw, at, place)
        return to(rect.left, rect.bottom, rect.right, rect.top)

    found = []
    end = 0
    for m in _TOKEN.finditer(text):
        breaks = "\n" in text[end : m.start()] or text[end - 1 : end] in ("\ufffe", "\x02")
        end = m.end()
        last = end - 1
        while last > m.start() and text[last] in "\ufffe\x02":
            last -= 1
        begin = m.start()
        for inner in _INNER.finditer(m[0]):  # blanks that the file does not have, and that one sees
            at = m.start() + inner.start() + 1
            before, after = box(at - 1), box(at)
            if after.left - before.right > 0.1 * after.height:
                found.append(Word(text[begin:at], box(begin), before, breaks))
                begin, breaks = at, False
        found.append(Word(text[begin:end].replace("\x02", SOFT), box(begin), box(last), breaks))
    return found


def _seen(words: list[Word]) -> list[Word]:
    """Words without those of a size that nobody can see, which programs leave for themselves."""

    def size(w: Word) -> float:
        return max(w.first.height, w.last.height, w.first.right - w.first.left, w.last.right - w.last.left)

    sizes = sorted(map(size, words))
    least = min(2.0, 0.3 * sizes[len(sizes) // 2]) if sizes else 0.0
    return [w for w, each in zip(words, map(size, words), strict=True) if each > least]


def _edges(page: Any, to: Callable[[float, float, float, float], Box]) -> list[Edge]:
    """Lines and rectangles that are drawn; none of a page that is full of drawings."""
    import ctypes

    import pypdfium2.raw as raw

    n = raw.FPDFPage_CountObjects(page.raw)
    found: list[Edge] = []
    bounds = [ctypes.c_float() for _ in range(4)]
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    for i in range(n if n <= _OBJECTS else 0):
        drawn = raw.FPDFPage_GetObject(page.raw, i)
        if raw.FPDFPageObj_GetType(drawn) != raw.FPDF_PAGEOBJ_PATH:
            continue
        if raw.FPDFPath_CountSegments(drawn) > 5:
            found += _strokes(drawn, to)
        elif raw.FPDFPageObj_GetBounds(drawn, *bounds):
            raw.FPDFPath_GetDrawMode(drawn, fill, stroke)
            box = to(*(b.value for b in bounds))
            found += edges_of(box, not stroke.value and box.height > _SHADE)
        if len(found) > MOST:
            return []
    return found


def _strokes(path: Any, to: Callable[[float, float, float, float], Box]) -> list[Edge]:
    """The straight lines of a path of many pieces."""
    import ctypes

    import pypdfium2.raw as raw

    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(path, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    found: list[Edge] = []
    before: tuple[float, float] | None = None
    for k in range(min(raw.FPDFPath_CountSegments(path), MOST)):
        piece = raw.FPDFPath_GetPathSegment(path, k)
        raw.FPDFPathSegment_GetPoint(piece, x, y)
        here = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        if before is not None and raw.FPDFPathSegment_GetType(piece) == raw.FPDF_SEGMENT_LINETO:
            found += edges_of(to(*before, *here), True)
        before = here
    return found


def _without_running_heads(pages: list[list[Line]]) -> list[list[Line]]:
    """Take off first and last lines that, numbers aside, come back on three pages in ten of at least four."""
    if len(pages) < 4:
        return pages

    def mask(line: Line) -> str:
        return re.sub(r"\d+", "#", line.text)

    for edge in (0, -1):
        for _ in range(2):  # a head of two lines, at most
            common = Counter(mask(lines[edge]) for lines in pages if lines)
            often = {line for line, n in common.items() if n > max(2, 0.3 * len(pages))}
            pages = [
                (lines[1:] if edge == 0 else lines[:-1]) if lines and mask(lines[edge]) in often else lines
                for lines in pages
            ]
    return pages


def _text(pages: Iterable[Sequence[Line]]) -> str:
    """Paragraphs and tables apart by blank lines; what a page or column broke off in its midst is joined."""
    made: list[str] = []
    table = False
    for page in pages:
        for n, line in enumerate(page):
            goes_on = bool(made) and not line.row and not table and _open(made[-1]) and line.text[:1].islower()
            if line.row and table and not line.starts and n:
                made[-1] += "\n" + line.text
            elif goes_on or (n and not line.starts and not line.row and not table):
                made[-1] = whole(made[-1], line.text)
            else:
                made.append(line.text)
            table = line.row
    return unbroken("\n\n".join(made))


def _open(text: str) -> bool:
    """Whether a paragraph ends in the midst of a sentence."""
    return len(text) > 60 and (text[-1:].islower() or text[-1:] in (",", "-", SOFT))
