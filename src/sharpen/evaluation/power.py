"""How much a test can show: the smallest difference found four times in five, before the test and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sharpen.evaluation.flips import Array, largest, quantile, signs, smallest_p
from sharpen.evaluation.pairs import NORMAL, jackknife_error
from sharpen.evaluation.sums import Judge, Table, tabulate
from sharpen.types import Score

# Of the normal distribution at 0.85, for the 0.8 that is stated: where few clusters are strongly correlated, the
# interval is wider at its bound than at the estimate, and that at 0.8 would find three of four (benchmarks/honesty).
POWER_QUANTILE = 1.036433
PLANNING_FLIPS = 1_000
PLANNING_DRAWS = 5
# Share of the range; no promise is made of a larger gain. Between clusters that differ this much scores are far from
# normal, and simulations found a stated gain of 0.71 in 74 of 100 studies only.
WIDEST = 0.7
SPARSE = 3.0  # differing questions a cluster below which the observed critical value is not trusted
ASSUMED_DIFFERING = 0.3  # share of questions that two arms answer differently, where nothing is known
ASSUMED_CORRELATION = 0.1  # within clusters
HIDDEN_CORRELATION = 0.9  # within clusters, of answers that a gain would change, where none is seen


@dataclass(frozen=True)
class Plan:
    """What a test of this shape can show. ``says`` are the sentences for the user.

    ``possible``: a verdict "better" is possible at all. ``minimum_detectable_difference``: the true gain at which the
    verdict is "better" with a probability of 0.8; None: no gain is enough. ``assumed``: spread was assumed, not seen.
    """

    n_test: int
    n_clusters: int
    smallest_possible_p: float
    possible: bool
    minimum_detectable_difference: float | None
    differing: float
    correlation: float
    assumed: bool
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """Scores of arms on dev, from which the spread of differences is learned."""

    arms: Mapping[str, Sequence[Score]]
    clusters: Sequence[str]
    metric: Judge
    baseline: str
    weights: Sequence[float] | None = None


def plan(
    cluster_sizes: Sequence[int],
    n_arms: int,
    seen: Seen | None = None,
    worth: float = 0.02,
    alpha: float = 0.05,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Plan:
    """Say what a test with these clusters could show for ``n_arms`` arms, the baseline included.

    Args:
        cluster_sizes: questions a cluster of the test.
        n_arms: arms that go to the test, the baseline included.
        seen: dev scores; without them (or with one arm) a typical spread is assumed, and the plan says so.
        worth: the smallest gain that would matter.
        alpha: error rate of the verdict.
        bounds: of the metric, for a plan without dev scores. Where it has none, nothing is said of the gain.
    """
    sizes = np.asarray(cluster_sizes, dtype=float)
    g, n = len(sizes), int(sizes.sum())
    p = smallest_p(g, 20_000)
    differing, correlation, assumed = ASSUMED_DIFFERING, ASSUMED_CORRELATION, True
    scale = bounds[1] - bounds[0]
    if seen is not None and len(seen.arms) > 1 and len(set(seen.clusters)) > 1:
        table = tabulate(seen.arms, seen.clusters, seen.metric, seen.weights)
        base = table.arms.index(seen.baseline)
        differing, correlation = _spread(table, base)
        assumed, scale = False, table.spread * _widening(table, base, differing, correlation)
    possible = g >= 2 and p <= alpha and n_arms > 1
    least = None
    if possible:
        critical = typical_critical(sizes, n_arms, correlation, alpha)
        inflation = 1 + correlation * ((sizes**2).sum() / n - 1)
        error = np.sqrt(np.maximum(differing, 1 / n) * inflation / n)
        least = detectable(Noise(float(error), max(differing, 1 / n), n, sizes), critical)
        least = None if least is None or not np.isfinite(scale) else least * scale
    shape = Plan(n, g, p, possible, least, float(differing), float(correlation), assumed)
    return replace(shape, says=_says(shape, n_arms, worth, alpha, bool(np.isfinite(scale))))


@dataclass(frozen=True)
class Noise:
    """The spread of a difference at no gain, for scores whose range is 1.

    ``error`` is its standard error, ``differing`` the mean square of a question's difference (of 0/1 scores: the share
    of questions that differ), ``n`` the questions, ``sizes`` those of each cluster.
    """

    error: float
    differing: float
    n: float
    sizes: Array


def detectable(noise: Noise, critical: float) -> float | None:
    """The gain that is found with probability 0.8, as a share of the range; None: none up to ``WIDEST``.

    A gain makes more questions differ and so adds spread. How much the added ones cluster is seen only where many
    differ already; the fewer differ in a cluster, the more of a typical correlation is assumed. The power of a t test
    with few degrees of freedom is approximated as by Johnson and Welch (1940).
    """
    g = len(noise.sizes)
    if not np.isfinite(critical) or g < 2:
        return None
    df = g - 1
    # Half of all tests see less spread than this share of the true one (the median of a chi-square, Wilson and Hilferty
    # 1931); what is stated is to hold for them, too.
    usual = (1 - 2 / (9 * df)) ** 1.5
    needed = (critical + POWER_QUANTILE * np.sqrt(1 + critical**2 / (2 * df))) / usual
    seen = noise.error**2 * noise.n / noise.differing
    per_cluster = noise.differing * noise.n / g
    crowd = float((noise.sizes**2).sum() / noise.n) - 1
    added = seen + HIDDEN_CORRELATION / (1 + per_cluster) * max(crowd, 0.0)
    gains = np.linspace(0, WIDEST, 1501)
    errors = np.sqrt(noise.error**2 + added * (gains - gains**2) / noise.n)
    enough = np.flatnonzero(gains >= needed * errors)
    return float(gains[enough[0]]) if len(enough) and enough[0] > 0 else None


def _spread(table: Table, base: int) -> tuple[float, float]:
    """Mean square of a question's difference to the baseline (range 1), and its correlation within clusters."""
    others = [i for i in range(len(table.arms)) if i != base]
    difference = (table.values[others] - table.values[base]) / table.spread
    square = float(np.average((difference**2).mean(0), weights=table.weights))
    sizes = np.bincount(table.cluster_of, minlength=len(table.sizes)).astype(float)
    n, g = sizes.sum(), len(sizes)
    if n == g:  # nothing is seen of it
        return square, ASSUMED_CORRELATION
    sums = np.stack([np.bincount(table.cluster_of, weights=d, minlength=g) for d in difference])
    means = sums / sizes
    between = float((sizes * (means - difference.mean(1, keepdims=True)) ** 2).sum(1).mean() / (g - 1))
    rest = float(((difference - means[:, table.cluster_of]) ** 2).sum(1).mean())
    within = rest / max(n - g, 1)
    m0 = (n - (sizes**2).sum() / n) / (g - 1)
    variance = max((between - within) / m0, 0.0)
    correlation = variance / (variance + within) if variance + within > 0 else 0.0
    return square, float(np.clip(correlation, 0.02, 0.9))


