"""Frozen sentence embeddings with logistic regression; C is chosen on dev. Of up to 2,000 classes."""

from __future__ import annotations

from sharpen.floors import Floor, Predict
from sharpen.floors.tfidf_linear import CLASSES, linear
from sharpen.techniques import Bench

NEEDS = {"sklearn": "floors"}
EMBEDS = True  # with the embedding model, which is fetched before anything is built


def embedding_linear() -> Floor:
    """Return the floor."""

    def fit(bench: Bench) -> Predict | None:
        known = [e for e in bench.train if e.targets]
        if not 2 <= len({e.targets[0] for e in known}) <= CLASSES:
            return None
        return linear(bench.engines.embed([e.question for e in known]), known, bench, bench.engines.embed)

    return fit
