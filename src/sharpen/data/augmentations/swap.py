"""Let words change places at random (Wei and Zou 2019, "EDA", random swap)."""

from __future__ import annotations

import random

from sharpen.data.augmenting import Augmentation, edit, times


def swap(rate: float = 0.1) -> Augmentation:
    """Return the augmentation; ``rate``: pairs of words that change places, as a share of a question's words."""

    def change(split: list[str], places: list[int], rng: random.Random) -> tuple[list[str], str] | None:
        if len(places) < 2:
            return None
        n = times(rate, places)
        for _ in range(n):
            i, j = rng.sample(places, 2)
            split[i], split[j] = split[j], split[i]
        return split, f"{n} pairs of words swapped"

    return edit("swap", change)
