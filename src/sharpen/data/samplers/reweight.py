"""Have classes count alike at the same number of examples: each stands as often as its weight says.

A weight of 2.4 is two or three times, drawn so that every class has exactly its share. On average that is what weights
in the loss would do, at the same number of steps; unlike these it works with whatever learns from examples.
"""

from __future__ import annotations

from sharpen.data.balancing import Sampling, sampling
from sharpen.data.labels import balance
from sharpen.errors import UserError


def reweight(strength: float = 1.0, by: str = "") -> Sampling:
    """Return the sampler.

    Args:
        strength: 1 makes classes count alike, 0 leaves all as it is, and between is between.
        by: a column whose values stand in the place of classes: ``reweight(by='segment')`` has segments count alike.
    """
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
        raise UserError(f"the option strength is {strength!r}.", do="Write a number from 0 to 1.")
    return sampling(lambda labels, seed: balance.resample(labels, float(strength), seed), by)
