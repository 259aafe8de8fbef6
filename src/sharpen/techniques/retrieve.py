"""Find passages of the documents and put them before the question.

How to search (words, meaning, both) is chosen by the share of dev questions whose gold passage is found, where gold
spans are known; how many passages to give is chosen by the answers on dev. Where several ways to cut documents are
named (``chunk``, ``size``, ``longest``, ``parent``), the one is taken that finds most gold spans within the same number
of words; where none is known, the one whose answers on dev are best. What counts as a word may be chosen where it is
searched by words: ``retrieve`` and ``retrieve(stems=True, stop_words='en')`` are two arms, in which the same texts are
shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sharpen.errors import UserError
from sharpen.retrieval import Index, Wording, build
from sharpen.techniques._cutting import Searching, chosen, cuttings
from sharpen.techniques._options import counts
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Example, Retriever, System, Task, Technique

EMBEDS = True  # with the embedding model, which is fetched before anything is built
WAYS = ("hybrid", "dense", "bm25")


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Passages need a model that reads a prompt."""
    return None if can & {"generate", "score"} else "the model can neither generate nor score"


def retrieve(
    k: int | Sequence[int] = (1, 2, 3),
    how: str = "auto",
    size: int | Sequence[int] = 100,
    longest: int | Sequence[int] = 180,
    stop_words: str = "",
    stems: bool = False,
    chunk: str | Sequence[str] = "paragraphs",
    parent: int | Sequence[int] = 0,
) -> Technique:
    """Return the technique.

    Args:
        k: how many passages; several numbers are tried on dev, and more are taken only where they are clearly better.
        how: hybrid, dense, bm25, or auto.
        size: neighbouring paragraphs are joined up to this many words; several are compared, as of the next one.
        longest: longer paragraphs are cut, in words.
        stop_words: a search by words passes over the commonest words of this language: "en", "de", …, "any".
        stems: a search by words takes the forms of an English word for one: running, runs, run.
        chunk: what is joined: paragraphs, sentences, headings (whole sections), meaning; several are compared.
        parent: passages are searched, and neighbours joined up to this many words are given; 0: what is searched.
    """
    ks = counts("k", k)
    cuts = cuttings(size, longest, chunk, parent)
    if type(stems) is not bool:
        raise UserError(f"the option stems is {stems!r}.", do="Write: stems=True")
    if type(stop_words) is not str:
        raise UserError(f"the option stop_words is {stop_words!r}.", do="Write: stop_words='en'")
    wording = Wording(stop_words, stems)
    if how not in ("auto", *WAYS):
        raise UserError(f"the option how is {how!r}.", do=f"It is one of: auto, {', '.join(WAYS)}.")

    def improve(program: System, bench: Bench) -> System:
        if not bench.documents:
            do = "Name them under data: documents, or give each row its context."
            raise NotAvailable("retrieve needs documents, and there are none.", do=do)
        bench.progress("index documents", 0, None)

        def embed(texts: Sequence[str], query: bool = False) -> Any:
            return bench.engines.embed(texts, query, lambda n: bench.progress("index documents", n, len(texts)))

        cut = chosen(cuts, program, bench, Searching(how, max(ks), wording, embed))
        ref = build(bench.documents, bench.store, embed if how != "bm25" else None, cut, wording)
        index = bench.engines.index(ref)
        way = _way(index, bench, max(ks)) if how == "auto" else how
        task = bench.task
        prompt = program.prompt
        if task.context_instructions and prompt.instruction == bench.fill(task.instructions[0]):
            prompt = replace(prompt, instruction=bench.fill(task.context_instructions[0]))
        candidates = [(f"k={n}", replace(program, prompt=prompt, retriever=Retriever(ref, n, way))) for n in sorted(ks)]
        return bench.best(candidates, "retrieve", cheapest_first=True)

    return improve


def recall(index: Index, examples: Sequence[Example], ks: Sequence[int], how: str) -> tuple[list[float], int]:
    """Share of examples with gold spans whose gold passage is among the first ``k``, for each k; and how many."""
    known = [e for e in examples if e.gold]
    found = index.search([e.question for e in known], max(ks), how)
    places = []
    for example, passages in zip(known, found, strict=True):
        gold = {p.id for p in index.covering(example.gold, 8)}
        places.append(next((n for n, p in enumerate(passages) if p.id in gold), max(ks)))
    return [sum(place < k for place in places) / (len(known) or 1) for k in ks], len(known)


def _way(index: Index, bench: Bench, k: int) -> str:
    """The way that finds the gold passage first most often, on train and dev (nothing is learned from them here)."""
    known = [e for e in (*bench.train, *bench.dev) if e.gold]
    ways = [w for w in WAYS if w in index.can]
    if not known or len(ways) == 1:
        return ways[0]
    shares = {}
    for w in ways:
        (first, among), n = recall(index, known, (1, k), w)
        shares[w] = (first, among)
        bench.note("recall", {"how": w, "at_1": first, f"at_{k}": among, "n": n})
    return max(ways, key=lambda w: shares[w])
