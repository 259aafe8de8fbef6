"""Scores per cluster: the sums that whole-cluster tests work on, and delete-one-cluster pseudo-values of any metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isclose, isfinite
from operator import attrgetter
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sharpen.errors import Problem, UserError
from sharpen.evaluation.flips import Array
from sharpen.metrics import worst
from sharpen.types import Score

Numbers: TypeAlias = NDArray[np.intp]


class Judge(Protocol):
    """What a comparison needs of a metric.

    A metric that is not a mean may also have ``aggregate_stats(sums)``: the metric's value from summed
    ``Score.stats``, vectorised over the leading axes of ``sums`` (shape (..., n_stats)). Without it, ``aggregate`` is
    called once per arm and cluster. ``bounds``, where it has them, are the least and greatest possible score: they
    keep intervals honest where few answers differ.
    """

    @property
    def name(self) -> str: ...

    @property
    def higher_is_better(self) -> bool: ...

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
        """The metric's value from the scores, each counted ``weights`` times."""
        ...


@dataclass(frozen=True)
class Table:
    """Arms by questions and by clusters.

    ``values`` (arms, questions) with unjudged answers counted as wrong; ``means`` (arms,) the metric on all questions;
    ``sums`` (arms, clusters) such that ``sums.sum(1) / sizes.sum()`` is the metric, exactly for a mean and as a
    jackknife estimate otherwise; ``sizes`` (clusters,) summed weights; ``limits`` the least and greatest score.
    """

    arms: tuple[str, ...]
    cluster_of: Numbers
    weights: Array
    values: Array
    judged: NDArray[np.bool_]
    means: Array
    sums: Array
    sizes: Array
    is_mean: bool
    limits: tuple[float, float]

    @property
    def spread(self) -> float:
        """The range of a score: that of the metric, or of what was seen where the metric has none; never 0."""
        low, high = self.limits
        seen = float(np.ptp(self.values))
        return high - low if np.isfinite(high - low) else seen or 1.0

    @property
    def top(self) -> float:
        """The highest possible score, or the highest seen."""
        return self.limits[1] if np.isfinite(self.limits[1]) else float(self.values.max())


def tabulate(
    arms: Mapping[str, Sequence[Score]], clusters: Sequence[str], metric: Judge, weights: Sequence[float] | None
) -> Table:
    """Check the recorded scores and sum them per cluster.

    Raises:
        UserError: arms of different lengths, no questions, scores that are not finite; all problems at once.
    """
    _check(arms, clusters, weights)
    names = tuple(arms)
    labels, cluster_of = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    cluster_of = cluster_of.astype(np.intp)
    w = np.ones(len(clusters)) if weights is None else np.asarray(weights, dtype=float)
    w = w * (len(w) / w.sum())  # in questions, whatever the unit of weights is
    raw = np.array([[s.value for s in arms[a]] for a in names], dtype=float)  # None becomes not a number
    judged = ~np.isnan(raw)
    limits = _limits(metric, raw[judged])
    wrong = worst(limits, metric.higher_is_better, raw[judged])
    values = np.where(judged, raw, wrong)
    filled = {a: values_filled(arms[a], values[i]) for i, a in enumerate(names)}
    sizes: Array = np.bincount(cluster_of, weights=w, minlength=len(labels)).astype(np.float64)
    sums, means, is_mean = _cluster_sums(filled, values, cluster_of, w, sizes, metric)
    return Table(names, cluster_of, w, values, judged, means, sums, sizes, is_mean, limits)


def values_filled(scores: Sequence[Score], values: Array) -> list[Score]:
    """Return the scores with the given values where they had none."""
    if None not in [s.value for s in scores]:
        return list(scores)
    return [s if s.value is not None else Score(float(v), s.why, s.stats) for s, v in zip(scores, values, strict=True)]


