"""Mistype letters: a neighbour on the keyboard, a letter twice, left out, or in the wrong order."""

from __future__ import annotations

import random
from collections.abc import Mapping

from sharpen.data.augmenting import Augmentation, edit, matched, times
from sharpen.errors import UserError

LAYOUTS = {
    "qwerty": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "azerty": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    "jcuken": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
}
STEPS = ((0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0))  # each row stands half a key further right


def beside(layout: str) -> dict[str, set[str]]:
    """For each letter those whose keys touch its own."""
    place = {letter: (r, c) for r, row in enumerate(LAYOUTS[layout]) for c, letter in enumerate(row)}
    return {
        letter: {other for other, (r, c) in place.items() if (r - at_row, c - at_column) in STEPS}
        for letter, (at_row, at_column) in place.items()
    }


BESIDE = beside("qwerty")


def typos(rate: float = 0.1, layout: str = "qwerty") -> Augmentation:
    """Return the augmentation.

    Args:
        rate: the share of a question's words that get one mistake each.
        layout: of the keyboard: qwerty, qwertz, azerty, jcuken.
    """
    if layout not in LAYOUTS:
        raise UserError(f"the option layout is {layout!r}.", do=f"Take of: {', '.join(LAYOUTS)}.")
    near = beside(layout)

    def change(split: list[str], places: list[int], rng: random.Random) -> tuple[list[str], str] | None:
        long = [i for i in places if len(split[i]) > 3]  # a short one becomes another word too easily
        if not long:
            return None
        n = min(times(rate, places), len(long))
        for i in rng.sample(long, n):
            split[i] = mistyped(split[i], rng, near)
        return split, f"{n} words mistyped"

    return edit("typos", change)


def mistyped(word: str, rng: random.Random, beside: Mapping[str, set[str]] = BESIDE) -> str:
    """One mistake, not in the first letter: people see that one."""
    at = rng.randrange(1, len(word))
    kind = rng.choice(("beside", "twice", "left out", "order"))
    if kind == "twice":
        return word[:at] + word[at] + word[at:]
    if kind == "left out":
        return word[:at] + word[at + 1 :]
    if kind == "order" and at + 1 < len(word) and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    near = sorted(beside.get(word[at].lower(), ()))
    return (
        word[:at] + matched(rng.choice(near), word[at]) + word[at + 1 :] if near else word[:at] + word[at] + word[at:]
    )
