"""Whether a passage supports a sentence: by the words that they share, and by what must not differ.

Stated method: the words that carry meaning (stems, without the commonest words) are weighed by their length, and the
support is the share of the sentence's weight that stands in the best window of the passage, a few sentences long. No
support at all is a window that lacks one of its numbers, a passage that lacks one of its names, and one whose most
similar sentence does not deny what the sentence denies. With vectors of meaning, the cosine between the
sentence and the best sentence of the passage is mixed in. :data:`ENOUGH` was fixed on labelled data by
``benchmarks/grounding.py``. It knows English best; it sees neither who did what to whom nor what follows from a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sharpen.nouns import Passage
from sharpen.stemming import stem

ENOUGH = 0.5
"""The support from which on a sentence counts as supported, by words alone."""
ENOUGH_MIXED = 0.6
"""The same where meaning is mixed in."""
WINDOW = 3
"""Sentences of a passage that are looked at together."""
MEANING = 0.5
"""The share of the cosine where there are vectors."""

LEAST = 3
"""Words that a part of a sentence needs to be what a citation is about; else it is the whole sentence."""
CITED = re.compile(r"[ \t]*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
"""Numbers of passages in square brackets."""

Embed = Callable[..., Any]
"""``embed(texts) -> (n, dimensions)`` unit vectors."""

_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9À-Þ])|(?<=[。！？])\s*|\n+")
_ABBREVIATED = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|No|vs|etc|e\.g|i\.e|cf|Fig|Jr|Sr|Inc|Co|approx))\.$")
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|\w+")
_NAME = re.compile(r"(?<![.!?] )(?<![\"'(])\b[A-ZÀ-Þ]\w{2,}")
_NOT = frozenset({"not", "no", "never", "none", "nor", "cannot", "without", "neither", "nothing", "nobody"})
_COMMON_WORDS = (
    "a about after all also an and any are as at be because been before being both but by can could did do does "
    "during each for from had has have he her here him his how i if in into is it its itself just like many may "
    "me might more most much must my of off on one only or other our out over own same she should so some such "
    "than that the their them then there these they this those through to too under up upon us very was we were "
    "what when where which while who whom whose why will with would you your s t"
)
_COMMON = frozenset(_COMMON_WORDS.split())


def sentences(text: str) -> list[str]:
    """The sentences of a text; an abbreviation or an initial ends none."""
    found: list[str] = []
    for part in (p.strip() for p in _END.split(text)):
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] = f"{found[-1]} {part}"
        elif part:
            found.append(part)
    return found


def support(sentence: str, passage: str) -> float:
    """How far a passage says what a sentence says, from 0 to 1, by words."""
    said = carried(sentence)
    if not said.words or not _names(sentence) <= _known(passage):
        return 0.0
    each = _each(passage)
    if said.denies and not max(each, key=lambda s: len(s.words & said.words)).denies:
        return 0.0
    total = sum(map(len, said.words))
    best = 0.0
    for i in range(max(1, len(each) - WINDOW + 1)):
        words = frozenset().union(*(s.words for s in each[i : i + WINDOW]))
        if said.numbers <= words:
            best = max(best, sum(len(w) for w in said.words & words) / total)
    return best


def supported(sentence: str, passages: Sequence[str], embed: Embed | None = None) -> float:
    """The support of a sentence by the best of several passages; with ``embed`` meaning counts, too."""
    by_words = [support(sentence, p) for p in passages]
    if embed is None or not any(by_words):
        return max(by_words, default=0.0)
    best = 0.0
    for words, passage in zip(by_words, passages, strict=True):
        if words:
            vectors = embed([sentence, *sentences(passage)])
            near = max(float(vectors[0] @ v) for v in vectors[1:])
            best = max(best, (1 - MEANING) * words + MEANING * max(near, 0.0))
    return best


def claims(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """What a text says with a citation, and the numbers that it cites: ``Rome is old [2].`` gives ``Rome is old``, 2.

    A citation belongs to the part of its sentence that stands between it and the one before; one that begins a text,
    to the sentence after it.
    """
    found = []
    since = 0
    for m in CITED.finditer(text):
        numbers = tuple(int(n) for n in re.findall(r"\d+", m[1]))
        whole = sentences(CITED.sub("", text[: m.start()]))
        part = sentences(text[since : m.start()].strip(" .,;"))
        said = part[-1] if part and len(part[-1].split()) >= LEAST else whole[-1] if whole else ""
        found.append((said or next(iter(sentences(CITED.sub("", text[m.end() :]))), ""), numbers))
        since = m.end()
    return found


def cited(text: str, passages: Sequence[Passage]) -> str:
    """The text with the numbers of the passages that support its sentences; what none supports stays as it is."""
    if not passages or CITED.search(text):
        return text
    found = []
    for sentence in sentences(text):
        by = [support(sentence, text_of(p)) for p in passages]
        best = max(range(len(by)), key=by.__getitem__)
        end = sentence[len(sentence.rstrip(".!?")) :]
        found.append(f"{sentence.rstrip('.!?')} [{best + 1}]{end}" if by[best] >= ENOUGH else sentence)
    return " ".join(found)


def text_of(passage: Passage) -> str:
    """What a passage says, under its title and section, which often name what it is about."""
    return "\n".join([*(str(passage.meta[k]) for k in ("title", "section") if passage.meta.get(k)), passage.text])


@dataclass(frozen=True)
class Said:
    """The words of a sentence that carry meaning, as stems; its numbers; and whether it denies something."""

    words: frozenset[str]
    numbers: frozenset[str]
    denies: bool


@lru_cache(4096)
def carried(text: str) -> Said:
    """What a sentence carries."""
    words = [w.lower() for w in _WORD.findall(re.sub(r"n ?['’]t\b", " not", text))]
    numbers = frozenset(w.replace(",", "") for w in words if w[0].isdigit())
    kept = frozenset(stem(w) for w in words if w not in _COMMON and w not in _NOT and not w[0].isdigit())
    return Said(kept | numbers, numbers, any(w in _NOT for w in words))


@lru_cache(512)
def _each(passage: str) -> tuple[Said, ...]:
    return tuple(map(carried, sentences(passage) or [""]))


@lru_cache(512)
def _known(passage: str) -> frozenset[str]:
    return frozenset(stem(w.lower()) for w in _WORD.findall(passage))


def _names(sentence: str) -> set[str]:
    """Words with a capital that do not begin the sentence."""
    return {stem(m[0].lower()) for m in _NAME.finditer(sentence) if m.start() and m[0].lower() not in _COMMON}
