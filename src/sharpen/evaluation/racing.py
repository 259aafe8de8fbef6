"""The race on dev: built arms are dropped, batch by batch, once they are shown to be worse than some other arm.

It saves evaluation only. For each pair a gambler bets, cluster by cluster, that the other arm is ahead (Waudby-Smith
and Ramdas 2023, "Estimating means of bounded random variables by betting"): capital starts at 1, is multiplied by
``1 + bet * difference`` with the cluster's summed difference as a share of the largest cluster, and cannot be expected
to grow unless the other arm's mean is higher. Capital is averaged over a grid of bets, which needs no tuning and does
not depend on the order of clusters. An arm is dropped when its opponents' average capital reaches ``1 / alpha``: by
Ville's inequality an arm that is not below any other is dropped with probability ``alpha`` at most, however often one
looks. That holds for programs that were fixed before; those of a study have chosen something on the same dev questions,
each the best of a few, so an arm with fewer choices has a little against it that the bound does not count.

Never dropped: the baseline, and any arm for what another arm's score says (an arm is judged by its own answers only,
not by those of the techniques it is made of). With few clusters little is dropped; that is what few clusters can tell.
Metrics that are not a mean, or have no bounds, or go beyond them, are not raced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose

import numpy as np
from numpy.typing import NDArray

from sharpen.errors import UserError
from sharpen.evaluation.flips import Array
from sharpen.evaluation.sums import Judge, values_filled
from sharpen.types import Score

ROUNDS = 4  # engines work best on large batches, and few clusters tell little more often
ALPHA = 0.02  # how often, at most, the best arm may be dropped
BETS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 0.98)  # shares of the capital that a whole lost cluster would take


@dataclass(frozen=True)
class Dropped:
    """An arm that left the race: which arm it is most clearly below, by how much so far, and on what evidence."""

    arm: str
    by: str
    difference: float
    evidence: float
    n_questions: int
    n_clusters: int

    @property
    def reason(self) -> str:
        """The sentence for the report."""
        return (
            f"{self.arm} left the race after {self.n_questions} dev questions in {self.n_clusters} clusters: "
            f"{self.by} is ahead of it, by {self.difference:.3f} so far (e-value {self.evidence:.0f})."
        )


@dataclass
class Race:
    """A race under way. Give it scores as they come, whole clusters at a time.

    Args:
        arms: the names of all built arms, the baseline among them.
        baseline: the arm that is never dropped.
        largest: questions (or summed weights) in the largest cluster of dev.
        metric: its ``bounds`` and ``higher_is_better``, and whether its ``aggregate`` is the mean.
        alpha: how often, at most, an arm that is not below any other may be dropped.
    """

    arms: tuple[str, ...]
    baseline: str
    largest: float
    metric: Judge
    alpha: float = ALPHA
    dropped: dict[str, Dropped] = field(default_factory=dict)
    n_questions: int = 0
    n_clusters: int = 0
    saved: int = 0
    possible: bool = field(init=False)  # whether the metric can be raced, as far as is seen
    bounds: tuple[float, float] = field(init=False)
    _log: Array = field(init=False, repr=False)
    _sums: Array = field(init=False, repr=False)
    _weight: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.baseline not in self.arms:
            raise UserError(f"the baseline {self.baseline!r} is not in the race.", do=f"Arms: {', '.join(self.arms)}.")
        self.bounds = getattr(self.metric, "bounds", (-np.inf, np.inf))
        stats = getattr(self.metric, "aggregate_stats", None)
        self.possible = bool(np.isfinite(self.bounds).all()) and self.largest > 0 and stats is None
        k = len(self.arms)
        self._log = np.zeros((len(BETS), k, k))  # [bet, a, b]: log capital on "a is ahead of b"
        self._sums, self._weight = np.zeros((k, k)), np.zeros((k, k))

    @property
    def running(self) -> tuple[str, ...]:
        """The arms that are still asked."""
        return tuple(a for a in self.arms if a not in self.dropped)

    def update(
        self, scores: Mapping[str, Sequence[Score]], clusters: Sequence[str], weights: Sequence[float] | None = None
    ) -> tuple[Dropped, ...]:
        """Take the scores of one batch of whole clusters and return the arms that leave now.

        Args:
            scores: for each arm still running, one score a question; one that could not be judged counts as the worst.
            clusters: the cluster of each question. A cluster must not be split over batches.
            weights: of the questions; all 1 if None.

        Raises:
            UserError: an arm's scores are missing or of another number.
        """
        lack = [a for a in self.running if len(scores.get(a, ())) != len(clusters)]
        if lack:
            raise UserError(f"the race needs {len(clusters)} scores of each of: {', '.join(lack)}.")
        self.n_questions += len(clusters)
        self.saved += len(clusters) * len(self.dropped)
        labels, cluster_of = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
        self.n_clusters += len(labels)
        w = np.ones(len(clusters)) if weights is None else np.asarray(weights, dtype=float)
        values = {a: self._values(scores[a]) for a in self.running}
        self.possible = self.possible and all(self._is_bounded_mean(scores[a], v, w) for a, v in values.items())
        if not self.possible:
            return ()
        running = [self.arms.index(a) for a in self.running]
        right = [w * self._oriented(v) for v in values.values()]
        sums: Array = np.stack([np.bincount(cluster_of, weights=x, minlength=len(labels)) for x in right])
        sizes: Array = np.bincount(cluster_of, weights=w, minlength=len(labels)).astype(np.float64)
        if sizes.max(initial=0) > self.largest * (1 + 1e-9):
            raise UserError(f"a cluster weighs {sizes.max():g}, more than the {self.largest:g} declared.")
        self._bet(np.array(running, dtype=np.intp), sums, sizes)
        return self._leave()

    def _values(self, scores: Sequence[Score]) -> Array:
        values = np.array([s.value for s in scores], dtype=float)  # None becomes not a number
        values[np.isnan(values)] = self.bounds[0] if self.metric.higher_is_better else self.bounds[1]
        return values

    def _is_bounded_mean(self, scores: Sequence[Score], values: Array, weights: Array) -> bool:
        """Whether scores keep the bounds, and the metric's own value of them is their mean."""
        within = self.bounds[0] <= values.min(initial=np.inf) and values.max(initial=-np.inf) <= self.bounds[1]
        value = self.metric.aggregate(values_filled(scores, values), weights.tolist())
        return bool(within) and isclose(value, values @ weights / weights.sum(), rel_tol=1e-9, abs_tol=1e-12)

    def _oriented(self, values: Array) -> Array:
        """Scores from 0 (worst) to 1 (best)."""
        x: Array = (values - self.bounds[0]) / (self.bounds[1] - self.bounds[0])
        return x if self.metric.higher_is_better else 1 - x

    def _bet(self, running: NDArray[np.intp], sums: Array, sizes: Array) -> None:
        grid = np.ix_(running, running)
        difference = sums[:, None] - sums[None]
        self._sums[grid] += difference.sum(-1)
        self._weight[grid] += sizes.sum()
        for k, bet in enumerate(BETS):
            self._log[k][grid] += np.log1p(bet * difference / self.largest).sum(-1)

    def _leave(self) -> tuple[Dropped, ...]:
        capital = np.exp(np.minimum(self._log, 500.0)).mean(axis=0)
        gone = []
        for i, name in enumerate(self.arms):
            others = [j for j in range(len(self.arms)) if j != i]
            if name == self.baseline or name in self.dropped or not others:
                continue
            evidence = float(capital[others, i].mean())
            if evidence >= 1 / self.alpha:
                j = max(others, key=lambda o: capital[o, i])
                lead = float(self._sums[j, i] / self._weight[j, i]) * (self.bounds[1] - self.bounds[0])
                gone.append(Dropped(name, self.arms[j], lead, evidence, self.n_questions, self.n_clusters))
        self.dropped.update({d.arm: d for d in gone})
        return tuple(gone)


