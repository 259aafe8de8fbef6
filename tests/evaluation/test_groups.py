"""The gap between groups, by hand and against a plain bootstrap; for means and for other metrics."""

from __future__ import annotations

import random

import pytest

from sharpen.evaluation.groups import gap
from sharpen.metrics import open_metric
from sharpen.types import Answer, Example, Message, Score

EXACT = open_metric("exact_match")


def test_the_gap_by_hand() -> None:
    groups = ["a"] * 10 + ["b"] * 20 + ["c"] * 3 + [""]
    base = [Score(1.0)] * 9 + [Score(0.0)] + [Score(1.0)] * 8 + [Score(0.0)] * 12 + [Score(0.0)] * 4
    new = [Score(1.0)] * 9 + [Score(0.0)] + [Score(1.0)] * 14 + [Score(None)] * 6 + [Score(0.0)] * 4
    found = gap({"base": base, "new": new}, groups, [str(i) for i in range(34)], EXACT)
    assert found is not None
    assert found.values == ("a", "b"), "three questions are no group"
    assert found.gaps["base"][0] == pytest.approx(0.9 - 0.4)
    assert found.gaps["new"][0] == pytest.approx(0.9 - 0.7), "unjudged counts as wrong"
    value, low, high = found.changes["new"]
    assert value == pytest.approx(-0.3)
    assert low is not None
    assert high is not None
    assert -0.6 < low < -0.3 < high < -0.05, "six of twenty were mended, and none was broken"


def test_one_group_is_none_and_one_cluster_bounds_nothing() -> None:
    scores = {"base": [Score(1.0)] * 20}
    assert gap(scores, ["a"] * 20, [str(i) for i in range(20)], EXACT) is None
    found = gap(scores, ["a"] * 10 + ["b"] * 10, ["x"] * 20, EXACT)
    assert found is not None
    assert found.gaps["base"] == (0.0, None, None)


def test_the_interval_is_that_of_a_plain_bootstrap_of_clusters() -> None:
    r = random.Random(3)
    n = 120
    groups = [r.choice("ab") for _ in range(n)]
    values = [float(r.random() < (0.8 if g == "a" else 0.5)) for g in groups]
    clusters = [f"{i // 4}" for i in range(n)]
    found = gap({"base": [Score(v) for v in values]}, groups, clusters, EXACT)
    assert found is not None
    drawn = []
    for _ in range(2000):
        rows = [i for c in (r.randrange(30) for _ in range(30)) for i in range(4 * c, 4 * c + 4)]
        means = [[values[i] for i in rows if groups[i] == g] for g in "ab"]
        drawn.append(abs(sum(means[0]) / len(means[0]) - sum(means[1]) / len(means[1])))
    drawn.sort()
    assert found.gaps["base"][1:] == pytest.approx((drawn[50], drawn[1949]), abs=0.03)


def test_a_metric_that_is_no_mean_has_its_own_value_in_each_group() -> None:
    metric = open_metric("macro_f1")
    examples = [
        Example(str(i), (Message("user", "?"),), ("x" if i % 2 else "y",), labels=("x" if i % 2 else "y",))
        for i in range(40)
    ]
    answers = [Answer(e.labels[0] if i < 20 else "x") for i, e in enumerate(examples)]
    found = gap({"base": metric.score(examples, answers)}, ["a"] * 20 + ["b"] * 20, [str(i) for i in range(40)], metric)
    assert found is not None
    assert found.gaps["base"][0] == pytest.approx(1 - (2 / 3) / 2), "all x: F1 of x is 2/3, of y 0"
    assert found.gaps["base"][1] is not None
