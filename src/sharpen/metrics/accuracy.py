"""Whether the answer names the right class.

Case and white space around and between words do not count, everything else does: ``card_arrival`` is not
``card arrival``. The right classes are the example's labels, or its references where it has no labels.
"""

from __future__ import annotations

from sharpen.metrics.judging import Judge
from sharpen.types import Answer, Example, Score


def accuracy() -> Judge:
    """Return the metric; a score is 1 or 0."""
    return Judge("accuracy", _judge)


def fold(label: str) -> str:
    """Return a class name as it is compared."""
    return " ".join(label.casefold().split())


def _judge(example: Example, answer: Answer) -> Score:
    right = example.labels or example.targets
    if not right:
        return Score(None, "the example has no label")
    return Score(float(fold(answer.text) in map(fold, right)), "" if answer.text else "empty answer")
