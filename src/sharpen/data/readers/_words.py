"""Words of a page and where they stand: joined to segments, and segments to rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SOFT = "\ufffe"
"""Stands for a hyphen at a line's end."""

_MARK = re.compile(r"[-•●▪◦·*–—☐☑✓]|\(?\d{1,3}(?:\.\d{1,3}){0,4}[.)]?|\(?[a-zA-Z][.)]")
_GAP = 0.85
"""Heights of a line: what is further apart may be another cell."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 0.1)

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Word:
    """A word, the boxes of its first and last character, and whether a new line of the file begins with it."""

    text: str
    first: Box
    last: Box
    breaks: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """Words beside each other, or a table by its rows."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    table: tuple[str, ...] = ()

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 0.1)

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


Row = list[Segment]


def segments_of(words: Sequence[Word]) -> list[Segment]:
    """Words that the file gives one after the other, joined where only a blank is between them."""
    found: list[Segment] = []
    for word in words:
        tall = word.first if word.first.height >= word.last.height else word.last
        left, right = min(word.first.left, word.last.left), max(word.first.right, word.last.right)
        one = Segment(word.text, left, right, tall.bottom, tall.top)
        last = found[-1] if found else None
        if last is not None and not word.breaks and _beside(last, one):
            found[-1] = joined(last, one, " ")
        else:
            found.append(one)
    return found


def _beside(a: Segment, b: Segment) -> bool:
    tall = max(a.height, b.height)
    gap = max(b.left - a.right, a.left - b.right)
    return gap < _GAP * tall and abs(a.middle - b.middle) < 0.6 * tall


def joined(a: Segment, b: Segment, between: str) -> Segment:
    """One segment of both; its place on the line is that of the taller one."""
    tall = a if a.height >= b.height else b
    text = a.text + between + b.text
    return Segment(text, min(a.left, b.left), max(a.right, b.right), tall.bottom, tall.top)


def rows_of(segments: Iterable[Segment]) -> list[Row]:
    """Segments that stand beside each other, from top to bottom and left to right."""
    rows: list[Row] = []
    for s in sorted(segments, key=lambda s: -s.middle):
        if rows and _on(rows[-1], s):
            rows[-1].append(s)
        else:
            rows.append([s])
    return [sorted(row, key=lambda s: s.left) for row in rows]


def _on(row: Row, s: Segment) -> bool:
    """Whether a segment stands in a row: as high as its tallest, and under none of it."""
    tall = max(row, key=lambda r: r.height)
    common = min(tall.top, s.top) - max(tall.bottom, s.bottom)
    if common <= 0.5 * min(tall.height, s.height):
        return False
    return not any(
        r.middle - s.middle > 0.5 * min(r.height, s.height) and min(r.right, s.right) - max(r.left, s.left) > s.height
        for r in row[-50:]
    )


def cells_of(row: Row) -> Row:
    """Join what is apart by less than a cell; a bullet or number belongs to the one text that follows."""
    made = row[:1]
    for s in row[1:]:
        if s.table or made[-1].table:
            made.append(s)
            continue
        gap = s.left - made[-1].right
        if gap < _GAP * max(s.height, made[-1].height):
            glued = gap < 0.12 * min(s.height, made[-1].height)
            made[-1] = joined(made[-1], s, "" if glued else " ")
        else:
            made.append(s)
    if len(made) == 2 and _MARK.fullmatch(made[0].text) and re.search(r"[^\W\d_]{2}", made[1].text):
        near = made[1].left - made[0].right < 3 * made[1].height
        return [joined(made[0], made[1], " ")] if near else made
    return made


def whole(before: str, text: str) -> str:
    """Two lines as one; a hyphen at the end of the first that may part a word becomes ``SOFT``."""
    if not before or not text:
        return before + text
    if before.endswith(SOFT):
        return before + text if text[:1].islower() else f"{before[:-1]}-{text}"
    if re.search(r"[^\W\d_]-$", before) and text[:1].islower():
        return before[:-1] + SOFT + text
    return f"{before} {text}"


def unbroken(text: str) -> str:
    """Words that were broken at a line's end made whole: with their hyphen where the text has them so elsewhere."""
    if SOFT not in text:
        return text
    known = set(re.findall(r"[\w-]+", re.sub(rf"\w+{SOFT}\w+", " ", text.lower())))

    def one(m: re.Match[str]) -> str:
        a, b = m[1].lower(), m[2].lower()
        hyphen = a + b not in known and (f"{a}-{b}" in known or (min(len(a), len(b)) > 2 and {a, b} <= known))
        return f"{m[1]}-{m[2]}" if hyphen else m[1] + m[2]

    return re.sub(rf"(\w+){SOFT}(\w+)", one, text).replace(SOFT, "-")
