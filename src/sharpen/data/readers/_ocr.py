"""Words of a picture of a page by Tesseract, through pytesseract (the extra ``ocr``) and Pillow.

All languages that Tesseract has here are tried together, four at most. Words that it is not sure of are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from sharpen.data.readers._words import Box, Word

SECONDS = 120
"""One page at most."""

PAGES = 200
"""Pages of one file that are read so at most: each takes seconds."""

_DOTS = 300
_PIXELS = 30_000_000
_LEAST = 30


@cache
def missing() -> str:
    """What has to be installed before pictures can be read; nothing where all is there."""
    try:
        import PIL  # noqa: F401
        import pytesseract
    except ImportError:
        return "pip install 'sharpen[ocr]' and install Tesseract (on Debian: apt install tesseract-ocr)"
    try:
        pytesseract.get_tesseract_version()
    except (pytesseract.TesseractNotFoundError, OSError, SystemExit):
        return "install Tesseract (on Debian: apt install tesseract-ocr)"
    return ""


@cache
def engine() -> str:
    """The engine's name and version."""
    import pytesseract

    return f"Tesseract {pytesseract.get_tesseract_version()}"


@cache
def _languages() -> str:
    import pytesseract

    there = [name for name in pytesseract.get_languages() if name != "osd"]
    first = [name for name in ("eng",) if name in there]
    return "+".join((first + [name for name in there if name not in first])[:4]) or "eng"


def words(page: Any) -> list[Word]:
    """The words of one page of a PDF, which PDFium renders.

    Raises:
        RuntimeError: Tesseract failed, or took too long.
    """
    import pytesseract

    wide, high = page.get_size()
    scale = min(_DOTS / 72, (_PIXELS / max(wide * high, 1)) ** 0.5)
    picture = page.render(scale=scale, grayscale=True).to_pil()
    try:
        found = pytesseract.image_to_data(
            picture, lang=_languages(), config="--psm 3", timeout=SECONDS, output_type=pytesseract.Output.DICT
        )
    except (pytesseract.TesseractError, OSError) as e:
        raise RuntimeError(str(e)[:200]) from e
    return list(_said(found, scale))


def _said(found: dict[str, list[Any]], scale: float) -> Iterator[Word]:
    """Tesseract's table (its levels: 4 a line, 5 a word) as words in points, each as high as its line."""
    bottom = top = 0.0
    breaks = True
    for level, left, y, wide, high, sure, text in zip(
        *(found[name] for name in ("level", "left", "top", "width", "height", "conf", "text")), strict=True
    ):
        if level == 4:
            bottom, top, breaks = -(y + high) / scale, -y / scale, True
        elif level == 5 and text.strip() and float(sure) >= _LEAST:
            # A word between lines of a table may be taken into a line that is far too high.
            own = (high / scale) * 1.3
            low, up = (bottom, top) if top - bottom < 2 * own else (-(y + high) / scale, -y / scale)
            begin, end = left / scale, (left + wide) / scale
            yield Word(text.strip(), Box(begin, begin + 1, low, up), Box(end - 1, end, low, up), breaks)
            breaks = False
