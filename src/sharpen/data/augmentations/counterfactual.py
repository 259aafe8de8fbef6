"""Swap words of a person's gender, or other pairs, and leave everything else: the answer must not depend on them.

Zhao et al. 2018, "Gender bias in coreference resolution". The words of gender are English. Pairs of one's own, names
for instance, may be of any language.
"""

from __future__ import annotations

from collections.abc import Mapping

from sharpen.data.augmenting import Augmentation, Material, Variant, check_language, is_word, matched, tokens
from sharpen.errors import UserError

PAIRS = (
    *(("he", "she"), ("him", "her"), ("himself", "herself"), ("man", "woman"), ("men", "women"), ("boy", "girl")),
    *(("boys", "girls"), ("husband", "wife"), ("father", "mother"), ("dad", "mum"), ("son", "daughter")),
    *(("brother", "sister"), ("uncle", "aunt"), ("nephew", "niece"), ("grandfather", "grandmother"), ("mr", "mrs")),
    *(("sir", "madam"), ("gentleman", "lady"), ("boyfriend", "girlfriend"), ("king", "queen"), ("male", "female")),
    *(("actor", "actress"), ("waiter", "waitress"), ("guy", "gal"), ("groom", "bride"), ("widower", "widow")),
)
LANGUAGES = ("en",)
OTHER = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}


def counterfactual(pairs: Mapping[str, str] | None = None) -> Augmentation:
    """Return the augmentation: one variant of each question that names such a word, with all of them swapped.

    Args:
        pairs: single words and what they become, both ways, in place of those of gender: {Anna: Aylin, Bern: Basel}.
    """
    wrong = [w for pair in (pairs or {}).items() for w in pair if not isinstance(w, str) or not is_word(w)]
    if wrong or pairs == {}:
        shown = wrong[0] if wrong else pairs
        raise UserError(f"the option pairs holds {shown!r}.", do="Write single words: {Anna: Aylin}.")
    own = {a.lower(): b for pair in (pairs or {}).items() for a, b in (pair, pair[::-1])} if pairs else None
    what = "words swapped" if pairs else "words of gender swapped"

    def make(material: Material) -> list[Variant]:
        if own is None:
            check_language("counterfactual", LANGUAGES, material)
        made = []
        for e in material.train:
            new, n = swapped(e.question, own)
            if n:
                answer = swapped(e.targets[0], own)[0] if e.targets and not e.labels else None
                made.append(Variant(e.id, new, f"{n} {what}", answer))
        return made

    return make


def swapped(text: str, pairs: Mapping[str, str] | None = None) -> tuple[str, int]:
    """A text with every word of gender (or of ``pairs``, small letters first) swapped, and how many there were.

    "his" becomes "her", at the end of a clause "hers"; "her" becomes "his" before a word and "him" otherwise.
    """
    split = tokens(text)
    n = 0
    for i, token in enumerate(split):
        low = token.lower()
        if not is_word(token):
            continue
        if pairs is not None:
            new = pairs.get(low)
        else:
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
