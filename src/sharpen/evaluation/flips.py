"""Random sign flips of whole clusters and the largest studentised difference under them (max-t)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Signs: TypeAlias = NDArray[Any]  # single or double precision
ALL_FLIPS_UP_TO = 16  # clusters; 2**15 flips, a flip and its mirror image being one
CHUNK = 256  # flips at once: their differences stay in the cache
HELD = 1 << 24  # signs that are kept unpacked; more are unpacked as they are needed, an eighth of a byte each


class Flips:
    """Random signs of clusters, by flip; the first flips nothing.

    Questions that stand alone are clusters, so there may be many: beyond ``HELD`` signs only bits are kept.
    """

    def __init__(self, bits: NDArray[np.uint8], n_clusters: int) -> None:
        self._bits, self.n_clusters = bits, n_clusters
        # All flips come in double precision, where equal sums must tie.
        self.dtype: Any = np.dtype(np.float64 if n_clusters <= ALL_FLIPS_UP_TO else np.float32)
        self._whole = self._unpacked(bits) if len(bits) * n_clusters <= HELD else None

    def __len__(self) -> int:
        return len(self._bits)

    def part(self, start: int, stop: int) -> Signs:
        """Signs -1 and 1 of some flips, (flips, clusters)."""
        return self._unpacked(self._bits[start:stop]) if self._whole is None else self._whole[start:stop]

    def some(self, n: int) -> Flips:
        """``n`` of these flips, the first and drawn ones; evenly taken, some clusters would never be flipped."""
        if len(self) <= n:
            return self
        others = 1 + np.random.default_rng(0).choice(len(self) - 1, n - 1, replace=False)
        return Flips(self._bits[np.concatenate([[0], others])], self.n_clusters)

    def _unpacked(self, bits: NDArray[np.uint8]) -> Signs:
        found: Signs = np.unpackbits(bits, axis=1, count=self.n_clusters).astype(self.dtype)
        found *= -2
        found += 1
        found.setflags(write=False)
        return found


@lru_cache(maxsize=4)
def signs(n_clusters: int, flips: int, seed: int) -> Flips:
    """Return the flips of so many clusters, the same ones each time.

    Up to 16 clusters these are all flips, each once (mirror images left out: the statistic is two-sided); beyond,
    ``flips`` random ones after the one that flips nothing.
    """
    if n_clusters <= ALL_FLIPS_UP_TO:
        rows = np.arange(2 ** max(n_clusters - 1, 0), dtype=np.uint32)
        return Flips(np.packbits((rows[:, None] >> np.arange(n_clusters, dtype=np.uint32)) & 1, axis=1), n_clusters)
    n_bytes = -(-n_clusters // 8)
    raw = np.frombuffer(np.random.default_rng(seed).bytes((flips + 1) * n_bytes), dtype=np.uint8)
    bits = raw.reshape(flips + 1, n_bytes).copy()
    bits[0] = 0
    return Flips(bits, n_clusters)


def smallest_p(n_clusters: int, flips: int) -> float:
    """The smallest two-sided p that flipping whole clusters can give."""
    if n_clusters < 1:
        return 1.0
    return 2.0 ** (1 - n_clusters) if n_clusters <= ALL_FLIPS_UP_TO else 1.0 / (flips + 1)


def studentised(sums: Array, sizes: Array, flips: Flips) -> NDArray[Any]:
    """Return |t| of each row of cluster sums under each flip, shape (rows, flips).

    A flip gives the whole cluster the other sign. Each flip has its own mean (a ratio: flipped sums by all questions)
    and its own spread about that mean, as the observed data have; with clusters of unequal size, dividing by a spread
    that does not move with the flip covers too rarely. Rows without spread get 0.
    """
    scaled = sums / (np.abs(sums).max(initial=0.0) or 1.0)
    plain, weighted = scaled.astype(flips.dtype), (scaled * sizes).astype(flips.dtype)
    own = (scaled**2).sum(1)
    t = np.empty((len(sums), len(flips)), dtype=flips.dtype)
    for start in range(0, len(flips), CHUNK):
        part = flips.part(start, start + CHUNK).T
        t[:, start : start + CHUNK] = _squared(plain @ part, weighted @ part, own, sizes)
    return np.sqrt(t, out=t)


def largest(
    sums: Array, sizes: Array, flips: Flips, pairs: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (the largest |t| over ``pairs`` under each flip, |t| of each pair unflipped).

    All arms take the same flip, so a pair's flipped sum is the difference of two arms' flipped sums. What all arms have
    in common is taken away first: single precision would lose small differences in it.
    """
    first, second = pairs
    sums = sums - np.median(sums, axis=0)
    scaled = sums / (np.abs(sums).max(initial=0.0) or 1.0)
    own = ((scaled[first] - scaled[second]) ** 2).sum(1)
    plain, weighted = scaled.astype(flips.dtype), (scaled * sizes).astype(flips.dtype)
    top = np.empty(len(flips), dtype=flips.dtype)
    observed = np.empty(0, dtype=flips.dtype)
    for start in range(0, len(flips), CHUNK):
        part = flips.part(start, start + CHUNK).T
        moved, crossed = plain @ part, weighted @ part
        squared = _squared(moved[first] - moved[second], crossed[first] - crossed[second], own, sizes)
        top[start : start + CHUNK] = squared.max(axis=0, initial=0.0)
        if start == 0:
            observed = squared[:, 0].copy()
    return np.sqrt(top), np.sqrt(observed)


def _squared(moved: NDArray[Any], crossed: NDArray[Any], own: Array, sizes: Array) -> NDArray[Any]:
    """Squared sum by the summed squares about the flip's own mean; works in place.

    ``moved`` are flipped sums, ``crossed`` the same of sums times sizes, both (rows, flips); ``own`` summed squares.
    The squares about the mean m are ``own - 2 m crossed + m**2 sum(sizes**2)``.
    """
    kind, g = moved.dtype, len(sizes)
    total, squares = float(sizes.sum()), float((sizes**2).sum())
    crossed *= kind.type(-2 / total)
    crossed += moved * kind.type(squares / total**2)
    crossed *= moved
    crossed += own.astype(kind)[:, None]
    np.maximum(crossed, (own * 1e-6).astype(kind)[:, None], out=crossed)
    moved *= moved
    moved *= kind.type((g - 1) / g)
    crossed[own <= 1e-14] = np.inf
    moved /= crossed
    return moved


def quantile(top: NDArray[Any], alpha: float) -> float:
    """The critical value: at most a share ``alpha`` of the flips lies above it."""
    return float(np.partition(top, k := int(np.ceil((1 - alpha) * len(top))) - 1)[k])
