"""Hashes of all words of many texts in a few passes over their characters.

Words are those of :func:`sharpen.data.wording.words` (case, width and punctuation ignored; in scripts without spaces
each letter is one), but none is made as a Python object: a batch is one array of code points, a word's hash is a
difference of a running polynomial sum modulo 2**64 (Karp and Rabin 1987), mixed at the end (splitmix64). The hashes
are the same on every machine and in every batch. They are no cryptographic hashes: who wants two texts to collide can
make that happen.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sharpen.data.wording import UNSPACED

Hashes: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.int64]

BLOCK = 1 << 19
"""Characters looked at in one pass; what a pass needs stays near the processor."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
BASE = 0x5851F42D4C957F2D  # odd, so it has an inverse modulo 2**64
ODD = tuple(np.uint64(c) for c in (0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3))


@dataclass(frozen=True)
class Words:
    """Hashes of the words of several texts: those of text i are ``hashes[offsets[i]:offsets[i + 1]]``."""

    hashes: Hashes
    offsets: Places

    @property
    def counts(self) -> Places:
        return np.diff(self.offsets)


def mixed(x: Hashes) -> Hashes:
    """Return each number with its bits mixed (splitmix64, Steele et al. 2014); a bijection."""
    x = x + GOLDEN
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def word_hashes(texts: Sequence[str]) -> Words:
    """Return the hashes of the words of each text, in order."""
    counts = np.zeros(len(texts), dtype=np.int64)
    found: list[Hashes] = []
    for owners, pieces in _blocks(texts):
        hashes, each = _hashed(pieces)
        found.append(hashes)
        np.add.at(counts, owners, each)
    return Words(np.concatenate(found) if found else np.zeros(0, np.uint64), offsets_of(counts))


