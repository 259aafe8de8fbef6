"""Confuse letters as text recognition does: rn for m, 0 for o, l for i, words run together."""

from __future__ import annotations

import random

from sharpen.data.augmenting import Augmentation, edit, times

CONFUSED = (
    *(("m", "rn"), ("rn", "m"), ("o", "0"), ("l", "1"), ("i", "l"), ("e", "c"), ("s", "5"), ("w", "vv")),
    *(("cl", "d"), ("d", "cl"), ("h", "b"), ("B", "8"), ("g", "9"), ("u", "ii"), ("f", "t")),
)


def scanned(rate: float = 0.1) -> Augmentation:
    """Return the augmentation; ``rate``: the share of a question's words that are misread."""

    def change(split: list[str], places: list[int], rng: random.Random) -> tuple[list[str], str] | None:
        can = [i for i in places if any(right in split[i] for right, _ in CONFUSED)]
        if not can:
            return None
        n = min(times(rate, places), len(can))
        for i in rng.sample(can, n):
            right, wrong = rng.choice([pair for pair in CONFUSED if pair[0] in split[i]])
            split[i] = split[i].replace(right, wrong, 1)
        return split, f"{n} words misread"

    return edit("scanned", change)
