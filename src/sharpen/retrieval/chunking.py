"""Cut documents into passages that keep their place: every passage is exactly the text at its span."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sharpen.types import Document, Passage, Span

BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
SENTENCE_END = re.compile(r"(?<=[.!?。！？])[\"')\]]*\s+")
HEADING = re.compile(r"#{1,6}\s+(.+)")


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
    held: tuple[int, int, int, str] | None = None  # start, end, words, section
    for start, end, words in _pieces(text, options.longest):
        heading = HEADING.match(text, start, end)
        if heading:
            if held and not _only_heading(text, held):
                yield held[0], held[1], held[3]
                held = None
            section = heading[1].strip()
        if held and (_only_heading(text, held) or held[2] + words <= options.size):
            held = (held[0], end, held[2] + words, section)
        else:
            if held:
                yield held[0], held[1], held[3]
            held = (start, end, words, section)
    if held:
        yield held[0], held[1], held[3]


def _only_heading(text: str, held: tuple[int, int, int, str]) -> bool:
    return all(HEADING.match(line) for line in text[held[0] : held[1]].splitlines() if line.strip())


def _pieces(text: str, longest: int) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, words) of paragraphs, those over ``longest`` words cut at sentence ends or, failing that,
    between words."""
    breaks = [0, *(m.end() for m in BLANK_LINE.finditer(text)), len(text)]
    for begin, stop in zip(breaks, breaks[1:], strict=False):
        start, end, _ = _trimmed(text, begin, stop)
        if start >= end:
            continue
        first_line = text.find("\n", start, end)
        if HEADING.match(text, start, end) and first_line > 0:
            yield start, first_line, len(text[start:first_line].split())
            start = first_line + 1
        words = len(text[start:end].split())
        if words <= longest:
            yield start, end, words
        else:
            yield from _cut(text, start, end, longest)


def _cut(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int, int]]:
    ends = [m.end() for m in SENTENCE_END.finditer(text, start, end)] + [end]
    begin, last, count = start, start, 0
    for stop in ends:
        words = len(text[last:stop].split())
        if count and count + words > longest:
            yield _trimmed(text, begin, last)
            begin, count = last, 0
        if words > longest:
            for m in _word_runs(text, last, stop, longest):
                yield m
            begin, count = stop, 0
        else:
            count += words
        last = stop
    if count:
        yield _trimmed(text, begin, end)


def _word_runs(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int, int]]:
    words = [m.span() for m in re.finditer(r"\S+", text[start:end])]
    for i in range(0, len(words), longest):
        run = words[i : i + longest]
        yield start + run[0][0], start + run[-1][1], len(run)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int, int]:
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    return left, start + len(piece.rstrip()), len(piece.split())
