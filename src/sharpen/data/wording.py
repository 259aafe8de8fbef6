"""Words, as texts are compared and searched by them."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters of scripts without spaces between words (Thai, Lao, Burmese, Khmer, Japanese, Chinese)."""


def stop_words(language: str) -> frozenset[str]:
    """The commonest words of a language by its two letters, of all that are known by "any"; empty where none is."""
    from sharpen.data.cleaners._stops import stop_words as known

    return known(language)


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text without case, width and punctuation; in scripts without spaces its letters."""
    return tuple(_word().findall(unicodedata.normalize("NFKC", text).casefold()))


def word_places(text: str) -> list[tuple[int, int]] | None:
    """Where each of ``words(text)`` begins and ends; None where a character stands for several words (``№1``)."""
    places = [m.span() for m in _word().finditer(text)]
    return places if len(places) == len(words(text)) else None


@cache
def _word() -> re.Pattern[str]:
    """Vowel signs and other marks belong to their word, which ``\\w`` does not know (UAX 29)."""
    marks = "".join(c for c in map(chr, range(0x300, 0x10000)) if unicodedata.category(c)[0] == "M")
    return re.compile(rf"[{UNSPACED}]|(?:[^\W{UNSPACED}]|[{re.escape(marks)}])+")
