"""Whether a reference stands, word for word, somewhere in the answer.

Both after SQuAD's normalisation, on word boundaries: "14" does not stand in "2014". It separates what an answer says
from how it is put; a long answer that mentions everything scores high, so decisions are not made on it alone.
"""

from __future__ import annotations

from sharpen.metrics.judging import Judge, against_targets
from sharpen.metrics.normalising import compared


def contains() -> Judge:
    """Return the metric; a score is 1 or 0."""
    return Judge("contains", against_targets(_contains))


def _contains(answer: str, target: str) -> float:
    said, wanted = compared(answer, target)
    return float(f" {wanted} " in f" {said} " if wanted else not said)
