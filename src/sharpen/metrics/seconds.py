"""How long the answer took, in seconds; lower is better.

As measured by whoever answered. In a batch it says little about one question alone: latency is measured apart.
"""

from __future__ import annotations

from math import inf

from sharpen.metrics.judging import Judge
from sharpen.types import Answer, Example, Score


def seconds() -> Judge:
    """Return the metric."""
    return Judge("seconds", _judge, higher_is_better=False, bounds=(0.0, inf))


def _judge(example: Example, answer: Answer) -> Score:
    return Score(answer.seconds, "" if answer.seconds is not None else "the time was not measured")
