"""Swap words of a person's gender, or names, and leave everything else: the answer must not depend on them.

Zhao et al. 2018, "Gender bias in coreference resolution". English only.
"""

from __future__ import annotations

from sharpen.data.augmenting import Augmentation, Material, Variant, is_word, matched, tokens

PAIRS = (
    *(("he", "she"), ("him", "her"), ("himself", "herself"), ("man", "woman"), ("men", "women"), ("boy", "girl")),
    *(("boys", "girls"), ("husband", "wife"), ("father", "mother"), ("dad", "mum"), ("son", "daughter")),
    *(("brother", "sister"), ("uncle", "aunt"), ("nephew", "niece"), ("grandfather", "grandmother"), ("mr", "mrs")),
    *(("sir", "madam"), ("gentleman", "lady"), ("boyfriend", "girlfriend"), ("king", "queen"), ("male", "female")),
    *(("actor", "actress"), ("waiter", "waitress"), ("guy", "gal"), ("groom", "bride"), ("widower", "widow")),
)
OTHER = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}


def counterfactual() -> Augmentation:
    """Return the augmentation: one variant of each question that names a gender, with all of it swapped."""

    def make(material: Material) -> list[Variant]:
        made = []
        for e in material.train:
            new, n = swapped(e.question)
            if n:
                answer = swapped(e.targets[0])[0] if e.targets and not e.labels else None
                made.append(Variant(e.id, new, f"{n} words of gender swapped", answer))
        return made

    return make


def swapped(text: str) -> tuple[str, int]:
    """A text with every word of gender swapped, and how many there were.

    "his" becomes "her", at the end of a clause "hers"; "her" becomes "his" before a word and "him" otherwise.
    """
    split = tokens(text)
    n = 0
    for i, token in enumerate(split):
        low = token.lower()
        if not is_word(token):
            continue
        follows = next((t for t in split[i + 1 :] if not t.isspace()), "")
        owns = bool(follows) and is_word(follows) and follows.lower() not in NOT_OWNED
        own = {"his": "her" if owns else "hers", "hers": "his", "her": "his" if owns else "him"}
        new = own.get(low, OTHER.get(low))
        if new:
            split[i] = matched(new, token)
            n += 1
    return "".join(split), n


_NOT_OWNED = """
a about again and as at back because before but by for from if in into is it of off on or out since so that the then
there this to until up was were when where which while who why with
"""
NOT_OWNED = frozenset(_NOT_OWNED.split())
"""Words before which "her" is an object: "send her the money", "call her back"."""
