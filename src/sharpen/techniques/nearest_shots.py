"""Show, for each question, the training questions that are nearest to it, with their answers.

Nearest by embeddings, by words, or by both; never the question itself or a near-duplicate. How many is chosen on dev.
Liu et al. 2022, "What makes good in-context examples for GPT-3?".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sharpen.errors import UserError
from sharpen.retrieval import build_passages
from sharpen.techniques._options import counts
from sharpen.techniques.bench import Bench
from sharpen.techniques.few_shot import usable
from sharpen.types import Passage, Shots, Span, System, Technique

EMBEDS = True  # with the embedding model, which is fetched before anything is built
WAYS = ("dense", "bm25", "hybrid")


def nearest_shots(k: int | Sequence[int] = (3, 5), how: str = "dense") -> Technique:
    """Return the technique.

    Args:
        k: how many worked examples; several numbers are tried on dev, and more are taken only where they are clearly
            better.
        how: "dense", "bm25" or "hybrid".
    """
    sizes = counts("k", k)
    if how not in WAYS:
        raise UserError(f"the option how is {how!r}.", do=f"It is one of: {', '.join(WAYS)}.")

    def improve(program: System, bench: Bench) -> System:
        passages = [
            Passage(e.id, e.question, Span(e.source, 0, len(e.question)), meta={"answer": e.targets[0]})
            for e in usable(bench)
        ]
        index = build_passages(passages, bench.store, bench.engines.embed if how != "bm25" else None)
        candidates = [(f"k={n}", replace(program, shots=Shots(index, n, how))) for n in sorted(sizes)]
        return bench.best(candidates, "nearest_shots", cheapest_first=True)

    return improve
