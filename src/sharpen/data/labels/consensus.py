"""One label from several annotators: by majority, or weighted by how reliable each turns out to be.

The second is Dawid and Skene (1979, doi:10.2307/2346806): each annotator has a matrix of what is said of which class,
estimated together with the classes by expectation-maximisation. With few labels an annotator it knows no more than a
majority; annotators who copy each other look reliable to it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from sharpen.data.labels._latent import fit
from sharpen.data.labels._linear import coded
from sharpen.data.labels.agreement import Ratings
from sharpen.errors import UserError

SMOOTH = 0.1  # of an example, added to each cell of an annotator's matrix
DIAGONAL = 0.5  # and on its diagonal: an annotator is taken to be better than chance


@dataclass(frozen=True)
class Aggregate:
    """One item's label and how sure it is: the majority's share of votes, or the posterior probability.

    ``label`` is None where nobody labelled the item, or a majority is tied.
    """

    label: Any | None
    share: float
    votes: int


def majority(ratings: Ratings) -> list[Aggregate]:
    """The most frequent label of each item; a tie decides nothing."""
    out = []
    for row in ratings:
        counts = Counter(label for label in row if label is not None).most_common(2)
        n = sum(label is not None for label in row)
        tied = len(counts) == 2 and counts[0][1] == counts[1][1]
        label = None if not counts or tied else counts[0][0]
        out.append(Aggregate(label, counts[0][1] / n if n else 0.0, n))
    return out


@dataclass(frozen=True)
class Consensus:
    """Labels by Dawid and Skene, and what was learned of the annotators.

    ``reliability`` is each annotator's estimated share of right labels over the estimated classes, in the order of the
    columns; ``confusion[annotator][true][said]`` in the order of ``classes``.
    """

    labels: tuple[Aggregate, ...]
    classes: tuple[Any, ...]
    prior: tuple[float, ...]
    reliability: tuple[float, ...]
    confusion: tuple[tuple[tuple[float, ...], ...], ...]


def dawid_skene(ratings: Ratings) -> Consensus:
    """Weigh annotators by their estimated reliability; rows are items, columns annotators, None a missing label.

    Raises:
        UserError: there is no label at all, or rows differ in length.
    """
    widths = {len(row) for row in ratings}
    if len(widths) != 1:
        raise UserError("rows differ in length.", "Dawid-Skene", "Put None where an annotator gave no label.")
    given = [label for row in ratings for label in row if label is not None]
    if not given:
        raise UserError("there is no label.", "Dawid-Skene", "Have items labelled first.")
    classes, _ = coded(given)
    place = {c: i for i, c in enumerate(classes)}
    votes = np.array([[-1 if v is None else place[v] for v in row] for row in ratings], dtype=np.intp)
    k = len(classes)
    start = np.full((len(votes), k), 1e-9)
    for j in range(votes.shape[1]):
        seen = votes[:, j] >= 0
        start[seen, votes[seen, j]] += 1.0
    start /= start.sum(axis=1, keepdims=True)
    made = fit(votes, start, SMOOTH + DIAGONAL * np.eye(k))
    best = made.posterior.argmax(axis=1)
    n = (votes >= 0).sum(axis=1)
    labels = [
        Aggregate(classes[c] if n[i] else None, float(made.posterior[i, c]) if n[i] else 0.0, int(n[i]))
        for i, c in enumerate(best)
    ]
    reliability = np.einsum("c,jcc->j", made.prior, made.confusion)
    return Consensus(
        tuple(labels),
        tuple(classes),
        tuple(map(float, made.prior)),
        tuple(map(float, reliability)),
        tuple(tuple(tuple(map(float, said)) for said in m) for m in made.confusion),
    )
