"""Whether the reply has no more than so many words, as it was written; higher is better.

What a program cut from a reply that was too long does not count for it: the question is whether the model kept the
limit. It says nothing of whether the answer is right.
"""

from __future__ import annotations

from sharpen.errors import UserError
from sharpen.metrics.judging import Judge
from sharpen.metrics.parsing import without_thoughts
from sharpen.types import Answer, Example, Score

REFERENCES = False  # it judges by the form alone


def within_words(words: int = 50) -> Judge:
    """Return the metric; a score is 1 or 0.

    Args:
        words: the most that a reply may have.
    """
    if type(words) is not int or words < 1:
        raise UserError(f"the option words is {words!r}.", do="Write a whole number: within_words(words=50)")

    def judge(example: Example, answer: Answer) -> Score:
        n = len(without_thoughts(answer.raw or answer.text).split())
        return Score(float(n <= words), f"{n} words")

    return Judge("within_words", judge)
