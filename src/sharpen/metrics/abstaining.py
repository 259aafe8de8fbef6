"""How well a program knows what it cannot answer: counts, F1 of its refusals, and risk against coverage."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.types import Answer, Example

_SAID = re.compile(
    r"\W*(?:it (?:is|was) )?(?:not (?:in|found in|mentioned in|stated in|answered by) (?:the|our|these|this|any)\b"
    r"|(?:i|we) (?:do not|don['’]t) know\b|(?:no|not an?) answer\b|un?answerable\b|not answerable\b)",
    re.I,
)


def refused(answer: Answer) -> bool:
    """Whether an answer refuses: the program did not ask, or the model says at its beginning that it is not there."""
    return answer.finish == "refused" or bool(_SAID.match(answer.text))


@dataclass(frozen=True)
class Abstention:
    """Questions by whether they have an answer and whether they got one."""

    answered_right: int
    answered_wrong: int
    refused_right: int
    refused_wrong: int
    answered_unanswerable: int

    @property
    def precision(self) -> float | None:
        """Of the refused, the share that has no answer."""
        n = self.refused_right + self.refused_wrong
        return self.refused_right / n if n else None

    @property
    def recall(self) -> float | None:
        """Of those without an answer, the share that was refused."""
        n = self.refused_right + self.answered_unanswerable
        return self.refused_right / n if n else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the two; 0 where nothing was refused rightly, None where nothing is unanswerable."""
        if not self.refused_right + self.answered_unanswerable:
            return None
        wrong = self.refused_wrong + self.answered_unanswerable
        return 2 * self.refused_right / (2 * self.refused_right + wrong)


def abstention(examples: Sequence[Example], answers: Sequence[Answer], right: Sequence[bool]) -> Abstention:
    """Count; ``right`` says of each answer whether it is. Questions not marked as unanswerable have an answer."""
    counts = dict.fromkeys(Abstention.__dataclass_fields__, 0)
    for e, a, good in zip(examples, answers, right, strict=True):
        if e.answerable is False:
            counts["refused_right" if refused(a) else "answered_unanswerable"] += 1
        else:
            counts["refused_wrong" if refused(a) else "answered_right" if good else "answered_wrong"] += 1
    return Abstention(**counts)


def risk_coverage(confidence: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """(coverage, risk) where the surest questions alone are answered, one point for each confidence, surest first.

    Coverage is the share that is answered, risk the share of wrong answers among them (El-Yaniv and Wiener 2010).
    """
    order = sorted(range(len(right)), key=lambda i: -confidence[i])
    points, wrong = [], 0
    for n, i in enumerate(order, 1):
        wrong += not right[i]
        if n == len(order) or confidence[order[n]] != confidence[i]:
            points.append((n / len(order), wrong / n))
    return points


def area(points: Sequence[tuple[float, float]]) -> float:
    """The area under risk over coverage, as the mean risk over all coverages; less is better (Geifman et al. 2019)."""
    total, before = 0.0, 0.0
    for coverage, risk in points:
        total += (coverage - before) * risk
        before = coverage
    return total


def ranks_above(some: Sequence[float], others: Sequence[float]) -> float:
    """The share of pairs in which one of ``some`` is above one of ``others``, ties as half: the area under the ROC."""
    below = sorted(others)
    won = sum((bisect_left(below, s) + bisect_right(below, s)) / 2 for s in some)
    return won / (len(some) * len(others))