def _check(arms: Mapping[str, Sequence[Score]], clusters: Sequence[str], weights: Sequence[float] | None) -> None:
    n = len(clusters)
    problems = []
    if not arms:
        problems.append(Problem("there is no arm to compare.", do="Give the scores of the baseline at least."))
    if n == 0:
        problems.append(Problem("there is no test question.", do="Give a larger test share."))
    for name, scores in arms.items():
        if len(scores) != n:
            problems.append(
                Problem(
                    f"{len(scores)} scores for {n} questions.", f"arm {name}", "Score every question with every arm."
                )
            )
        judged = [s.value for s in scores if s.value is not None]
        if not np.isfinite(np.array(judged, dtype=float)).all():
            problems.append(Problem("a score is not a finite number.", f"arm {name}", "Use None for unjudged answers."))
    if weights is not None and (len(weights) != n or not all(isfinite(w) and w > 0 for w in weights)):
        problems.append(Problem("weights must be positive, one for each question.", "weights", "Mend the weights."))
    if problems:
        raise UserError(problems)


def _limits(metric: Judge, values: Array) -> tuple[float, float]:
    """The metric's ``bounds``; without that attribute, none. A score beyond them widens them."""
    low, high = getattr(metric, "bounds", (-np.inf, np.inf))
    return (float(min(low, values.min())), float(max(high, values.max()))) if values.size else (float(low), float(high))


def _cluster_sums(
    filled: Mapping[str, list[Score]], values: Array, cluster_of: Numbers, w: Array, sizes: Array, metric: Judge
) -> tuple[Array, Array, bool]:
    """Return (sums, means, is_mean).

    With n_g questions in cluster g of n in all, the sum is ``n * whole - (n - n_g) * without_g``: the n_g-weighted
    delete-one-cluster pseudo-value (Busing, Meijer & van der Leeden 1999), which for a mean is the plain sum.
    """
    n_clusters, each = len(sizes), w.tolist()
    plain: Array = np.stack([np.bincount(cluster_of, weights=w * v, minlength=n_clusters) for v in values]).astype(
        np.float64
    )
    has_stats = any(map(attrgetter("stats"), chain.from_iterable(filled.values())))
    means = plain.sum(1) / w.sum()
    if not has_stats and _is_mean(list(filled.values()), values, means, each, metric):
        return plain, means, True
    whole, without = _deleted(filled, cluster_of, w, n_clusters, metric)
    total = w.sum()
    sums = total * whole[:, None] - (total - sizes) * np.where(sizes < total, without, 0.0)
    return sums, whole, False


def _is_mean(scores: list[list[Score]], values: Array, means: Array, weights: list[float], metric: Judge) -> bool:
    """Whether the metric's own aggregate is the mean: asked of the two arms whose scores vary most."""
    telling = np.argsort(values.std(axis=1))[-2:]
    each = ((metric.aggregate(scores[i], weights), float(means[i])) for i in telling)
    return all(isclose(own, mean, rel_tol=1e-9, abs_tol=1e-12) for own, mean in each)


def _deleted(
    filled: Mapping[str, list[Score]], cluster_of: Numbers, w: Array, n_clusters: int, metric: Judge
) -> tuple[Array, Array]:
    """Return the metric on all questions (arms,) and without each cluster (arms, clusters)."""
    each = w.tolist()
    from_sums: Any = getattr(metric, "aggregate_stats", None)
    if from_sums is not None and all(s.stats for scores in filled.values() for s in scores):
        order = np.argsort(cluster_of, kind="stable")
        starts = np.searchsorted(cluster_of[order], np.arange(n_clusters))
        each_arm = (np.array([s.stats for s in scores], dtype=float) * w[:, None] for scores in filled.values())
        per_cluster = np.stack([np.add.reduceat(stats[order], starts, axis=0) for stats in each_arm])
        total = per_cluster.sum(1)
        return np.asarray(from_sums(total)), np.asarray(from_sums(total[:, None] - per_cluster))
    whole = np.array([metric.aggregate(scores, each) for scores in filled.values()], dtype=np.float64)
    without = np.empty((len(filled), n_clusters))
    for g in range(n_clusters):
        kept = np.flatnonzero(cluster_of != g).tolist()
        for i, scores in enumerate(filled.values()):
            without[i, g] = metric.aggregate([scores[k] for k in kept], [each[k] for k in kept]) if kept else 0.0
    return whole, without
