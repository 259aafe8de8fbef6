"""The race: what it drops, what it never drops, and that betting pays as the formula says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluation_shapes import Mean, RootMeanSquare, scored
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import UserError
from sharpen.evaluation import Race, batches, race
from sharpen.evaluation.racing import BETS
from sharpen.types import Score


def test_capital_by_hand() -> None:
    """Two clusters of 2 questions, b ahead of a by 2 then 1 of at most 2: capital is the mean over bets."""
    run = Race(("base", "a"), "base", 2, Mean())
    run.update({"base": scored([1, 1, 1, 0]), "a": scored([0, 0, 0, 0])}, ["x", "x", "y", "y"])
    capital = math.log(np.mean([(1 + b) * (1 + b / 2) for b in BETS]))
    i, j = 0, 1
    assert math.log(np.exp(run._log[:, i, j]).mean()) == pytest.approx(capital)
    assert not run.dropped


def test_a_heavy_question_counts_for_as_many_light_ones() -> None:
    """An arm that is right where it matters stays, and one that is right only elsewhere goes."""
    heavy = [i % 10 == 0 for i in range(400)]
    answers = {"base": scored([0] * 400), "vital": scored(heavy), "rest": scored([not h for h in heavy])}
    clusters = [f"c{i // 2}" for i in range(400)]
    assert set(_run(answers, clusters).dropped) == {"vital"}
    assert set(_run(answers, clusters, weights=[100.0 if h else 1.0 for h in heavy]).dropped) <= {"rest"}
    # A weight is so many copies in one cluster.
    once, twice = ({"base": scored([1, 0] * k), "a": scored([0, 1] * k)} for k in (1, 3))
    weighted, copied = Race(("base", "a"), "base", 3, Mean()), Race(("base", "a"), "base", 3, Mean())
    weighted.update(once, ["x", "y"], [3, 3])
    copied.update(twice, ["x", "y"] * 3)
    np.testing.assert_allclose(weighted._log, copied._log)
    with pytest.raises(UserError, match="a cluster weighs 4, more than the 3 declared"):
        weighted.update(once, ["u", "v"], [4, 1])


def _worlds(rng: np.random.Generator, rates: list[float], clusters: int, size: int) -> tuple[dict, list[str]]:
    names = ["base", *(f"a{i}" for i in range(1, len(rates)))]
    answers = {n: scored(rng.random(clusters * size) < r) for n, r in zip(names, rates, strict=True)}
    return answers, [f"c{i // size}" for i in range(clusters * size)]


def _run(answers: dict[str, list[Score]], clusters: list[str], **options: object) -> Race:
    return race(
        lambda arm, positions: [answers[arm][i] for i in positions],
        list(answers), clusters=clusters, metric=Mean(), baseline="base", **options,
    )  # fmt: skip


def test_hopeless_arms_leave_early_and_evaluation_is_saved() -> None:
    answers, clusters = _worlds(np.random.default_rng(0), [0.1, 0.1, 0.7, 0.15], 40, 10)
    asked: dict[str, int] = dict.fromkeys(answers, 0)

    def ask(arm: str, positions: list[int]) -> list[Score]:
        asked[arm] += len(positions)
        return [answers[arm][i] for i in positions]

    run = race(ask, list(answers), clusters=clusters, metric=Mean(), baseline="base")
    assert set(run.dropped) == {"a1", "a3"}
    assert asked["base"] == asked["a2"] == 400, "the baseline is never dropped, nor the leader"
    assert run.saved == 800 - asked["a1"] - asked["a3"] > 300
    gone = run.dropped["a1"]
    assert gone.by == "a2"
    assert gone.evidence >= 50
    assert "a2 is ahead of it" in gone.reason


def test_the_best_arm_is_dropped_in_at_most_two_of_a_hundred() -> None:
    """All arms alike: dropping any one of them is a mistake, and 1,000 races make few."""
    rng = np.random.default_rng(1)
    lost = 0
    for _ in range(1000):
        answers, clusters = _worlds(rng, [0.5, 0.5, 0.5], 30, 4)
        lost += "a1" in _run(answers, clusters).dropped
    assert lost <= 20


def test_few_clusters_drop_nothing_however_large_the_gap() -> None:
    answers, clusters = _worlds(np.random.default_rng(0), [0.0, 0.0, 1.0], 5, 20)
    assert not _run(answers, clusters).dropped


def test_a_metric_without_bounds_is_not_raced() -> None:
    answers, clusters = _worlds(np.random.default_rng(0), [0.0, 0.0, 1.0], 60, 2)
    run = race(
        lambda arm, positions: [answers[arm][i] for i in positions],
        list(answers), clusters=clusters, metric=Mean(bounds=(0, math.inf)), baseline="base",
    )  # fmt: skip
    assert not run.possible
    assert run.running == tuple(answers)


def test_lower_is_better_and_unjudged_is_worst() -> None:
    answers = {"base": scored([0.9] * 90), "a": scored([0.1] * 90), "b": scored([None] * 90)}
    run = race(
        lambda arm, positions: [answers[arm][i] for i in positions],
        list(answers), clusters=[str(i) for i in range(90)], metric=Mean(higher_is_better=False), baseline="base",
    )  # fmt: skip
    assert set(run.dropped) == {"b"}


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30), rounds=st.integers(1, 12), seed=st.integers(0, 99))
def test_batches_hold_every_question_once_and_whole_clusters(sizes: list[int], rounds: int, seed: int) -> None:
    clusters = [f"c{i}" for i, n in enumerate(sizes) for _ in range(n)]
    cut = batches(clusters, rounds, seed)
    assert sorted(i for b in cut for i in b) == list(range(len(clusters)))
    assert len(cut) <= rounds
    where: dict[str, set[int]] = {}
    for k, b in enumerate(cut):
        for i in b:
            where.setdefault(clusters[i], set()).add(k)
    assert all(len(w) == 1 for w in where.values())


def test_bad_input() -> None:
    with pytest.raises(UserError, match="not in the race"):
        Race(("a",), "base", 3, Mean())
    run = Race(("base", "a"), "base", 1, Mean())
    with pytest.raises(UserError, match="needs 2 scores of each of: a"):
        run.update({"base": scored([1, 0])}, ["x", "y"])
    with pytest.raises(UserError, match="more than the 1 declared"):
        run.update({"base": scored([1, 0]), "a": scored([1, 0])}, ["x", "x"])


def test_what_is_no_bounded_mean_is_not_raced() -> None:
    """The mean of one arm is lower, its value is higher; a score beyond the bounds says that these are none."""
    clusters = [f"c{i}" for i in range(400)]
    often = np.random.default_rng(0).random(400) < 0.45
    squares = {"base": scored([0.6] * 400), "a": scored(often.astype(float))}
    huge = {"base": scored([0.9] * 400), "a": scored(np.where(often, 100.0, 0.0))}
    for answers, metric in ((squares, RootMeanSquare()), (huge, Mean())):
        run = race(
            lambda arm, positions, known=answers: [known[arm][i] for i in positions],
            list(answers),
            clusters=clusters,
            metric=metric,
            baseline="base",
        )
        assert not run.possible
        assert not run.dropped
    assert "a" in _run(squares, clusters).dropped
