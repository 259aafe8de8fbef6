"""How good a search is: recall, precision, reciprocal rank and nDCG of one ranking.

The formulas are those of trec_eval, with relevance 0 or 1 (Järvelin and Kekäläinen 2002 for nDCG). What is relevant is
said in spans of the documents, so that it does not depend on how they were cut into passages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sharpen.types import Passage, Span

HALF = 0.5
"""The share of a gold span, or of a passage that is shorter, which a passage has to hold to count as relevant."""


def holds(passage: Passage, gold: Span) -> bool:
    """Whether a passage holds at least half of a gold span, or lies in it for half of its own length."""
    mine = passage.span
    if mine.source != gold.source:
        return False
    shared = min(mine.end, gold.end) - max(mine.start, gold.start)
    shorter = min(mine.end - mine.start, gold.end - gold.start)
    return shared > 0 and shared >= HALF * shorter


def hits(passages: Sequence[Passage], gold: Sequence[Span]) -> list[bool]:
    """Say of each passage, best first, whether it holds a gold span that none before it held."""
    held: set[Span] = set()
    found = []
    for p in passages:
        now = {g for g in gold if holds(p, g)}
        found.append(bool(now - held))
        held |= now
    return found


def ranked(passages: Sequence[Passage]) -> list[Passage]:
    """The passages of an answer from the best to the worst, in whatever order they were given."""
    return sorted(passages, key=lambda p: -p.score)


def recall_at(k: int, found: Sequence[bool], relevant: int) -> float:
    """The share of the relevant that is among the first ``k``; ``relevant`` says how many there are (at least 1)."""
    return min(1.0, sum(found[:k]) / relevant)


def precision_at(k: int, found: Sequence[bool]) -> float:
    """The share of the first ``k`` that is relevant; where fewer were found, what is missing is not relevant."""
    return sum(found[:k]) / k


def reciprocal_rank(found: Sequence[bool]) -> float:
    """1 over the place of the first that is relevant; 0 where there is none (Voorhees 1999)."""
    return next((1 / n for n, hit in enumerate(found, 1) if hit), 0.0)


def ndcg_at(k: int, found: Sequence[bool], relevant: int) -> float:
    """Discounted cumulative gain of the first ``k`` over that of the best possible ranking; each gain is 0 or 1."""
    gained = sum(1 / math.log2(n + 1) for n, hit in enumerate(found[:k], 1) if hit)
    best = sum(1 / math.log2(n + 1) for n in range(1, min(k, relevant) + 1))
    return min(1.0, gained / best)
