"""Whether the reply is JSON that keeps its schema; higher is better.

Its schema is the one of the program, or one that is named, which every arm is then held to. It says nothing of whether
the answer is right.
"""

from __future__ import annotations

from sharpen.metrics.judging import Judge
from sharpen.types import Answer, Example, Score

REFERENCES = False  # it judges by the form alone


def valid_json() -> Judge:
    """Return the metric; a score is 1 or 0."""
    return Judge("valid_json", _judge)


def _judge(example: Example, answer: Answer) -> Score:
    if answer.valid is None:
        return Score(0.0, "no JSON was asked for")
    return Score(float(answer.valid))
