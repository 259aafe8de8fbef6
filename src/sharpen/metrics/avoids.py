"""Whether the reply holds none of the words that it must not; higher is better.

Words and phrases, whole and whatever their case, in the reply as it was written. It says nothing of whether the answer
is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sharpen.errors import UserError
from sharpen.metrics.judging import Judge
from sharpen.types import Answer, Example, Score

REFERENCES = False  # it judges by the form alone


def avoids(words: str | Sequence[str] = ("as an AI", "as a language model", "I cannot")) -> Judge:
    """Return the metric; a score is 1 or 0.

    Args:
        words: what a reply must not hold.
    """
    several = (words,) if isinstance(words, str) else words
    if not isinstance(several, list | tuple) or not several or not all(isinstance(w, str) and w for w in several):
        raise UserError(f"the option words is {words!r}.", do="Write texts: avoids(words=('sorry', 'I cannot'))")
    patterns = {w: re.compile(rf"(?<!\w){re.escape(w)}(?!\w)", re.I) for w in several}

    def judge(example: Example, answer: Answer) -> Score:
        found = [w for w, pattern in patterns.items() if pattern.search(answer.raw or answer.text)]
        return Score(float(not found), f"it holds {', '.join(map(repr, found))}" if found else "")

    return Judge("avoids", judge)
