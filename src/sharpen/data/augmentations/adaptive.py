"""Mix augmentations by what the present model gets wrong: an operator whose variants mislead it more often gets more.

A pilot of each operator's variants is put to the model; weights follow the share that it gets wrong, never below a
floor, so that no operator is given up. The weights stand in each variant's lineage (after Cubuk et al. 2019,
"AutoAugment", in one step and without a search).
"""

from __future__ import annotations

from dataclasses import replace

from sharpen.data.augmentations.mixture import mixture
from sharpen.data.augmenting import Augmentation, Material, Variant, open_augmentation
from sharpen.errors import UserError

PREDICTS = True
OPERATORS = ("typos", "swap", "deletion", "insertion", "letter_case")


def adaptive(operators: tuple[str, ...] | list[str] = OPERATORS, pilot: int = 64, least: float = 0.05) -> Augmentation:
    """Return the augmentation; ``pilot``: variants of each operator that are tried; ``least``: the smallest weight."""

    def make(material: Material) -> list[Variant]:
        weights = {name: max(least, share) for name, share in misled(material, operators, pilot).items()}
        total = sum(weights.values())
        said = ", ".join(f"{name} {weight / total:.2f}" for name, weight in weights.items())
        rounded = {name: round(weight / total, 4) for name, weight in weights.items()}
        return [
            replace(v, how=f"{v.how} (weights {said})", notes={**v.notes, "weights": rounded})
            for v in mixture(weights)(material)
        ]

    return make


def misled(material: Material, operators: tuple[str, ...] | list[str], pilot: int) -> dict[str, float]:
    """For each operator the share of its variants that the present model gives another label.

    Raises:
        UserError: there is no model that predicts.
    """
    if material.predict is None:
        do = "Use it with examples that have classes, on a model that can be asked here; or use mixture."
        raise UserError("adaptive needs a model that predicts classes.", do=do)
    labels = {e.id: e.labels for e in material.train if e.labels}
    some = tuple(e for e in material.train if e.labels)
    if len(some) > pilot:
        some = tuple(material.rng("adaptive").sample(some, pilot))
    found = {}
    for name in operators:
        variants = [v for v in open_augmentation(name)(replace(material, train=some, n=1)) if v.of in labels]
        said = material.predict([v.question for v in variants])
        wrong = sum(label not in labels[v.of] for v, label in zip(variants, said, strict=True))
        found[name] = wrong / len(variants) if variants else 0.0
    return found
