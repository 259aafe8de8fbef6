"""Compare arms on recorded scores: paired, by whole clusters, all pairs at once, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sharpen.errors import UserError
from sharpen.evaluation.flips import Array, signs, smallest_p
from sharpen.evaluation.sums import Judge, Table, tabulate
from sharpen.evaluation.verdicts import decide
from sharpen.types import Score

SAME = 1e-9  # scores closer than this are the same score


@dataclass(frozen=True)
class Rule:
    """What was fixed before the test was opened: margin, error rate, number of flips and their seed."""

    worth: float = 0.02
    alpha: float = 0.05
    flips: int = 20_000
    seed: int = 0


@dataclass(frozen=True)
class Facts:
    """What the decision needs to know of an arm beside its scores.

    ``cost``: in any one unit, the same for all arms; None: not known. ``meets``: keeps the use case's constraints.
    ``contains``: for each question 1 (or True) if a reference stood in the arm's answer, 0 if not.
    """

    cost: float | None = None
    meets: bool = True
    contains: Sequence[float] | None = None


@dataclass(frozen=True)
class ArmResult:
    """One arm on the test. Deltas are arm minus baseline in the metric's own unit; None for the baseline."""

    name: str
    mean: float
    ci_low: float
    ci_high: float
    delta: float | None
    delta_ci_low: float | None
    delta_ci_high: float | None
    p_adjusted: float | None
    fixed: int | None
    broken: int | None
    contains: float | None
    form_gain: float | None
    substance_gain: float | None
    n_unjudged: int
    cost: float | None
    meets_constraints: bool


@dataclass(frozen=True)
class PairResult:
    """``first`` minus ``second`` in the metric's own unit, with its simultaneous interval over all pairs."""

    first: str
    second: str
    difference: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Comparison:
    """All that a report says about a test; see :func:`compare`."""

    metric: str
    baseline: str
    worth: float
    alpha: float
    family: str
    n_test: int
    n_clusters: int
    smallest_possible_p: float
    minimum_detectable_difference: float | None
    arms: tuple[ArmResult, ...]
    pairs: tuple[PairResult, ...]
    verdict: str
    winner: str | None
    verdict_text: str
    judged_only: Comparison | None = field(default=None)


def compare(
    arms: Mapping[str, Sequence[Score]],
    *,
    clusters: Sequence[str],
    metric: Judge,
    baseline: str,
    rule: Rule = Rule(),
    facts: Mapping[str, Facts] | None = None,
    weights: Sequence[float] | None = None,
) -> Comparison:
    """Compare arms that answered the same questions and reach a verdict."""
    if baseline not in arms:
        raise UserError(f"the baseline {baseline!r} is not among the arms.", do=f"There are: {', '.join(arms)}.")
    table = tabulate(arms, clusters, metric, weights)
    known = dict(facts or {})
    tests = all_pairs(table, rule)
    side = 1.0 if metric.higher_is_better else -1.0
    rows = tuple(_arm(table, tests, known.get(a, Facts()), i, table.arms.index(baseline), side) for i, a in enumerate(table.arms))
    pairs = tuple(
        PairResult(table.arms[i], table.arms[j], float(tests.difference[k]), float(tests.low[k]), float(tests.high[k]))
        for k, (i, j) in enumerate(zip(*tests.pairs, strict=True))
    )
    verdict, winner, text = decide(rows, pairs, baseline, rule.worth, rule.alpha, side)
    judged_only = None
    if not table.judged.all():
        keep = np.flatnonzero(table.judged.all(axis=0))
        if len(keep):
            judged_only = compare(
                {a: [arms[a][k] for k in keep] for a in arms},
                clusters=[clusters[k] for k in keep],
                metric=metric,
                baseline=baseline,
                rule=rule,
                facts={
                    a: Facts(f.cost, f.meets, None if f.contains is None else [f.contains[k] for k in keep])
                    for a, f in known.items()
                },
                weights=None if weights is None else [weights[k] for k in keep],
            )
    return Comparison(
        metric=metric.name, baseline=baseline, worth=rule.worth, alpha=rule.alpha,
        family=f"p: {len(arms) - 1} arms against the baseline; intervals: all {len(pairs)} pairs",
        n_test=len(clusters), n_clusters=len(table.sizes),
        smallest_possible_p=smallest_p(len(table.sizes), rule.flips),
        minimum_detectable_difference=None, arms=rows, pairs=pairs, verdict=verdict, winner=winner,
        verdict_text=text, judged_only=judged_only,
    )


