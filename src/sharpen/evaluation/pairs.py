"""All pairs of arms at once: one set of flips, from which adjusted p and simultaneous intervals are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.evaluation.flips import Array, Flips, largest, quantile, signs, smallest_p, studentised
from sharpen.evaluation.intervals import Evidence, bounds
from sharpen.evaluation.sums import Table

SAME = 1e-9  # scores closer than this are the same score
LEAST_ERROR = 0.5  # of the standard error of independent questions
NORMAL = 1.959964  # no critical value is taken to be smaller than that of one comparison in an endless test


@dataclass(frozen=True)
class Pairs:
    """Pairs ``(first, second)`` of arm numbers, first < second; the baseline's pairs are marked.

    ``difference`` is first minus second; ``low`` and ``high`` hold for all pairs at once; ``p`` is adjusted over the
    baseline's pairs (1 for others); ``gained`` and ``lost`` count questions where first is higher or lower; ``arm_low``
    and ``arm_high`` bound each arm's mean, one at a time.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    difference: Array
    error: Array
    low: Array
    high: Array
    p: Array
    gained: NDArray[np.intp]
    lost: NDArray[np.intp]
    arm_low: Array
    arm_high: Array
    critical: float

    def find(self, a: int, b: int) -> tuple[int, float]:
        """Return the pair's number and 1 if it is kept as (a, b), -1 if as (b, a)."""
        low, high, arms = min(a, b), max(a, b), len(self.arm_low)
        return low * arms - low * (low + 1) // 2 + high - low - 1, 1.0 if a < b else -1.0


def all_pairs(table: Table, base: int, alpha: float, flips: int, seed: int) -> Pairs:
    """Run the flips and read everything from them.

    p: differences are flipped as they are, which is exact for two arms that are alike and a metric that is a mean, and
    nearly so otherwise; the largest |t| of the baseline's pairs is the reference.
    Intervals: cluster residuals are flipped, and the largest |t| of all pairs is the reference.
    """
    g, total = len(table.sizes), float(table.sizes.sum())
    first, second = np.triu_indices(len(table.arms), 1)
    drawn = signs(g, flips, seed)
    residuals = table.sums - table.sizes * table.means[:, None]
    error = jackknife_error(residuals[first] - residuals[second], table.sizes)
    difference = table.means[first] - table.means[second]
    gained, lost, evidence = _evidence(table, first, second, difference, error)
    critical = _critical(largest(residuals, table.sizes, drawn, (first, second))[0], g, alpha)
    enough = enough_clusters(len(first), alpha, g)
    span = table.limits[1] - table.limits[0]
    low, high = bounds(evidence, critical, (-span, span), total, unseen(table, alpha), enough)
    arm_low, arm_high = _arms(table, residuals, drawn, alpha)
    p = _adjusted(table, drawn, first, second, base)
    return Pairs(first, second, difference, evidence.error, low, high, p, gained, lost, arm_low, arm_high, critical)


def enough_clusters(n_pairs: int, alpha: float, g: int) -> int:
    """In how many clusters two arms must differ: for flips to reach ``alpha`` after correction, or in three of four."""
    return min(int(np.ceil(0.75 * g)), int(np.ceil(1 + np.log2(max(n_pairs, 1) / alpha))))


def unseen(table: Table, alpha: float) -> float:
    """How far clusters of a kind that was not drawn may move a difference (rule of three), in the metric's unit."""
    return table.spread * float(1 - alpha ** (1 / len(table.sizes)))


def _adjusted(table: Table, drawn: Flips, first: NDArray[np.intp], second: NDArray[np.intp], base: int) -> Array:
    """Share of flips whose largest |t| over the baseline's pairs reaches each such pair's own, rounding aside."""
    rounding = 1e-9 if drawn.dtype == np.float64 else 1e-4
    p = np.ones(len(first))
    mine = np.flatnonzero((first == base) | (second == base))
    if len(mine):
        top, observed = largest(table.sums, table.sizes, drawn, (first[mine], second[mine]))
        reached = len(top) - np.searchsorted(np.sort(top), observed * (1 - rounding) - rounding)
        p[mine] = np.where(observed > rounding, reached / len(top), 1.0)
    return p


