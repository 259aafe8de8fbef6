"""Whether the answer is one of the references, after SQuAD's normalisation.

Case, ASCII punctuation, articles and white space do not count (Rajpurkar et al. 2016, ``evaluate-v1.1.py``), unless
the reference is nothing else ("A"). The best over all references counts. It does not see that an answer is right in
other words.
"""

from __future__ import annotations

from sharpen.metrics.judging import Judge, against_targets
from sharpen.metrics.normalising import compared


def exact_match() -> Judge:
    """Return the metric; a score is 1 or 0."""
    return Judge("exact_match", against_targets(_same))


def _same(answer: str, target: str) -> float:
    said, wanted = compared(answer, target)
    return float(said == wanted)
