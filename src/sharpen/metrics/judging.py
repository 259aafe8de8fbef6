"""What all metrics share: a judge of one answer made into a batch judge, and the default aggregate.

A metric that is a mean of its values needs nothing more. One that is not (macro-F1) gives every score ``stats`` that
may be added up, and ``aggregate_stats``, which turns sums of them into the metric; resampling then is a matrix product.
A score without a value still carries the ``stats`` of a wrong answer, because a decision counts it as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import TYPE_CHECKING, Any

from sharpen.types import Answer, Example, Metric, Score

if TYPE_CHECKING:
    import numpy as np


def mean_aggregate(scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
    """Return the weighted mean of the judged values; NaN where nothing was judged or all weight is 0."""
    weights = [1.0] * len(scores) if weights is None else weights
    if len(weights) != len(scores):
        raise ValueError(f"{len(weights)} weights for {len(scores)} scores")
    values: list[Any] = [s.value for s in scores]
    if None in values:
        weights = [w for w, v in zip(weights, values, strict=True) if v is not None]
        values = [v for v in values if v is not None]
    total = sum(weights)
    return sum(map(mul, weights, values)) / total if total else float("nan")


@dataclass(frozen=True)
class Judge:
    """A metric that judges answers one by one and whose aggregate is a mean.

    ``bounds`` are the least and greatest possible value; ``aggregate_stats`` is None because the mean needs none.
    """

    name: str
    judge: Callable[[Example, Answer], Score]
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)
    aggregate_stats: Callable[[np.ndarray], np.ndarray] | None = None

    def score(self, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Score]:
        """Judge each answer; one that failed (``Answer.error``) is not judged, which is not 0."""
        return [
            Score(None, f"no answer: {a.error}") if a.error else self.judge(e, a)
            for e, a in zip(examples, answers, strict=True)
        ]

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
        """Return the weighted mean of the judged values."""
        return mean_aggregate(scores, weights)


def against_targets(similarity: Callable[[str, str], float]) -> Callable[[Example, Answer], Score]:
    """Judge by ``similarity(answer, target)``, the best over the example's targets."""

    def judge(example: Example, answer: Answer) -> Score:
        if not example.targets:
            return Score(None, "the example has no reference")
        return Score(best(similarity(answer.text, t) for t in example.targets), "" if answer.text else "empty answer")

    return judge


def best(values: Iterable[float]) -> float:
    """Return the greatest value, stopping at a perfect one."""
    most = 0.0
    for value in values:
        most = max(most, value)
        if most >= 1.0:
            break
    return most


def value_of(metric: Metric, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float | None:
    """Return a metric's value as decisions count it: what could not be judged is wrong.

    None where nothing was judged, or the value is not a finite number.
    """
    judged = [s.value for s in scores if s.value is not None]
    if not judged:
        return None
    wrong = worst(bounds_of(metric), metric.higher_is_better, judged)
    value = metric.aggregate([replace(s, value=wrong) if s.value is None else s for s in scores], weights)
    return value if math.isfinite(value) else None


def bounds_of(metric: object) -> tuple[float, float]:
    """Return the least and the greatest possible value of a metric; infinite where it does not say."""
    low, high = getattr(metric, "bounds", (-math.inf, math.inf))
    return float(low), float(high)


def worst(bounds: tuple[float, float], higher_is_better: bool, seen: Sequence[float] | np.ndarray) -> float:
    """Return what an answer that could not be judged counts as: the worst possible, or the worst seen where none is."""
    bound = bounds[0] if higher_is_better else bounds[1]
    if math.isfinite(bound):
        return bound
    if not len(seen):
        return 0.0
    return min(0.0, float(min(seen))) if higher_is_better else float(max(seen))
