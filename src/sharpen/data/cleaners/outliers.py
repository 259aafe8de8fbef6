"""Texts that are like no other, by how far their nearest neighbours are; the score is that distance.

TF-IDF of pieces of words (3 to 5 letters) and the mean cosine distance (0 the same, 1 nothing in common) to the nearest
neighbours (Ramaswamy et al. 2000 rank by such a distance). Distances near 1 are crowded, so the logarithm of what is
left of likeness is compared: outliers are further from its median than ``far`` robust standard deviations (1.4826 times
the median absolute deviation). All texts are read once before, and a sample of them is compared with. What is rare and
right looks the same as what is wrong, so look at what goes; outliers that are like one another hide one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from sharpen.data.cleaners._sampled import sampled
from sharpen.data.cleaning import Outcome, TextCleaner

NEEDS = {"sklearn": "floors"}
SAMPLE = 5_000
FEWEST = 20
"""Texts from which it can be said what is usual."""
SPREAD = 0.1
"""The least standard deviation of logarithms, so that among texts made alike not every other one is far off."""
LEAST = 0.01
"""Likeness below which it is all the same."""


def outliers(far: float = 3.0, neighbours: int = 5, seed: int = 0) -> TextCleaner:
    """Return the cleaner.

    Args:
        far: robust standard deviations from which a distance is an outlier's.
        neighbours: how many of the nearest texts are looked at.
        seed: of the sample.
    """

    def learned(texts: Iterable[str]) -> TextCleaner:
        held = sampled(texts, seed, SAMPLE)
        if len(held) < FEWEST:
            return TextCleaner(("far",), lambda batch: [Outcome(t) for t in batch])
        distance = _distances(held, neighbours)
        usual = -np.log(np.maximum(1 - distance(held), LEAST))
        middle = float(np.median(usual))
        spread = max(1.4826 * float(np.median(np.abs(usual - middle))), SPREAD)
        most = 1 - math.exp(-(middle + far * spread))

        def scored(batch: Sequence[str]) -> list[Outcome]:
            return [_one(t, round(float(d), 4), round(most, 4)) for t, d in zip(batch, distance(batch), strict=True)]

        return TextCleaner(("far",), scored)

    return TextCleaner(("far",), lambda batch: [Outcome(t) for t in batch], learned)


def _one(text: str, score: float, most: float) -> Outcome:
    if score > most:
        return Outcome(None, ("far",), f"its nearest are {score:.2f} away, and {most:.2f} is the most", score)
    return Outcome(text, score=score)


def _distances(held: Sequence[str], neighbours: int) -> Callable[[Sequence[str]], Any]:
    """A function from texts to the mean distance of each to its nearest among those held, itself left out."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    counts = HashingVectorizer(
        n_features=1 << 18, analyzer="char_wb", ngram_range=(3, 5), alternate_sign=False, norm=None
    )
    weigh = TfidfTransformer(sublinear_tf=True)
    known = weigh.fit_transform(counts.transform(held))
    k = min(neighbours, len(held) - 1)

    def distance(batch: Sequence[str]) -> Any:
        if not batch:
            return np.zeros(0)
        alike = np.concatenate([_near(part, known, k) for part in _parts(weigh.transform(counts.transform(batch)))])
        return 1 - np.clip(alike, 0, 1)

    return distance


def _parts(rows: Any, size: int = 500) -> list[Any]:
    return [rows[at : at + size] for at in range(0, rows.shape[0], size)]


def _near(rows: Any, known: Any, k: int) -> Any:
    """The mean likeness of each row to its k nearest; one that is the same is the row itself."""
    like = (rows @ known.T).toarray()
    best = -np.sort(-np.partition(like, -(k + 1), axis=1)[:, -(k + 1) :], axis=1)
    same = best[:, 0] > 1 - 1e-9
    return np.where(same, best[:, 1:].mean(axis=1), best[:, :-1].mean(axis=1))
