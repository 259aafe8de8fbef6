"""The first three sentences of the text, the usual floor of summarization (lead-3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sharpen.floors import Floor, Predict
from sharpen.techniques import Bench
from sharpen.types import Answer, Example


def first_sentences(n: int = 3) -> Floor:
    """Return the floor.

    Args:
        n: how many sentences.
    """

    def fit(bench: Bench) -> Predict | None:
        def predict(examples: Sequence[Example]) -> list[Answer]:
            texts = [" ".join(re.split(r"(?<=[.!?])\s+", e.question.strip())[:n]) for e in examples]
            return [Answer(t, t) for t in texts]

        return predict

    return fit
