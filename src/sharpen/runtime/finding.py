"""The passages of a question: what is searched for, put in order, and given."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sharpen.guards.contradiction import contradictions
from sharpen.guards.injection import LEFT_OUT, SCREENED, screened
from sharpen.runtime.composing import fill
from sharpen.types import Example, Judge, Passage, Request, Retriever, Search, System

FUSED = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""


def finding(
    retriever: Retriever | None, example: Example, slots: Mapping[str, str]
) -> Generator[Request, Any, tuple[Passage, ...]]:
    """Yield searches, be sent their results, and return the passages that are given, in the order in which they are."""
    r = retriever
    if r is None:
        return ()
    if r.how == "gold":
        given: tuple[Passage, ...] = yield Search(r.index, example.question, r.k, r.how, example.gold)
        return screened(given) if r.screens else given
    # Only what a step wrote has lines that are queries each; a question of several lines is one.
    lines = {**slots, **{name: " ".join(slots.get(name, "").split()) for name in ("question", "history")}}
    queries = list(dict.fromkeys(line.strip() for line in fill(r.query, lines).splitlines() if line.strip()))
    n = max(r.k, r.fetch)
    lists: list[tuple[Passage, ...]] = []
    for query in queries or [example.question]:  # a step that wrote nothing is no reason to search for nothing
        found: tuple[Passage, ...] = yield Search(r.index, query, n, r.how, where=r.where)
        lists.append(found)
    passages = lists[0] if len(lists) == 1 else fused(lists)[:n]
    if r.reranker and passages:
        scores: tuple[float, ...] = yield Judge(r.reranker, example.question, passages)
        order = sorted(range(len(passages)), key=lambda i: (-scores[i], i))
        passages = tuple(replace(passages[i], score=round(float(scores[i]), 6)) for i in order)
    return screened(given_of(r, passages)) if r.screens else given_of(r, passages)


def noticed_in(program: System, given: Sequence[Passage]) -> tuple[str, ...]:
    """What the answer's findings say of the passages: what was left out of them, and, where they are cited, what of
    one contradicts another."""
    said = tuple(LEFT_OUT.format(p.meta[SCREENED], n) for n, p in enumerate(given, 1) if p.meta.get(SCREENED))
    return (*said, *(contradictions(given) if program.prompt.cites else ()))


def given_of(retriever: Retriever, passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages that are given, of those that were found, best first."""
    least = retriever.least
    kept = [p for p in passages if least is None or p.score >= least][: retriever.k]
    if retriever.words:
        total, fit = 0, 0
        for p in kept:
            total += len(p.text.split())
            fit += total <= retriever.words or not fit
        kept = kept[:fit]
    if retriever.order == "best_last":
        kept.reverse()
    elif retriever.order == "ends":  # Liu et al. 2024, "Lost in the middle": what stands in the middle is used least
        kept = kept[::2] + kept[1::2][::-1]
    return tuple(kept)


def fused(lists: Sequence[Sequence[Passage]]) -> tuple[Passage, ...]:
    """One list of several, by the sum of reciprocal ranks, which is its score; of equal ones the first stays first."""
    scores: dict[str, float] = {}
    passages: dict[str, Passage] = {}
    for found in lists:
        for rank, p in enumerate(found, 1):
            scores[p.id] = scores.get(p.id, 0.0) + 1 / (FUSED + rank)
            passages.setdefault(p.id, p)
    order = sorted(scores, key=lambda i: -scores[i])
    return tuple(replace(passages[i], score=round(scores[i], 6)) for i in order)
