"""A gain split into form (the reference stood in the other arm's answer too) and substance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sharpen.evaluation.flips import Array
from sharpen.evaluation.pairs import SAME
from sharpen.evaluation.sums import Judge, Table, values_filled
from sharpen.types import Score


def form_gain(
    table: Table,
    arm: int,
    base: int,
    contains: tuple[Array, Array],
    metric: Judge,
    arms: Mapping[str, Sequence[Score]],
) -> float:
    """Return the part of the arm's delta that is form; the rest is substance.

    A question that the arm gets better is form if the baseline's answer held a reference; one that it gets worse is
    form if its own answer still does. For a metric that is not a mean the form questions are
    exchanged both ways (baseline's scores with them, arm's without) and the two effects averaged (Shapley), which for
    a mean is the plain sum.

    Args:
        table: the scores.
        arm: number of the arm.
        base: number of the baseline.
        contains: for the arm and for the baseline, whether a reference stood in each answer.
        metric: the judge.
        arms: the recorded scores.
    """
    mine, theirs = contains
    side = 1.0 if metric.higher_is_better else -1.0
    change = side * (table.values[arm] - table.values[base])
    form = ((change > SAME) & (theirs > 0.5)) | ((change < -SAME) & (mine > 0.5))
    if table.is_mean:
        return float(side * (change[form] @ table.weights[form]) / table.weights.sum())
    a, b = (values_filled(arms[table.arms[i]], table.values[i]) for i in (arm, base))
    into = [x if f else y for x, y, f in zip(a, b, form, strict=True)]
    out = [y if f else x for x, y, f in zip(a, b, form, strict=True)]
    w = table.weights.tolist()
    value = [metric.aggregate(scores, w) for scores in (into, b, a, out)]
    return float((value[0] - value[1] + value[2] - value[3]) / 2)
