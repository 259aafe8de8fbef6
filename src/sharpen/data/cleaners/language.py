"""Which language a text is in, and texts of other languages than those wanted dropped.

By script first (Greek, Cyrillic, Arabic, Hebrew, Devanagari, Thai, Korean, Japanese, Chinese), then, among English,
German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Danish, Turkish and Finnish, by their commonest
words and by the runs of three letters in those (Cavnar and Trenkle 1994). Texts of fewer than ``sure`` words, and those
in which no language stands out, are ``unknown`` and kept.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from sharpen.data.cleaners._stops import WORDS, stop_words
from sharpen.data.cleaning import Outcome, TextCleaner

UNKNOWN = "unknown"
LONGEST = 4_000  # characters that are looked at

_SCRIPTS = (
    ("el", "\u0370-\u03ff\u1f00-\u1fff"),
    ("ru", "\u0400-\u04ff"),
    ("he", "\u0590-\u05ff"),
    ("ar", "\u0600-\u06ff"),
    ("hi", "\u0900-\u097f"),
    ("th", "\u0e00-\u0e7f"),
    ("ko", "\uac00-\ud7af\u1100-\u11ff"),
    ("ja", "\u3040-\u30ff"),
    ("zh", "\u3400-\u4dbf\u4e00-\u9fff"),
)
_FOUND = [(code, re.compile(f"[{ranges}]")) for code, ranges in _SCRIPTS]
_LATIN = re.compile("[a-z\u00c0-\u024f\u1e00-\u1eff]", re.I)
_WORD = re.compile(r"[^\W\d_]+")


def language(keep: Sequence[str] = (), sure: int = 4) -> TextCleaner:
    """Return the cleaner.

    Args:
        keep: codes of ISO 639-1 that are kept (``en``); none: all are, and each text's language is said.
        sure: words that a text must have to be told.
    """
    wanted = frozenset(keep)

    def one(text: str) -> Outcome:
        code, share = identify(text, sure)
        if wanted and code not in wanted and code != UNKNOWN:
            return Outcome(
                None, ("other_language",), f"it is {code}, and {', '.join(sorted(wanted))} is kept", share, code
            )
        return Outcome(text, (), "", share, code)

    return TextCleaner(("other_language",), lambda texts: [one(t) for t in texts])


def identify(text: str, sure: int = 4) -> tuple[str, float]:
    """Return the language's code and how sure that is (0 to 1), or "unknown" and 0.0."""
    text = text[:LONGEST]
    letters = len(_LATIN.findall(text))
    scripts = {} if text.isascii() else {code: len(found.findall(text)) for code, found in _FOUND}
    if scripts.get("ja", 0) > 0.1 * (scripts.get("zh", 0) + 1):  # Japanese mixes its letters with Chinese ones
        scripts["ja"] += scripts.pop("zh", 0)
    best = max(scripts, key=lambda code: scripts[code], default="")
    if best and scripts[best] > letters:
        many = sum(scripts.values()) + letters
        return (best, round(scripts[best] / many, 3)) if scripts[best] >= sure else (UNKNOWN, 0.0)
    tokens = _WORD.findall(text.lower())
    if len(tokens) < sure:
        return UNKNOWN, 0.0
    return _of_words(tokens)


def _of_words(tokens: Sequence[str]) -> tuple[str, float]:
    """Sum what words and their three-letter runs say for each language, and compare the first two."""
    known, grams = _profiles()
    scores = dict.fromkeys(WORDS, 0.0)
    for word, n in Counter(tokens).items():
        for code, weight in known.get(word, ()):
            scores[code] += 4 * weight * n
        padded = f"_{word[:20]}_"
        for k in range(len(padded) - 2):
            for code, weight in grams.get(padded[k : k + 3], ()):
                scores[code] += weight * n
    first, second, *_ = sorted(scores, key=lambda c: -scores[c])
    if scores[first] < 0.6 * len(tokens) or scores[first] < 1.05 * scores[second]:
        return UNKNOWN, 0.0
    return first, round(scores[first] / (scores[first] + scores[second]), 3)


Weights = dict[str, tuple[tuple[str, float], ...]]


@cache
def _profiles() -> tuple[Weights, Weights]:
    """For each word, and each three letters of words, the languages that have it, the more the fewer they are."""
    words: dict[str, Counter[str]] = {}
    grams: dict[str, Counter[str]] = {}
    for code in WORDS:
        for word in stop_words(code):
            words.setdefault(word, Counter())[code] = 1
            padded = f"_{word}_"
            for k in range(len(padded) - 2):
                grams.setdefault(padded[k : k + 3], Counter())[code] += 1
    rare = math.log(len(WORDS) + 1)
    return (
        {w: tuple((c, math.log((len(WORDS) + 1) / len(of)) / rare) for c in of) for w, of in words.items()},
        {g: tuple((c, n / of.total() * 0.5) for c, n in of.items()) for g, of in grams.items()},
    )
