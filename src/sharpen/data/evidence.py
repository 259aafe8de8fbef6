"""Where words stand in a document, as character spans.

Evidence is copied by people and by other programs, so it is looked for three times: as it is; with any white space
taken for any other; and by letters and digits alone, case ignored, which passes over Markdown marks, hyphenation and
typographic quotes.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from io import StringIO
from pathlib import PurePosixPath

from sharpen.types import Document, Span


def locate(words: str, text: str) -> tuple[int, int] | None:
    """Return start and end of ``words`` in ``text``, or None. The first place counts."""
    words = words.strip()
    if not words:
        return None
    at = text.find(words)
    if at >= 0:
        return at, at + len(words)
    loose = re.search(r"\s+".join(map(re.escape, words.split())), text)
    if loose:
        return loose.start(), loose.end()
    letters, places = _letters(text)
    wanted = "".join(c for c in words.casefold() if c.isalnum())
    at = letters.find(wanted) if len(wanted) >= 8 else -1  # fewer letters than this are found by chance
    return (places[at], places[at + len(wanted) - 1] + 1) if at >= 0 else None


@lru_cache(maxsize=64)
def _letters(text: str) -> tuple[str, array[int]]:
    """The letters and digits of a text, case folded, and the position of each."""
    letters, places = StringIO(), array("I")
    for i, raw in enumerate(text):
        for c in raw.casefold():
            if c.isalnum():
                letters.write(c)
                places.append(i)
    return letters.getvalue(), places


def nearest(words: str, text: str, start: int | None) -> tuple[int, int] | None:
    """Return where an answer stands: at ``start`` if it does, else at its occurrence closest to ``start``."""
    if start is None:
        return None  # an answer such as "14" stands in many places that are not the one that is meant
    if text.startswith(words, start):
        return start, start + len(words)
    places = [m.start() for m in re.finditer(re.escape(words), text)]
    if places:
        at = min(places, key=lambda p: abs(p - start))
        return at, at + len(words)
    return locate(words, text)


class Shelf:
    """Documents by the names that rows call them: whole source, or file name or stem where only one has it."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents: Mapping[str, Document] = {d.source: d for d in documents}
        self._short: dict[str, str | None] = {}
        for d in documents:
            path = PurePosixPath(d.source)
            if not path.name:  # "/": such a one is called by its whole name
                continue
            for key in {path.name.lower(), path.stem.lower(), str(path.with_suffix("")).lower(), d.source.lower()}:
                self._short[key] = None if key in self._short else d.source  # None: more than one is called so

    def find(self, name: str) -> Document | None:
        """Return the document that ``name`` means."""
        tidy = name.strip().replace("\\", "/").removeprefix("./")
        source = tidy if tidy in self.documents else self._short.get(tidy.lower())
        return self.documents.get(source) if source else None

    def hint(self, name: str) -> str:
        """Say which documents are called alike."""
        near = get_close_matches(name, self.documents, n=1)
        return f"Did you mean {near[0]}?" if near else "Sources are paths below the documents folder."

    def span(self, document: Document, start: int, end: int) -> Span | None:
        """Return a span if it lies within the document."""
        return Span(document.source, start, end) if 0 <= start < end <= len(document.text) else None