@dataclass(frozen=True)
class Tests:
    """Differences of all pairs (first minus second), their simultaneous bounds, adjusted p and arms' own bounds."""

    pairs: tuple[np.ndarray, np.ndarray]
    difference: Array
    low: Array
    high: Array
    p: Array
    arm_low: Array
    arm_high: Array


def all_pairs(table: Table, rule: Rule) -> Tests:
    """Run the flips once and read p and intervals of all pairs from them."""
    k, g = table.sums.shape
    total = table.sizes.sum()
    first, second = np.triu_indices(k, 1)
    flips = signs(g, rule.flips, rule.seed)
    centred = table.sums - table.sizes * (table.sums.sum(1, keepdims=True) / total)
    d, e = table.sums[first] - table.sums[second], centred[first] - centred[second]
    scale = max(float(np.abs(table.sums).max(initial=0)), 1e-300)
    norm_d = np.sqrt((d**2).sum(1))
    norm_e = np.sqrt((e**2).sum(1))
    u_d = np.abs(_pair_flips(flips, table.sums, first, second, norm_d, scale))
    u_e = np.abs(_pair_flips(flips, centred, first, second, norm_e, scale))
    observed = u_d[0] if len(first) else np.zeros(0)
    top = u_d.max(1) if len(first) else np.zeros(len(flips))
    p = np.array([(top >= u * (1 - 1e-6)).mean() if u > 0 else 1.0 for u in observed])
    critical = _critical(u_e.max(1) if len(first) else np.zeros(len(flips)), g, rule.alpha)
    difference = table.means[first] - table.means[second]
    half = critical * norm_e * np.sqrt(g / max(g - 1, 1)) / total if len(first) else np.zeros(0)
    own = np.abs((flips @ centred.T.astype(np.float32))) / np.maximum(np.sqrt((centred**2).sum(1)), 1e-300)
    own_half = np.array([_critical(own[:, i], g, rule.alpha) for i in range(k)])
    own_half = own_half * np.sqrt((centred**2).sum(1) * g / max(g - 1, 1)) / total
    return Tests((first, second), difference, difference - half, difference + half, p,
                 table.means - own_half, table.means + own_half)


def _pair_flips(flips: np.ndarray, sums: Array, first: np.ndarray, second: np.ndarray, norm: Array, scale: float) -> np.ndarray:
    s = flips @ sums.T.astype(np.float32)
    safe = np.where(norm > 1e-7 * scale, norm, np.inf).astype(np.float32)
    return (s[:, first] - s[:, second]) / safe


def _critical(top: np.ndarray, g: int, alpha: float) -> float:
    """The flips' quantile of |sum|/norm, as a t value with g - 1 degrees of freedom; infinite if too few flips."""
    if smallest_p(g, len(top)) > alpha:
        return float("inf")
    u = np.sort(top)[int(np.ceil((1 - alpha) * len(top))) - 1]
    return float(u * np.sqrt((g - 1) / max(g - u**2, 1e-12)))


def _arm(table: Table, tests: Tests, facts: Facts, i: int, base: int, side: float) -> ArmResult:
    common = dict(
        name=table.arms[i], mean=float(table.means[i]), ci_low=float(tests.arm_low[i]), ci_high=float(tests.arm_high[i]),
        contains=None if facts.contains is None else float(np.average(facts.contains, weights=table.weights)),
        n_unjudged=int((~table.judged[i]).sum()), cost=facts.cost, meets_constraints=facts.meets,
    )
    if i == base:
        return ArmResult(delta=None, delta_ci_low=None, delta_ci_high=None, p_adjusted=None, fixed=None, broken=None,
                         form_gain=None, substance_gain=None, **common)
    first, second = tests.pairs
    k = int(np.flatnonzero((first == min(i, base)) & (second == max(i, base)))[0])
    low, high, delta = float(tests.low[k]), float(tests.high[k]), float(tests.difference[k])
    if i > base:
        low, high, delta = -high, -low, -delta
    change = side * (table.values[i] - table.values[base])
    return ArmResult(delta=delta, delta_ci_low=low, delta_ci_high=high, p_adjusted=float(tests.p[k]),
                     fixed=int((change > SAME).sum()), broken=int((change < -SAME).sum()),
                     form_gain=None, substance_gain=None, **common)
