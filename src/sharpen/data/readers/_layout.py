"""Lines of a page from where its words stand: columns in reading order, tables as rows ``a | b``, paragraphs.

Words become segments at gaps wider than a blank; where segments on both sides of a free strip are lines of prose, the
page is cut there into columns; of what is left, rows with several segments beside each other are tables. Units are
those of the page, y grows upwards. Not covered: cells that are centred beside several lines of another cell, tables
whose columns are nearer to each other than a blank is wide, and tables from right to left.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from statistics import median

from sharpen.data.readers._grids import Edge, gridded
from sharpen.data.readers._words import Box, Row, Segment, Word, cells_of, joined, rows_of, segments_of, whole

BULLET = re.compile(r"(?:[-•●▪◦·*–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|[☐☑✓])\s")
_ENTRY = re.compile(r"(?:\. ?){5,}\d{1,4}$")
_TALL = 60
"""Shapes of rows that the columns of a table are taken from."""

_FEW = 4000
"""Segments of a page up to which columns are looked for."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text or a row of a table; ``starts`` says that it does not run on from the one before."""

    text: str
    starts: bool
    row: bool = False


def page_lines(words: Sequence[Word], edges: Sequence[Edge] = ()) -> list[Line]:
    """The lines of a page as a person reads them; words that stand upright beside it come last."""
    words, upright = _turned(words)
    words, tables = gridded(words, edges)
    segments = [*segments_of(words), *tables]
    found = [line for region in _regions(segments, 0) for line in _lines(_cell_rows(region))]
    aside: list[str] = []
    for word in upright:
        if word.breaks or not aside:
            aside.append(word.text)
        else:
            aside[-1] += " " + word.text
    return found + [Line(text, True) for text in aside]


def _turned(words: Sequence[Word]) -> tuple[list[Word], list[Word]]:
    """Words that run from left to right, and others; the page is turned where most do not."""

    def level(word: Word) -> bool:
        return abs(word.first.middle - word.last.middle) < 0.8 * max(word.first.height, word.last.height)

    def turn(box: Box, sign: int) -> Box:
        y = sorted((-sign * box.left, -sign * box.right))
        x = sorted((sign * box.bottom, sign * box.top))
        return Box(x[0], x[1], y[0], y[1])

    long = [w for w in words if len(w.text) > 2]
    if len(long) > 4 and sum(map(level, long)) < len(long) / 2:
        up = sum(w.last.middle > w.first.middle for w in long if not level(w))
        sign = 1 if up * 2 > len(long) else -1
        words = [replace(w, first=turn(w.first, sign), last=turn(w.last, sign)) for w in words]
    return [w for w in words if level(w)], [w for w in words if not level(w)]


def _regions(segments: list[Segment], depth: int) -> list[list[Segment]]:
    """Cut at free strips between columns of prose, again and again; parts are in reading order."""
    cut = _gutter(segments) if depth < 8 and 8 <= len(segments) <= _FEW else None
    if cut is None:
        return [segments] if segments else []
    x, low, high = cut
    within = [s for s in segments if low <= s.middle <= high]
    parts = (
        [s for s in segments if s.middle > high],
        [s for s in within if s.right <= x],
        [s for s in within if s.right > x],
        [s for s in segments if s.middle < low],
    )
    return [region for part in parts for region in _regions(part, depth + 1)]


def _gutter(segments: list[Segment]) -> tuple[float, float, float] | None:
    """The free strip between columns that has most lines beside it: its x, and from where to where it reaches."""
    ordered = sorted(segments, key=lambda s: -s.middle)
    left, right = min(s.left for s in ordered), max(s.right for s in ordered)
    edges = {round(s.right) for s in ordered if 0.15 < (s.right - left) / max(right - left, 1) < 0.85}
    best: tuple[int, tuple[float, float, float]] | None = None
    for x in sorted(edges):
        at = x + 1.0
        for run in _runs(ordered, at):
            if best is not None and len(run) <= best[0]:
                continue
            run = _trimmed(run, at)
            sides = [s for s in run if s.right <= at], [s for s in run if s.right > at]
            if min(map(len, sides)) > 2 and (all(map(_prose, sides)) or _apart(*sides)):
                best = len(run), (at, run[-1].middle, run[0].middle)
    return best[1] if best else None


