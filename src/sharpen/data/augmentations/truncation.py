"""Cut a question off: the first part of it stays, as in a message that was sent too early."""

from __future__ import annotations

import random

from sharpen.data.augmenting import Augmentation, edit


def truncation(least: float = 0.6) -> Augmentation:
    """Return the augmentation; ``least``: the share of words that stays at least, so that its meaning mostly does."""

    def change(split: list[str], places: list[int], rng: random.Random) -> tuple[list[str], str] | None:
        fewest = max(2, round(least * len(places)))
        if fewest >= len(places):
            return None
        kept = rng.randint(fewest, len(places) - 1)
        return split[: places[kept - 1] + 1], f"cut after {kept} of {len(places)} words"

    return edit("truncation", change)
