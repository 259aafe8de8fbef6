"""Expectation-maximisation for votes on an unseen class, conditionally independent given it (Dawid and Skene 1979)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 200
ENOUGH = 1e-7  # gain of the objective a vote, below which it has settled


@dataclass(frozen=True)
class Latent:
    """The fit. ``posterior`` (items, classes); ``prior`` (classes,); ``confusion`` (voters, classes, outcomes).

    ``objective`` holds the log-likelihood and log-prior after each round; it never falls.
    """

    posterior: NDArray[np.float64]
    prior: NDArray[np.float64]
    confusion: NDArray[np.float64]
    objective: tuple[float, ...]


def fit(
    votes: NDArray[np.intp],
    start: NDArray[np.float64],
    pseudo: NDArray[np.float64],
    prior: NDArray[np.float64] | None = None,
    rounds: int = ROUNDS,
) -> Latent:
    """Fit by expectation-maximisation, from the posterior ``start`` (items, classes).

    Args:
        votes: (items, voters) of outcomes counted from 0; -1 where a voter said nothing that tells anything.
        start: where to begin, rows summing to 1; it decides which class is which.
        pseudo: (classes, outcomes) or (voters, classes, outcomes), added to the counts of each voter's outcomes; > 0.
        prior: the classes' shares where they are known; otherwise they are estimated.
        rounds: at most.
    """
    items, voters = votes.shape
    classes, outcomes = pseudo.shape[-2:]
    pseudo = np.broadcast_to(pseudo, (voters, classes, outcomes))
    one_hot = np.zeros((voters, items, outcomes))
    for j in range(voters):
        seen = np.flatnonzero(votes[:, j] >= 0)
        one_hot[j, seen, votes[seen, j]] = 1.0
    posterior, shares = start, prior
    told: list[float] = []
    count = max(1, int((votes >= 0).sum()))
    for _ in range(rounds):
        counts = np.einsum("ic,jio->jco", posterior, one_hot) + pseudo
        confusion = counts / counts.sum(axis=2, keepdims=True)
        if prior is None:
            total = posterior.sum(axis=0) + 1.0  # one example of each class: none is impossible
            shares = total / total.sum()
        assert shares is not None
        logs = np.log(np.maximum(shares, 1e-300)) + np.einsum("jio,jco->ic", one_hot, np.log(confusion))
        top = logs.max(axis=1, keepdims=True)
        each = np.exp(logs - top)
        sums = each.sum(axis=1, keepdims=True)
        posterior = each / sums
        known = float((pseudo * np.log(confusion)).sum())
        known += float(np.log(shares).sum()) if prior is None else 0.0
        told.append(float((top + np.log(sums)).sum()) + known)
        if len(told) > 1 and told[-1] - told[-2] < ENOUGH * count:
            break
    return Latent(posterior, np.asarray(shares), confusion, tuple(told))