def batches(clusters: Sequence[str], rounds: int = ROUNDS, seed: int = 0) -> list[list[int]]:
    """Cut dev into batches of whole clusters with about as many questions each.

    Returns:
        Positions of questions, a list for each batch; every question is in exactly one, every cluster in one batch.
    """
    order = sorted(dict.fromkeys(map(str, clusters)))
    order = [order[i] for i in np.random.default_rng(seed).permutation(len(order))]
    members: dict[str, list[int]] = {name: [] for name in order}
    for i, name in enumerate(clusters):
        members[str(name)].append(i)
    full = len(clusters) / max(1, min(rounds, len(order)))
    cut: list[list[int]] = [[]]
    for name in order:
        if len(cut[-1]) >= full:
            cut.append([])
        cut[-1] += members[name]
    return [b for b in cut if b]


def race(
    ask: Callable[[str, Sequence[int]], Sequence[Score]],
    arms: Sequence[str],
    *,
    clusters: Sequence[str],
    metric: Judge,
    baseline: str,
    rounds: int = ROUNDS,
    seed: int = 0,
    weights: Sequence[float] | None = None,
) -> Race:
    """Run a race over dev to its end.

    Args:
        ask: answers and judges questions: ``ask(arm, positions)`` gives one score a position.
        arms: the built arms, the baseline among them.
        clusters: the cluster of each dev question.
        metric: what the scores are of; where it is not a bounded mean all arms stay.
        baseline: the arm that is never dropped.
        rounds: batches at most.
        seed: of the order of clusters.
        weights: of the questions; all 1 if None.
    """
    w = np.ones(len(clusters)) if weights is None else np.asarray(weights, dtype=float)
    sizes = np.bincount(np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)[1], weights=w)
    running = Race(tuple(arms), baseline, float(sizes.max(initial=0)), metric)
    for positions in batches(clusters, rounds, seed):
        part = [str(clusters[i]) for i in positions]
        running.update({a: list(ask(a, positions)) for a in running.running}, part, w[positions].tolist())
    return running
