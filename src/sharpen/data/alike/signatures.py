"""MinHash signatures of many texts at once, and how they are cut into bands.

Each of P random linear maps of 32-bit hashes keeps its least value over the shingles of a text (Broder 1997); the share
of equal values in two signatures estimates the Jaccard similarity with standard error ``sqrt(s(1 - s) / P)``. A
signature is cut into bands; texts that agree in one whole band are compared (Indyk and Motwani 1998).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sharpen.data.alike.hashing import GOLDEN, Hashes, Places, Words, mixed

STEP = 1 << 12
"""Shingles at a time: with 64 maps a megabyte, which stays near the processor."""


@cache
def _maps(permutations: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    drawn = mixed(np.arange(1, 2 * permutations + 1, dtype=np.uint64) * GOLDEN)
    half = (drawn >> np.uint64(32)).astype(np.uint32)
    return half[:permutations, None] | np.uint32(1), half[permutations:, None]


def signatures(grams: Words, permutations: int = 64) -> NDArray[np.uint32]:
    """Return the signatures, of shape (permutations, texts); without shingles the greatest value all over."""
    factor, shift = _maps(permutations)
    texts = len(grams.offsets) - 1
    out = np.full((permutations, texts), np.uint32(0xFFFFFFFF), dtype=np.uint32)
    filled = np.flatnonzero(grams.counts)
    begins = grams.offsets[:-1][filled]
    hashes = (grams.hashes >> np.uint64(32)).astype(np.uint32)
    buffer = np.empty((permutations, STEP), dtype=np.uint32)
    for at in range(0, len(hashes), STEP):
        part = hashes[at : at + STEP]
        made = np.multiply(part, factor, out=buffer[:, : len(part)])
        made += shift
        # Texts that begin in this step, and the one that goes on from the step before.
        first, last = np.searchsorted(begins, [at + 1, at + len(part)])
        cuts = np.concatenate([[0], begins[first:last] - at])
        owners = filled[first - 1 : last]
        out[:, owners] = np.minimum(out[:, owners], np.minimum.reduceat(made, cuts, axis=1))
    return out


def estimate(a: NDArray[np.uint32], b: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return the estimated similarity of texts column by column."""
    made: NDArray[np.float64] = np.mean(a == b, axis=0)
    return made


def bands_and_rows(threshold: float, permutations: int, found: float = 0.999) -> tuple[int, int]:
    """Return the bands and rows that find a pair at the threshold with at least this probability.

    The more rows, the fewer pairs are compared for nothing; ``1 - (1 - threshold**rows)**bands`` is the probability.
    """
    for rows in range(permutations, 0, -1):
        bands = permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= found:
            return bands, rows
    return permutations, 1


def band_keys(made: NDArray[np.uint32], bands: int, rows: int) -> Hashes:
    """Return one number for each band of each signature, of shape (bands, texts)."""
    keys = np.zeros((bands, made.shape[1]), dtype=np.uint64)
    for band in range(bands):
        key = np.full(made.shape[1], np.uint64(band), dtype=np.uint64)
        for row in made[band * rows : (band + 1) * rows]:
            key = mixed(key ^ row)
        keys[band] = key
    return keys


def counts32(counts: Places) -> NDArray[np.uint32]:
    """Return counts as they are stored."""
    return counts.astype(np.uint32)
