"""The score of each group of people or things that a use case names, for baseline and chosen arm, and the gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sharpen.config import Arm, UseCase, parse_sum
from sharpen.data.balancing import group_of
from sharpen.errors import UserError
from sharpen.evaluation import Rule, compare
from sharpen.evaluation.groups import LEAST, gap
from sharpen.study.results import Results


def columns_of(use_case: UseCase, arms: Sequence[Arm]) -> list[str]:
    """The columns whose groups are compared: those that the use case names, and those that an arm samples by."""
    named = list(use_case.groups)
    for arm in arms:
        try:
            named += [str(o["by"]) for _, o in ([] if arm.answers else parse_sum(arm.does)) if o.get("by")]
        except UserError:  # said elsewhere
            continue
    return list(dict.fromkeys(named))


def group_rows(made: Results) -> list[dict[str, Any]]:
    """For each column the scores by value and the gap, of baseline and chosen arm (or the leader): counts, no rows."""
    return [_row(made, by) for by in columns_of(made.setting.use_case, made.setting.arms)]


def _row(made: Results, by: str) -> dict[str, Any]:
    groups = [group_of(e, by) for e in made.test.examples]
    names = list(dict.fromkeys([made.baseline, made.leader]))
    scores = {name: made.judged[name] for name in names}
    weights, metric = [e.weight for e in made.test.examples], made.setting.metrics[0]
    seed = made.setting.use_case.seed
    found = gap(scores, groups, made.test.clusters, metric, weights, seed)
    counts = Counter(filter(None, groups))
    if found is None:
        why = f"Gap between groups by {by}: not judged, fewer than two groups have {LEAST} test questions or more."
        return {"by": by, "arms": [], "values_of": [], "counts": dict(counts), "change": None, "why": why}
    values = []
    for value in found.values:
        kept = [i for i, g in enumerate(groups) if g == value]
        compared = compare(
            {name: [some[i] for i in kept] for name, some in scores.items()},
            clusters=[made.test.clusters[i] for i in kept],
            metric=metric,
            baseline=made.baseline,
            rule=Rule(seed=seed),
            weights=[weights[i] for i in kept],
        )
        rows = {a.name: a for a in compared.arms}
        each = [{"arm": n, "mean": rows[n].mean, "low": rows[n].ci_low, "high": rows[n].ci_high} for n in names]
        values.append({"value": value, "n": len(kept), "scores": each})
    change = found.changes.get(made.leader)
    return {
        "by": by,
        "arms": [dict(zip(("arm", "gap", "low", "high"), (n, *found.gaps[n]), strict=True)) for n in names],
        "values_of": values,
        "counts": dict(counts),
        "change": dict(zip(("delta", "low", "high"), change, strict=True)) if change else None,
        "why": "",
    }
