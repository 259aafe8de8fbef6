"""Which share of the citations that a model wrote exist and support what they are cited for.

Those that do not are dropped from the answer before it is shown; this counts them. Support is told as by ``grounded``.
Answers that cite nothing are not judged: how many cite stands in the report's diagnosis.
"""

from __future__ import annotations

from sharpen.metrics.judging import Judge
from sharpen.support import ENOUGH, claims, support, text_of
from sharpen.types import Answer, Example, Score


def citation_precision(least: float = ENOUGH) -> Judge:
    """Return the metric; scores are from 0 to 1.

    Args:
        least: the support from which on a citation counts.
    """

    def judge(example: Example, answer: Answer) -> Score:
        found = [(claim, n) for claim, numbers in claims(answer.raw or answer.text) for n in numbers]
        if not found:
            return Score(None, "it cites nothing")
        texts = [text_of(p) for p in answer.passages]
        good = sum(0 < n <= len(texts) and support(claim, texts[n - 1]) >= least for claim, n in found)
        return Score(good / len(found))

    return Judge("citation_precision", judge)
