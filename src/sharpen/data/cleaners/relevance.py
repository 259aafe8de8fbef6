"""Texts that have nothing to do with the task, by the words that they share with what the task is about.

``about`` are texts of the task, or a file of them: a description, questions, documents. A use case need not give them:
documents are compared with its goal and its training questions; questions and answers with its goal and its documents
or, where there are none, with the words that two training questions share. A text's score is the share of its words'
weight that stands in them; a word weighs the more the fewer texts have it (inverse document frequency), and words that
more than half the texts have weigh nothing. Texts below ``least`` are dropped. All texts are read once before. It
compares words, so texts about the same matter in other words, or in another language, score low.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sharpen.data.alike.hashing import Words, word_hashes
from sharpen.data.cleaning import Outcome, TextCleaner
from sharpen.data.curated import texts_of
from sharpen.errors import UserError

TEXTS = ("about",)
BITS = 20
"""Words are counted in a table of 2**20 places; two words in one place count as one."""


def relevance(about: Sequence[str] | str = (), least: float = 0.05) -> TextCleaner:
    """Return the cleaner.

    Args:
        about: texts of the task, or the path of a file with one a line.
        least: score (0 to 1) below which a text is dropped; 0 keeps all and only gives scores.
    """

    task = word_hashes(texts_of(about))
    if not len(task.hashes):
        do = "Say it: relevance(about=['what the task is', 'a question']), or about='FILE' with a text a line."
        raise UserError("does not know what the task is about.", "cleaner relevance", do)

    def learned(texts: Iterable[str]) -> TextCleaner:
        weights = _weights(texts)
        wanted = np.zeros(1 << BITS, dtype=bool)
        wanted[_places(task)] = True
        return TextCleaner(("off_topic",), lambda batch: _scored(batch, weights, wanted, least))

    return TextCleaner(("off_topic",), lambda batch: [Outcome(t) for t in batch], learned)


def _places(words: Words) -> NDArray[np.int64]:
    return (words.hashes >> np.uint64(64 - BITS)).astype(np.int64)


def _weights(texts: Iterable[str]) -> NDArray[np.float64]:
    """The weight of each place in the table of words."""
    counts, n = np.zeros(1 << BITS, dtype=np.int64), 0
    rest = iter(texts)
    while batch := list(islice(rest, 2_000)):
        words = word_hashes(batch)
        owners = np.repeat(np.arange(len(batch)), words.counts)
        once = np.unique(owners << BITS | _places(words))
        counts += np.bincount(once & ((1 << BITS) - 1), minlength=1 << BITS)
        n += len(batch)
    made: NDArray[np.float64] = np.log((n + 1) / (counts + 1))
    made[counts > max(n / 2, 1)] = 0
    return made


def _scored(
    batch: Sequence[str], weights: NDArray[np.float64], wanted: NDArray[np.bool_], least: float
) -> list[Outcome]:
    words = word_hashes(batch)
    places = _places(words)
    owners = np.repeat(np.arange(len(batch)), words.counts)
    total = np.bincount(owners, weights[places], minlength=len(batch))
    shared = np.bincount(owners, weights[places] * wanted[places], minlength=len(batch))
    scores = np.where(total > 0, shared / np.where(total > 0, total, 1), 0).round(4).tolist()
    return [_one(t, s, least) for t, s in zip(batch, scores, strict=True)]


def _one(text: str, score: float, least: float) -> Outcome:
    if score < least:
        reason = f"{score:.1%} of its words' weight is of the task, and {least:.1%} is asked for"
        return Outcome(None, ("off_topic",), reason, score)
    return Outcome(text, score=score)
