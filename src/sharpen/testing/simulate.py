"""Simulated studies with a known truth, run through the very ``compare`` and ``race`` that studies use.

Each answer is right when a hidden number lies above the arm's threshold. The number has a part that all arms share
(hard questions are hard for every arm) and a part of the arm's own; each of the two has a part that all questions of a
cluster share. So scores within a cluster are correlated, and so are the *differences* of arms, which is what matters to
a test. Clusters are drawn anew in every study; the truth is the mean over questions of the population that clusters
come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.evaluation.comparison import Comparison, Facts, Rule, compare
from sharpen.evaluation.flips import Array
from sharpen.evaluation.racing import ROUNDS, Race, race
from sharpen.metrics import Checked, Judge, open_metric
from sharpen.types import Score

CLASS_SHARES = (0.3, 0.2, 0.2, 0.15, 0.1, 0.05)  # of macro-F1's classes
GRADES = 100  # F1 is rounded to hundredths, so that scores can be shared
F1_SCALE = 0.6  # of the hidden number; at a mean of 0.5 a fifth of answers scores 0 and a fifth 1


@dataclass(frozen=True)
class World:
    """A population of studies.

    ``kind`` is exact_match, token_f1 or macro_f1; ``base`` the share of right answers (mean score) at effect 0;
    ``sizes`` the mean questions a cluster, ``unequal`` the standard deviation of their logarithm; ``icc`` the
    correlation within clusters, ``alike`` that between arms, both of the hidden number; ``informative`` the
    correlation of a cluster's size with how easy it is. Between scores of two arms 0.5 comes to .33 at exact match
    0.5 and to .15 near 0 and 1; real arms have -.05 to .44 at exact match and .17 to .53 at F1
    (``docs/LOG.md``).
    """

    clusters: int
    sizes: float = 25.0
    unequal: float = 0.6
    icc: float = 0.1
    kind: str = "exact_match"
    base: float = 0.5
    alike: float = 0.5
    informative: float = 0.0

    @property
    def metric(self) -> Judge | Checked:
        """The judge of this kind, the product's own."""
        return open_metric(self.kind, labels=_class_names()) if self.kind == "macro_f1" else open_metric(self.kind)


@dataclass(frozen=True)
class Study:
    """Recorded scores, their clusters, and the true value of each arm, ``a0`` (the baseline), ``a1``, ..."""

    arms: dict[str, list[Score]]
    clusters: list[str]
    truth: Array
    world: World

    def compared(self, rule: Rule | None = None, costs: Sequence[float] | None = None) -> Comparison:
        """Compare, as a study does; ``costs`` of the arms decide which of several that are as good is chosen."""
        facts = {name: Facts(cost=c) for name, c in zip(self.arms, costs, strict=True)} if costs is not None else None
        return compare(
            self.arms,
            clusters=self.clusters,
            metric=self.world.metric,
            baseline="a0",
            rule=rule or Rule(),
            facts=facts,
        )

    def raced(self, rounds: int = ROUNDS) -> Race:
        """Race, as a study does on dev."""

        def ask(arm: str, positions: Sequence[int]) -> list[Score]:
            scores = self.arms[arm]
            return [scores[i] for i in positions]

        metric = self.world.metric
        return race(ask, list(self.arms), clusters=self.clusters, metric=metric, baseline="a0", rounds=rounds)

    def covered(self, comparison: Comparison) -> bool:
        """Whether every interval of a pair holds its true difference."""
        value = dict(zip(self.arms, self.truth, strict=True))
        return all(
            (p.ci_low is None or p.ci_low <= value[p.first] - value[p.second] + 1e-9)
            and (p.ci_high is None or p.ci_high >= value[p.first] - value[p.second] - 1e-9)
            for p in comparison.pairs
        )

    def covered_alone(self, comparison: Comparison) -> int:
        """How many arms' own intervals hold their true value."""
        return sum(
            (a.ci_low is None or a.ci_low <= true + 1e-9) and (a.ci_high is None or a.ci_high >= true - 1e-9)
            for a, true in zip(comparison.arms, self.truth, strict=True)
        )

    def wrongly_better(self, comparison: Comparison) -> bool:
        """Whether an arm was said to be better than the baseline and is not."""
        if comparison.verdict != "better" or comparison.winner is None:
            return False
        return bool(self.truth[list(self.arms).index(comparison.winner)] <= self.truth[0] + 1e-9)

    def alike_within(self) -> tuple[float, float]:
        """The correlation within clusters of the first arm's scores, and of the second's differences to them."""
        values = np.array([[score.value or 0.0 for score in arm] for arm in list(self.arms.values())[:2]])
        codes = np.unique(self.clusters, return_inverse=True)[1]
        return _within(values[0], codes), _within(values[1] - values[0], codes)

    def worse_than_claimed(self, comparison: Comparison) -> bool:
        """Whether an arm was said to be as good as the best and is ``worth`` or more below it."""
        if not comparison.as_good_as_best or comparison.winner is None:
            return False
        chosen = self.truth[list(self.arms).index(comparison.winner)]
        return bool(chosen <= self.truth.max() - comparison.worth + 1e-9)


def _within(values: Array, cluster_of: NDArray[np.intp]) -> float:
    """The correlation of two values of one cluster (analysis of variance); 0 where all are the same."""
    sizes = np.bincount(cluster_of).astype(float)
    n, g = sizes.sum(), len(sizes)
    means = np.bincount(cluster_of, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum() / (g - 1))
    within = float(((values - means[cluster_of]) ** 2).sum() / (n - g))
    size = (n - (sizes**2).sum() / n) / (g - 1)
    return (between - within) / (between + (size - 1) * within) if between + (size - 1) * within > 0 else 0.0


