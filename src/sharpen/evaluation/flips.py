"""Random sign flips of whole clusters and the largest studentised difference under them (max-t)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ALL_FLIPS_UP_TO = 16  # clusters; 2**15 flips, a flip and its mirror image being one


@lru_cache(maxsize=4)
def signs(n_clusters: int, flips: int, seed: int) -> NDArray[np.float32]:
    """Return a (flips, clusters) matrix of -1 and 1 whose first row flips nothing.

    Up to 16 clusters these are all flips, each once (mirror images left out: the statistic is two-sided); beyond,
    ``flips`` random ones after the first.
    """
    if n_clusters <= ALL_FLIPS_UP_TO:
        rows = np.arange(2 ** max(n_clusters - 1, 0), dtype=np.uint32)
        bits = (rows[:, None] >> np.arange(n_clusters, dtype=np.uint32)) & 1
    else:
        n_bytes = -(-n_clusters // 8)
        raw = np.frombuffer(np.random.default_rng(seed).bytes((flips + 1) * n_bytes), dtype=np.uint8)
        bits = np.unpackbits(raw.reshape(flips + 1, n_bytes), axis=1)[:, :n_clusters]
        bits[0] = 0
    result = (1 - 2 * bits.astype(np.int8)).astype(np.float32)
    result.setflags(write=False)
    return result


def smallest_p(n_clusters: int, flips: int) -> float:
    """The smallest two-sided p that flipping whole clusters can give."""
    if n_clusters < 1:
        return 1.0
    return 2.0 ** (1 - n_clusters) if n_clusters <= ALL_FLIPS_UP_TO else 1.0 / (flips + 1)
