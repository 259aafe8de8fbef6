"""A sample of any number of texts."""

from __future__ import annotations

import random
from collections.abc import Iterable


def sampled(texts: Iterable[str], seed: int, size: int) -> list[str]:
    """So many of any number of texts, each with the same chance (reservoir sampling)."""
    draw, held = random.Random(seed), []
    for at, text in enumerate(texts):
        if at < size:
            held.append(text)
        elif (place := draw.randrange(at + 1)) < size:
            held[place] = text
    return held
