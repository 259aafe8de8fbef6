"""How many of a conversation's earlier turns are given; chosen on dev.

A turn is a message, of the user or of the assistant; what is left begins with one of the user's. The fewest of equals
are taken, because each costs tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sharpen.techniques._options import counts
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Example, System, Technique


def history(turns: int | Sequence[int] = (0, 2, 6)) -> Technique:
    """Return the technique.

    Args:
        turns: how many turns before the question are given; several numbers are tried on dev, and all of them.
    """
    sizes = counts("turns", turns, least=0)
    named = isinstance(turns, int)

    def improve(program: System, bench: Bench) -> System:
        most = max((earlier(e) for e in (*bench.train, *bench.dev)), default=0)
        if not most:
            raise NotAvailable("no question has turns before it.", do="Leave history out of this arm.")
        shorter = [n for n in sorted(sizes) if named or n < most]
        candidates = [(f"{n} turns", replace(program, prompt=replace(program.prompt, history=n))) for n in shorter]
        if not named:
            candidates.append(("all turns", replace(program, prompt=replace(program.prompt, history=None))))
        return bench.best(candidates, "history", cheapest_first=True)

    return improve


def earlier(example: Example) -> int:
    """How many turns stand before the question."""
    return max(0, len([m for m in example.messages if m.role != "system"]) - 1)
