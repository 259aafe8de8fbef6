"""Cut documents into passages that keep their place: every passage is exactly the text at its span."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sharpen.data import UNSPACED
from sharpen.types import Document, Passage, Span

BLANK_LINES = re.compile(r"\n(?:[ \t\r]*\n)+")
WHITE = re.compile(r"\s*")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[。！？])[」』）”]*\s*")
HEADING = re.compile(r"#{1,6}[ \t]+(\S.{0,300})(?=\n|\Z)")
BARS = re.compile(r"(?m)^(?:[ \t]*\|[^\n]*(?:\n|\Z)){2,}")
DASHES = re.compile(r"(?m)^[ \t]*\|[ \t:|-]*-[ \t:|-]*$")
OPENED, CLOSED = re.compile(r"<table\b", re.I), re.compile(r"</table\s*>", re.I)
ROW_END, LINE_END, TAG = re.compile(r"</tr\s*>", re.I), re.compile(r"\n"), re.compile(r"<[^<>]*>|\|")
# What sizes count; in scripts without spaces a letter is a word. A run of letters (a key, a table of base 64) counts as
# one word every 40 characters.
UNIT = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]{{1,40}}")

WAYS_TO_CUT = ("paragraphs", "sentences", "headings", "meaning")


@dataclass(frozen=True)
class Chunking:
    """Sizes in words. The default keeps within the 256 tokens that small embedding models read.

    ``by``: what is joined up to ``size`` within a section, and cut at sentence ends where it is longer than
    ``longest``: paragraphs, or sentences across paragraphs; headings: as much of a section as ``longest`` allows;
    meaning: sentences, but not across a place where what they mean changes. ``parent``: passages are searched as they
    are, and neighbours joined up to so many words are given. ``path``: a section is named with those that it lies in.
    A table is cut only where it is longer than ``longest``, between rows; later ones know their header.
    """

    size: int = 100
    longest: int = 180
    by: str = "paragraphs"
    parent: int = 0
    path: bool = False


class Piece(NamedTuple):
    """What is joined: characters, words, and of a heading its title and level, of later rows of a table the header."""

    start: int
    end: int
    words: int
    title: str = ""
    level: int = 0
    table: str = ""
    apart: bool = False  # nothing before it is joined to it


def chunk(
    documents: Sequence[Document], options: Chunking | None = None, embed: Callable[..., Any] | None = None
) -> list[Passage]:
    """Cut documents; passages are named ``source#number`` and know their document's title and section.

    ``embed`` (texts to unit vectors) is needed to cut by meaning.
    """
    options = options or Chunking()
    pieces = [list(_pieces(d.text, options)) for d in documents]
    if options.by == "meaning":
        assert embed is not None, "cutting by meaning needs embeddings"
        pieces = list(changes(documents, pieces, embed))
    size = options.longest if options.by == "headings" else options.size
    passages = []
    for document, some in zip(documents, pieces, strict=True):
        for n, (start, end, section, table) in enumerate(_joined(some, size, options.path)):
            known = (("title", document.title), ("section", section), ("table", table))
            meta = {k: v for k, v in known if v}
            span = Span(document.source, start, end)
            passages.append(Passage(f"{document.source}#{n}", document.text[start:end], span, meta=meta))
    return passages


def parents(
    passages: Sequence[Passage], documents: Sequence[Document], words: int
) -> tuple[list[Passage], list[list[int]]]:
    """Join neighbouring passages up to ``words`` words; and of each the numbers of those that it is made of."""
    texts = {d.source: d.text for d in documents}
    made: list[Passage] = []
    parts: list[list[int]] = []
    total = 0
    for n, p in enumerate(passages):
        count = len(UNIT.findall(p.text))
        if made and made[-1].span.source == p.span.source and total + count <= words:
            whole = Span(p.span.source, made[-1].span.start, p.span.end)
            text = texts[whole.source][whole.start : whole.end]
            made[-1] = replace(made[-1], text=text, span=whole)
            parts[-1].append(n)
            total += count
            continue
        made.append(p)
        parts.append([n])
        total = count
    return made, parts


def changes(
    documents: Sequence[Document], pieces: Sequence[list[Piece]], embed: Callable[..., Any]
) -> Iterator[list[Piece]]:
    """Set apart the sentences before which the meaning changes.

    Each sentence is embedded with its neighbours; of all places in a document the fifth is taken at which they differ
    most from what follows (the "semantic chunking" of LlamaIndex, which takes the twentieth by default).
    """
    for document, some in zip(documents, pieces, strict=True):
        if len(some) < 3:
            yield some
            continue
        around = [(some[max(0, i - 1)].start, some[min(i + 1, len(some) - 1)].end) for i in range(len(some))]
        vectors = embed([document.text[start:end] for start, end in around])
        alike = (vectors[:-1] * vectors[1:]).sum(axis=1).tolist()
        least = sorted(alike)[max(0, len(alike) // 5 - 1)]
        yield [p._replace(apart=i > 0 and alike[i - 1] <= least) for i, p in enumerate(some)]


def _joined(pieces: Iterable[Piece], size: int, path: bool) -> Iterator[tuple[int, int, str, str]]:
    """Yield (start, end, section, table): small neighbours of a section joined, a heading with what follows."""
    above: list[tuple[int, str]] = []
    section = table = ""
    held: tuple[int, int, int] | None = None  # start, end, words
    bare = False  # what is held is headings and nothing else
    for p in pieces:
        if held is not None:
            full = held[2] + p.words > size or p.apart
            if (p.title and full) if bare else (p.title or full):
                yield held[0], held[1], section, table
                held = None
        bare = bool(p.title) and (bare or held is None)
        if p.title:
            above = [(level, title) for level, title in above if level < p.level] + [(p.level, p.title)]
            section = " > ".join(title for _, title in above) if path else p.title
        table = table if held and table else p.table
        held = (held[0], p.end, held[2] + p.words) if held else (p.start, p.end, p.words)
    if held:
        yield held[0], held[1], section, table


def _pieces(text: str, options: Chunking) -> Iterator[Piece]:
    """Yield headings, tables, and paragraphs or their sentences, none longer than ``longest`` words but headings."""
    at = 0
    for start, end in (*tables(text), (len(text), len(text))):
        yield from _prose(text, at, start, options)
        yield from _rows(text, start, end, options.longest)
        at = end


def _prose(text: str, at: int, until: int, options: Chunking) -> Iterator[Piece]:
    for stop in (*(m.end() for m in BLANK_LINES.finditer(text, at, until)), until):
        start, end = _trimmed(text, at, stop)
        at = stop
        while start < end and (heading := HEADING.match(text, start, end)):
            line = _trimmed(text, start, heading.end())
            level = len(heading[0]) - len(heading[0].lstrip("#"))
            yield Piece(*line, _count(text, *line), heading[1].strip(), level)
            start = WHITE.match(text, heading.end(), end).end()  # type: ignore[union-attr]
        if start >= end:
            continue
        words = _count(text, start, end)
        if options.by in ("sentences", "meaning"):
            for begin, stop in _sentences(text, start, end):
                yield from (Piece(*p) for p in _cut(text, begin, stop, options.longest))
        else:
            cut = [(start, end, words)] if words <= options.longest else _cut(text, start, end, options.longest)
            yield from (Piece(*p) for p in cut)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    for stop in (*(m.end() for m in SENTENCE_END.finditer(text, start, end)), end):
        begin, last = _trimmed(text, at, stop)
        at = stop
        if begin < last:
            yield begin, last


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


def _rows(text: str, start: int, end: int, longest: int) -> Iterator[Piece]:
    """A table whole, or as many of its rows at once as there is room for."""
    start, end = _trimmed(text, start, end)
    if start >= end:
        return
    words = _count(text, start, end)
    if words <= longest:
        yield Piece(start, end, words)
        return
    header = " ".join(TAG.sub(" ", text[start : _row_ends(text, start, end)[0]]).split())
    begin, last, count, first = start, start, 0, True
    for stop in _row_ends(text, start, end):
        row = _count(text, last, stop)
        if count and count + row > longest:
            yield Piece(*_trimmed(text, begin, last), count, table="" if first else header)
            begin, count, first = last, 0, False
        if row > longest:
            for run in _word_runs(text, last, stop, longest):
                yield Piece(*run, table="" if first else header)
                first = False
            begin = stop
        else:
            count += row
        last = stop
    if count:
        yield Piece(*_trimmed(text, begin, end), count, table="" if first else header)


def _row_ends(text: str, start: int, end: int) -> list[int]:
    mark = ROW_END if text.startswith("<", start) else LINE_END
    ends = [m.end() for m in mark.finditer(text, start, end)]
    return ends if ends and ends[-1] == end else [*ends, end]


def tables(text: str) -> Iterator[tuple[int, int]]:
    """Where tables stand, in order: lines that begin with a bar, a row of dashes among them, and HTML's."""
    found = [m.span() for m in BARS.finditer(text) if DASHES.search(m[0])]
    at = 0
    for opened in OPENED.finditer(text):
        if opened.start() < at:
            continue
        closed = CLOSED.search(text, opened.end())
        if closed is None:
            break
        found.append((opened.start(), closed.end()))
        at = closed.end()
    at = 0
    for start, end in sorted(found):
        if start >= at:
            yield start, end
            at = end


def _count(text: str, start: int, end: int) -> int:
    return len(UNIT.findall(text, start, end))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    return left, max(left, start + len(piece.rstrip()))
