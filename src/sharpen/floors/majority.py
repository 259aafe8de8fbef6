"""Always the most frequent answer of train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sharpen.floors import Floor, Predict
from sharpen.techniques import Bench
from sharpen.types import Answer, Example


def majority() -> Floor:
    """Return the floor."""

    def fit(bench: Bench) -> Predict | None:
        counts = Counter(e.targets[0] for e in bench.train if e.targets)
        if not counts:
            return None
        text = min(counts, key=lambda t: (-counts[t], t))

        def predict(examples: Sequence[Example]) -> list[Answer]:
            return [Answer(text, text) for _ in examples]

        return predict

    return fit
