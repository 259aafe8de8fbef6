"""Which rows each optimizer step sees, and how much work that is. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sharpen.tuning.options import TrainOptions
from sharpen.tuning.rows import readable
from sharpen.tuning.trees import Row, epoch, families, grow, passes
from sharpen.types import Rendered

EPOCHS = 4  # are counted out for an estimate, where there are more


@dataclass(frozen=True)
class Work:
    """What a training would do: optimizer steps, tokens of its rows, and how many of them are computed.

    ``dev_tokens`` are computed in one validation, forward only (about a third of a training token's time each);
    ``supervised`` tokens are those that the loss sees; ``largest_pass``: the computed tokens of the largest pass, on
    which the memory depends.
    """

    steps: int
    tokens: int
    computed_tokens: int
    dev_tokens: int
    supervised: int = 0
    largest_pass: int = 0


def steps(rows: Sequence[Row], options: TrainOptions) -> list[tuple[float, list[int]]]:
    """Return the optimizer steps: the epoch (a fraction) at a step's end, and its rows."""
    size = options.rows_per_step
    groups = families(rows, size) if options.share_prefixes else [[i] for i in range(len(rows))]
    plan: list[tuple[float, list[int]]] = []
    left = options.num_train_epochs
    number = 0
    while left > 0 and not 0 <= options.max_steps <= len(plan):
        seen = 0
        for step in epoch(groups, size, f"{options.seed}/{number}"):
            if seen >= left * len(rows):
                break
            seen += len(step)
            plan.append((number + seen / len(rows), step))
        number, left = number + 1, left - 1
    return plan[: options.max_steps] if options.max_steps >= 0 else plan


def workload(rows: Sequence[Rendered], dev_rows: Sequence[Rendered], options: TrainOptions) -> Work:
    """Say what :func:`sharpen.tuning.train` would compute, for estimates of time before anything is spent.

    Seconds are about ``(computed_tokens + dev_tokens * validations / 3) / (computed tokens per second)``.
    """
    kept, _ = readable(rows, options.max_length)
    dev, _ = readable(dev_rows, options.max_length)
    few = replace(options, num_train_epochs=min(options.num_train_epochs, EPOCHS))
    plan = steps(kept, few) if kept else []
    times = 1.0  # the epochs that were counted out, to have all of them: one is like the other
    if few != options and plan:
        all_steps = len(plan) * options.num_train_epochs / EPOCHS
        times = (min(all_steps, options.max_steps) if options.max_steps >= 0 else all_steps) / len(plan)

    def computed(chosen: Sequence[Row]) -> list[int]:
        share = options.share_prefixes
        return [len(grow(group, share).ids) for group in passes(chosen, options.tokens_per_forward, share)]

    chosen = [[kept[i] for i in step] for _, step in plan]
    learning = [n for step in chosen for n in computed(step)]
    return Work(
        steps=round(times * len(plan)),
        tokens=round(times * sum(len(row.ids) for step in chosen for row in step)),
        computed_tokens=round(times * sum(learning)),
        dev_tokens=sum(computed(dev)) if dev else 0,
        supervised=round(times * sum(len(row.learned) for step in chosen for row in step)),
        largest_pass=max(learning, default=0),
    )
