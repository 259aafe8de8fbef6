"""Scores per cluster: the sums that whole-cluster tests work on, and delete-one-cluster pseudo-values of any metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sharpen.errors import Problem, UserError
from sharpen.evaluation.flips import Array
from sharpen.types import Score


class Judge(Protocol):
    """What a comparison needs of a metric.

    A metric that is not a mean may also have ``aggregate_stats(sums)``: the metric's value from summed
    ``Score.stats``, vectorised over the leading axes of ``sums`` (shape (..., n_stats)). Without it, ``aggregate`` is
    called once per arm and cluster.
    """

    @property
    def name(self) -> str: ...

    @property
    def higher_is_better(self) -> bool: ...

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float: ...


@dataclass(frozen=True)
class Table:
    """Arms by questions and by clusters.

    ``values`` (arms, questions) with unjudged answers counted as wrong; ``means`` (arms,) the metric on all questions;
    ``sums`` (arms, clusters) such that ``sums.sum(1) / sizes.sum()`` is the metric, exactly for a mean and as a
    jackknife estimate otherwise; ``sizes`` (clusters,) summed weights.
    """

    arms: tuple[str, ...]
    cluster_of: np.ndarray
    weights: Array
    values: Array
    judged: np.ndarray
    means: Array
    sums: Array
    sizes: Array
    is_mean: bool


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
    w = np.ones(len(clusters)) if weights is None else np.asarray(weights, dtype=float)
    raw = np.array([[np.nan if s.value is None else s.value for s in arms[a]] for a in names], dtype=float)
    judged = ~np.isnan(raw)
    wrong = _worst(raw[judged], metric.higher_is_better)
    values = np.where(judged, raw, wrong)
    filled = {
        a: [s if ok else Score(wrong, s.why, s.stats) for s, ok in zip(arms[a], judged[i], strict=True)]
        for i, a in enumerate(names)
    }
    sizes = np.bincount(cluster_of, weights=w, minlength=len(labels))
    sums, means, is_mean = _cluster_sums(filled, values, cluster_of, w, sizes, metric)
    return Table(names, cluster_of, w, values, judged, means, sums, sizes, is_mean)


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
                Problem(f"{len(scores)} scores for {n} questions.", f"arm {name}", "Score every question with every arm.")
            )
        if any(s.value is not None and not np.isfinite(s.value) for s in scores):
            problems.append(Problem("a score is not a finite number.", f"arm {name}", "Use None for unjudged answers."))
    if weights is not None and (len(weights) != n or not all(np.isfinite(w) and w > 0 for w in weights)):
        problems.append(Problem("weights must be positive, one for each question.", "weights", "Mend the weights."))
    if problems:
        raise UserError(problems)


def _worst(values: Array, higher_is_better: bool) -> float:
    """What an answer that could not be judged counts as: 0 (or the lowest score seen); the highest time or cost."""
    if values.size == 0:
        return 0.0
    return float(min(0.0, values.min())) if higher_is_better else float(values.max())


def _cluster_sums(
    filled: Mapping[str, list[Score]], values: Array, cluster_of: np.ndarray, w: Array, sizes: Array, metric: Judge
) -> tuple[Array, Array, bool]:
    """Return (sums, means, is_mean).

    With n_g questions in cluster g of n in all, the sum is ``n * whole - (n - n_g) * without_g``: the n_g-weighted
    delete-one-cluster pseudo-value (Busing, Meijer & van der Leeden 1999), which for a mean is the plain sum.
    """
    n_clusters = len(sizes)
    plain = np.stack([np.bincount(cluster_of, weights=w * v, minlength=n_clusters) for v in values])
    has_stats = any(s.stats for scores in filled.values() for s in scores)
    if not has_stats:
        means = np.array([metric.aggregate(scores, w) for scores in filled.values()], dtype=float)
        if _agree(means, plain.sum(1) / w.sum()):
            return plain, plain.sum(1) / w.sum(), True
    whole, without = _deleted(filled, cluster_of, w, n_clusters, metric)
    total = w.sum()
    sums = total * whole[:, None] - (total - sizes) * np.where(sizes < total, without, 0.0)
    return sums, whole, False


def _agree(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))


def _deleted(
    filled: Mapping[str, list[Score]], cluster_of: np.ndarray, w: Array, n_clusters: int, metric: Judge
) -> tuple[Array, Array]:
    """Return the metric on all questions (arms,) and without each cluster (arms, clusters)."""
    from_sums: Any = getattr(metric, "aggregate_stats", None)
    if from_sums is not None and all(s.stats for scores in filled.values() for s in scores):
        stats = np.array([[s.stats for s in scores] for scores in filled.values()], dtype=float) * w[:, None]
        order = np.argsort(cluster_of, kind="stable")
        starts = np.searchsorted(cluster_of[order], np.arange(n_clusters))
        per_cluster = np.add.reduceat(stats[:, order], starts, axis=1)
        total = per_cluster.sum(1)
        return np.asarray(from_sums(total)), np.asarray(from_sums(total[:, None] - per_cluster))
    whole = np.array([metric.aggregate(scores, w) for scores in filled.values()], dtype=float)
    without = np.empty((len(filled), n_clusters))
    for g in range(n_clusters):
        kept = np.flatnonzero(cluster_of != g)
        for i, scores in enumerate(filled.values()):
            without[i, g] = metric.aggregate([scores[k] for k in kept], w[kept]) if len(kept) else 0.0
    return whole, without
