"""Honesty in short: simulated studies with a known truth. The long form is ``benchmarks/honesty.py``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sharpen.evaluation import Rule, Seen, plan
from sharpen.testing.simulate import World, draw, effects_of

RULE = Rule(flips=1_000)
EIGHT = World(8, 25, icc=0.1)
FOURTEEN = World(14, 25, icc=0.4)
RARE = World(14, 25, icc=0.4, base=0.03)


@pytest.mark.parametrize("kind", ["exact_match", "token_f1", "macro_f1"])
def test_the_simulated_truth_is_the_mean_of_many(kind: str) -> None:
    world = World(3000, 8, icc=0.3, kind=kind, base=0.6)
    study = draw(world, [0.0, 0.1], np.random.default_rng(0))
    for name, true in zip(study.arms, study.truth, strict=True):
        assert world.metric.aggregate(study.arms[name]) == pytest.approx(true, abs=0.012)
    assert study.truth == pytest.approx([0.6, 0.7], abs=1e-3)


def test_with_informative_sizes_the_truth_is_that_of_questions() -> None:
    """Large clusters easier: the mean over questions is above the mean over clusters, and the truth says so."""
    world = World(6000, 12, icc=0.4, informative=0.8)
    study = draw(world, [0.0], np.random.default_rng(0))
    seen = world.metric.aggregate(study.arms["a0"])
    assert study.truth[0] > 0.53
    assert seen == pytest.approx(study.truth[0], abs=0.012)


@pytest.mark.parametrize(
    ("world", "arms", "studies", "most", "least"),
    [
        (EIGHT, 6, 300, 26, 274),
        (FOURTEEN, 2, 300, 26, 274),
        (World(14, 25, icc=0.1, kind="token_f1", base=0.4), 12, 100, 11, 89),
        (World(40, 15, icc=0.1, kind="macro_f1", base=0.7), 3, 100, 11, 89),
        (World(40, 15, icc=0.4, base=0.97), 6, 100, 11, 89),
    ],
)
def test_null_and_coverage(world: World, arms: int, studies: int, most: int, least: int) -> None:
    """ "Better" in at most 5% and three standard errors of so many studies; cover at least 95% less three of them."""
    rng = np.random.default_rng(1)
    better = covered = 0
    for _ in range(studies):
        study = draw(world, np.zeros(arms), rng)
        result = study.compared(RULE)
        better += result.verdict == "better"
        covered += study.covered(result)
    assert better <= most
    assert covered >= least


def test_the_race_does_not_lose_a_leader_while_it_drops_others() -> None:
    rng = np.random.default_rng(4)
    lost = dropped = 0
    for _ in range(60):
        run = draw(World(60, 15, icc=0.1, base=0.3), [0.0, 0.58, 0.6, 0.0], rng).raced()
        lost += "a2" in run.dropped
        dropped += len(run.dropped)
    assert dropped >= 50, "of 60 times one that is far behind"
    assert lost <= 2


def test_coverage_where_answers_are_rarely_right_and_sizes_informative() -> None:
    rng = np.random.default_rng(2)
    covered = {"rare": 0, "informative": 0}
    for _ in range(200):
        study = draw(RARE, effects_of("spread", 6, 0.015, rng), rng)
        covered["rare"] += study.covered(study.compared(RULE))
        study = draw(World(14, 25, icc=0.2, informative=0.7), effects_of("spread", 3, 0.05, rng), rng)
        covered["informative"] += study.covered(study.compared(RULE))
    assert min(covered.values()) >= 180, covered


def test_an_arm_said_to_be_as_good_as_the_best_is() -> None:
    rng = np.random.default_rng(3)
    world = World(200, 12, icc=0.0, alike=0.95)
    claims = wrong = 0
    for _ in range(150):
        study = draw(world, [0.0, 0.08, 0.06], rng)
        result = study.compared(RULE)
        claims += result.as_good_as_best
        wrong += study.worse_than_claimed(result)
    assert claims > 20, "claims are made"
    assert wrong <= 14


def test_the_stated_difference_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(4)
    dev = draw(FOURTEEN, np.zeros(3), rng)
    sizes = np.unique(dev.clusters, return_counts=True)[1].tolist()
    said = plan(sizes, 3, Seen(dev.arms, dev.clusters, FOURTEEN.metric, "a0"))
    assert said.possible
    assert not said.assumed
    stated = [draw(FOURTEEN, np.zeros(3), rng).compared(RULE).minimum_detectable_difference for _ in range(40)]
    gain = float(np.median([np.inf if x is None else x for x in stated]))
    assert said.minimum_detectable_difference == pytest.approx(gain, rel=0.6)
    world = replace(FOURTEEN, base=min(FOURTEEN.base, 0.97 - gain))
    better = sum(draw(world, [0, 0, gain], rng).compared(RULE).winner == "a2" for _ in range(150))
    assert better >= 105


def test_a_plan_for_macro_f1_or_unequal_weights_promises_no_more_than_the_test_can_show() -> None:
    """What the plan says from dev is near what studies of the same world then say of themselves."""
    rng = np.random.default_rng(5)
    world = World(40, 15, kind="macro_f1", base=0.9)
    planned, after = [], []
    for _ in range(8):
        dev, test = (draw(world, effects_of("spread", 3, 0.05, rng), rng) for _ in range(2))
        sizes = np.unique(test.clusters, return_counts=True)[1].tolist()
        planned.append(plan(sizes, 3, Seen(dev.arms, dev.clusters, world.metric, "a0")).minimum_detectable_difference)
        after.append(test.compared(RULE).minimum_detectable_difference)
    assert 0.97 < np.median(planned) / np.median(after) < 1.2
    one = draw(World(40, 15), effects_of("spread", 3, 0.05, rng), rng)
    uneven = [10.0 if i % 10 == 0 else 1.0 for i in range(len(one.clusters))]
    seen = [Seen(one.arms, one.clusters, World(40, 15).metric, "a0", w) for w in (None, [2.0] * len(uneven), uneven)]
    plain, same, wide = (plan([15] * 40, 3, s).minimum_detectable_difference for s in seen)
    assert plain == same
    assert wide > 1.3 * plain


def test_the_plan_in_words() -> None:
    assert "No verdict is possible" in plan([30, 20, 40], 4).says[-1]
    assert "nothing to compare" in plan([30] * 10, 1).says[-1]
    many = plan([5] * 400, 2)
    assert many.minimum_detectable_difference < plan([5] * 40, 2).minimum_detectable_difference
    assert many.assumed
    assert many.minimum_detectable_difference < plan([5] * 400, 12).minimum_detectable_difference
    assert "A larger test share" in plan([25] * 14, 6).says[-1]
    few = plan([25] * 6, 12)
    assert few.possible
    assert few.minimum_detectable_difference is None


def test_the_correlation_of_scores_is_that_of_cut_normal_numbers() -> None:
    """Cut in the middle, numbers that correlate by .3 give scores that correlate by 2 asin(.3) / pi (Sheppard 1899)."""
    scores, differences = draw(World(3000, 12, icc=0.3), [0.0, 0.0], np.random.default_rng(0)).alike_within()
    assert scores == pytest.approx(2 * np.arcsin(0.3) / np.pi, abs=0.015)
    assert 0.1 < differences < scores
    alone, _ = draw(World(3000, 12, icc=0.0), [0.0, 0.0], np.random.default_rng(0)).alike_within()
    assert alone == pytest.approx(0.0, abs=0.01)


def test_of_arms_that_are_as_good_the_cheapest_is_chosen_in_simulations_too() -> None:
    study = draw(World(200, 12, icc=0.0, alike=0.99), [0.0, 0.2, 0.2], np.random.default_rng(1))
    assert study.compared(RULE, [0.0, 2.0, 1.0]).winner == "a2"
    assert study.compared(RULE, [0.0, 1.0, 2.0]).winner == "a1"
    result = study.compared(RULE)
    assert not study.wrongly_better(result)
    assert replace(study, truth=np.array([0.5, 0.4, 0.4])).wrongly_better(result)
