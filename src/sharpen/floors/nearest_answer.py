"""The answer of the training question that shares most words with the question."""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.floors import Floor, Predict
from sharpen.retrieval import Index
from sharpen.techniques import Bench
from sharpen.types import Answer, Example, Passage, Span


def nearest_answer() -> Floor:
    """Return the floor."""

    def fit(bench: Bench) -> Predict | None:
        known = [e for e in bench.train if e.targets]
        if not known:
            return None
        index = Index([Passage(e.id, e.question, Span(e.source, 0, 0), meta={"answer": e.targets[0]}) for e in known])

        def predict(examples: Sequence[Example]) -> list[Answer]:
            found = index.search([e.question for e in examples], 1, "bm25")
            return [Answer(str(p[0].meta["answer"]), str(p[0].meta["answer"])) for p in found]

        return predict

    return fit
