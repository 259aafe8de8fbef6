"""The comparison: by hand, its invariances, unjudged answers, metrics that are no mean, bad input, speed."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from html import escape

import numpy as np
import pytest
from evaluation_shapes import Mean, RootMeanSquare, scored
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from sharpen.errors import UserError
from sharpen.evaluation import Facts, Rule, compare
from sharpen.evaluation.pairs import jackknife_error
from sharpen.evaluation.sums import tabulate
from sharpen.metrics import open_metric
from sharpen.types import Answer, Example, Message, Score


def test_by_hand() -> None:
    """Two arms, 3 clusters of 2: means, delta, fixed, broken; three clusters give no p below 1/4."""
    clusters = ["a", "a", "b", "b", "c", "c"]
    result = compare(
        {"base": scored([0, 0, 1, 0, 0, 1]), "arm": scored([1, 0, 1, 1, 0, 0])},
        clusters=clusters, metric=Mean(), baseline="base",
    )  # fmt: skip
    base, arm = result.arm("base"), result.arm("arm")
    assert (base.mean, arm.mean, arm.delta) == pytest.approx((2 / 6, 3 / 6, 1 / 6))
    assert (arm.fixed, arm.broken) == (2, 1)
    # sums of differences are 1, 1, -1: flipping the third gives 3 (t infinite), the first or second gives 1 again
    assert arm.p_adjusted == 1.0
    assert result.smallest_possible_p == 0.25
    assert base.delta is base.p_adjusted is base.fixed is base.form_gain is None
    assert result.verdict == "not_decided"
    assert "no verdict is possible with 3 clusters" in result.verdict_text
    assert (arm.delta_ci_low, arm.delta_ci_high) == (-1.0, 1.0), "nothing is known, and a score lies between 0 and 1"


def test_it_shows_itself_in_a_notebook() -> None:
    clusters = [f"c{i // 2}" for i in range(120)]
    arms = {"a <b>": scored([0] * 100 + [1] * 20), "new & other": scored([1] * 100 + [0] * 18 + [None] * 2)}
    result = compare(
        arms, clusters=clusters, metric=Mean("<i>"), baseline="a <b>", rule=Rule(alpha=0.1),
        facts={"new & other": Facts(contains=[1] * 90 + [0] * 30)},
    )  # fmt: skip
    shown = result._repr_html_()
    first, second, third = re.findall("<tr>(.*?)</tr>", shown)
    assert re.findall("<th>(.*?)</th>", first)[2:6] == ["90% interval", "vs baseline", "90% interval", "p"]
    base, new = (re.findall("<td>(.*?)</td>", row) for row in (second, third))
    row = result.arm("new & other")
    assert base[:2] + base[3:] == ["a &lt;b&gt;", "0.167", "", "", "", "", "", ""]
    assert new[:2] == ["new &amp; other *", "0.833"]
    gained = f"{row.delta_ci_low:+.3f} to {row.delta_ci_high:+.3f}"
    assert new[2:5] == [f"{row.ci_low:.3f} to {row.ci_high:.3f}", "+0.667", gained]
    assert new[5:] == ["&lt;0.001", "100", "20", "0.750"]
    assert result.judged_only is not None
    for text in (result.verdict_text, result.judged_only.verdict_text):
        assert escape(text) in shown
    assert "<p>&lt;i&gt; on 120 questions from 60 clusters</p>" in shown
    assert "<i>" not in shown


def test_what_is_not_known_is_left_open_in_a_notebook() -> None:
    unbounded = Mean(bounds=(0.0, np.inf))
    result = compare({"a": scored([1, 0])}, clusters=["x", "x"], metric=unbounded, baseline="a")
    (cells,) = re.findall("<tr>(<td>.*?)</tr>", result._repr_html_())
    assert cells == "<td>a</td><td>0.500</td>" + "<td></td>" * 7
    assert "on 2 questions from 1 cluster<" in result._repr_html_()


def test_weights_are_not_changed() -> None:
    weights = np.array([1.0, 2.0, 3.0])
    tabulate({"a": scored([0, 1, 1]), "b": scored([1, 0, 1])}, ["x", "y", "z"], Mean(), weights)
    assert weights.tolist() == [1.0, 2.0, 3.0]


def test_form_and_substance_by_hand() -> None:
    """Fixed where the baseline's answer held the reference is form; broken where the arm's still does is form too."""
    base, arm = [0, 0, 0, 1, 1, 1], [1, 1, 0, 0, 0, 1]
    holds = {"base": Facts(contains=[1, 0, 0, 1, 1, 1]), "arm": Facts(contains=[1, 1, 0, 1, 0, 1])}
    result = compare(
        {"base": scored(base), "arm": scored(arm)}, clusters=list("abcdef"), metric=Mean(), baseline="base", facts=holds
    )
    row = result.arm("arm")
    # form: question 1 (+1, in the baseline's answer) and 4 (-1, still in the arm's); substance: 2 (+1) and 5 (-1)
    assert row.form_gain == pytest.approx(0)
    assert row.substance_gain == pytest.approx(0)
    holds["arm"] = Facts(contains=[1, 1, 0, 0, 0, 1])
    row = compare(
        {"base": scored(base), "arm": scored(arm)}, clusters=list("abcdef"), metric=Mean(), baseline="base", facts=holds
    ).arm("arm")
    assert (row.form_gain, row.substance_gain) == pytest.approx((1 / 6, -1 / 6))
    assert row.contains == pytest.approx(3 / 6)


def _random(seed: int, arms: int, n: int, g: int) -> tuple[dict[str, list[Score]], list[str]]:
    rng = np.random.default_rng(seed)
    values = rng.random((arms, n)) < rng.uniform(0.2, 0.8, (arms, 1))
    return {f"a{i}": scored(v) for i, v in enumerate(values)}, [f"c{i}" for i in rng.integers(0, g, n)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), arms=st.integers(2, 5), g=st.integers(2, 11), n=st.integers(3, 60))
def test_order_of_questions_arms_and_names_of_clusters_change_nothing(seed: int, arms: int, g: int, n: int) -> None:
    scores, clusters = _random(seed, arms, n, g)
    first = compare(scores, clusters=clusters, metric=Mean(), baseline="a0")
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    names = [f"a{i}" for i in rng.permutation(arms)]
    again = compare(
        {a: [scores[a][i] for i in order] for a in names},
        clusters=[f"other {clusters[i]}" for i in order],
        metric=Mean(),
        baseline="a0",
    )
    assert (again.verdict, again.winner) == (first.verdict, first.winner)
    for a in scores:
        old, new = dataclasses.asdict(first.arm(a)), dataclasses.asdict(again.arm(a))
        for key, value in old.items():
            assert new[key] == (pytest.approx(value, abs=1e-7) if isinstance(value, float) else value), key


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), times=st.integers(2, 4))
def test_p_knows_clusters_not_questions(seed: int, times: int) -> None:
    """Every question several times over, in the same clusters: not a bit more is known."""
    scores, clusters = _random(seed, 3, 24, 9)
    once = compare(scores, clusters=clusters, metric=Mean(), baseline="a0")
    more = compare({a: s * times for a, s in scores.items()}, clusters=clusters * times, metric=Mean(), baseline="a0")
    for a in ("a1", "a2"):
        assert more.arm(a).p_adjusted == pytest.approx(once.arm(a).p_adjusted)
        assert more.arm(a).delta == pytest.approx(once.arm(a).delta)
    weighted = compare(scores, clusters=clusters, metric=Mean(), baseline="a0", weights=[float(times)] * len(clusters))
    assert weighted.arm("a1").delta_ci_low == pytest.approx(once.arm("a1").delta_ci_low, abs=1e-7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_more_arms_never_make_p_smaller(seed: int) -> None:
    scores, clusters = _random(seed, 5, 40, 9)
    last = 0.0
    for k in (2, 3, 4, 5):
        some = {a: scores[a] for a in list(scores)[:k]}
        p = compare(some, clusters=clusters, metric=Mean(), baseline="a0").arm("a1").p_adjusted
        assert p >= last - 1e-12
        last = p


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_lower_is_better_metric_is_the_mirror_image(seed: int) -> None:
    scores, clusters = _random(seed, 3, 30, 9)
    up = compare(scores, clusters=clusters, metric=Mean(), baseline="a0")
    mirrored = {a: [Score(1 - s.value) for s in v] for a, v in scores.items()}
    down = compare(mirrored, clusters=clusters, metric=Mean(higher_is_better=False), baseline="a0")
    assert (up.verdict, up.winner) == (down.verdict, down.winner)
    for a in ("a1", "a2"):
        assert down.arm(a).delta == pytest.approx(-up.arm(a).delta)
        assert down.arm(a).delta_ci_low == pytest.approx(-up.arm(a).delta_ci_high, abs=1e-7)
        assert (down.arm(a).fixed, down.arm(a).broken) == (up.arm(a).fixed, up.arm(a).broken)


def test_identical_arms_give_p_one_and_no_verdict_for_an_arm() -> None:
    scores, clusters = _random(1, 1, 200, 20)
    result = compare({"a0": scores["a0"], "a1": scores["a0"]}, clusters=clusters, metric=Mean(), baseline="a0")
    row = result.arm("a1")
    assert (row.delta, row.p_adjusted, row.fixed, row.broken) == (0, 1, 0, 0)
    assert result.winner != "a1"
    assert row.delta_ci_low < 0 < row.delta_ci_high, "clusters that were not drawn could differ"


def test_identical_answers_in_many_clusters_keep_the_baseline() -> None:
    values = scored([1, 0] * 200)
    result = compare({"a0": values, "a1": values}, clusters=[f"c{i}" for i in range(400)], metric=Mean(), baseline="a0")
    assert (result.verdict, result.winner) == ("keep_baseline", "a0")
    assert result.arm("a1").delta_ci_high == pytest.approx(1 - 0.05 ** (1 / 400))


@pytest.mark.parametrize("g", [1, 2, 3, 5])
def test_too_few_clusters_say_so(g: int) -> None:
    clusters = [f"c{i % g}" for i in range(60)]
    result = compare({"a": scored([0] * 60), "b": scored([1] * 60)}, clusters=clusters, metric=Mean(), baseline="a")
    assert (result.verdict, result.winner, result.minimum_detectable_difference) == ("not_decided", None, None)
    assert "no verdict is possible" in result.verdict_text
    assert f"{g} clusters" in result.verdict_text


def test_only_the_baseline() -> None:
    result = compare({"a": scored([0, 1, 1])}, clusters=list("xyz"), metric=Mean(), baseline="a")
    assert (result.verdict, result.winner, result.pairs) == ("not_decided", None, ())
    assert "nothing to compare" in result.verdict_text


def test_unjudged_counts_as_wrong_and_stands_beside() -> None:
    clusters = [f"c{i % 12}" for i in range(120)]
    arm = scored([1] * 60 + [None] * 60)
    result = compare({"a": scored([0.5] * 120), "b": arm}, clusters=clusters, metric=Mean(), baseline="a")
    assert result.arm("b").mean == 0.5
    assert result.arm("b").n_unjudged == 60
    assert result.judged_only is not None
    assert result.judged_only.n_test == 60
    assert result.judged_only.arm("b").delta == pytest.approx(0.5)
    assert (result.verdict, result.judged_only.verdict) == ("not_decided", "better")
    slow = compare(
        {"a": scored([1.0, 2.0] * 6), "b": scored([1.0, None] * 6)},
        clusters=list("abcdef") * 2,
        metric=Mean(higher_is_better=False, bounds=(0.0, np.inf)),
        baseline="a",
    )
    assert slow.arm("b").mean == pytest.approx(1.5), "the worst time that was seen"


def test_everything_unjudged() -> None:
    result = compare(
        {"a": scored([None] * 8), "b": scored([None] * 8)}, clusters=list("abcdefgh"), metric=Mean(), baseline="a"
    )
    assert result.judged_only is None
    assert result.verdict == "not_decided"


def test_pseudo_values_of_a_mean_are_its_sums() -> None:
    scores, clusters = _random(3, 2, 50, 7)

    class Disguised(Mean):
        """The mean, but seen to be none because its scores carry stats."""

    marked = {a: [Score(s.value, stats=(s.value, 1.0)) for s in v] for a, v in scores.items()}
    plain = tabulate(scores, clusters, Mean(), None)
    pseudo = tabulate(marked, clusters, Disguised(), None)
    assert plain.is_mean
    assert not pseudo.is_mean
    np.testing.assert_allclose(pseudo.sums, plain.sums, atol=1e-9)


def test_a_metric_without_a_shortcut_is_asked() -> None:
    rng = np.random.default_rng(2)
    clusters = [f"c{i % 14}" for i in range(280)]
    arms = {"a": scored(rng.uniform(0, 0.5, 280)), "b": scored(rng.uniform(0.3, 0.9, 280))}
    result = compare(arms, clusters=clusters, metric=RootMeanSquare(), baseline="a")
    values = np.array([s.value for s in arms["b"]])
    assert result.arm("b").mean == pytest.approx(np.sqrt((values**2).mean()))
    assert result.verdict == "better"


def _classified(seed: int, n: int) -> tuple[dict[str, list[Score]], list[str], list[list[str]], list[str]]:
    rng = np.random.default_rng(seed)
    names = ("x", "y", "z")
    truth = [str(t) for t in rng.choice(names, n, p=(0.6, 0.3, 0.1))]
    examples = [Example(str(i), (Message("user", "?"),), labels=(t,)) for i, t in enumerate(truth)]
    said = [[t if rng.random() < rate else str(rng.choice(names)) for t in truth] for rate in (0.3, 0.8)]
    metric = open_metric("macro_f1", labels=names)
    arms = {f"a{i}": metric.score(examples, [Answer(s) for s in row]) for i, row in enumerate(said)}
    return arms, truth, said, [f"c{i % 20}" for i in range(n)]


def test_macro_f1_is_macro_f1_and_its_deletions_are_exact() -> None:
    from sklearn.metrics import f1_score

    arms, truth, said, clusters = _classified(0, 200)
    metric = open_metric("macro_f1", labels=("x", "y", "z"))
    table = tabulate(arms, clusters, metric, None)
    for i in (0, 1):
        assert table.means[i] == pytest.approx(f1_score(truth, said[i], average="macro"))
    keep = [k for k in range(200) if clusters[k] != "c7"]
    without = f1_score([truth[k] for k in keep], [said[1][k] for k in keep], average="macro")
    g = sorted(set(clusters)).index("c7")
    assert table.sums[1, g] == pytest.approx(200 * table.means[1] - 190 * without)
    result = compare(arms, clusters=clusters, metric=metric, baseline="a0")
    assert result.verdict == "better"


def test_form_and_substance_of_macro_f1_add_up() -> None:
    arms, _, _, clusters = _classified(1, 120)
    rng = np.random.default_rng(0)
    facts = {a: Facts(contains=rng.integers(0, 2, 120).tolist()) for a in arms}
    metric = open_metric("macro_f1", labels=("x", "y", "z"))
    row = compare(arms, clusters=clusters, metric=metric, baseline="a0", facts=facts).arm("a1")
    assert row.form_gain + row.substance_gain == pytest.approx(row.delta, abs=1e-12)
    assert 0 < row.form_gain < row.delta


def test_all_problems_at_once() -> None:
    with pytest.raises(UserError) as caught:
        compare({"a": scored([1]), "b": scored([float("inf"), 0])}, clusters=list("xyz"), metric=Mean(), baseline="a")
    assert len(caught.value.problems) == 3
    with pytest.raises(UserError, match="not among the arms"):
        compare({"a": scored([1])}, clusters=["x"], metric=Mean(), baseline="z", rule=Rule(worth=0))
    with pytest.raises(UserError, match="no test question"):
        compare({"a": []}, clusters=[], metric=Mean(), baseline="a")
    with pytest.raises(UserError, match="weights must be positive"):
        compare({"a": scored([1])}, clusters=["x"], metric=Mean(), baseline="a", weights=[-1.0])


def test_the_result_is_json() -> None:
    scores, clusters = _random(4, 3, 40, 4)
    for metric in (Mean(), Mean(bounds=(-np.inf, np.inf))):
        result = compare(scores, clusters=clusters, metric=metric, baseline="a0")
        again = json.loads(json.dumps(dataclasses.asdict(result), allow_nan=False))
        assert again["verdict"] == result.verdict


def test_speed() -> None:
    """12 arms, 200 clusters, 20,000 flips, 66 pairs: CPU seconds of one thread or two, best of five."""
    scores, clusters = _random(0, 12, 2000, 200)
    compare(scores, clusters=clusters, metric=Mean(), baseline="a0")
    taken = []
    for _ in range(5):
        began = time.process_time()
        compare(scores, clusters=clusters, metric=Mean(), baseline="a0")
        taken.append(time.process_time() - began)
    assert min(taken) < 1.0, "0.1 s on a quiet machine; the limit allows for a busy one"


def test_the_unit_of_weights_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    arms = {a: scored((rng.random(200) < p).astype(float)) for a, p in (("base", 0.4), ("a", 0.6))}
    clusters = [f"c{i // 10}" for i in range(200)]
    plain = compare(arms, clusters=clusters, metric=Mean(), baseline="base")
    for unit in (0.001, 1000.0):
        same = compare(arms, clusters=clusters, metric=Mean(), baseline="base", weights=[unit] * 200)
        assert same.minimum_detectable_difference == pytest.approx(plain.minimum_detectable_difference)
        assert same.arm("a").delta_ci_low == pytest.approx(plain.arm("a").delta_ci_low)
        assert same.verdict_text == plain.verdict_text


def test_one_arms_interval_is_wilsons_where_questions_stand_alone() -> None:
    """With the flips' quantile for the normal one; nothing is lost to a difference that a single mean has not."""
    arms = {"base": scored([1.0] * 364 + [0.0] * 36)}
    row = compare(arms, clusters=[f"c{i}" for i in range(400)], metric=Mean(), baseline="base").arm("base")
    low, high = proportion(364, 400)
    assert (row.ci_low, row.ci_high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def proportion(k: int, n: int) -> tuple[float, float]:
    found = binomtest(k, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def test_an_error_that_is_no_number_is_no_certainty() -> None:
    error = jackknife_error(np.array([[np.nan, 1.0, 2.0], [1.0, -1.0, 0.0]]), np.ones(3))
    assert np.isinf(error[0])
    assert np.isfinite(error[1])