def _runs(ordered: Sequence[Segment], x: float) -> list[list[Segment]]:
    """From top to bottom, what stands between two segments that cross x."""
    runs: list[list[Segment]] = [[]]
    for s in ordered:
        if s.left < x < s.right:
            runs.append([])
        else:
            runs[-1].append(s)
    return [run for run in runs if len(run) >= 8]


def _trimmed(run: list[Segment], x: float) -> list[Segment]:
    """Without lines at the upper and lower end that stand on one side alone, and apart from what follows on it."""
    for _ in range(2):  # from the bottom, then, turned round, from the top
        while len(run) > 2:
            last = run[-1]
            same = next((s for s in reversed(run[:-1]) if (s.right <= x) == (last.right <= x)), None)
            other = next((s for s in reversed(run) if (s.right <= x) != (last.right <= x)), None)
            if same is None or other is None or abs(other.middle - last.middle) < 0.8 * last.height:
                break
            if abs(same.middle - last.middle) < 1.7 * min(same.height, last.height):
                break
            run = run[:-1]
        run = run[::-1]
    return run


def _apart(left: Sequence[Segment], right: Sequence[Segment]) -> bool:
    """Whether lines left and right stand at heights of their own, as rows of a table would not."""
    sides = [_line_ends(side) for side in (left, right)]
    if any(len(side) < 4 or sorted(wide for _, wide in side)[len(side) * 3 // 4] < 12 for side in sides):
        return False
    few, many = sorted(sides, key=len)
    at = sorted(middle for middle, _ in many)
    tall = median(s.height for s in left)
    meets = 0
    for middle, _ in few:
        i = bisect_left(at, middle - 0.12 * tall)
        meets += i < len(at) and at[i] <= middle + 0.12 * tall
    return meets <= 0.5 * len(few)


def _line_ends(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """How high each line stands, and how many of its heights it is wide."""
    return [(row[0].middle, (row[-1].right - row[0].left) / row[0].height) for row in rows_of(segments)]


def _prose(segments: Sequence[Segment]) -> bool:
    """Whether these are at least three lines, most of which fill their column."""
    rows = _cell_rows(segments) if len(segments) > 2 else []
    if len(rows) < 3:
        return False
    spans = [row[-1].right - row[0].left for row in rows]
    width = max(s.right for s in segments) - min(s.left for s in segments)
    tall = median(s.height for s in segments)
    full = [
        span for row, span in zip(rows, spans, strict=True)
        if span > 0.7 * width and sum(s.right - s.left for s in row) > 0.85 * span
    ]  # fmt: skip
    return len(full) >= 0.5 * len(rows) and median(full) > 11 * tall


def _cell_rows(segments: Sequence[Segment]) -> list[Row]:
    """Rows of cells, from top to bottom."""
    return [cells_of(row) for row in rows_of(segments)]


def _lines(rows: list[Row]) -> list[Line]:
    """Rows of a region as lines: tables where rows of several cells follow each other, paragraphs elsewhere."""
    found: list[Line] = []
    text: list[Segment] = []
    edge = max((row[-1].right for row in rows), default=0.0)
    at = 0
    while at < len(rows):
        end = _table_end(rows, at)
        if end > at:
            found += _paragraphs(text, edge)
            text = []
            found += _table(rows[at:end])
            at = end
            continue
        row = [s for s in rows[at] if not s.table]
        if row:
            text.append(reduce(lambda a, b: joined(a, b, " "), row))
        for table in (s.table for s in rows[at] if s.table):
            found += _paragraphs(text, edge)
            text = []
            found += [Line(line, not n, True) for n, line in enumerate(table)]
        at += 1
    return found + _paragraphs(text, edge)


def _table_end(rows: Sequence[Row], begin: int) -> int:
    """Where the table ends that begins with this row; the row itself where none does."""
    if len(rows[begin]) < 2 or any(s.table for s in rows[begin]):
        return begin
    end = begin + 1
    held = [rows[begin]]
    pitch = 0.0
    for at in range(begin + 1, len(rows)):
        row = rows[at]
        if any(s.table for s in row):
            break
        step = rows[at - 1][0].bottom - row[0].bottom
        other = len(row) == 1 and abs(row[0].height - rows[at - 1][0].height) > 0.12 * row[0].height
        if other or step > 3.2 * row[0].height or (pitch and step > 2.2 * pitch + row[0].height):
            break
        if len(row) > 1:
            pitch = max(pitch, step / (at - end + 1))
            held.append(row)
            end = at + 1
        elif at - end >= 3 or not _within(row[0], held, step):
            break
        elif _continues(row[0], rows[begin:at], step, at == end):
            end = at + 1
    if len(held) == 1:
        gaps = [b.left - a.right for a, b in itertools.pairwise(held[0])]
        wide = max(gaps) > 2 * held[0][0].height
        return end if wide else begin
    return end if len(_columns(held)) > 1 else begin


def _within(cell: Segment, rows: Sequence[Row], step: float) -> bool:
    """Whether a line by itself may be a row of one cell: it begins where cells begin, and is no full line."""
    cells = [c for row in rows[-8:] for c in row]
    width = max(c.right for c in cells) - min(c.left for c in cells)
    if cell.right - cell.left > 0.6 * width and step > 1.4 * cell.height:
        return False
    if cell.right > max(c.right for c in cells) + cell.height and cell.left < cells[0].left + cell.height:
        return False
    return any(abs(c.left - cell.left) < 0.4 * cell.height for c in cells) or any(
        abs(c.right - cell.right) < 0.4 * cell.height for c in cells
    )


def _continues(cell: Segment, above: Sequence[Row], step: float, direct: bool) -> bool:
    """Whether a line by itself runs on from a cell that is not the first of its row."""
    if step > 1.4 * cell.height or not direct:
        return False
    row = next((r for r in reversed(above) if len(r) > 1), [])
    return any(abs(c.left - cell.left) < 0.4 * cell.height for c in row[1:])


def _columns(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """From where to where each column reaches; a cell that lies over two of another row's does not count."""
    multi = {tuple((round(c.left), round(c.right)) for c in row) for row in rows if len(row) > 1}
    few = sorted(multi)[:: 1 + len(multi) // _TALL]
    cells = sorted({c for row in few for c in row})

    def spans(cell: tuple[int, int]) -> bool:
        return any(sum(min(cell[1], right) - max(cell[0], left) > 2 for left, right in row) > 1 for row in few)

    kept = [c for c in cells if not spans(c)] or cells
    found: list[tuple[int, int]] = []
    for left, right in kept:
        if found and left < found[-1][1] + 1:
            found[-1] = found[-1][0], max(right, found[-1][1])
        else:
            found.append((left, right))
    return found


def _table(rows: Sequence[Row]) -> list[Line]:
    """Rows as lines ``a | b`` with empty cells where a column has none."""
    columns = _columns(rows)
    made: list[tuple[list[str], Row]] = []
    steps = [a[0].bottom - b[0].bottom for a, b in itertools.pairwise(rows)]
    loose = sorted(steps)[len(steps) * 3 // 4] if steps else 0.0
    for n, row in enumerate(rows):
        cells = [""] * len(columns)
        for cell in row:
            at = _column(cell, columns)
            while at + 1 < len(cells) and cells[at]:
                at += 1
            cells[at] = f"{cells[at]} | {cell.text}" if cells[at] else cell.text
        if n and not cells[0] and _runs_on(cells, made[-1][0], row, steps[n - 1], loose):
            for at, cell_text in enumerate(cells):
                made[-1][0][at] = whole(made[-1][0][at], cell_text)
        else:
            made.append((cells, row))
    lines: list[Line] = []
    for cells, _ in made:
        while cells and not cells[-1]:
            cells.pop()
        lines.append(Line(" | ".join(cells), not lines, True))
    return lines


def _column(cell: Segment, columns: Sequence[tuple[int, int]]) -> int:
    """The first column that a cell lies in by half, otherwise the one nearest to it."""
    for n, (left, right) in enumerate(columns):
        common = min(cell.right, right) - max(cell.left, left)
        if common > 0.5 * min(cell.right - cell.left, right - left):
            return n
    return min(range(len(columns)), key=lambda n: abs(columns[n][0] - cell.left))


def _runs_on(cells: list[str], before: list[str], row: Row, step: float, loose: float) -> bool:
    """Whether a row is the next line of the cells above it: nearer than rows are, under cells that are filled."""
    if any(c and not b for c, b in zip(cells, before, strict=True)):
        return False
    near = step < 1.35 * row[0].height and step < 0.85 * loose
    single = sum(map(bool, cells)) == 1 and step < 1.6 * row[0].height
    return near or (single and row[0].text[:1].islower())


def _paragraphs(rows: Sequence[Segment], edge: float) -> list[Line]:
    """Lines of running text; a paragraph starts after a gap, with other letters, and where a line ended early."""
    if not rows:
        return []
    steps = [a.bottom - b.bottom for a, b in itertools.pairwise(rows)]
    usual = _usual(rows, steps)
    groups: list[list[Segment]] = [[rows[0]]]
    for (before, row), step in zip(itertools.pairwise(rows), steps, strict=True):
        tall = max(before.height, row.height)
        apart = step > 1.3 * usual.get(round(row.height), 1.45 * tall) or step > 1.9 * tall or step < 0
        if apart or abs(before.height - row.height) > 0.15 * tall or BULLET.match(row.text):
            groups.append([row])
        else:
            groups[-1].append(row)
    found = []
    for group in groups:
        left, right = min(r.left for r in group), max(r.right for r in group)
        narrow = right - left < 0.7 * (edge - min(r.left for r in rows))
        found.append(Line(group[0].text, True, entry(group[0])))
        for before, row in itertools.pairwise(group):
            first = (row.right - row.left) * (len(row.text.split(" ", 1)[0]) + 1) / (len(row.text) + 1)
            early = before.right + first < right - 0.3 * row.height
            indented = row.left > left + 0.7 * row.height and before.left < left + 0.4 * row.height
            indented = indented and before.text.endswith((".", "!", "?", ":", "”", '"'))
            if entry(before) or entry(row):
                found.append(Line(row.text, entry(before) != entry(row), entry(row)))
                continue
            early = early or (indented and not BULLET.match(group[0].text)) or _centred(before, row)
            found.append(Line(row.text, early or (narrow and not row.text[:1].islower())))
    return found


def entry(line: Segment) -> bool:
    """Whether it is one of a table of contents."""
    return _ENTRY.search(line.text) is not None


def _centred(a: Segment, b: Segment) -> bool:
    """Whether two lines have one middle, and neither their ends nor their beginnings in common."""
    tall = max(a.height, b.height)
    return abs(a.left - b.left) > tall and abs(a.left + a.right - b.left - b.right) < 0.5 * tall


def _usual(rows: Sequence[Segment], steps: Sequence[float]) -> dict[int, float]:
    """How far lines of each height are apart, for heights with at least three steps."""
    held: dict[int, list[float]] = {}
    for (a, b), step in zip(itertools.pairwise(rows), steps, strict=True):
        if abs(a.height - b.height) < 0.15 * b.height and 0 < step < 2.2 * b.height:
            held.setdefault(round(b.height), []).append(step)
    return {height: sorted(each)[len(each) // 4] for height, each in held.items() if len(each) > 2}
