"""Write a question in small letters, in capitals, in title case, or without its last punctuation mark."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.errors import UserError

FORMS: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "bare": lambda text: text.rstrip(" .?!"),
}


def letter_case(forms: tuple[str, ...] | list[str] = ("lower", "upper", "title", "bare")) -> Augmentation:
    """Return the augmentation; ``forms``: of lower, upper, title, bare; each variant takes another one."""
    unknown = sorted(set(forms) - FORMS.keys())
    if unknown or not forms:
        raise UserError(f"the option forms is {list(forms)!r}.", do=f"Take of: {', '.join(FORMS)}.")

    def make(material: Material) -> list[Variant]:
        made = []
        for e in material.train:
            rng: random.Random = material.rng(f"letter_case {e.id}")
            able = [f for f in forms if FORMS[f](e.question) != e.question]
            chosen = rng.sample(able, min(material.n, len(able)))
            made += [Variant(e.id, FORMS[form](e.question), f"written {form}") for form in chosen]
        return made

    return make
