"""Texts to learn from that hold what is to be judged on, found by long word n-grams that both have.

A run of 13 words in common is the usual mark (Brown et al. 2020, "Language models are few-shot learners", appendix C);
a text to judge on of 8 to 12 words is searched for as a whole run of 8. Shorter ones are too common to be searched for
this way and are counted: :func:`sharpen.data.near_duplicates` compares them as whole texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from sharpen.data.alike.hashing import Hashes, Places, Words, offsets_of, shingles, word_hashes
from sharpen.data.wording import words

LONG, SHORT = 13, 8


@dataclass(frozen=True)
class Overlap:
    """A text to learn from (``row``) that shares word n-grams with text ``other`` of the set ``name``.

    ``shared`` is the share of the other's n-grams that stand in the row, and ``excerpt`` the first of them.
    """

    row: int
    name: str
    other: int
    shared: float
    excerpt: str


@dataclass(frozen=True)
class _Known:
    """The n-grams of one length of all texts to judge on, in order, and whose each is."""

    n: int
    hashes: Hashes
    owners: Places
    sizes: Places


class Contamination:
    """The n-grams of the texts to judge on; ``too_short`` of them have fewer than 8 words.

    ``common``: n-grams that stand in more than so many of them are a form and not counted; 0: all are.
    """

    def __init__(self, judged: Mapping[str, Sequence[str]], common: int = 0) -> None:
        self.places = [(name, i) for name, texts in judged.items() for i in range(len(texts))]
        hashed = word_hashes([t for texts in judged.values() for t in texts])
        counts = hashed.counts
        self.too_short = int(np.sum(counts < SHORT))
        self.known = [
            _known(hashed, counts >= LONG, LONG, common),
            _known(hashed, (counts >= SHORT) & (counts < LONG), SHORT, common),
        ]

    def search(self, texts: Sequence[str], first: int = 0) -> list[Overlap]:
        """Return the overlaps of a batch in order; ``texts[0]`` is row ``first``. One per row and text judged on."""
        hashed = word_hashes(texts)
        found: list[Overlap] = []
        for known in self.known:
            if len(known.hashes):
                found += self._hits(known, hashed, texts, first)
        return sorted(found, key=lambda o: (o.row, o.name, o.other))

    def _hits(self, known: _Known, hashed: Words, texts: Sequence[str], first: int) -> Iterator[Overlap]:
        grams = shingles(hashed, known.n)
        rows = np.repeat(np.arange(len(texts)), grams.counts)
        low = np.searchsorted(known.hashes, grams.hashes, side="left")
        many = np.searchsorted(known.hashes, grams.hashes, side="right") - low
        # A text shorter than the n-gram is its own shingle, which is no n-gram.
        many[hashed.counts[rows] < known.n] = 0
        hit = np.flatnonzero(many)
        if not len(hit):
            return
        within = np.arange(many[hit].sum()) - np.repeat(offsets_of(many[hit])[:-1], many[hit])
        entries = np.repeat(low[hit], many[hit]) + within
        at = np.repeat(hit, many[hit])
        codes = rows[at] * len(self.places) + known.owners[entries]
        order = np.lexsort((entries, codes))
        pairs, begins = np.unique(codes[order], return_index=True)
        for pair, run in zip(pairs.tolist(), np.split(order, begins[1:]), strict=True):
            row, other = divmod(pair, len(self.places))
            place = int(at[run].min() - grams.offsets[row])
            excerpt = " ".join(words(texts[row])[place : place + known.n])
            share = len(np.unique(known.hashes[entries[run]])) / int(known.sizes[other])
            name, number = self.places[other]
            yield Overlap(first + row, name, number, round(share, 4), excerpt)


def _known(hashed: Words, wanted: np.ndarray, n: int, common: int) -> _Known:
    counts = hashed.counts
    kept = np.repeat(wanted, counts)
    grams = shingles(Words(hashed.hashes[kept], offsets_of(np.where(wanted, counts, 0))), n)
    owners = np.repeat(np.arange(len(counts)), grams.counts)
    pairs = np.unique(np.stack([grams.hashes, owners.astype(np.uint64)]), axis=1)
    if common and pairs.shape[1]:
        _, which, often = np.unique(pairs[0], return_inverse=True, return_counts=True)
        pairs = pairs[:, often[which] <= common]
    own = pairs[1].astype(np.int64)
    return _Known(n, pairs[0].copy(), own, np.bincount(own, minlength=len(counts)))


def contaminated(texts: Iterable[str], judged: Mapping[str, Sequence[str]] | Sequence[str]) -> list[Overlap]:
    """Return which texts hold 13 words in a row (8, for a text of 8 to 12 words) of a text to judge on.

    Args:
        texts: what is to be learned from, read once.
        judged: texts of dev, test or benchmarks, by the name of their set; a plain list is called "judged".
    """
    search = Contamination(judged if isinstance(judged, Mapping) else {"judged": judged})
    found: list[Overlap] = []
    rest, first = iter(texts), 0
    while batch := list(islice(rest, 4096)):
        found += search.search(batch, first)
        first += len(batch)
    return found
