"""A document from a Jupyter notebook: its cells in order, with what they printed.

Texts stay Markdown; code and printed output stand between fences. Pictures, tables as HTML and tracebacks are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._values import why_broken
from sharpen.data.reading import DocumentReader, Note, read_text, tidy
from sharpen.errors import Problem
from sharpen.types import Document

SUFFIXES = (".ipynb",)

_HEADING = re.compile(r"^#{1,6}[ \t]+(.+)$", re.M)
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def ipynb() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    for found in read_text(path, source):
        if not isinstance(found, str):
            yield found
            continue
        try:
            book = json.loads(found)
        except (ValueError, RecursionError) as e:
            yield Problem(why_broken(e), source, "Open it and save it anew.")
            continue
        cells = _cells(book)
        if cells is None:
            yield Problem("is no notebook: it has no list of cells.", source, "Open it in Jupyter and save it anew.")
            continue
        blocks = [(cell.get("cell_type"), text) for cell in cells for text in _said(cell, _language(book))]
        if not blocks:
            yield Problem("holds no text.", source, "Fill it, or take it away.")
            continue
        heading = next((m[1] for kind, text in blocks if kind == "markdown" and (m := _HEADING.search(text))), "")
        title = tidy(heading).rstrip(" \t#")[:300] or Path(source).stem
        yield Document(source, tidy("\n\n".join(text for _, text in blocks)), title)


def _cells(book: Any) -> list[dict[str, Any]] | None:
    """The cells of version 4, or those of the worksheets of version 3."""
    if not isinstance(book, dict):
        return None
    sheets = book.get("worksheets")
    first = sheets[0] if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else {}
    cells = book.get("cells", first.get("cells"))
    return [c for c in cells if isinstance(c, dict)] if isinstance(cells, list) else None


def _language(book: dict[str, Any]) -> str:
    about = book.get("metadata")
    kernel = about.get("kernelspec") if isinstance(about, dict) else None
    said = kernel.get("language") if isinstance(kernel, dict) else None
    return said if isinstance(said, str) and re.fullmatch(r"[\w+#-]{1,20}", said) else ""


def _said(cell: dict[str, Any], language: str) -> Iterator[str]:
    text = _joined(cell.get("source", cell.get("input"))).strip("\n")
    if text.strip():
        yield text if cell.get("cell_type") != "code" else _fenced(text, language)
    outputs = cell.get("outputs")
    printed = [_printed(o) for o in outputs if isinstance(o, dict)] if isinstance(outputs, list) else []
    if out := "\n".join(filter(None, printed)):
        yield _fenced(out, "")


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _printed(output: dict[str, Any]) -> str:
    """What one output printed, or the error that it ended with."""
    if output.get("output_type") in ("error", "pyerr"):
        return f"{_joined(output.get('ename'))}: {_joined(output.get('evalue'))}"
    data = output.get("data")
    text = _joined(data.get("text/plain") if isinstance(data, dict) else output.get("text"))
    return _TERMINAL.sub("", text).strip("\n")


def _joined(text: Any) -> str:
    """A notebook keeps texts as one string or as a list of lines."""
    return (
        text
        if isinstance(text, str)
        else "".join(t for t in text if isinstance(t, str))
        if isinstance(text, list)
        else ""
    )
