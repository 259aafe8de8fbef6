"""Cut documents into passages that keep their place: every passage is exactly the text at its span."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sharpen.data import UNSPACED
from sharpen.types import Document, Passage, Span

BLANK_LINES = re.compile(r"\n(?:[ \t\r]*\n)+")
WHITE = re.compile(r"\s*")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[。！？])[」』）”]*\s*")
HEADING = re.compile(r"#{1,6}[ \t]+(\S.{0,300})(?=\n|\Z)")
# What sizes count; in scripts without spaces a letter is a word. A run of letters (a key, a table of base 64) counts as
# one word every 40 characters.
UNIT = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]{{1,40}}")


@dataclass(frozen=True)
class Chunking:
    """Sizes in words. Neighbouring paragraphs of a section are joined up to ``size``; longer ones than ``longest``
    are cut at sentence ends. The default keeps within the 256 tokens that small embedding models read."""

    size: int = 100
    longest: int = 180


def chunk(documents: Sequence[Document], options: Chunking | None = None) -> list[Passage]:
    """Cut documents; passages are named ``source#number`` and know their document's title and section."""
    options = options or Chunking()
    passages = []
    for document in documents:
        for n, (start, end, section) in enumerate(_joined(document.text, options)):
            meta = {k: v for k, v in (("title", document.title), ("section", section)) if v}
            span = Span(document.source, start, end)
            passages.append(Passage(f"{document.source}#{n}", document.text[start:end], span, meta=meta))
    return passages


def _joined(text: str, options: Chunking) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, section), joining small neighbours within a section; a heading goes with what follows."""
    section = ""
    held: tuple[int, int, int] | None = None  # start, end, words
    bare = False  # what is held is headings and nothing else
    for start, end, words, title in _pieces(text, options.longest):
        if held is not None:
            full = held[2] + words > options.size
            if (title and full) if bare else (title or full):
                yield held[0], held[1], section
                held = None
        bare = bool(title) and (bare or held is None)
        section = title or section
        held = (held[0], end, held[2] + words) if held else (start, end, words)
    if held:
        yield held[0], held[1], section


def _pieces(text: str, longest: int) -> Iterator[tuple[int, int, int, str]]:
    """Yield (start, end, words, title) of headings, which have a title, and of paragraphs.

    Paragraphs over ``longest`` words are cut at sentence ends or, failing that, between words.
    """
    at = 0
    for stop in (*(m.end() for m in BLANK_LINES.finditer(text)), len(text)):
        start, end = _trimmed(text, at, stop)
        at = stop
        while start < end and (heading := HEADING.match(text, start, end)):
            line = _trimmed(text, start, heading.end())
            yield *line, _count(text, *line), heading[1].strip()
            start = WHITE.match(text, heading.end(), end).end()  # type: ignore[union-attr]
        if start >= end:
            continue
        words = _count(text, start, end)
        for piece in [(start, end, words)] if words <= longest else _cut(text, start, end, longest):
            yield *piece, ""


def _cut(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int, int]]:
    begin, last, count = start, start, 0
    for stop in (*(m.end() for m in SENTENCE_END.finditer(text, start, end)), end):
        words = _count(text, last, stop)
        if count and count + words > longest:
            yield *_trimmed(text, begin, last), count
            begin, count = last, 0
        if words > longest:
            yield from _word_runs(text, last, stop, longest)
            begin = stop
        else:
            count += words
        last = stop
    if count:
        yield *_trimmed(text, begin, end), count


def _word_runs(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int, int]]:
    words = [m.span() for m in UNIT.finditer(text, start, end)]
    for i in range(0, len(words), longest):
        run = words[i : i + longest]
        yield run[0][0], run[-1][1], len(run)


def _count(text: str, start: int, end: int) -> int:
    return len(UNIT.findall(text, start, end))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    return left, max(left, start + len(piece.rstrip()))
