"""What a program finds, without asking it for an answer: how often that is the gold passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sharpen.runtime import answer_all
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Example, Passage, Refusal, Retriever, System

MOST_ASKED = 100  # questions on which ways of searching are compared where each costs model calls


def retriever_of(program: System, name: str) -> Retriever:
    """The program's retriever.

    Raises:
        NotAvailable: it has none, or none that searches.
    """
    if program.retriever is None or program.retriever.how == "gold":
        do = f"Put retrieve before it: retrieve + {name}"
        raise NotAvailable(f"{name} improves a search, and the program has none.", do=do)
    return program.retriever


def passages(program: System, examples: Sequence[Example], bench: Bench) -> list[tuple[Passage, ...]]:
    """The passages that a program would be given, in their order; its steps are written, its answers are not."""
    if program.retriever is None:
        return [() for _ in examples]
    # The answer path ends before the answer where nothing found is good enough.
    silent = replace(program, refusal=Refusal("", math.inf))
    return [a.passages for a in answer_all(silent, examples, bench.engines, None)]


def known(bench: Bench, most: int | None = None) -> list[Example]:
    """Questions of train and dev whose gold passage is known: all of them, or ``most`` drawn ones."""
    found = [e for e in (*bench.train, *bench.dev) if e.gold]
    if most is not None and len(found) > most:
        found = bench.rng("known").sample(found, most)
    return found


def most_found(candidates: Sequence[tuple[str, System]], bench: Bench, what: str) -> list[tuple[str, System]]:
    """The candidate that finds most gold passages, first of all and then at all; earlier ones win ties.

    All of them where no gold passage is known: then the answers have to say.
    """
    asked = known(bench, MOST_ASKED)
    if not asked or len(candidates) < 2:
        return list(candidates)
    shares = []
    for label, program in candidates:
        r = retriever_of(program, what)
        index = bench.engines.index(r.index)
        best = replace(program, retriever=replace(r, order="best_first"))
        ranks = []
        for example, found in zip(asked, passages(best, asked, bench), strict=True):
            gold = {p.id for p in index.covering(example.gold, 8)}
            ranks.append(next((n for n, p in enumerate(found) if p.id in gold), math.inf))
        share = tuple(sum(rank < k for rank in ranks) / len(asked) for k in (1, max(2, r.k)))
        bench.note("recall", {"what": what, "how": label, "at_1": share[0], f"at_{r.k}": share[1], "n": len(asked)})
        shares.append(share)
    best_one = max(range(len(shares)), key=lambda i: (shares[i], -i))
    return [candidates[best_one]]
