"""Runs of words that stand somewhere before, across document boundaries or within one: at least ``length`` long.

Exact for what it says: a word is marked when it lies in a run of ``length`` words (case and punctuation ignored) that
begins earlier in the same order of texts as well. Fingerprints of runs of half that length, thinned by winnowing
(Schleimer et al. 2003), find where to look: two equal runs always have an equal fingerprint at the same place in them,
so only the neighbourhoods of repeated fingerprints are compared in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpen.data.alike.hashing import Hashes, Places, Words, offsets_of, shingles, word_hashes
from sharpen.data.wording import word_places, words
from sharpen.errors import UserError

STEP = 1 << 20
"""Words looked at at a time."""


@dataclass(frozen=True)
class Span:
    """Words ``start`` to ``end`` (not with it) of text ``row``, counted as :func:`sharpen.data.words` finds them."""

    row: int
    start: int
    end: int


class RepeatedSpans:
    """Takes texts batch by batch; 8 bytes a word and about 16 more for every 13th go to the folder."""

    def __init__(self, folder: Path, length: int = 50) -> None:
        if length < 4:
            raise UserError(f"a repeated run of {length} words says nothing.", do="Ask for 4 words or more.")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.length = length
        self.half = length // 2
        self.size = 0
        self.counts: list[Places] = []
        for name in ("words", "marks", "places"):
            (folder / name).write_bytes(b"")

    def add(self, texts: Sequence[str]) -> None:
        """Take in a batch."""
        hashed = word_hashes(texts)
        marks, places = _winnowed(hashed, self.half, self.length - self.half + 1)
        for name, values in (("words", hashed.hashes), ("marks", marks), ("places", places + self.size)):
            with (self.folder / name).open("ab") as f:
                f.write(values.tobytes())
        self.counts.append(hashed.counts)
        self.size += len(hashed.hashes)

    def find(self) -> list[Span]:
        """Return the repeated spans of all texts so far, in order, each as long as it goes."""
        if self.size < self.length:
            return []
        offsets = offsets_of(np.concatenate(self.counts))
        windows = self._windows(offsets)
        hashes = self._hashes(windows)
        order = np.argsort(hashes, kind="stable")  # windows are in order, so the first of equals begins earliest
        again = np.zeros(len(order), dtype=bool)
        again[1:] = hashes[order][1:] == hashes[order][:-1]
        return _merged(np.sort(windows[order[again]]), self.length, offsets)

    def _windows(self, offsets: Places) -> Places:
        """Where runs begin that hold a repeated fingerprint and end within their text, in order."""
        marks = np.fromfile(self.folder / "marks", dtype=np.uint64)
        places = np.fromfile(self.folder / "places", dtype=np.int64)
        order = np.argsort(marks, kind="stable")
        same = marks[order][1:] == marks[order][:-1]
        hit = np.zeros(len(marks), dtype=bool)
        hit[order[1:][same]] = True
        hit[order[:-1][same]] = True
        places = places[hit]
        steps = np.zeros(self.size + 1, dtype=np.int32)
        np.add.at(steps, np.maximum(places - (self.length - self.half), 0), 1)
        np.add.at(steps, places + 1, -1)
        begins = np.flatnonzero(np.cumsum(steps, out=steps)[:-1] > 0)
        ends = offsets[np.searchsorted(offsets, begins, side="right")]
        made: Places = begins[begins + self.length <= ends]
        return made

    def _hashes(self, windows: Places) -> Hashes:
        """The hash of the run that begins at each place."""
        out = np.zeros(len(windows), dtype=np.uint64)
        for at in range(0, self.size, STEP):
            low, high = np.searchsorted(windows, [at, at + STEP])
            if low == high:
                continue
            some = windows[low:high]
            size = int(some[-1]) + self.length - at
            part = np.fromfile(self.folder / "words", dtype=np.uint64, count=size, offset=8 * at)
            grams = shingles(Words(part, np.asarray([0, size], np.int64)), self.length)
            out[low:high] = grams.hashes[some - at]
        return out


def _winnowed(hashed: Words, n: int, window: int) -> tuple[Hashes, Places]:
    """The least n-gram of every ``window`` in a row within a text (the last of equals), and where it begins."""
    grams = shingles(hashed, n)
    place = np.arange(len(hashed.hashes))
    last = np.repeat(hashed.offsets[1:], hashed.counts)
    place = place[place + n <= last]
    full = hashed.counts >= n
    grams_full = grams.hashes[np.repeat(full, grams.counts)]
    if len(grams_full) < window:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    whole = place[window - 1 :] - place[: len(place) - window + 1] == window - 1
    best = _least(grams_full, window)[whole]
    chosen = np.unique(best)
    return grams_full[chosen], place[chosen]


def _least(values: Hashes, window: int) -> Places:
    """Where the least of each ``window`` values stands, in log2(window) passes."""
    at = np.arange(len(values))
    reach = 1
    while reach < window:
        step = min(reach, window - reach)
        left, right = at[: len(at) - step], at[step:]
        at = np.where(values[right] <= values[left], right, left)
        reach += step
    return at


def _merged(begins: Places, length: int, offsets: Places) -> list[Span]:
    """Runs that touch, as one."""
    if not len(begins):
        return []
    rows = np.searchsorted(offsets, begins, side="right") - 1
    fresh = np.ones(len(begins), dtype=bool)
    fresh[1:] = (begins[1:] > begins[:-1] + length) | (rows[1:] != rows[:-1])
    firsts = np.flatnonzero(fresh)
    lasts = np.concatenate([firsts[1:], [len(begins)]]) - 1
    starts, ends, of = begins[firsts], begins[lasts] + length, rows[firsts]
    return [Span(int(r), int(s - offsets[r]), int(e - offsets[r])) for r, s, e in zip(of, starts, ends, strict=True)]


def repeated_spans(texts: Iterable[str], folder: Path, length: int = 50) -> list[Span]:
    """Return runs of at least ``length`` words that stood in these texts before; ``folder`` is for what is kept."""
    search = RepeatedSpans(folder, length)
    rest = iter(texts)
    while batch := list(islice(rest, 4096)):
        search.add(batch)
    return search.find()


def without_spans(text: str, spans: Sequence[Span]) -> str:
    """Return a text without the words of some spans of it, and what stands between those."""
    places = word_places(text) if spans else None
    if not places:
        return text
    for span in sorted(spans, key=lambda s: s.start, reverse=True):
        start, end = places[span.start][0], places[span.end - 1][1]
        text = (text[:start].rstrip() + " " + text[end:].lstrip(" .,;:!?")).strip()
    return text


def covered(spans: Sequence[Span], texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the share of the words of each text that stand in repeated spans."""
    gone = np.zeros(len(texts))
    for span in spans:
        gone[span.row] += span.end - span.start
    made: NDArray[np.float64] = gone / np.maximum([len(words(t)) for t in texts], 1)
    return made