def draw(world: World, effects: Sequence[float], rng: np.random.Generator) -> Study:
    """Draw one study of as many arms as there are effects (true gains over ``world.base``)."""
    effect = np.asarray(effects, dtype=float)
    k, g = len(effect), world.clusters
    normal = rng.standard_normal(g)
    sizes = np.maximum(2, np.rint(world.sizes * np.exp(world.unequal * normal - world.unequal**2 / 2))).astype(int)
    cluster_of = np.repeat(np.arange(g), sizes)
    n = len(cluster_of)
    easy = world.informative * normal + np.sqrt(1 - world.informative**2) * rng.standard_normal(g)
    common = np.sqrt(world.icc) * easy[cluster_of] + np.sqrt(1 - world.icc) * rng.standard_normal(n)
    own = np.sqrt(world.icc) * rng.standard_normal((k, g))[:, cluster_of]
    own += np.sqrt(1 - world.icc) * rng.standard_normal((k, n))
    ease = np.sqrt(world.alike) * common + np.sqrt(1 - world.alike) * own
    shift = world.informative * world.unequal * np.sqrt(world.alike * world.icc)
    scores, truth = _judged(world, world.base + effect, ease, float(shift), cluster_of, rng)
    arms = {f"a{i}": list(row) for i, row in enumerate(scores)}
    return Study(arms, [f"c{c}" for c in cluster_of], truth, world)


def _judged(
    world: World, levels: Array, ease: Array, shift: float, cluster_of: NDArray[np.intp], rng: np.random.Generator
) -> tuple[NDArray[Any], Array]:
    """Turn the hidden numbers into scores (arms, questions) and say each arm's true value.

    ``shift`` is how much easier the average question is than the average cluster, where large clusters are easier.
    """
    bell = NormalDist()
    if world.kind == "token_f1":
        centre = np.array([_f1_centre(round(float(x), 6)) for x in levels])
        grade = np.rint(np.clip(centre[:, None] + F1_SCALE * ease, 0, 1) * GRADES).astype(int)
        truth = np.array([_f1_mean(c + F1_SCALE * shift) for c in centre])
        return _grades()[grade], truth
    shares = [_macro_f1_rate(round(float(x), 6)) if world.kind == "macro_f1" else float(x) for x in levels]
    right = ease > np.array([-bell.inv_cdf(x) for x in shares])[:, None]
    rates = np.array([bell.cdf(bell.inv_cdf(x) + shift) for x in shares])
    if world.kind == "exact_match":
        return _grades()[right.astype(int) * GRADES], rates
    label = _labels(world, cluster_of, rng)
    wrong = (label + rng.integers(1, len(CLASS_SHARES), size=right.shape)) % len(CLASS_SHARES)
    return _verdicts()[label[None], np.where(right, label, wrong)], np.array([_macro_f1(r) for r in rates])


def _labels(world: World, cluster_of: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """True classes; within a cluster a share ``icc`` of questions has the cluster's own class."""
    shares = np.array(CLASS_SHARES)
    n = len(cluster_of)
    own = rng.choice(len(shares), size=world.clusters, p=shares)[cluster_of]
    return np.where(rng.random(n) < world.icc, own, rng.choice(len(shares), size=n, p=shares)).astype(np.intp)


def _macro_f1(rate: float) -> float:
    """Macro-F1 where a share ``rate`` of each class is right and the rest falls on the other classes alike."""
    shares = np.array(CLASS_SHARES)
    answered = shares * rate + (1 - shares) * (1 - rate) / (len(shares) - 1)
    return float((2 * shares * rate / (shares + answered)).mean())


@cache
def _macro_f1_rate(value: float) -> float:
    """The share of right answers that gives this macro-F1."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _macro_f1(middle) < value else (low, middle)
    return low


@cache
def _f1_centre(mean: float) -> float:
    """The centre at which a clipped normal number has this mean."""
    low, high = -3.0, 4.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _f1_mean(middle) < mean else (low, middle)
    return low


def _f1_mean(centre: float) -> float:
    """Mean of a normal number clipped to 0 and 1, then rounded to grades."""
    bell = NormalDist(centre, F1_SCALE)
    steps = (np.arange(GRADES) + 0.5) / GRADES
    return float(np.mean([1 - bell.cdf(float(s)) for s in steps]))


@cache
def _grades() -> NDArray[Any]:
    found = np.empty(GRADES + 1, dtype=object)
    found[:] = [Score(i / GRADES) for i in range(GRADES + 1)]
    return found


@cache
def _class_names() -> tuple[str, ...]:
    return tuple(f"class {i}" for i in range(len(CLASS_SHARES)))


@cache
def _verdicts() -> NDArray[Any]:
    """The score of each (true, answered) pair of classes, by the product's own macro-F1."""
    from sharpen.types import Answer, Example, Message

    names = _class_names()
    metric = open_metric("macro_f1", labels=names)
    found = np.empty((len(names), len(names)), dtype=object)
    for i, true in enumerate(names):
        example = Example(f"q{i}", (Message("user", "?"),), labels=(true,))
        for j, said in enumerate(names):
            found[i, j] = metric.score([example], [Answer(said)])[0]
    return found


def effects_of(condition: str, n_arms: int, size: float, rng: np.random.Generator) -> Array:
    """True gains of a condition.

    null: none; spread: evenly from ``-size`` to ``size``, in random order; lead: one arm that is not the baseline
    leads all others by ``size``.
    """
    effects = np.zeros(n_arms)
    if condition == "spread":
        effects = rng.permutation(np.linspace(-size, size, n_arms))
    elif condition == "lead":
        effects[int(rng.integers(1, n_arms))] = size
    return effects
