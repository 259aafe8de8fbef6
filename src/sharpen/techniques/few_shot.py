"""Show worked examples: how many and which ones are chosen on dev.

Candidates are draws from train (for classes: as many different ones as there is room for). Where the program
retrieves, each example is shown with the passages that it would have been given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sharpen.support import cited
from sharpen.techniques._finding import passages
from sharpen.techniques._options import count, counts
from sharpen.techniques._worked import with_steps
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Demo, Example, System, Task, Technique


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Worked examples need a model that reads a prompt."""
    return None if can & {"generate", "score"} else "the model can neither generate nor score"


def few_shot(k: int | Sequence[int] = (3, 1, 5), draws: int = 2) -> Technique:
    """Return the technique.

    Args:
        k: how many worked examples; several numbers are tried on dev.
        draws: how many random sets of each size to try.
    """
    sizes, sets = counts("k", k), count("draws", draws)

    def improve(program: System, bench: Bench) -> System:
        pool = usable(bench)
        candidates = []
        for draw in range(sets):
            rng = bench.rng(f"few_shot {draw}")
            order = _varied(rng.sample(pool, len(pool)), bench)
            for n in sizes:
                chosen = order[:n]
                demos = tuple(demonstrations(program, chosen, bench))
                candidates.append((f"k={n} draw={draw}", replace(program, demos=(*program.demos, *demos))))
        return bench.best(candidates, "few_shot")

    return improve


def usable(bench: Bench) -> list[Example]:
    """Training examples that can be shown: one turn, answered, and not among the longest tenth.

    Raises:
        NotAvailable: there is none.
    """
    pool = [e for e in bench.train if e.targets and len([m for m in e.messages if m.role != "system"]) == 1]
    if not pool:
        what = "no training example can be shown: none has both a single question and an answer."
        raise NotAvailable(what, do="Add training examples of one turn, or leave worked examples out of this arm.")
    lengths = sorted(len(e.question) + len(e.targets[0]) for e in pool)
    limit = lengths[int(len(lengths) * 0.9)] if len(lengths) >= 10 else float("inf")
    return [e for e in pool if len(e.question) + len(e.targets[0]) <= limit]


def demonstrations(program: System, examples: Sequence[Example], bench: Bench) -> list[Demo]:
    """Turn training examples into worked ones, with passages where the program retrieves and what its steps write."""
    found = passages(program, examples, bench)
    said = [
        cited(e.targets[0], p) if program.prompt.cites else e.targets[0] for e, p in zip(examples, found, strict=True)
    ]
    demos = [Demo(e.question, a, given, e.id) for e, a, given in zip(examples, said, found, strict=True)]
    return with_steps(program, demos, bench)


def _varied(order: list[Example], bench: Bench) -> list[Example]:
    """Different labels, sources and kinds of answer first; the rest in the order given."""
    seen: set[Any] = set()
    first: list[Example] = []
    rest: list[Example] = []
    for e in order:
        key = e.labels or (e.source, e.answerable)
        (rest if key in seen else first).append(e)
        seen.add(key)
    return first + rest
