"""A document from a PowerPoint file: slide by slide, the title as a heading, then what stands on the slide.

Texts come in the order in which they stand, from top to bottom and left to right; table rows become ``a | b`` lines,
and so do the figures of a chart; the speaker's notes follow their slide. Hidden slides are left out, which is noted;
pictures and what stands on the master are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._archives import refused
from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"pptx": "documents"}
SUFFIXES = (".pptx", ".ppsx")

_ROW = 100_000
"""English metric units (a ninth of an inch): what begins this near to another's height stands beside it."""

_PASSED = {"DATE", "FOOTER", "SLIDE_NUMBER", "HEADER"}


def pptx() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import pptx as package

    if problem := refused(path, source, "a PowerPoint file"):
        yield problem
        return
    try:
        show = package.Presentation(str(path))
        slides = [s for s in show.slides if s._element.get("show") not in ("0", "false")]
        hidden = len(show.slides) - len(slides)
        texts = [_slide(slide) for slide in slides]
        title = " ".join((show.core_properties.title or "").split())
        first = next((t for t in map(_title, slides) if t), "")
    except Exception as e:  # python-pptx raises whatever its zip and XML parsers do
        yield Problem(f"is not a PowerPoint file that can be read ({type(e).__name__}).", source, "Save it anew.")
        return
    if hidden:
        yield Note(f"{hidden} hidden slides were left out.", source)
    text = tidy("\n\n".join(filter(None, texts))).strip()
    if not text:
        yield Problem("holds no text; its slides seem to be pictures.", source, "Run OCR on them.")
        return
    title = first if title.lower() in ("", "powerpoint presentation") else title
    yield Document(source, text, tidy(title)[:300] or Path(source).stem, {"slides": len(texts)})


def _title(slide: Any) -> str:
    shape = slide.shapes.title
    return " ".join(shape.text_frame.text.split()) if shape is not None and shape.has_text_frame else ""


def _slide(slide: Any) -> str:
    title = _title(slide)
    blocks = [f"# {title}"] if title else []
    own = slide.shapes.title
    others = [s for s in _in_order(slide.shapes) if own is None or s.shape_id != own.shape_id]
    blocks += map(_said, others)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = _paragraphs(slide.notes_slide.notes_text_frame)
        blocks.append(f"Notes: {notes}" if notes else "")
    return "\n\n".join(filter(None, blocks))


def _in_order(shapes: Any) -> list[Any]:
    """Shapes as one reads them, those of groups in the group's place; groups nest no deeper than ten."""
    found: list[tuple[int, int, Any]] = []
    left: list[tuple[Any, int, tuple[int, int] | None]] = [(shape, 0, None) for shape in shapes]
    while left:
        shape, depth, place = left.pop(0)
        place = place or ((shape.top or 0) // _ROW, (shape.left or 0))
        if getattr(shape, "shapes", None) is not None and depth < 10:
            left = [(inner, depth + 1, place) for inner in shape.shapes] + left
        else:
            found.append((*place, shape))
    return [shape for _, _, shape in sorted(found, key=lambda f: f[:2])]


def _said(shape: Any) -> str:
    kind = shape.placeholder_format.type if shape.is_placeholder else None
    if kind is not None and kind.name in _PASSED:
        return ""
    if getattr(shape, "has_table", False):
        return "\n".join(filter(None, (_row(row) for row in shape.table.rows)))
    if getattr(shape, "has_chart", False):
        return _chart(shape.chart)
    return _paragraphs(shape.text_frame) if shape.has_text_frame else ""


def _paragraphs(frame: Any) -> str:
    """Lines of a text frame; those that are indented are items of a list."""
    lines = []
    for paragraph in frame.paragraphs:
        text = " ".join("".join(paragraph.text).split())
        if text:
            lines.append(f"{'  ' * (paragraph.level - 1)}- {text}" if paragraph.level else text)
    return "\n".join(lines)


def _row(row: Any) -> str:
    cells = [" ".join(c.text_frame.text.split()) for c in row.cells if not c.is_spanned]
    return " | ".join(cells) if any(cells) else ""


def _chart(chart: Any) -> str:
    """The chart's title and its figures as a table; only the title where the figures are of another kind."""
    title = " ".join(chart.chart_title.text_frame.text.split()) if chart.has_title else ""
    lines = [title] if title else []
    for plot in chart.plots:
        series = list(plot.series)
        lines.append(" | ".join(["", *(str(s.name) for s in series)]).strip())
        for n, category in enumerate(plot.categories):
            values = [s.values[n] if n < len(s.values) else None for s in series]
            lines.append(" | ".join([str(category), *("" if v is None else f"{v:g}" for v in values)]))
    return "\n".join(filter(None, lines))
