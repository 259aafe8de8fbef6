"""What would be if: the leader given the gold passage, and given no passage at all.

Beside each other they tell three failures apart: retrieval missed it, the reader missed it, the passages broke it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sharpen.types import Example, Score, System


def oracle_programs(program: System) -> dict[str, System]:
    """Return the oracle versions of a program that retrieves."""
    if program.retriever is None:
        return {}
    # As many passages as the program itself gets would dilute the gold one; it is given alone.
    gold = replace(program.retriever, how="gold", k=1)
    asked = replace(program, refusal=None)  # neither has a score that could say that nothing fits
    return {"gold passage": replace(asked, retriever=gold), "no passage": replace(asked, retriever=None)}


def failures(
    examples: Sequence[Example], own: Sequence[Score], oracles: Mapping[str, Sequence[Score]], enough: float = 0.5
) -> dict[str, Any]:
    """Count, over questions with a gold passage, where the leader's wrong answers come from.

    Right is a score of at least ``enough``. *Retrieval miss*: wrong, but right with the gold passage. *Reader miss*:
    wrong even with it, and wrong without any. *Broken by context*: wrong with what was found and with the gold
    passage, right without.
    """
    counts = {"n": 0, "right": 0, "retrieval_miss": 0, "reader_miss": 0, "broken_by_context": 0}

    def right(score: Score) -> bool:
        return (score.value or 0.0) >= enough

    for i, example in enumerate(examples):
        if not example.gold:
            continue
        counts["n"] += 1
        if right(own[i]):
            counts["right"] += 1
        elif right(oracles["gold passage"][i]):
            counts["retrieval_miss"] += 1
        elif right(oracles["no passage"][i]):
            counts["broken_by_context"] += 1
        else:
            counts["reader_miss"] += 1
    return counts
