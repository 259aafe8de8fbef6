"""Sentences and lines that stand in many documents: taken out of all but the first of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpen.data.alike.duplicates import Duplicates, Rule
from sharpen.data.alike.hashing import offsets_of

SHORTEST = 4
"""Words that a sentence must have to be taken out; "Thank you." may stand anywhere."""


@cache
def _sentence() -> re.Pattern[str]:
    """Up to white space behind ``.``, ``!`` or ``?``, up to a full stop of Chinese or Japanese, or to a line's end."""
    return re.compile(r"(?:[^.!?\n。！？]++|[.!?]++(?!\s))*+(?:[.!?]*+\s++|[。！？]++\s*+|\Z)")


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text with the white space behind them; joined they are the text."""
    return [s for s in _sentence().findall(text) if s]


@dataclass(frozen=True)
class Repeated:
    """Which sentences are taken out, in the order in which they came; ``offsets`` are those of the documents.

    ``sentences`` were found in all; ``exact`` and ``near`` of them go.
    """

    gone: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    exact: int
    near: int

    def strip(self, texts: Sequence[str], first: int = 0) -> list[str]:
        """Return texts without what is taken out; ``texts[0]`` was the ``first``-th that was added."""
        out = []
        for i, text in enumerate(texts, first):
            gone = self.gone[self.offsets[i] : self.offsets[i + 1]]
            if gone.any():
                kept = [s for s, out_of in zip(sentences(text), gone, strict=True) if not out_of]
                text = "".join(kept).rstrip() if kept else ""
            out.append(text)
        return out


class RepeatedSentences:
    """Takes documents batch by batch, and finds sentences that stand in at least ``documents`` of them.

    Near-duplicates of a sentence count as the sentence (``threshold`` 1.0: only the same words). Sentences of fewer
    than 4 words are never taken out. What is remembered lies in the folder, which can be taken up again.
    """

    def __init__(self, folder: Path, documents: int = 10, threshold: float = 0.8, permutations: int = 64) -> None:
        self.documents = documents
        self.counts = folder / "sentences"
        self.search = Duplicates(folder / "search", Rule(threshold, 3, permutations, SHORTEST))
        self.counts.touch()
        held = np.fromfile(self.counts, dtype=np.uint32).astype(np.int64)
        whole = int(np.searchsorted(np.cumsum(held), self.search.rows, side="right"))
        self.counts.write_bytes(held[:whole].astype(np.uint32).tobytes())
        self.rows = whole

    def add(self, texts: Sequence[str]) -> None:
        """Take in a batch of documents."""
        split = [sentences(t) for t in texts]
        counts = np.asarray([len(s) for s in split], dtype=np.uint32)
        with self.counts.open("ab") as f:  # before the search says that it has them; what is too much is cut off
            f.write(counts.tobytes())
        self.search.add([s for each in split for s in each])
        self.rows += len(texts)

    def find(self) -> Repeated:
        """Return what is repeated among all documents so far."""
        counts = np.fromfile(self.counts, dtype=np.uint32).astype(np.int64)
        found = self.search.find()
        twins, how = found.twin, found.how
        del found
        owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        # A cluster's first document comes first, so its members elsewhere are those with another owner.
        elsewhere = owner != owner[twins]
        pairs = np.unique(twins[elsewhere] * len(counts) + owner[elsewhere])
        several = np.bincount(pairs // max(len(counts), 1), minlength=len(twins)) + 1 >= self.documents
        gone = elsewhere & several[twins]
        words = self._long()
        gone &= words
        return Repeated(gone, offsets_of(counts), int(np.sum(gone & (how == 1))), int(np.sum(gone & (how == 2))))

    def _long(self) -> NDArray[np.bool_]:
        """Which sentences have words enough: only they have shingles."""
        held = np.fromfile(self.search.folder / "counts", dtype=np.uint32)
        return held > 0
