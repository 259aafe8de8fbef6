"""How far apart groups of questions score: the gap between the best and the worst group, and how sure that is.

The interval is a percentile interval over clusters drawn again with replacement, whole, the same draws for all arms
(Davison and Hinkley 1997, section 2.4). A gap is never negative, and chance makes small groups look apart, so it is
too large on average; the difference of two arms' gaps on the same questions suffers less from that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sharpen.evaluation.flips import Array
from sharpen.evaluation.sums import Judge, Table, tabulate, values_filled
from sharpen.types import Score

DRAWS = 2000
DRAWS_SLOW = 200  # of a metric that is not a mean
LEAST = 10
"""Questions below which a group is not part of a gap."""


@dataclass(frozen=True)
class Gap:
    """The gap of each arm (by name) and the change from the first arm to each, with 95% intervals.

    Bounds are None where there are too few clusters to draw from. ``values`` are the groups that were looked at.
    """

    values: tuple[str, ...]
    gaps: Mapping[str, tuple[float, float | None, float | None]]
    changes: Mapping[str, tuple[float, float | None, float | None]]


def gap(
    arms: Mapping[str, Sequence[Score]],
    groups: Sequence[str],
    clusters: Sequence[str],
    metric: Judge,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Gap | None:
    """Return the gap of each arm; None where fewer than two groups have enough questions.

    Args:
        arms: scores by arm, the baseline first; unjudged counts as wrong.
        groups: of each question; empty: it belongs to none.
        clusters: of each question.
        metric: the judge.
        weights: of each question.
        seed: of the draws.
    """
    names = tuple(sorted(g for g, n in Counter(groups).items() if g and n >= LEAST))
    if len(names) < 2:
        return None
    table = tabulate(arms, clusters, metric, weights)
    member = np.array([[g == name for g in groups] for name in names])
    n = len(table.sizes)
    rng = np.random.default_rng(seed)
    once = np.ones((1, n))
    many = rng.multinomial(n, np.full(n, 1 / n), DRAWS if table.is_mean else DRAWS_SLOW).astype(float)
    observed, drawn = (_gaps(table, member, arms, metric, draws) for draws in (once, many))
    sure = n >= 2
    made = {a: _spread(float(observed[i, 0]), drawn[i], sure) for i, a in enumerate(table.arms)}
    changes = {
        a: _spread(float(observed[i, 0] - observed[0, 0]), drawn[i] - drawn[0], sure)
        for i, a in enumerate(table.arms)
        if i
    }
    return Gap(names, made, changes)


def _spread(value: float, drawn: Array, sure: bool) -> tuple[float, float | None, float | None]:
    if not sure:
        return value, None, None
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return value, float(low), float(high)


def _gaps(table: Table, member: Array, arms: Mapping[str, Sequence[Score]], metric: Judge, draws: Array) -> Array:
    """The gap of each arm (arms, draws), where clusters count as often as they were drawn."""
    values = _means(table, member, draws) if table.is_mean else _aggregated(table, member, arms, metric, draws)
    made: Array = np.nanmax(values, axis=1) - np.nanmin(values, axis=1)
    return made


def _means(table: Table, member: Array, draws: Array) -> Array:
    """The mean of each group (arms, groups, draws); not a number where none of it was drawn."""
    n = len(table.sizes)

    def summed(w: Array) -> Array:
        return draws @ np.bincount(table.cluster_of, weights=w, minlength=n)

    sizes = np.stack([summed(table.weights * of) for of in member])
    sums = np.stack([[summed(table.weights * of * v) for of in member] for v in table.values])
    with np.errstate(invalid="ignore", divide="ignore"):
        made: Array = np.where(sizes > 0, sums / sizes, np.nan)
    return made


def _aggregated(table: Table, member: Array, arms: Mapping[str, Sequence[Score]], metric: Judge, draws: Array) -> Array:
    """The same of a metric that is not a mean, by its own aggregate."""
    made = np.full((len(table.arms), len(member), len(draws)), np.nan)
    filled = [values_filled(arms[a], table.values[i]) for i, a in enumerate(table.arms)]
    for d, times in enumerate(draws):
        w = table.weights * times[table.cluster_of]
        for g, of in enumerate(member):
            kept = np.flatnonzero(of * w > 0).tolist()
            for a, scores in enumerate(filled):
                if kept:
                    made[a, g, d] = metric.aggregate([scores[i] for i in kept], w[kept].tolist())
    return made
