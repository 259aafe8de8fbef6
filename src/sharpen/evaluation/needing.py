"""How many questions a test would need before it shows a given gain, four times in five."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sharpen.evaluation.flips import Array, smallest_p
from sharpen.evaluation.power import ASSUMED_CORRELATION, ASSUMED_DIFFERING, Noise, detectable, typical_critical

LIKE_MANY = 200  # clusters beyond which the flips' quantile is taken to stay what it is
MOST = 1_000_000  # clusters
FLIPS = 20_000


def enough(
    cluster_sizes: Sequence[int],
    n_arms: int,
    gain: float,
    alpha: float = 0.05,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> tuple[int, int] | None:
    """Return about how many questions, in how many clusters like these, show a true gain.

    The spread is assumed as :func:`sharpen.evaluation.plan` assumes it before dev was answered.

    Args:
        cluster_sizes: questions a cluster of the present test; more clusters are taken to be like these.
        n_arms: arms that go to the test, the baseline included.
        gain: that is to be shown with a probability of 0.8.
        alpha: error rate of the verdict.
        bounds: of the metric.

    Returns:
        None where no number is known: the metric has no bounds, or a million clusters are too few.
    """
    scale = bounds[1] - bounds[0]
    if not cluster_sizes or n_arms < 2 or not np.isfinite(scale):
        return None
    shape = np.asarray(cluster_sizes, dtype=float)
    criticals: dict[int, float] = {}

    def shown(clusters: int) -> bool:
        if smallest_p(clusters, FLIPS) > alpha:
            return False
        some = min(clusters, LIKE_MANY)
        if some not in criticals:
            criticals[some] = typical_critical(_like(shape, some), n_arms, ASSUMED_CORRELATION, alpha)
        sizes = _like(shape, clusters)
        n = float(sizes.sum())
        inflation = 1 + ASSUMED_CORRELATION * ((sizes**2).sum() / n - 1)
        noise = Noise(float(np.sqrt(ASSUMED_DIFFERING * inflation / n)), ASSUMED_DIFFERING, n, sizes)
        least = detectable(noise, criticals[some])
        return least is not None and least * scale <= gain

    low, high = 1, 2
    while not shown(high):
        low, high = high, high * 2
        if high > MOST:
            return None
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return round(float(_like(shape, high).sum())), high


def _like(shape: Array, clusters: int) -> Array:
    """So many clusters, large and small ones as often as in the present test."""
    at = (np.arange(clusters) * len(shape) // clusters) if clusters <= len(shape) else np.arange(clusters) % len(shape)
    return shape[at]
