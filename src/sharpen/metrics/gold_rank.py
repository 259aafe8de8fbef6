"""The reciprocal rank of the first given passage that holds a gold span: 1, 1/2, 1/3, …; 0 where none does.

Its mean is the MRR of the passages that were given. They are ranked by their scores, in whatever order they were
given. Questions without gold spans are not judged.
"""

from __future__ import annotations

from sharpen.metrics.judging import Judge
from sharpen.metrics.ranking import hits, ranked, reciprocal_rank
from sharpen.types import Answer, Example, Score


def gold_rank() -> Judge:
    """Return the metric; scores are from 0 to 1."""
    return Judge("gold_rank", _judge)


def _judge(example: Example, answer: Answer) -> Score:
    if not example.gold:
        return Score(None, "the example names no passage")
    return Score(reciprocal_rank(hits(ranked(answer.passages), example.gold)))
