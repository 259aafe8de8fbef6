"""A document from a Markdown file, its marks kept and its front matter taken off.

The title is the front matter's ``title``, else the first heading, else the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sharpen.data.reading import DocumentReader, Note, read_text
from sharpen.errors import Problem
from sharpen.types import Document

SUFFIXES = (".md", ".markdown", ".mdown", ".mkd")
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
_KEY = re.compile(r"^[\w-]+[ \t]*:", re.M)
_TITLE = re.compile(r"^title:[ \t]*(.+)$", re.M)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+)$", re.M)


def markdown() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    for found in read_text(path, source):
        if not isinstance(found, str):
            yield found
            continue
        front = _FRONT.match(found)
        if front and not _KEY.search(front[1]):  # a rule above a text
            front = None
        body = found[front.end() :].lstrip("\n") if front else found
        if not body.strip():
            yield Note("left out: it holds nothing below its front matter.", source)
            continue
        title, heading = _TITLE.search(front[1]) if front else None, _HEADING.search(body)
        named = (title[1] if title else "", heading[1].rstrip(" \t#") if heading else "")
        titles = [name.strip().strip("\"'").strip() for name in named]
        yield Document(source, body, next(filter(None, titles), Path(source).stem))
