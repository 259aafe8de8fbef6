"""Names, common words and places, as one compressed file that ships with the package.

Where the list comes from (``benchmarks/names_list.py`` writes it again):

- given and family names: the person providers of the PyPI package Faker 40.54.0, Copyright (c) 2012 Daniele Faraglia,
  MIT licence; and of the package names 0.3.0 by Trey Hunner, MIT licence, whose lists are the US census of 1990's,
  which are in the public domain;
- common English words: the frequency dictionary of the package symspellpy 6.10.1, MIT licence, made of Google Books
  Ngram (CC BY 3.0) and SCOWL (free to copy);
- countries and towns: Faker's address providers.

Not covered: names in other scripts than Latin, and towns that Faker does not know.
"""

from __future__ import annotations

import lzma
import unicodedata
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "names.txt.xz"

GIVEN, FAMILY, WORD, PLACE = 1, 2, 4, 8
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"})


def fold(text: str) -> str:
    """Lower case without accents: ``Þórður`` as ``thordur``."""
    text = text.lower()
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.translate(LETTERS))
    return "".join(c for c in parts if not unicodedata.combining(c))


@cache
def lexicon() -> dict[str, int]:
    """What each folded word is known as: a sum of GIVEN, FAMILY, WORD and PLACE. Read once, about 60 ms."""
    known: dict[str, int] = {}
    for n, line in enumerate(lzma.decompress(FILE.read_bytes()).decode("ascii").split("\n")):
        for word in line.split(" "):
            known[word] = known.get(word, 0) | 1 << n
    return known


@cache
def choices(kind: int) -> tuple[str, ...]:
    """Names of one kind that are nothing else, sorted: what pseudonyms are drawn from."""
    return tuple(sorted(w for w, k in lexicon().items() if k == kind and 4 <= len(w) <= 9))
