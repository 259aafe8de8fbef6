"""The sentence of the best passage that shares most words with the question."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sharpen.floors import Floor, Predict
from sharpen.retrieval import build
from sharpen.retrieval.index import words
from sharpen.techniques import Bench
from sharpen.types import Answer, Example

SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def best_sentence() -> Floor:
    """Return the floor."""

    def fit(bench: Bench) -> Predict | None:
        if not bench.documents:
            return None
        index = bench.engines.index(build(bench.documents, bench.store, None))

        def predict(examples: Sequence[Example]) -> list[Answer]:
            found = index.search([e.question for e in examples], 1, "bm25")
            return [_best(e, passages[0].text if passages else "") for e, passages in zip(examples, found, strict=True)]

        return predict

    return fit


def _best(example: Example, text: str) -> Answer:
    asked = set(words(example.question))
    sentences = [s.strip() for s in SENTENCE.split(text) if s.strip()]
    best = max(sentences, key=lambda s: len(asked & set(words(s))), default="")
    return Answer(best, best)
