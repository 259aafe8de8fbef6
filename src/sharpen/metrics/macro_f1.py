"""F1 of each class, then their plain mean, so that rare classes count as much as common ones.

The classes are those of the examples' labels (or references), or as given. An answer that is none of them is a miss of
the right class and a false alarm of no other. A class that neither occurs nor is answered is left out of the mean, as
scikit-learn does. Where the classes are given, all others together are one class more, so that a question of a class
that nobody knew of counts. It is not a mean over questions: ``Score.value`` says right or wrong, and the metric is made
from ``Score.stats``, per class: right answers, answers, occurrences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sharpen.metrics.accuracy import fold
from sharpen.metrics.judging import Judge
from sharpen.types import Answer, Example, Score

if TYPE_CHECKING:
    import numpy as np


def macro_f1(labels: Sequence[str] = ()) -> MacroF1:
    """Return the metric.

    Args:
        labels: the classes; empty: those of the examples in a batch. Scores of two batches can be put together only
            where the classes are the same, so give them where batches may differ.
    """
    return MacroF1("macro_f1", lambda e, a: Score(None), aggregate_stats=f1_of_sums, labels=tuple(labels))


@dataclass(frozen=True)
class MacroF1(Judge):
    """F1 over classes from additive counts; see the module."""

    labels: tuple[str, ...] = ()

    def score(self, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Score]:
        """Judge each answer; ``stats`` are 3 numbers a class, those of a wrong answer where none was given."""
        names = self.labels or tuple(label for e in examples for label in (e.labels or e.targets)[:1])
        index = {name: i for i, name in enumerate(sorted({fold(n) for n in names}))}
        return [self._one(e, a, index) for e, a in zip(examples, answers, strict=True)]

    def _one(self, example: Example, answer: Answer, index: dict[str, int]) -> Score:
        right = [fold(x) for x in example.labels or example.targets]
        other = len(index)  # the place of all classes that were not given
        stats = [0.0] * (3 * (other + bool(self.labels)))
        if not right:
            return Score(None, "the example has no label", tuple(stats))
        said = fold(answer.text) if not answer.error else ""
        truth = said if said in right and (said in index or self.labels) else right[0]
        stats[3 * index.get(truth, other) + 2] = 1.0
        if answer.error:
            return Score(None, f"no answer: {answer.error}", tuple(stats))
        if said in index or said == truth:
            at = index.get(said, other)
            stats[3 * at + 1] = 1.0
            stats[3 * at] = float(said == truth)
        why = "" if said in index else "not one of the classes" if said else "empty answer"
        return Score(float(said == truth), why, tuple(stats))

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
        """Return macro-F1 of the judged scores, each counted ``weights`` times."""
        import numpy as np

        weights = [1.0] * len(scores) if weights is None else weights
        judged = [(s.stats, w) for s, w in zip(scores, weights, strict=True) if s.value is not None]
        if not judged:
            return float("nan")
        sums = np.asarray([w for _, w in judged]) @ np.asarray([s for s, _ in judged])
        return float(f1_of_sums(sums))


def f1_of_sums(sums: np.ndarray) -> np.ndarray:
    """Turn sums of stats ``[..., 3 * classes]`` into macro-F1 ``[...]``; NaN where there is nothing."""
    import numpy as np

    counts = np.asarray(sums, dtype=float).reshape(*np.shape(sums)[:-1], -1, 3)
    right, both = counts[..., 0], counts[..., 1] + counts[..., 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(both > 0, 2 * right / both, 0.0)
        made: np.ndarray = f1.sum(-1) / (both > 0).sum(-1)
    return made
