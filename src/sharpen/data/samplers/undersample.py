"""Leave out examples of frequent classes, drawn at random, until no class has more than the smallest.

Training takes less time, and what is left out is not learned: where the smallest class is very small, say ``to``.
"""

from __future__ import annotations

from sharpen.data.balancing import Sampler, whole
from sharpen.data.labels import balance


def undersample(to: int | None = None) -> Sampler:
    """Return the sampler; ``to``: examples that each class keeps at most, by default as many as the smallest has."""
    whole("to", to)
    return lambda labels, seed: balance.undersample(labels, to, seed)
