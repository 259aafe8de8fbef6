"""Keep, of small changes, those that mislead the present model: each of a question's variants with another label.

After Gao et al. 2018, "DeepWordBug", and Ribeiro et al. 2018, "Semantically equivalent adversarial rules". Candidates
are typos, swaps and cases; the model that is to be made more robust says which of them it gets wrong although it had
the question itself right.
"""

from __future__ import annotations

from dataclasses import replace

from sharpen.data.augmenting import Augmentation, Material, Variant, open_augmentation
from sharpen.errors import UserError

PREDICTS = True
CHANGES = ("typos", "swap", "letter_case", "deletion")


def adversarial(tries: int = 4, changes: tuple[str, ...] | list[str] = CHANGES) -> Augmentation:
    """Return the augmentation; ``tries``: candidates of each kind of change for each question."""
    made = [(name, open_augmentation(name)) for name in changes]

    def make(material: Material) -> list[Variant]:
        if material.predict is None:
            do = "Use it with examples that have classes, on a model that can be asked here."
            raise UserError("adversarial needs a model that predicts classes.", do=do)
        known = {e.id: e for e in material.train if e.labels}
        asked = list(known.values())
        said = material.predict([e.question for e in asked])
        right = {e.id for e, label in zip(asked, said, strict=True) if label in e.labels}
        more = replace(material, n=tries)
        found = [
            replace(v, notes={**v.notes, "operator": name}) for name, one in made for v in one(more) if v.of in right
        ]
        said = material.predict([v.question for v in found])
        return [v for v, label in zip(found, said, strict=True) if label not in known[v.of].labels]

    return make
