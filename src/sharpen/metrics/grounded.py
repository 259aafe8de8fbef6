"""Which share of the answer's sentences the given passages support; the rest is the rate of hallucination.

Support is told by words, numbers, names and negations (:mod:`sharpen.support`; its precision and recall on labelled
data stand in ``benchmarks/results/grounding.json``). It does not say whether the answer is right, nor whether a
passage is. Answers without passages, empty ones and refusals are not judged.
"""

from __future__ import annotations

from sharpen.metrics.abstaining import refused
from sharpen.metrics.judging import Judge
from sharpen.support import ENOUGH, Embed, sentences, supported, text_of
from sharpen.types import Answer, Example, Score


def grounded(least: float = ENOUGH, embed: Embed | None = None) -> Judge:
    """Return the metric; scores are from 0 to 1.

    Args:
        least: the support from which on a sentence counts.
        embed: counts meaning, too; None: words alone.
    """

    def judge(example: Example, answer: Answer) -> Score:
        if not answer.passages:
            return Score(None, "no passages were given")
        said = sentences(answer.text)
        if not said or refused(answer):
            return Score(None, "it says nothing that could be supported")
        texts = [text_of(p) for p in answer.passages]
        lost = [s for s in said if supported(s, texts, embed) < least]
        return Score(1 - len(lost) / len(said), f"not supported: {lost[0][:200]}" if lost else "")

    return Judge("grounded", judge)
