"""Leave out examples of frequent classes, drawn at random, until no class has more than the smallest.

Training takes less time, and what is left out is not learned: where the smallest class is very small, say ``to``.
"""

from __future__ import annotations

from sharpen.data.balancing import Sampling, sampling, whole
from sharpen.data.labels import balance


def undersample(to: int | None = None, by: str = "") -> Sampling:
    """Return the sampler.

    Args:
        to: examples that each class keeps at most, by default as many as the smallest has.
        by: a column whose values stand in the place of classes.
    """
    whole("to", to)
    return sampling(lambda labels, seed: balance.undersample(labels, to, seed), by)
