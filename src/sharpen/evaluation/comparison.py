"""Compare arms on recorded scores: paired, by whole clusters, all pairs at once, with a verdict.

One procedure. Scores are summed per cluster (pseudo-values where the metric is not a mean), differences are
studentised, and the reference is the largest of them under random sign flips of whole clusters. Adjusted p and
simultaneous intervals are two readings of the same flips; a verdict needs both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sharpen.errors import Problem, UserError
from sharpen.evaluation.flips import Array, smallest_p
from sharpen.evaluation.gains import form_gain
from sharpen.evaluation.pairs import Pairs, all_pairs
from sharpen.evaluation.power import HIDDEN_CORRELATION, SPARSE, Noise, detectable, typical_critical
from sharpen.evaluation.shown import page
from sharpen.evaluation.sums import Judge, Table, tabulate
from sharpen.evaluation.verdicts import Standing, Terms, decide
from sharpen.types import Score


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

    ``cost``: in one unit for all arms; None: not known, which counts as the greatest. ``meets``: keeps the use case's
    constraints. ``contains``: for each question 1 (or True) if a reference stood in the answer, else 0.
    """

    cost: float | None = None
    meets: bool = True
    contains: Sequence[float] | None = None


@dataclass(frozen=True)
class ArmResult:
    """One arm on the test. Deltas are arm minus baseline in the metric's own unit; None for the baseline.

    ``ci_low`` and ``ci_high`` bound the mean, over clusters, for this arm alone; the delta's bounds hold for all pairs
    of arms at once. A bound is None where the flips cannot give one. ``fixed`` and ``broken`` count questions whose
    score is better or worse than the baseline's by more than 1e-9. ``form_gain + substance_gain == delta``.
    """

    name: str
    mean: float
    ci_low: float | None
    ci_high: float | None
    delta: float | None = None
    delta_ci_low: float | None = None
    delta_ci_high: float | None = None
    p_adjusted: float | None = None
    fixed: int | None = None
    broken: int | None = None
    contains: float | None = None
    form_gain: float | None = None
    substance_gain: float | None = None
    n_unjudged: int = 0
    cost: float | None = None
    meets_constraints: bool = True


@dataclass(frozen=True)
class PairResult:
    """``first`` minus ``second`` in the metric's own unit, with its simultaneous interval over all pairs."""

    first: str
    second: str
    difference: float
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Comparison:
    """All that a report says about a test; see :func:`compare`.

    ``judged_only`` is the same comparison on the questions that could be judged for every arm; None if that is all.
    ``leader``: best mean of the arms that keep the constraints. ``as_good_as_best``: the winner is *shown* to be less
    than ``worth`` below every other arm that keeps them.
    """

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
    leader: str
    as_good_as_best: bool
    judged_only: Comparison | None = None

    def arm(self, name: str) -> ArmResult:
        """Return one arm's row."""
        return next(a for a in self.arms if a.name == name)

    def _repr_html_(self) -> str:
        return page(self)


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
    """Compare arms that answered the same questions and reach a verdict.

    Args:
        arms: each arm's scores, in the order of the questions. A score without a value counts as the worst possible.
        clusters: what each question belongs to (a source, a customer): questions of one cluster are flipped together.
        metric: its ``aggregate`` is the quantity compared; see :class:`sharpen.evaluation.sums.Judge`.
        baseline: the arm that the others must beat.
        rule: margin, error rate, flips; fixed before the scores were seen.
        facts: cost, constraints and containment of arms; an arm without facts has none of the three.
        weights: of the questions; all 1 if None.

    Raises:
        UserError: scores that do not fit together; all problems at once.
    """
    known = dict(facts or {})
    _check(arms, baseline, rule, known, len(clusters))
    table = tabulate(arms, clusters, metric, weights)
    base = table.arms.index(baseline)
    pairs = all_pairs(table, base, rule.alpha, rule.flips, rule.seed)
    side = 1.0 if metric.higher_is_better else -1.0
    n_clusters = len(table.sizes)
    least = _detectable(table, pairs, base, rule.alpha)
    terms = Terms(baseline, rule.worth, rule.alpha, len(clusters), n_clusters, smallest_p(n_clusters, rule.flips))
    verdict = decide(_standings(table, pairs, known, base, side), terms, least)
    n_pairs = len(pairs.first)
    return Comparison(
        metric=metric.name,
        baseline=baseline,
        worth=rule.worth,
        alpha=rule.alpha,
        family=f"p: {len(arms) - 1} arm(s) against the baseline; intervals: all {n_pairs} pair(s) of arms",
        n_test=terms.n,
        n_clusters=n_clusters,
        smallest_possible_p=terms.smallest_p,
        minimum_detectable_difference=least,
        arms=_rows(_Case(table, pairs, known, base, metric, arms)),
        pairs=_pair_rows(table, pairs),
        verdict=verdict.kind,
        winner=verdict.winner,
        verdict_text=verdict.text,
        leader=verdict.leader,
        as_good_as_best=verdict.as_good_as_best,
        judged_only=_judged_only(arms, table, clusters, metric, baseline, rule, known, weights),
    )  # fmt: skip


def _check(arms: Mapping[str, Sequence[Score]], baseline: str, rule: Rule, facts: Mapping[str, Facts], n: int) -> None:
    problems = []
    if baseline not in arms:
        problems.append(
            Problem(f"the baseline {baseline!r} is not among the arms.", do=f"There are: {', '.join(arms)}.")
        )
    if not 0 < rule.alpha < 1:
        problems.append(Problem(f"{rule.alpha} is no error rate.", "alpha", "Give a number between 0 and 1."))
    if not rule.worth > 0:
        problems.append(Problem(f"{rule.worth} is no margin.", "worth", "Give the smallest gain that would matter."))
    if rule.flips < 1 / max(rule.alpha, 1e-9):
        problems.append(Problem(f"{rule.flips} flips are too few.", "flips", "Give 20000."))
    for name, f in facts.items():
        if f.contains is not None and len(f.contains) != n:
            where = f"arm {name}"
            problems.append(Problem(f"{len(f.contains)} containments for {n} questions.", where, "Give one for each."))
    if problems:
        raise UserError(problems)


