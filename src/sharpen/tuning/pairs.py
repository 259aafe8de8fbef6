"""Questions with their passages, to learn from, and the order in which they are learned."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """A question, the passage that answers it, passages that do not, and a name that its other questions share."""

    query: str
    passage: str
    wrong: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True)
class PairOptions:
    """How an embedding model is trained.

    ``batch`` pairs a step, each with its first ``negatives`` wrong passages; of each text at most ``tokens`` are read.
    ``scale`` multiplies similarities; the learning rate rises over the share ``warmup`` of all steps and falls to 0.
    """

    epochs: float = 2.0
    batch: int = 16
    learning_rate: float = 3e-5
    negatives: int = 1
    tokens: int = 192
    scale: float = 20.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    checkpoint_steps: int = 20
    seed: int = 0


def batches(pairs: Sequence[Pair], options: PairOptions) -> list[list[int]]:
    """The pairs of each step: shuffled an epoch, and no two of one passage in a batch where that can be."""
    made: list[list[int]] = []
    whole, part = divmod(options.epochs, 1.0)
    for epoch in range(int(whole) + (part > 0)):
        order = list(range(len(pairs)))
        random.Random(f"{options.seed} {epoch}").shuffle(order)
        if epoch == int(whole):
            order = order[: round(part * len(order))]
        made += _apart(order, pairs, options.batch)
    return made


def _apart(order: Sequence[int], pairs: Sequence[Pair], size: int) -> list[list[int]]:
    made: list[list[int]] = []
    waiting = list(order)
    while waiting:
        batch: list[int] = []
        keys: set[str] = set()
        later: list[int] = []
        for i in waiting:
            name = pairs[i].key or pairs[i].passage
            if len(batch) < size and name not in keys:
                batch.append(i)
                keys.add(name)
            else:
                later.append(i)
        made.append(batch)
        waiting = later
    return [b for b in made if len(b) > 1] or made[:1]  # a pair alone has nothing to be told from