def jackknife_error(residuals: Array, sizes: Array) -> Array:
    """Standard error of a mean or a difference: the delete-one-cluster jackknife of its cluster residuals.

    A large cluster pulls the mean towards itself and so hides part of its own residual; the jackknife gives it back
    (CR3 of MacKinnon, Nielsen and Webb 2023). With equal clusters it is the usual one.
    """
    g, total = residuals.shape[1], float(sizes.sum())
    if g < 2:
        return np.zeros(len(residuals))
    error = np.sqrt(((residuals / (1 - sizes / total)) ** 2).sum(1) * (g - 1) / g) / total
    # Not a number: without some cluster the metric has no value. Then nothing is certain.
    return np.where(np.isnan(error), np.inf, np.where(error > 1e-12, error, 0.0))


def _critical(top: NDArray[Any], g: int, alpha: float) -> float:
    """The flips' quantile; infinite where even the rarest flip is not rare enough."""
    if g < 2 or smallest_p(g, len(top) - 1) > alpha:
        return float("inf")
    return max(quantile(top, alpha), NORMAL)


def _evidence(
    table: Table, first: NDArray[np.intp], second: NDArray[np.intp], difference: Array, error: Array
) -> tuple[NDArray[np.intp], NDArray[np.intp], Evidence]:
    """Count where the arms of each pair differ, and keep the error from vanishing where differences cancel by chance.

    Clusters whose gains and losses happen to be equal have no spread, though their questions differ. So the error is
    at least half of what it would be if questions were independent of each other.
    """
    n_pairs = len(first)
    gained, lost, clusters = (np.zeros(n_pairs, dtype=np.intp) for _ in range(3))
    up, down, least = np.zeros(n_pairs), np.zeros(n_pairs), np.zeros(n_pairs)
    total = float(table.weights.sum())
    for k in range(n_pairs):
        change = table.values[first[k]] - table.values[second[k]]
        rise, fall = change > SAME, change < -SAME
        gained[k], lost[k] = rise.sum(), fall.sum()
        up[k], down[k] = table.weights[rise] @ change[rise], -(table.weights[fall] @ change[fall])
        clusters[k] = _touched(table, rise | fall)
        least[k] = LEAST_ERROR * np.sqrt((table.weights**2) @ (change - (up[k] - down[k]) / total) ** 2) / total
    floored = np.maximum(error, least) if table.is_mean else error
    return gained, lost, Evidence(difference, floored, up / table.spread, down / table.spread, clusters)


def _arms(table: Table, residuals: Array, drawn: Flips, alpha: float) -> tuple[Array, Array]:
    """Bounds of each arm's mean, from the same flips; each holds by itself, not all at once."""
    g, total = residuals.shape[1], float(table.sizes.sum())
    floor, ceiling = table.limits
    lowest = floor if np.isfinite(floor) else float(table.values.min())
    alone = studentised(residuals, table.sizes, drawn)
    above, below = (table.values > lowest + SAME), (table.values < table.top - SAME)
    some = np.array([min(_touched(table, a), _touched(table, b)) for a, b in zip(above, below, strict=True)])
    mass = (table.values - lowest) @ table.weights / table.spread
    bounded = np.isfinite(table.limits).all()
    limits = (0.0, ceiling - lowest) if bounded else (-np.inf, np.inf)
    each = Evidence(table.means - lowest, jackknife_error(residuals, table.sizes), mass, None, some)
    critical = np.array([_critical(row, g, alpha) for row in alone])
    low, high = bounds(each, critical, limits, total, unseen(table, alpha), enough_clusters(1, alpha, g))
    return low + lowest, high + lowest


def _touched(table: Table, questions: NDArray[np.bool_]) -> int:
    return int((np.bincount(table.cluster_of[questions], minlength=len(table.sizes)) > 0).sum())