def _judged_only(
    arms: Mapping[str, Sequence[Score]],
    table: Table,
    clusters: Sequence[str],
    metric: Judge,
    baseline: str,
    rule: Rule,
    facts: Mapping[str, Facts],
    weights: Sequence[float] | None,
) -> Comparison | None:
    """The comparison without the questions that could not be judged for some arm."""
    keep = np.flatnonzero(table.judged.all(axis=0)).tolist()
    if table.judged.all() or not len(keep):
        return None
    return compare(
        {a: [scores[k] for k in keep] for a, scores in arms.items()},
        clusters=[clusters[k] for k in keep],
        metric=metric,
        baseline=baseline,
        rule=rule,
        facts={
            a: f if f.contains is None else replace(f, contains=[f.contains[k] for k in keep]) for a, f in facts.items()
        },
        weights=None if weights is None else [weights[k] for k in keep],
    )


def _standings(table: Table, pairs: Pairs, facts: Mapping[str, Facts], base: int, side: float) -> list[Standing]:
    """The arms oriented so that higher is better."""
    standings = []
    for i, name in enumerate(table.arms):
        below, gain, p, above = {}, 0.0, 1.0, 0.0
        for j, other in enumerate(table.arms):
            if i == j:
                continue
            k, sign = pairs.find(j, i)
            _, high = sorted((side * sign * pairs.low[k], side * sign * pairs.high[k]))
            below[other] = float(high)
            if j == base:
                gain, p, above = float(-side * sign * pairs.difference[k]), float(pairs.p[k]), float(-high)
        fact = facts.get(name, Facts())
        standings.append(Standing(name, side * float(table.means[i]), gain, p, above, below, fact.cost, fact.meets))
    return standings


def _detectable(table: Table, pairs: Pairs, base: int, alpha: float) -> float | None:
    """The gain over the baseline that this test finds four times in five, from the spread that was observed."""
    mine = (pairs.first == base) | (pairs.second == base)
    if not mine.any():
        return None
    n = float(table.sizes.sum())
    change = (table.values[pairs.first[mine]] - table.values[pairs.second[mine]]) / table.spread
    differing = max(float((change**2 @ table.weights).mean() / n), 1 / n)
    error = max(float(np.sqrt((pairs.error[mine] ** 2).mean())) / table.spread, float(np.sqrt(differing / n)))
    critical = pairs.critical
    if np.isfinite(critical) and differing * n < SPARSE * len(table.sizes):
        critical = max(critical, typical_critical(table.sizes, len(table.arms), HIDDEN_CORRELATION, alpha))
    least = detectable(Noise(error, differing, n, table.sizes), critical)
    return None if least is None else least * table.spread


@dataclass(frozen=True)
class _Case:
    """What all rows are made from."""

    table: Table
    pairs: Pairs
    facts: Mapping[str, Facts]
    base: int
    metric: Judge
    arms: Mapping[str, Sequence[Score]]

    def facts_of(self, i: int) -> Facts:
        return self.facts.get(self.table.arms[i], Facts())


def _rows(case: _Case) -> tuple[ArmResult, ...]:
    table, weights = case.table, case.table.weights
    rows = []
    for i, name in enumerate(table.arms):
        fact = case.facts_of(i)
        held = None if fact.contains is None else float(np.average(np.asarray(fact.contains, float), weights=weights))
        row = ArmResult(
            name=name,
            mean=float(table.means[i]),
            ci_low=_finite(case.pairs.arm_low[i]),
            ci_high=_finite(case.pairs.arm_high[i]),
            contains=held,
            n_unjudged=int((~table.judged[i]).sum()),
            cost=fact.cost,
            meets_constraints=fact.meets,
        )
        rows.append(row if i == case.base else _against(row, case, i))
    return tuple(rows)


def _against(row: ArmResult, case: _Case, i: int) -> ArmResult:
    """Add what holds against the baseline."""
    pairs, base = case.pairs, case.base
    k, sign = pairs.find(i, base)
    low, high = sorted((sign * pairs.low[k], sign * pairs.high[k]))
    delta = float(sign * pairs.difference[k])
    up = case.metric.higher_is_better == (sign > 0)
    mine, theirs = case.facts_of(i).contains, case.facts_of(base).contains
    form = None
    if mine is not None and theirs is not None:
        held = (np.asarray(mine, dtype=float), np.asarray(theirs, dtype=float))
        form = form_gain(case.table, i, base, held, case.metric, case.arms)
    return replace(
        row,
        delta=delta,
        delta_ci_low=_finite(low),
        delta_ci_high=_finite(high),
        p_adjusted=float(pairs.p[k]),
        fixed=int(pairs.gained[k] if up else pairs.lost[k]),
        broken=int(pairs.lost[k] if up else pairs.gained[k]),
        form_gain=form,
        substance_gain=None if form is None else delta - form,
    )


def _pair_rows(table: Table, pairs: Pairs) -> tuple[PairResult, ...]:
    return tuple(
        PairResult(table.arms[i], table.arms[j], float(d), _finite(low), _finite(high))
        for i, j, d, low, high in zip(pairs.first, pairs.second, pairs.difference, pairs.low, pairs.high, strict=True)
    )


def _finite(x: float | Array) -> float | None:
    return float(x) if np.isfinite(x) else None
