"""Tables with drawn lines: which words stand in which cell, merged cells included.

Edges that touch each other make a grid; where an edge is missing between two of its fields, they are one cell. A grid
whose fields hold further columns apart by gaps is left to ``_layout``, as is all that is not at least two by two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.data.readers._words import Box, Segment, Word, cells_of, rows_of, segments_of, whole

NEAR = 2.5
"""Points that edges may be apart and still meet."""

MOST = 3000
"""Edges of a page that are looked at; more are a drawing."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A line along one axis: where it is across, and from where to where it reaches."""

    upright: bool
    at: float
    low: float
    high: float


def edges_of(box: Box, thin: bool) -> list[Edge]:
    """The edges of a drawn rectangle, or the one line that it is where it is thin."""
    wide, high = box.right - box.left, box.top - box.bottom
    if high <= NEAR and wide > 8:
        return [Edge(False, box.middle, box.left, box.right)]
    if wide <= NEAR and high > 8:
        return [Edge(True, (box.left + box.right) / 2, box.bottom, box.top)]
    if thin or wide <= 8 or high <= 8:
        return []
    return [
        Edge(False, box.bottom, box.left, box.right),
        Edge(False, box.top, box.left, box.right),
        Edge(True, box.left, box.bottom, box.top),
        Edge(True, box.right, box.bottom, box.top),
    ]


def gridded(words: list[Word], edges: Sequence[Edge]) -> tuple[list[Word], list[Segment]]:
    """Words that are in no table, and the tables, the smallest first where one stands in another."""
    tables: list[Segment] = []
    if not 4 <= len(edges) <= MOST or not words:
        return words, tables
    for grid in sorted(_grids(edges), key=lambda g: (g.xs[-1] - g.xs[0]) * (g.ys[-1] - g.ys[0])):
        inside = [w for w in words if grid.holds(w)]
        table = _table(grid, inside) if len(inside) > 2 else None
        if table is not None:
            tables.append(table)
            taken = set(map(id, inside))
            words = [w for w in words if id(w) not in taken]
    return words, tables


@dataclass(frozen=True, slots=True)
class Grid:
    """Where columns and rows part, and the edges that are drawn."""

    xs: list[float]
    ys: list[float]
    edges: list[Edge]

    def holds(self, word: Word) -> bool:
        """Whether a word stands in it."""
        x = (word.first.left + word.last.right) / 2
        return self.xs[0] < x < self.xs[-1] and self.ys[0] < word.first.middle < self.ys[-1]

    def drawn(self, upright: bool, at: float, across: float) -> bool:
        """Whether an edge lies there."""
        return any(
            e.upright == upright and abs(e.at - at) <= NEAR and e.low - NEAR <= across <= e.high + NEAR
            for e in self.edges
        )


def _grids(edges: Sequence[Edge]) -> list[Grid]:
    """Edges that touch each other, as grids of at least two by two fields."""
    group = list(range(len(edges)))

    def find(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    upright = [i for i, e in enumerate(edges) if e.upright]
    level = sorted((i for i, e in enumerate(edges) if not e.upright), key=lambda i: edges[i].at)
    heights = [edges[i].at for i in level]
    for i in upright:
        e = edges[i]
        for j in level[bisect_right(heights, e.low - NEAR) : bisect_right(heights, e.high + NEAR)]:
            if edges[j].low - NEAR <= e.at <= edges[j].high + NEAR:
                group[find(i)] = find(j)
    members: dict[int, list[Edge]] = {}
    for i, e in enumerate(edges):
        members.setdefault(find(i), []).append(e)
    grids = []
    for each in members.values():
        xs, ys = _places(e.at for e in each if e.upright), _places(e.at for e in each if not e.upright)
        if len(xs) > 2 and len(ys) > 2 and len(xs) * len(ys) <= 4000:
            grids.append(Grid(xs, ys, each))
    return grids


def _places(values: object) -> list[float]:
    """Values in order, those that are near to each other once."""
    made: list[float] = []
    for v in sorted(values):  # type: ignore[call-overload]
        if not made or v - made[-1] > 2 * NEAR:
            made.append(v)
    return made


def _table(grid: Grid, words: Sequence[Word]) -> Segment | None:
    """The table that these words make, or None where the grid does not say what its columns are."""
    columns, rows = len(grid.xs) - 1, len(grid.ys) - 1
    owner: dict[tuple[int, int], tuple[int, int]] = {}
    for i in range(rows):  # from the top
        low, high = grid.ys[rows - 1 - i], grid.ys[rows - i]
        for j in range(columns):
            left, right = grid.xs[j], grid.xs[j + 1]
            owner[i, j] = i, j
            if i and not grid.drawn(False, high, (left + right) / 2):
                owner[i, j] = owner[i - 1, j]
            elif j and not grid.drawn(True, left, (low + high) / 2):
                owner[i, j] = owner[i, j - 1]
    held: dict[tuple[int, int], list[Word]] = {}
    cut = 0
    before: tuple[Word, tuple[int, int]] | None = None
    for w in words:
        j = min(max(bisect_right(grid.xs, (w.first.left + w.last.right) / 2) - 1, 0), columns - 1)
        i = rows - 1 - min(max(bisect_right(grid.ys, w.first.middle) - 1, 0), rows - 1)
        at = owner[i, j]
        held.setdefault(at, []).append(w)
        if before is not None and before[1] != at and not w.breaks:
            cut += 0 <= w.first.left - before[0].last.right < 0.4 * w.first.height
        before = w, at
    texts = {}
    gaps = 0
    for at, each in held.items():
        lines = rows_of(segments_of(each))
        gaps += sum(len(line) > 1 for line in map(cells_of, lines))
        text = ""
        for line in lines:
            text = whole(text, " ".join(s.text for s in line))
        texts[at] = text
    filled = {j for _, j in texts}, {i for i, _ in texts}
    if cut > len(words) // 50 or len(texts) < 0.3 * len(set(owner.values())):
        return None
    if min(map(len, filled)) < 2 or gaps > max(1, len(texts) // 8):
        return None
    made = []
    for i in range(rows):
        cells = [texts.get((i, j), "") for j in sorted(filled[0])]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            made.append(" | ".join(cells))
    return Segment("", grid.xs[0], grid.xs[-1], grid.ys[0], grid.ys[-1], tuple(made))