def offsets_of(counts: Places) -> Places:
    """Return where each of several runs begins, and where the last ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _blocks(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    """Texts, and pieces of long ones, about a block at a time, with the numbers of the texts that they are of."""
    owners: list[int] = []
    pieces: list[str] = []
    size = 0
    for i, text in enumerate(texts):
        for piece in (text,) if len(text) <= BLOCK else _cut(text):
            if size + len(piece) > BLOCK and pieces:
                yield owners, pieces
                owners, pieces, size = [], [], 0
            owners.append(i)
            pieces.append(piece)
            size += len(piece) + 1
    if pieces:
        yield owners, pieces


def _cut(text: str) -> Iterator[str]:
    """Cut a long text at spaces; where there is none for a whole block, anywhere."""
    at = 0
    while at < len(text):
        end = min(at + BLOCK, len(text))
        if end < len(text):
            space = max(text.rfind(" ", at + 1, end), text.rfind("\n", at + 1, end))
            end = space if space > 0 else end
        yield text[at:end]
        at = end


def _hashed(pieces: list[str]) -> tuple[Hashes, Places]:
    """The hashes of the words of one block, and how many each piece has."""
    joined = "\0".join(pieces)
    if joined.count("\0") != len(pieces) - 1:
        joined = "\0".join(p.replace("\0", " ") for p in pieces)
    if joined.isascii():
        codes: NDArray[np.uint8] | NDArray[np.uint32] = np.frombuffer(joined.lower().encode("ascii"), np.uint8)
        kinds, values = _kinds(FEW)[codes], _values()[codes]
    else:
        folded = unicodedata.normalize("NFKC", joined).casefold()
        codes = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), np.uint32)
        kinds, values = _kinds(FEW if int(codes.max()) < FEW else ALL)[codes], _valued(codes)
    begins, ends = _edges(kinds)
    powers, inverse = _powers(len(codes) + 1)
    values *= powers[: len(codes)]
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(values, out=sums[1:])
    hashes = mixed((sums[ends] - sums[begins]) * inverse[begins])
    bounds = np.concatenate([np.flatnonzero(codes == 0), [len(codes)]])
    upto = np.searchsorted(begins, bounds)
    return hashes, np.diff(upto, prepend=0)


def _edges(kinds: NDArray[np.uint8]) -> tuple[Places, Places]:
    """Where words begin and where they end (the first place behind them)."""
    held = np.zeros(len(kinds) + 2, dtype=np.uint8)
    held[1:-1] = kinds
    alone = held == 2
    word = held == 1
    begins = word[1:] & ~word[:-1]
    ends = word[:-1] & ~word[1:]
    if alone.any():
        begins |= alone[1:]
        ends |= alone[:-1]
    return np.flatnonzero(begins), np.flatnonzero(ends)


FEW, ALL = 0x3000, 0x110000
"""Code points of the small table, which most texts need and which is made at once, and of the whole one (.3 s)."""


@cache
def _kinds(upto: int) -> NDArray[np.uint8]:
    """For each code point below ``upto``: 1 stands in words, 2 is a word by itself, 0 is between words."""
    kinds = np.zeros(upto, dtype=np.uint8)
    kinds[ord("_")] = 1
    kinds[[i for i in range(upto) if chr(i).isalnum()]] = 1
    kinds[[i for i in range(0x300, min(upto, 0x10000)) if unicodedata.category(chr(i))[0] == "M"]] = 1
    ranges = UNSPACED.split("-")
    begin = ranges[0]
    for end in ranges[1:]:
        kinds[ord(begin) : ord(end[0]) + 1] = 2  # slices beyond the end are empty
        begin = end[1:]
    return kinds


@cache
def _values() -> Hashes:
    return _valued(np.arange(256, dtype=np.uint32))


def _valued(codes: NDArray[np.uint32]) -> Hashes:
    """What stands for each code point in a sum."""
    return (codes.astype(np.uint64) + ODD[0]) * ODD[1]


_POWERS: list[Hashes] = []


def _powers(size: int) -> tuple[Hashes, Hashes]:
    """Powers of the base and of its inverse, at least so many; NFKC can make a block longer, up to 18 times."""
    if not _POWERS or len(_POWERS[0]) < size:
        length = max(size, BLOCK * 2)
        _POWERS[:] = [_row(BASE, length), _row(pow(BASE, -1, 1 << 64), length)]
    return _POWERS[0], _POWERS[1]


def _row(base: int, size: int) -> Hashes:
    row = np.full(size, np.uint64(base), dtype=np.uint64)
    row[0] = 1
    made: Hashes = np.multiply.accumulate(row)
    return made


def shingles(words: Words, n: int) -> Words:
    """Return the hashes of the word n-grams of each text; a shorter text that has words is its own only n-gram."""
    counts = words.counts
    size = len(words.hashes)
    long = counts >= n
    many = np.where(long, counts - n + 1, counts > 0)
    offsets = offsets_of(many)
    if size < n or not long.any():
        whole, _ = whole_hashes(words)
        return Words(whole[counts > 0], offsets)
    grams = words.hashes[: size - n + 1] * ODD[0]
    for k in range(1, n):
        grams += words.hashes[k : size - n + 1 + k] * _odd(k)
    lasts = np.repeat(words.offsets[1:], counts)[: size - n + 1]
    inside = np.arange(n, size + 1) <= lasts
    grams = mixed(grams[inside])
    short = (counts > 0) & ~long
    if not short.any():
        return Words(grams, offsets)
    out = np.empty(int(offsets[-1]), dtype=np.uint64)
    own = np.zeros(len(out), dtype=bool)
    own[offsets[:-1][short]] = True
    out[own] = whole_hashes(words)[0][short]
    out[~own] = grams
    return Words(out, offsets)


@cache
def _odd(k: int) -> np.uint64:
    """An odd factor of its own for the k-th word of an n-gram."""
    drawn = hashlib.blake2b(b"sharpen %d" % k, digest_size=8).digest()
    return ODD[k] if k < len(ODD) else np.uint64(int.from_bytes(drawn, "little") | 1)


def whole_hashes(words: Words) -> tuple[Hashes, Hashes]:
    """Return two hashes of each text as the sequence of its words; 0 for a text without words."""
    within = np.arange(len(words.hashes), dtype=np.int64) - np.repeat(words.offsets[:-1], words.counts)
    at = within.astype(np.uint64) * GOLDEN
    first = _summed(mixed(words.hashes + at), words.offsets)
    second = _summed(mixed(words.hashes * ODD[2] ^ at), words.offsets)
    return first, second


def _summed(values: Hashes, offsets: Places) -> Hashes:
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values, out=sums[1:])
    made: Hashes = sums[offsets[1:]] - sums[offsets[:-1]]
    return made
