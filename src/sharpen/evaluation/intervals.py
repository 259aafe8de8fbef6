"""Bounds of a difference: from a critical value to an interval that stays honest where few answers differ.

Two corrections to ``difference ± critical value * standard error``, both found by simulation to be needed:

- *Spread at the bound, not at the estimate.* Where scores are bounded, a larger true difference needs more differing
  answers and so has a larger spread. As in the score interval for paired proportions (Tango 1998), the spread at a
  bound is the observed one times the ratio of the multinomial variances there and here. Never below the observed.
- *Clusters not seen.* Where fewer clusters than ``enough`` differ at all, the data say little about the clusters that
  were not drawn. Of ``g`` clusters none was of a kind that has a share of ``1 - alpha ** (1 / g)`` (the rule of three),
  and such a kind may differ wholly: the interval is widened by that share of the range on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharpen.evaluation.flips import Array

SPREAD_STEPS = 28  # halvings: exact to 1e-8 of the range


@dataclass(frozen=True)
class Evidence:
    """What bounds are made of; one entry a difference.

    ``estimate``; ``error`` its standard error; ``gained`` and ``lost`` summed weights of questions where the score is
    higher or lower, as shares of the range (``lost`` is None where the estimate is a mean and no difference);
    ``clusters`` how many differ.
    """

    estimate: Array
    error: Array
    gained: Array
    lost: Array | None
    clusters: NDArray[np.intp]


def bounds(
    evidence: Evidence, critical: Array | float, limits: tuple[float, float], n: float, unseen: float, enough: int
) -> tuple[Array, Array]:
    """Return lower and upper bounds.

    Args:
        evidence: of each difference.
        critical: the flips' quantile of |t|, one for all or one each; infinite where the flips cannot give one.
        limits: least and greatest possible difference; infinite for metrics without bounds.
        n: questions (summed weights).
        unseen: how far clusters that were not drawn may move the difference, in the metric's unit.
        enough: differing clusters from which on ``unseen`` is not added.
    """
    extra = np.where(evidence.clusters < enough, unseen, 0.0)
    signs = np.array([[-1.0], [1.0]])
    if np.isfinite(critical).all() and np.isfinite(limits).all():
        reach = _reach(evidence, np.asarray(critical), max(map(abs, limits)), n, signs)
    else:
        reach = (
            np.where(np.isfinite(critical), np.nan_to_num(critical, posinf=0.0) * evidence.error, np.inf) + 0 * signs
        )
    sides = np.clip(evidence.estimate + signs * (reach + extra), *limits)
    return sides[0], sides[1]


def _reach(evidence: Evidence, critical: Array, width: float, n: float, signs: Array) -> Array:
    """How far the bounds lie from the estimate, shape (2, differences)."""
    plain = critical * evidence.error + 0 * signs
    centre = evidence.estimate / width
    here = np.maximum(_variance(evidence, n, centre), 1e-12)
    low, high = np.zeros_like(plain), np.maximum(1.0 - signs * centre, 0.0)
    for _ in range(SPREAD_STEPS):
        middle = (low + high) / 2
        ratio = np.maximum(_variance(evidence, n, np.clip(centre + signs * middle, -1, 1)) / here, 1.0)
        inside = middle * width <= plain * np.sqrt(ratio)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    reach: Array = np.maximum(low * width, np.minimum(plain, high * width))
    return reach


def _variance(evidence: Evidence, n: float, difference: Array) -> Array:
    """Variance of one question's difference if the true difference were ``difference`` (Tango 1998, equation 8).

    Of a mean: that of one question's score (Wilson 1927).
    """
    b, c = evidence.gained, evidence.lost
    if c is None:
        alone: Array = np.clip(difference * (1 - difference), 0.0, None)
        return alone
    linear = (2 * n - b + c) * difference - b - c
    free = -c * difference * (1 - difference)
    share = (np.sqrt(np.maximum(linear**2 - 8 * n * free, 0.0)) - linear) / (4 * n)
    variance: Array = np.maximum(2 * share + difference * (1 - difference), 0.0)
    return variance
