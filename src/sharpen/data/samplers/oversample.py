"""Repeat the examples of rare classes until each class has as many as the largest.

Nothing is lost, and training takes longer. What is repeated is learned by heart more easily: compare it with
``reweight``, and with an augmentation, whose variants differ.
"""

from __future__ import annotations

from sharpen.data.balancing import Sampling, sampling, whole
from sharpen.data.labels import balance


def oversample(to: int | None = None, by: str = "") -> Sampling:
    """Return the sampler.

    Args:
        to: examples that each class gets at least, by default as many as the largest has.
        by: a column whose values stand in the place of classes.
    """
    whole("to", to)
    return sampling(lambda labels, seed: balance.oversample(labels, to, seed), by)
