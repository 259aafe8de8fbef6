"""How many tokens the answer took, prompt and reply of all model calls together; lower is better."""

from __future__ import annotations

from math import inf

from sharpen.metrics.judging import Judge
from sharpen.types import Answer, Example, Score


def tokens() -> Judge:
    """Return the metric."""
    return Judge("tokens", _judge, higher_is_better=False, bounds=(0.0, inf))


def _judge(example: Example, answer: Answer) -> Score:
    if not answer.completions:
        return Score(None, "no model calls were recorded")
    return Score(float(answer.tokens))
