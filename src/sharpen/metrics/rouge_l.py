"""Longest common subsequence of words of answer and reference, as F1 (ROUGE-L; Lin 2004).

Words, stems and numbers are those of the package rouge-score (``rougeL``), to the last digit; the best over all
references counts. As there, words are runs of a-z and 0-9 in lower case, so a text in another script has none and
scores 0.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sharpen.metrics.judging import Judge, against_targets
from sharpen.stemming import stem

_NOT_WORD = re.compile(r"[^a-z0-9]+")


def rouge_l(use_stemmer: bool = True) -> Judge:
    """Return the metric; scores are from 0 to 1.

    Args:
        use_stemmer: words of more than three letters are compared by their stem, as papers do.
    """
    return Judge("rouge_l", against_targets(lambda answer, target: _f1(answer, target, use_stemmer)))


@lru_cache(maxsize=65536)
def _tokens(text: str, use_stemmer: bool) -> tuple[str, ...]:
    words = _NOT_WORD.sub(" ", text.lower()).split()
    return tuple(stem(w) if use_stemmer and len(w) > 3 else w for w in words)


def _f1(answer: str, target: str, use_stemmer: bool) -> float:
    said, wanted = _tokens(answer, use_stemmer), _tokens(target, use_stemmer)
    if not said or not wanted:
        return 0.0
    common = _common(said, wanted)
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Length of the longest common subsequence, a whole row at a time in the bits of an integer (Hyyrö 2004)."""
    masks: dict[str, int] = {}
    for i, word in enumerate(a):
        masks[word] = masks.get(word, 0) | 1 << i
    every = (1 << len(a)) - 1
    row = every
    for word in b:
        match = row & masks.get(word, 0)
        row = ((row + match) | (row - match)) & every
    return len(a) - row.bit_count()
