"""Several augmentations at once, each with its share of the variants (ensemble augmentation)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from sharpen.data.augmenting import Augmentation, Material, Variant, open_augmentation
from sharpen.errors import UserError

SHARES = {"typos": 1.0, "swap": 1.0, "deletion": 1.0, "insertion": 1.0}


def mixture(shares: Mapping[str, float] = SHARES) -> Augmentation:
    """Return the augmentation; ``shares``: augmentations and their weights, as in {typos: 2, swap: 1}."""
    if not shares or any(isinstance(w, bool) or not isinstance(w, int | float) or w < 0 for w in shares.values()):
        raise UserError(f"the option shares is {dict(shares)!r}.", do="Give each augmentation a weight of 0 or more.")
    if not sum(shares.values()):
        raise UserError("the option shares has no weight above 0.", do="Give an augmentation a weight above 0.")
    opened = {name: open_augmentation(name) for name, weight in shares.items() if weight}

    def make(material: Material) -> list[Variant]:
        """Each example's variants come of operators that are drawn by their weights, another one each time."""
        rng = material.rng("mixture")
        names = list(opened)
        drawn = {e.id: rng.choices(names, [shares[n] for n in names], k=material.n) for e in material.train}
        made: list[Variant] = []
        for name, operator in opened.items():
            left = Counter({i: drawn[i].count(name) for i in drawn})
            chosen = tuple(e for e in material.train if left[e.id])
            for variant in operator(replace(material, train=chosen)) if chosen else ():
                left[variant.of] -= 1
                if not variant.of or left[variant.of] >= 0:
                    notes = {**variant.notes, "operator": name}
                    made.append(replace(variant, how=f"{name}: {variant.how}", notes=notes))
        return made

    return make
