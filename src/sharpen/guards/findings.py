"""What a recogniser finds, and how overlapping findings are settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Finding:
    """Characters ``start`` to ``end`` of a text are of this type, as sure as ``score`` (0 to 1) says."""

    type: str
    start: int
    end: int
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Recogniser:
    """The types that it knows, and ``find``: all that it finds in a text, in time linear in the text's length."""

    types: tuple[str, ...]
    find: Callable[[str], Iterable[Finding]]


def settled(found: Iterable[Finding]) -> list[Finding]:
    """Findings in order, none overlapping another, that together cover what was found.

    The surer one keeps its place, of equally sure ones the longer; another keeps what sticks out of it.
    """
    ordered = sorted(found, key=lambda f: (f.start, -f.end))
    if all(a.end <= b.start for a, b in pairwise(ordered)):
        return ordered
    kept: list[Finding] = []
    cluster: list[Finding] = []
    end = 0
    for f in ordered:
        if cluster and f.start >= end:
            kept += _untangled(cluster)
            cluster = []
        end = max(end, f.end) if cluster else f.end
        cluster.append(f)
    return kept + _untangled(cluster)


def _untangled(cluster: Sequence[Finding]) -> list[Finding]:
    """Settle findings that hang together: the best is laid down first, others in what is still free.

    Sweeps over the borders, so that thousands that hang together take n log n.
    """
    if len(cluster) == 1:
        return [*cluster]
    rank = sorted(cluster, key=lambda f: (-f.score, f.start - f.end, f.start, f.type))
    free: dict[int, int] = {}  # where the next free character may be, as in a union of sets
    bounds = sorted({b for f in cluster for b in (f.start, f.end)})
    at = {b: i for i, b in enumerate(bounds)}

    def next_free(i: int) -> int:
        seen = []
        while i in free:
            seen.append(i)
            i = free[i]
        for each in seen:
            free[each] = i
        return i

    out: list[Finding] = []
    for f in rank:
        i, last = next_free(at[f.start]), at[f.end]
        while i < last:
            begin = i
            while i < last and i not in free:
                free[i] = i + 1
                i += 1
            out.append(Finding(f.type, bounds[begin], bounds[i], f.score))
            i = next_free(i) if i < last else i
    return sorted(out, key=lambda f: f.start)
