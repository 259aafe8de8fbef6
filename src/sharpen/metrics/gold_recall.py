"""Which share of the gold spans stands in the passages that were given.

A passage holds a span of which at least half stands in it. Questions without gold spans are not judged. It judges the
search, not the answer.
"""

from __future__ import annotations

from sharpen.metrics.judging import Judge
from sharpen.metrics.ranking import holds
from sharpen.types import Answer, Example, Score


def gold_recall() -> Judge:
    """Return the metric; scores are from 0 to 1."""
    return Judge("gold_recall", _judge)


def _judge(example: Example, answer: Answer) -> Score:
    if not example.gold:
        return Score(None, "the example names no passage")
    held = sum(any(holds(p, g) for p in answer.passages) for g in example.gold)
    return Score(held / len(example.gold), "" if answer.passages else "no passages were given")
