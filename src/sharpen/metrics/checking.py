"""Somebody else's metric, held to what a metric promises, so that its fault is told with the name of its file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from sharpen.parts import Part, blamed
from sharpen.types import Answer, Example, Metric, Score

if TYPE_CHECKING:
    import numpy as np


class Checked:
    """A metric of a part that is not ours. It has ``bounds`` only where that one has them.

    Raises:
        PluginError: it fails, or gives what is no score; here, and whenever it is asked.
    """

    bounds: tuple[float, float]
    aggregate_stats: Callable[[np.ndarray], np.ndarray] | None

    def __init__(self, metric: Any, part: Part) -> None:
        self.metric, self.part = metric, part
        with blamed(part):
            if not all(callable(getattr(metric, asked, None)) for asked in ("score", "aggregate")):
                raise TypeError(f"its factory made {metric!r}, which is no metric")
            self.name: str = metric.name
            self.higher_is_better: bool = metric.higher_is_better
            if not isinstance(self.name, str) or not self.name:
                raise TypeError(f"its name is {self.name!r}, and should be a text")
            if not isinstance(self.higher_is_better, bool):
                raise TypeError(f"higher_is_better is {self.higher_is_better!r}, and should be True or False")
            if hasattr(metric, "bounds"):
                self.bounds = _bounds(metric.bounds)
            from_sums = getattr(metric, "aggregate_stats", None)
            if from_sums is not None and not callable(from_sums):
                raise TypeError(f"aggregate_stats is {from_sums!r}, which is no function")
            self.aggregate_stats = None if from_sums is None else self._from_sums
            self.labels: Any = getattr(metric, "labels", None)

    def score(self, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Score]:
        """Judge each answer."""
        import numpy as np

        with blamed(self.part):
            given = self.metric.score(examples, answers)
            if not isinstance(given, Sequence) or len(given) != len(answers):
                size = f"{len(given)} scores" if isinstance(given, Sequence) else f"a {type(given).__name__}"
                raise ValueError(f"score() gave {size} for {len(answers)} answers")
            scores = [_whole(s, e.id) for s, e in zip(given, examples, strict=True)]
            stats = [s.stats for s in scores if s.stats]
            if self.aggregate_stats is not None and stats:
                if len({len(s) for s in stats}) > 1:
                    raise ValueError("its scores have stats of different lengths")
                # Else it would be asked for the first time once the test is open.
                self._from_sums(np.sum(stats, axis=0)[None])
            return scores

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
        """Return the metric's value; it is a finite number wherever anything was judged."""
        with blamed(self.part):
            value = _number(self.metric.aggregate(scores, weights), "the aggregate")
            counted = [1.0] * len(scores) if weights is None else weights
            judged = any(w > 0 for s, w in zip(scores, counted, strict=True) if s.value is not None)
            if judged and not math.isfinite(value):
                raise ValueError(f"the aggregate of judged scores is {value}, which is no finite number")
            return value

    def _from_sums(self, sums: np.ndarray) -> np.ndarray:
        import numpy as np

        with blamed(self.part):
            made: np.ndarray = np.asarray(self.metric.aggregate_stats(sums), dtype=float)
            if made.shape != np.shape(sums)[:-1]:
                raise ValueError(f"aggregate_stats made the shape {made.shape} of sums of the shape {np.shape(sums)}")
            if (~np.isfinite(made) & np.any(sums, axis=-1)).any():
                raise ValueError("aggregate_stats made what is no finite number of sums that are not 0")
            return made


def with_labels(metric: Metric, labels: tuple[str, ...]) -> Metric:
    """A metric that wants to know all classes beforehand (its ``labels`` are an empty tuple) is told them."""
    known: Any = getattr(metric, "labels", None)
    if not isinstance(known, tuple) or known:
        return metric
    if not isinstance(metric, Checked):
        told: Metric = replace(cast(Any, metric), labels=labels)
        return told
    with blamed(metric.part):
        return Checked(replace(metric.metric, labels=labels), metric.part)


def _whole(score: Any, example: str) -> Score:
    if not isinstance(score, Score):
        raise TypeError(f"the score of {example} is of the type {type(score).__name__}, and should be a Score")
    what = f"the score of {example}"
    value = None if score.value is None else _finite(score.value, what)
    return Score(value, str(score.why), tuple(_finite(x, f"a number in the stats of {what}") for x in score.stats))


def _finite(value: Any, what: str) -> float:
    number = _number(value, what)
    if not math.isfinite(number):
        raise ValueError(f"{what} is {number}: give a finite number, or None for what could not be judged")
    return number


def _number(value: Any, what: str) -> float:
    """A number of whatever library, as Python's own."""
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise TypeError(f"{what} is {value!r}, and should be a number")
    return float(value)


def _bounds(given: Any) -> tuple[float, float]:
    """Least and greatest value; either may be infinite."""
    low, high = (_number(x, "one of the bounds") for x in given)
    if not low < high:
        raise ValueError(f"bounds are {given!r}, and should be the least and the greatest possible value")
    return low, high
