"""A document from a Word file: paragraphs, headings, lists and tables, in their order.

Headings become ``#`` lines, list items ``-`` lines, table rows ``a | b`` lines, formulas ``x^2``;
paragraphs are apart by blank lines.
Headers, footers, comments, text boxes and pictures are not read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._math import formula
from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"docx": "documents"}
SUFFIXES = (".docx",)
LARGEST = 64_000_000
"""Bytes of XML that are unpacked at most, some ten thousand pages; more is taken for a zip bomb."""

LARGEST_OF_ALL = 1_000_000_000
"""The same with pictures, which python-docx holds in memory."""


def docx() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import zipfile

    import docx as package

    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [(e.filename.lower().endswith((".xml", ".rels")), e.file_size) for e in archive.infolist()]
        xml, size = sum(size for parsed, size in sizes if parsed), sum(size for _, size in sizes)
        if xml > LARGEST or size > LARGEST_OF_ALL:
            what = f"{xml / 1e6:,.0f} MB of XML" if xml > LARGEST else f"{size / 1e6:,.0f} MB"
            yield Problem(f"unpacks to {what}.", source, "Check what it is.")
            return
        word = package.Document(str(path))
        title = (word.core_properties.title or "").strip()
        blocks = [b for b in _blocks(word) if b[1]]
    except Exception as e:  # python-docx raises whatever its zip and XML parsers do
        yield Problem(f"is not a Word file that can be read ({type(e).__name__}).", source, "Open it and save it anew.")
        return
    if not blocks:
        yield Problem("holds no text.", source, "If it is scanned, run OCR on it.")
        return
    made = blocks[0][1]
    for (before, _), (kind, text) in itertools.pairwise(blocks):
        made += ("\n" if kind == before == "list" else "\n\n") + text
    heading = next((text.lstrip("# ") for kind, text in blocks if kind == "heading"), "")
    yield Document(source, tidy(made), title or heading or Path(source).stem)


def _blocks(word: Any) -> Iterator[tuple[str, str]]:
    """Yield the kind (heading, list, text, table) and text of each block of the body."""
    from docx.table import Table
    from docx.text.paragraph import Paragraph

    # Those of content controls as well, which python-docx passes over.
    found = word.element.body.xpath("./w:p | ./w:tbl | .//w:sdtContent/w:p | .//w:sdtContent/w:tbl")
    for element in found:
        if element.xpath("ancestor::w:tbl"):  # said with its table
            continue
        if element.tag.endswith("}tbl"):
            yield "table", "\n".join(filter(None, map(_row, Table(element, word).rows)))
            continue
        block = Paragraph(element, word)
        text = _said(element)
        style = (block.style.name if block.style is not None else "") or ""
        heading = re.match(r"(?:Heading|Überschrift|Titre|Título) (\d)", style)
        if not text:
            yield "text", ""
        elif heading or style in ("Title", "Titel"):
            yield "heading", f"{'#' * (int(heading[1]) if heading else 1)} {text}"
        elif style.startswith("List") or block._p.xpath("./w:pPr/w:numPr"):
            yield "list", f"- {text}"
        else:
            yield "text", text


def _said(paragraph: Any) -> str:
    """The text of a paragraph with what was inserted and what stands in content controls, without what was deleted."""
    pieces = paragraph.xpath(
        ".//w:r/w:t[not(ancestor::w:del) and not(ancestor::w:txbxContent)] | .//w:r/w:tab | .//w:r/w:br | .//w:r/w:cr"
        " | .//*[local-name() = 'oMath'][not(ancestor::w:del) and not(ancestor::w:txbxContent)]"
    )
    return " ".join("".join(map(_piece, pieces)).split())


def _piece(piece: Any) -> str:
    if piece.tag.endswith("}oMath"):
        return formula(piece)
    return (piece.text or "") if piece.tag.endswith("}t") else " "


def _row(row: Any) -> str:
    """One line of a table; a merged cell is said once."""
    try:
        found = [c._tc for c in row.cells]
    except (ValueError, LookupError, RecursionError):  # merged with what is not there, or over a thousand rows
        found = row._tr.tc_lst
    cells = list({id(tc): " ".join(filter(None, map(_said, tc.xpath(".//w:p")))) for tc in found}.values())
    return " | ".join(cells) if any(cells) else ""