def _widening(table: Table, base: int, differing: float, correlation: float) -> float:
    """By how much dev's differences spread more than those of equally weighted questions and a plain mean would.

    A metric that is no mean (macro-F1) hangs on its rare classes: the jackknife sees that. A heavy question counts for
    many light ones: the design effect of weights (Kish 1965). Neither is taken to narrow anything.
    """
    n = len(table.weights)
    unequal = float((table.weights**2).sum()) * n / float(table.weights.sum()) ** 2
    if table.is_mean:
        return float(np.sqrt(unequal))
    others = [i for i in range(len(table.arms)) if i != base]
    residuals = table.sums - table.sizes * table.means[:, None]
    errors = jackknife_error(residuals[others] - residuals[base], table.sizes) / table.spread
    counts = np.bincount(table.cluster_of).astype(float)
    plain = max(differing, 1 / n) * (1 + correlation * ((counts**2).sum() / n - 1)) / n
    return float(np.sqrt(max(1.0, float((errors**2).mean()) / plain)))


def typical_critical(sizes: Array, n_arms: int, correlation: float, alpha: float) -> float:
    """The flips' quantile for normal scores in clusters of these sizes: the median of a few draws."""
    rng = np.random.default_rng(0)
    g = len(sizes)
    drawn = signs(g, PLANNING_FLIPS, 0).some(PLANNING_FLIPS)
    pairs = np.triu_indices(n_arms, 1)
    found = []
    for _ in range(PLANNING_DRAWS):
        noise = rng.standard_normal((n_arms, g)) * np.sqrt(sizes * (1 + correlation * (sizes - 1)))
        noise -= sizes * (noise.sum(1, keepdims=True) / sizes.sum())
        found.append(quantile(largest(noise, sizes, drawn, pairs)[0], alpha))
    return max(float(np.median(found)), NORMAL)


def _says(shape: Plan, arms: int, worth: float, alpha: float, scaled: bool) -> tuple[str, ...]:
    """The plan in sentences."""
    said = [
        f"The test holds {shape.n_test} questions in {shape.n_clusters} clusters; "
        f"the smallest p they can give is {shape.smallest_possible_p:.2g}."
    ]
    least, help_ = (
        shape.minimum_detectable_difference,
        "A larger test share, finer sources, or more questions would help.",
    )
    if arms < 2:
        return (*said, "There is nothing to compare the baseline with.")
    if not shape.possible:
        return (*said, f"No verdict is possible: p cannot fall below {alpha:g} with so few clusters. {help_}")
    basis = "assuming that two arms differ on 30% of the questions" if shape.assumed else "with the spread seen on dev"
    if not scaled:
        return (*said, "What gain it can show is known once dev was answered: the metric has no bounds.")
    if least is None:
        few = (
            f"With {arms} arms in so few clusters only a gain of more than {WIDEST:.0%} of the range is shown for sure"
        )
        return (*said, f"{few} ({basis}). {help_}")
    said.append(f"With {arms} arms a true gain of {least:.3f} is shown four times in five ({basis}).")
    if least > worth:
        said.append(f"That is more than the {worth:g} that would matter: smaller gains may stay undecided. {help_}")
    return tuple(said)
