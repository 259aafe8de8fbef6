"""Passages that say the same of something, and not the same: another number or date, or its denial.

Two sentences of different passages are about the same where most of the words that carry meaning stand in both. They
disagree where each has numbers that the other lacks and the rest is alike, or where one denies. What it finds and what
it marks wrongly stands in ``benchmarks/results/contradiction.json``; it does not see what is contradicted in other
words, and two true figures of different times look like a contradiction to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from sharpen.support import Said, carried, sentences
from sharpen.types import Passage

ALIKE = 0.7
"""The share of common words from which two sentences are about the same."""
LEAST = 4
"""Words that both have to share."""
SAYS = "passages {} and {} disagree: {}"


def contradictions(passages: Sequence[Passage]) -> tuple[str, ...]:
    """A sentence for each pair of passages that disagree, by their numbers, and in what."""
    found = []
    for (i, one), (j, other) in combinations(enumerate(passages, 1), 2):
        why = next((w for a in sentences(one.text) for b in sentences(other.text) if (w := disagree(a, b))), "")
        if why:
            found.append(SAYS.format(i, j, why))
    return tuple(found)


def disagree(one: str, other: str) -> str:
    """In what two sentences disagree; empty where they do not, or are not about the same."""
    a, b = carried(one), carried(other)
    if one == other or not _alike(a, b):
        return ""
    mine, theirs = a.numbers - b.numbers, b.numbers - a.numbers
    if mine and theirs:
        return f"{', '.join(sorted(mine))} or {', '.join(sorted(theirs))}"
    if a.denies != b.denies and not mine and not theirs:
        return "one denies what the other says"
    return ""


def _alike(a: Said, b: Said) -> bool:
    mine, theirs = a.words - a.numbers, b.words - b.numbers
    shared = len(mine & theirs)
    return shared >= LEAST and shared >= ALIKE * len(mine | theirs)
