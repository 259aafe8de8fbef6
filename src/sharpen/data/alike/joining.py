"""Pairs that agree in a band, compared in truth, and joined into clusters."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpen.data.alike.hashing import Hashes, Places, offsets_of

PAIRS = 20_000
"""Pairs that are compared at a time, and so the texts whose shingles are in memory."""

MEMBERS = 2_000_000
"""Shingles of the pairs that are compared at a time."""

FARTHEST = 1_000
"""In a band's group of more texts than this, each is compared with so many neighbours; the rest is counted."""


class Clusters:
    """Which texts belong together; a cluster is called by its first member (union-find over arrays)."""

    def __init__(self, size: int) -> None:
        self.parents = np.arange(size, dtype=np.int64)

    def roots(self, rows: Places) -> Places:
        """Return the first member of the cluster of each row."""
        found = self.parents[rows]
        while True:
            above = self.parents[found]
            if np.array_equal(above, found):
                self.parents[rows] = found
                return found
            found = above

    def join(self, a: Places, b: Places) -> None:
        """Join the clusters of ``a[i]`` and ``b[i]``."""
        while len(a):
            one, two = self.roots(a), self.roots(b)
            apart = one != two
            a, b, one, two = a[apart], b[apart], one[apart], two[apart]
            np.minimum.at(self.parents, np.maximum(one, two), np.minimum(one, two))


class Sets:
    """The shingle sets of texts, in a file of 32-bit hashes.

    Two shingles of a pair of texts of 1,000 words have the same 32 bits about once in 4,000 pairs, which moves a
    similarity by one in a thousand.
    """

    def __init__(self, path: Path, counts: NDArray[np.uint32]) -> None:
        self.path = path
        self.counts = counts.astype(np.int64)
        self.begins = offsets_of(self.counts)[:-1]

    def similarity(self, a: Places, b: Places) -> NDArray[np.float64]:
        """Return the Jaccard similarity of ``a[i]`` and ``b[i]``, which both have shingles."""
        out = np.zeros(len(a), dtype=np.float64)
        with self.path.open("rb", buffering=0) as file:  # read and not mapped, so that no more of it is in memory
            for begin, end in self._portions(a, b):
                out[begin:end] = self._compared(file, a[begin:end], b[begin:end])
        return out

    def _portions(self, a: Places, b: Places) -> Iterator[tuple[int, int]]:
        load = np.cumsum(self.counts[a] + self.counts[b])
        begin = 0
        while begin < len(a):
            before = load[begin - 1] if begin else 0
            end = int(np.searchsorted(load, before + MEMBERS, side="right"))
            end = min(max(end, begin + 1), begin + PAIRS)
            yield begin, end
            begin = end

    def _compared(self, file: FileIO, a: Places, b: Places) -> NDArray[np.float64]:
        left, right = self._members(file, a), self._members(file, b)
        both = np.sort(np.concatenate([left, right]))
        shared = both[1:][both[1:] == both[:-1]]
        sizes = [np.bincount((x >> np.uint64(32)).astype(np.int64), minlength=len(a)) for x in (left, right, shared)]
        made: NDArray[np.float64] = sizes[2] / (sizes[0] + sizes[1] - sizes[2])
        return made

    def _members(self, file: FileIO, rows: Places) -> Hashes:
        """The sets of all rows, each member with the number of its pair above its 32 bits."""
        counts = self.counts[rows]
        offsets = offsets_of(counts)
        pair = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
        held = bytearray(4 * int(offsets[-1]))
        into = memoryview(held)
        for at, begin, end in zip(
            *((4 * x).tolist() for x in (self.begins[rows], offsets[:-1], offsets[1:])), strict=True
        ):
            file.seek(at)
            file.readinto(into[begin:end])
        codes = np.sort(pair.astype(np.uint64) << np.uint64(32) | np.frombuffer(held, np.uint32))
        keep = np.ones(len(codes), dtype=bool)
        keep[1:] = codes[1:] != codes[:-1]
        made: Hashes = codes[keep]
        return made


class Joining:
    """Goes through the bands, compares what agrees in one, and joins what reaches the threshold."""

    def __init__(self, sets: Sets, clusters: Clusters, threshold: float) -> None:
        self.sets = sets
        self.clusters = clusters
        self.threshold = threshold
        self.refused = np.zeros(0, dtype=np.uint64)  # pairs that an earlier band compared for nothing, in order
        self.fresh: list[Hashes] = []  # those of this band, where no pair comes twice
        self.compared = 0
        self.uncompared = 0

    def band(self, keys: Hashes, rows: Places) -> None:
        """Join what agrees in one band: ``keys[i]`` is that of the text ``rows[i]``; ``rows`` are in order."""
        self._grouped(keys, rows)
        self.refused = np.sort(np.concatenate([self.refused, *self.fresh]))
        self.fresh.clear()

    def _grouped(self, keys: Hashes, rows: Places) -> None:
        order = np.argsort(keys)
        keys = keys[order]
        same = keys[1:] == keys[:-1]
        grouped = np.zeros(len(keys), dtype=bool)
        grouped[1:] |= same
        grouped[:-1] |= same
        keys, rows = keys[grouped], rows[order[grouped]]
        by = np.lexsort((rows, keys))  # within a group in the order of the texts
        keys, rows = keys[by], rows[by]
        for apart in range(1, FARTHEST + 1):
            at = np.flatnonzero(keys[apart:] == keys[:-apart])
            if not len(at):
                return
            self._compare(rows[at], rows[at + apart])
            keys, rows = self._open(keys, rows)
        self.uncompared += sum(int(np.sum(n * (n - 1) // 2)) for n in [np.unique(keys, return_counts=True)[1]])

    def _open(self, keys: Hashes, rows: Places) -> tuple[Hashes, Places]:
        """Without the groups whose members all belong together by now."""
        roots = self.clusters.roots(rows)
        begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        sizes = np.diff(np.concatenate([begins, [len(keys)]]))
        done = np.minimum.reduceat(roots, begins) == np.maximum.reduceat(roots, begins)
        keep = np.repeat(~done & (sizes > 1), sizes)
        return keys[keep], rows[keep]

    def _compare(self, a: Places, b: Places) -> None:
        apart = self.clusters.roots(a) != self.clusters.roots(b)
        a, b = a[apart], b[apart]
        size = np.uint64(len(self.clusters.parents))
        codes = np.minimum(a, b).astype(np.uint64) * size + np.maximum(a, b).astype(np.uint64)
        if len(self.refused):
            at = np.searchsorted(self.refused, codes)
            fresh = self.refused[np.minimum(at, len(self.refused) - 1)] != codes
            a, b, codes = a[fresh], b[fresh], codes[fresh]
        if not len(a):
            return
        alike = self.sets.similarity(a, b) >= self.threshold - 1e-9
        self.compared += len(a)
        self.clusters.join(a[alike], b[alike])
        self.fresh.append(codes[~alike])
