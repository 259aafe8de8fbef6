"""Questions that are the same but for small things, found exactly.

Two texts are near-duplicates when their sets of word 3-grams (case, punctuation and width of characters ignored) have
a Jaccard similarity of at least the threshold; texts of fewer than three words are one shingle. Pairs are found by
prefix and position filtering (Xiao et al. 2008, "Efficient similarity joins for near duplicate detection"), so the
result is that of comparing everything with everything. It does not see paraphrases.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sharpen.data.wording import words
from sharpen.types import Example

SHORT = 25
"""Words up to which a question counts as generic enough to be asked of two documents with two answers."""

Pair = tuple[int, int, float]


def shingles(tokens: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """Return the word 3-grams; a text of one or two words is its own only shingle."""
    if len(tokens) < 3:
        return frozenset([tokens]) if tokens else frozenset()
    return frozenset(zip(tokens, tokens[1:], tokens[2:], strict=False))


def near_duplicates(texts_a: Sequence[str], texts_b: Sequence[str], threshold: float = 0.8) -> list[Pair]:
    """Return ``(i, j, similarity)`` for every ``texts_a[i]`` that is a near-duplicate of ``texts_b[j]``.

    Sorted by position. Texts without any word match only texts that are equal to them.
    """
    return sorted((i, j, s) for rows, others, s in all_alike(texts_a, texts_b, threshold) for i in rows for j in others)


def all_alike(
    texts_a: Sequence[str], texts_b: Sequence[str], threshold: float
) -> Iterator[tuple[list[int], list[int], float]]:
    """Positions in ``texts_a`` and in ``texts_b`` whose texts are near-duplicates: all of the one of all of the other.

    Where many rows ask the same ("Is there a notice period?", of each contract) their pairs would fill the memory.
    """
    groups_a, groups_b = _groups(texts_a), _groups(texts_b)
    sets_a = {key: shingles(key) for key in groups_a if isinstance(key, tuple)}
    index = _Index({key: shingles(key) for key in groups_b if isinstance(key, tuple)}, sets_a.values(), threshold)
    for key, rows in groups_a.items():
        alike = index.search(sets_a[key]) if isinstance(key, tuple) else [(key, 1.0)] if key in groups_b else []
        for other, s in alike:
            yield rows, groups_b[other], s


def _groups(texts: Sequence[str]) -> dict[tuple[str, ...] | str, list[int]]:
    """Positions of texts that are compared as one: by their words, or by themselves where they have none."""
    groups: dict[tuple[str, ...] | str, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        groups[words(text) or text.strip()].append(i)
    return groups


class _Index:
    """An inverted index over the prefixes of shingle sets, rarest shingle first."""

    def __init__(
        self,
        sets: Mapping[tuple[str, ...], frozenset[tuple[str, ...]]],
        others: Iterable[frozenset[tuple[str, ...]]],
        threshold: float,
    ) -> None:
        self.threshold = threshold
        self.keys = list(sets)
        self.sets = [sets[k] for k in self.keys]
        self.sizes = np.asarray([len(s) for s in self.sets], dtype=np.int64)
        counts = Counter(x for s in (*self.sets, *others) for x in s)
        self.rank = {x: r for r, (x, _) in enumerate(sorted(counts.items(), key=lambda c: (c[1], c[0])))}
        postings: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for n, members in enumerate(self.sets):
            for position, rank in enumerate(self._prefix(members)):
                postings[rank].append((n, position))
        self.postings = {rank: np.asarray(entries, dtype=np.int64) for rank, entries in postings.items()}

    def _prefix(self, members: frozenset[tuple[str, ...]]) -> list[int]:
        """The rarest shingles, so many that a set which shares none of them cannot reach the threshold."""
        length = len(members) - math.ceil(self.threshold * len(members) - 1e-9) + 1
        return sorted(self.rank[x] for x in members)[:length]

    def search(self, members: frozenset[tuple[str, ...]]) -> list[tuple[tuple[str, ...], float]]:
        """Return the keys of sets that reach the threshold, with their similarity."""
        size = len(members)
        hits = [(at, self.postings[rank]) for at, rank in enumerate(self._prefix(members)) if rank in self.postings]
        if not hits:
            return []
        entries = np.concatenate([found for _, found in hits])
        positions = np.repeat([at for at, _ in hits], [len(found) for _, found in hits])
        sizes = self.sizes[entries[:, 0]]
        # Before its first common shingle two sets share nothing, so what is left bounds what they can share.
        most = np.minimum(size - positions, sizes - entries[:, 1])
        candidates = entries[most >= self.threshold / (1 + self.threshold) * (size + sizes) - 1e-9, 0]
        found = []
        for n in np.unique(candidates).tolist():
            common = len(members & self.sets[n])
            similarity = common / (size + len(self.sets[n]) - common)
            if similarity >= self.threshold - 1e-9:
                found.append((self.keys[n], similarity))
        return found


@dataclass(frozen=True)
class Leak:
    """A row (position ``row``) that must go because of another (``other``); ``similarity`` 1.0 means the same words."""

    row: int
    other: int
    similarity: float


def leaks(
    learned: Sequence[Example], judged: Sequence[Example], threshold: float = 0.8
) -> tuple[list[Leak], list[Leak]]:
    """Return the rows of ``learned`` that give away rows of ``judged``, and pairs that only look so.

    Near-duplicate questions are a leak, with one exception: short ones (at most 25 words) that are asked of different
    sources and have no answer in common ("What is the fee?"). What one teaches is wrong for the other; such pairs are
    reported and kept.
    """
    gone: dict[int, Leak] = {}
    alike: dict[int, Leak] = {}
    for rows, others, s in all_alike([asked(e) for e in learned], [asked(e) for e in judged], threshold):
        rows = [i for i in rows if i not in gone or gone[i].similarity <= s]  # the others are known better
        given_away = _given_away(learned, judged, rows, others) if rows else iter(())
        for i in rows:
            j = next(given_away)
            held, other = (gone, j) if j is not None else (alike, others[0])
            if i not in held or (-s, other) < (-held[i].similarity, held[i].other):
                held[i] = Leak(i, other, s)
    return list(gone.values()), [leak for i, leak in alike.items() if i not in gone]


def asked(example: Example) -> str:
    """What is compared: the whole conversation without its system message."""
    return "\n".join(m.content for m in example.messages if m.role != "system")


@lru_cache(maxsize=100_000)  # a text is compared with many others
def _short(text: str) -> bool:
    return len(words(text)) <= SHORT


def _given_away(
    learned: Sequence[Example], judged: Sequence[Example], rows: Sequence[int], others: Sequence[int]
) -> Iterator[int | None]:
    """For each of ``rows`` the first of ``others`` that it gives away; None where all are of another matter.

    All of ``rows`` ask the same and all of ``others``, too, so each of the two is looked at once, not each pair.
    """
    short = all(_short(asked(e)) for e in (learned[rows[0]], judged[others[0]]))
    first: dict[object, int] = {}  # by what a row would have to share with it
    for j in others:
        b = judged[j]
        anyone = [None] if not b.source or b.labels or not short else []
        for mark in (*anyone, ("source", b.source), *(("target", words(t)) for t in b.targets)):
            first.setdefault(mark, j)
    for i in rows:
        a = learned[i]
        if not a.source or a.labels:
            yield others[0]
            continue
        shared = (None, ("source", a.source), *(("target", words(t)) for t in a.targets))
        yield min((first[s] for s in shared if s in first), default=None)
