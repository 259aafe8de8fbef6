"""Leave out words at random (Wei and Zou 2019, "EDA", random deletion)."""

from __future__ import annotations

import random

from sharpen.data.augmenting import Augmentation, edit, times


def deletion(rate: float = 0.1) -> Augmentation:
    """Return the augmentation; ``rate``: the share of a question's words that goes, at least one where two are left."""

    def change(split: list[str], places: list[int], rng: random.Random) -> tuple[list[str], str] | None:
        n = min(times(rate, places), len(places) - 2)
        if n < 1:
            return None
        gone = set(rng.sample(places, n))
        return [t for i, t in enumerate(split) if i not in gone], f"{n} words left out"

    return edit("deletion", change)
