"""Rows that begin alike as one tree of tokens, and rows as optimizer steps. Plain Python, no torch.

A forward pass over rows computes each of their common prefixes once: the tokens of all rows form a forest in which a
path from a root is the beginning of at least one row. The forest is laid out in depth-first order, so what a token
may attend to is one comparison: token ``q`` sees token ``k`` when ``k <= q < end[k]``, where ``end[k]`` is where the
subtree of ``k`` ends. Every token keeps the position that it has in its row. Tokens and gradients are those of rows
computed one by one; only the order of summation differs.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

SPLIT_COST = 16_000
"""Query-key pairs whose attention costs about as much as starting one more attention call (measured on CPU)."""


@dataclass(frozen=True)
class Row:
    """Token ids of one row and the positions of its supervised tokens (position 0 cannot be predicted)."""

    ids: tuple[int, ...]
    learned: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """Consecutive tokens ``start`` to ``stop`` and the earlier tokens that they attend to besides themselves."""

    start: int
    stop: int
    before: tuple[int, ...]


@dataclass(frozen=True)
class Tree:
    """Rows laid out for one forward pass.

    Attributes:
        ids, positions, end: per token, see the module's page.
        blocks: a partition of the tokens into attention calls.
        edges: (index of the predicting token, id to predict, how many rows learn this there).
        tokens: length of all rows together, each counted alone.
    """

    ids: list[int]
    positions: list[int]
    end: list[int]
    blocks: list[Block]
    edges: list[tuple[int, int, int]]
    tokens: int

    @property
    def learned(self) -> int:
        """Supervised tokens of all rows together."""
        return sum(count for _, _, count in self.edges)


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle)
    return low if low == n or a[low] != b[low] else low + 1


def grow(rows: Iterable[Row], share: bool = True) -> Tree:
    """Lay rows out as a tree; with ``share`` False each row stands alone (a block-diagonal mask)."""
    ids: list[int] = []
    positions: list[int] = []
    end: list[int] = []
    blocks: list[Block] = []
    edges: Counter[tuple[int, int]] = Counter()
    path: list[int] = []
    start = 0
    before: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    tokens = 0
    # What follows the last supervised token predicts nothing and is left out.
    for read, row in sorted(((row.ids[: row.learned[-1]], row) for row in rows), key=lambda pair: pair[0]):
        tokens += len(row.ids)
        shared = common(last, read) if share else 0
        new = len(read) - shared
        for index in path[shared:]:
            end[index] = len(ids)
        del path[shared:]
        if new * (len(before) + 2 * (len(ids) - start) - shared) > SPLIT_COST and new:
            blocks.append(Block(start, len(ids), before))
            start, before = len(ids), tuple(path)
        path += range(len(ids), len(ids) + new)
        ids += read[shared:]
        positions += range(shared, len(read))
        end += [0] * new
        last = read
        for position in row.learned:
            edges[path[position - 1], row.ids[position]] += 1
    for index in path:
        end[index] = len(ids)
    blocks.append(Block(start, len(ids), before))
    return Tree(ids, positions, end, blocks, [(i, t, n) for (i, t), n in edges.items()], tokens)


def passes(rows: Sequence[Row], budget: int, share: bool = True) -> list[list[Row]]:
    """Cut rows into forward passes of at most ``budget`` computed tokens (a longer row has a pass for itself)."""
    made: list[list[Row]] = []
    size = 0
    for row in sorted(rows, key=lambda r: r.ids):
        new = len(row.ids) - (common(made[-1][-1].ids, row.ids) if share and made else 0)
        if not made or size + new > budget:
            made.append([row])
            size = len(row.ids)
        else:
            made[-1].append(row)
            size += new
    return made


def families(rows: Sequence[Row], most: int, depth: int = 0) -> list[list[int]]:
    """Group rows (by index) that share at least half of what they have after ``depth``, at most ``most`` a group."""
    order = sorted(range(len(rows)), key=lambda i: rows[i].ids)
    groups: list[list[int]] = [[order[0]]] if order else []
    for a, b in pairwise(order):
        shared = common(rows[a].ids, rows[b].ids) - depth
        if 2 * shared >= min(len(rows[a].ids), len(rows[b].ids)) - depth and shared > 0:
            groups[-1].append(b)
        else:
            groups.append([b])
    made: list[list[int]] = []
    for group in groups:
        if len(group) <= most:
            made.append(group)
            continue
        deeper = common(rows[group[0]].ids, rows[group[-1]].ids)
        inner = families([rows[i] for i in group], most, deeper) if deeper > depth else []
        if len(inner) > 1:
            made += [[group[i] for i in g] for g in inner]
        else:
            made += [group[i : i + most] for i in range(0, len(group), most)]
    return made


def epoch(groups: Sequence[Sequence[int]], size: int, seed: str) -> list[list[int]]:
    """Shuffle groups of rows and fill steps of about ``size`` rows; a group is never torn apart."""
    order = list(groups)
    random.Random(seed).shuffle(order)
    steps: list[list[int]] = []
    full = True
    for group in order:
        # A group goes where the step ends nearer to its size.
        if full or len(steps[-1]) + len(group) - size > size - len(steps[-1]):
            steps.append([])
        steps[-1] += group
        full = len(steps[-1]) >= size
    if len(steps) > 1 and 2 * len(steps[-1]) < size:  # a remnant would weigh its few rows like a full step's
        last = steps.pop()
        steps[-1] += last
    return steps
