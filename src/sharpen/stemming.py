"""Porter's stemmer with the extensions that rouge-score uses (Porter 1980; Martin Porter's later changes and NLTK's).

Written out here so that ROUGE and searches need no package; it gives the stems of ``nltk.stem.porter.PorterStemmer()``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

_VOWELS = frozenset("aeiou")
_IRREGULAR = {
    "sky": "sky",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}
Rule = tuple[str, str, Callable[[str], bool] | None]


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of a lower-case word."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    for step in (_plurals, _past, _y, _double_suffixes, _step3, _step4, _final_e, _double_l):
        word = step(word)
    return word


def _consonant(word: str, i: int) -> bool:
    if word[i] in _VOWELS:
        return False
    return word[i] != "y" or i == 0 or not _consonant(word, i - 1)


def _measure(word: str) -> int:
    """How many vowel-consonant sequences the word has."""
    kinds = [_consonant(word, i) for i in range(len(word))]
    return sum(not a and b for a, b in itertools.pairwise(kinds))


def _positive(word: str) -> bool:
    return _measure(word) > 0


def _above_one(word: str) -> bool:
    return _measure(word) > 1


def _has_vowel(word: str) -> bool:
    return any(not _consonant(word, i) for i in range(len(word)))


def _doubled(word: str) -> bool:
    return len(word) >= 2 and word[-1] == word[-2] and _consonant(word, len(word) - 1)


def _cvc(word: str) -> bool:
    if len(word) >= 3:
        shape = [_consonant(word, len(word) - n) for n in (3, 2, 1)]
        return shape == [True, False, True] and word[-1] not in "wxy"
    return len(word) == 2 and not _consonant(word, 0) and _consonant(word, 1)


def _apply(word: str, rules: tuple[Rule, ...]) -> str:
    """Apply the first rule whose suffix fits; where its condition fails the word stays."""
    for suffix, new, condition in rules:
        if word.endswith(suffix):
            base = word[: len(word) - len(suffix)]
            return base + new if condition is None or condition(base) else word
    return word


def _plurals(word: str) -> str:
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]
    return _apply(word, (("sses", "ss", None), ("ies", "i", None), ("ss", "ss", None), ("s", "", None)))


def _past(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _positive(word[:-3]) else word
    base = next((word[: -len(s)] for s in ("ed", "ing") if word.endswith(s) and _has_vowel(word[: -len(s)])), None)
    if base is None:
        return word
    for suffix, new in (("at", "ate"), ("bl", "ble"), ("iz", "ize")):
        if base.endswith(suffix):
            return base[: -len(suffix)] + new
    if _doubled(base):
        return base if base[-1] in "lsz" else base[:-1]
    return base + "e" if _measure(base) == 1 and _cvc(base) else base


def _y(word: str) -> str:
    if word.endswith("y") and len(word) > 2 and _consonant(word, len(word) - 2):
        return word[:-1] + "i"
    return word


def _rules(pairs: str, condition: Callable[[str], bool]) -> tuple[Rule, ...]:
    """Read ``suffix:new`` pairs."""
    return tuple((suffix, new, condition) for suffix, _, new in (pair.partition(":") for pair in pairs.split()))


_DOUBLE = (
    *_rules("ational:ate tional:tion enci:ence anci:ance izer:ize bli:ble alli:al entli:ent eli:e", _positive),
    *_rules("ousli:ous ization:ize ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous", _positive),
    *_rules("aliti:al iviti:ive biliti:ble fulli:ful", _positive),
    ("logi", "log", lambda base: _positive(base + "l")),
)
_THIRD = _rules("icate:ic ative alize:al iciti:ic ical:ic ful ness", _positive)
_FOURTH = (
    *_rules("al ance ence er ic able ible ant ement ment ent", _above_one),
    ("ion", "", lambda base: _above_one(base) and base[-1] in "st"),
    *_rules("ou ism ate iti ous ive ize", _above_one),
)


def _double_suffixes(word: str) -> str:
    if word.endswith("alli") and _positive(word[:-4]):
        return _double_suffixes(word[:-2])
    return _apply(word, _DOUBLE)


def _step3(word: str) -> str:
    return _apply(word, _THIRD)


def _step4(word: str) -> str:
    return _apply(word, _FOURTH)


def _final_e(word: str) -> str:
    if word.endswith("e"):
        base = word[:-1]
        if _measure(base) > 1 or (_measure(base) == 1 and not _cvc(base)):
            return base
    return word


def _double_l(word: str) -> str:
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
