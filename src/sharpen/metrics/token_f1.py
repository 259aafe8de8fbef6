"""How many words answer and reference share, as the harmonic mean of precision and recall.

Words after SQuAD's normalisation, counted with their repetitions; the best over all references (Rajpurkar et al. 2016,
``evaluate-v1.1.py``). Articles and punctuation count where the reference is nothing else ("A").
"""

from __future__ import annotations

from collections import Counter

from sharpen.metrics.judging import Judge, against_targets
from sharpen.metrics.normalising import compared


def token_f1() -> Judge:
    """Return the metric; scores are from 0 to 1."""
    return Judge("token_f1", against_targets(_f1))


def _f1(answer: str, target: str) -> float:
    said, wanted = (text.split() for text in compared(answer, target))
    if not said or not wanted:  # as SQuAD's own script has it
        return float(said == wanted)
    same = sum((Counter(said) & Counter(wanted)).values())
    if not same:
        return 0.0
    precision, recall = same / len(said), same / len(wanted)
    return 2 * precision * recall / (precision + recall)
