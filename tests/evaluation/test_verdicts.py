"""The three verdicts, on standings made by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

from sharpen.evaluation.verdicts import Standing, Terms, decide

TERMS = Terms("base", worth=0.02, alpha=0.05, n=300, n_clusters=15, smallest_p=1e-4)


def standings(means: dict[str, float], half: float, **changes: dict) -> list[Standing]:
    """Arms whose differences all have intervals of the same half-width."""
    found = []
    for name, mean in means.items():
        below = {other: m - mean + half for other, m in means.items() if other != name}
        gain = mean - means["base"]
        p = 1.0 if name == "base" else 0.001 if abs(gain) > half else 0.5
        found.append(replace(Standing(name, mean, gain, p, gain - half, below), **changes.get(name, {})))
    return found


def test_better_and_shown_to_be_the_best() -> None:
    v = decide(standings({"base": 0.2, "a": 0.6, "b": 0.3}, 0.05), TERMS, 0.1)
    assert (v.kind, v.winner, v.as_good_as_best) == ("better", "a", True)
    assert "shown to be less than 0.02 below every other arm" in v.text


def test_of_two_arms_nothing_is_said_of_others() -> None:
    v = decide(standings({"base": 0.2, "a": 0.6}, 0.05), TERMS, 0.1)
    assert (v.kind, v.as_good_as_best) == ("better", True)
    assert v.text == "a is better than base by 0.400 (adjusted p = 0.001)."


def test_better_but_not_separated_names_the_others() -> None:
    v = decide(standings({"base": 0.2, "a": 0.6, "b": 0.58, "c": 0.3}, 0.05), TERMS, 0.1)
    assert (v.kind, v.winner, v.as_good_as_best) == ("better", "a", False)
    assert v.text.endswith("it is not separated from b.")


def test_the_cheapest_of_those_shown_is_chosen() -> None:
    close = {"base": 0.2, "a": 0.6, "b": 0.598}
    costs = {"a": {"cost": 9.0}, "b": {"cost": 1.0}, "base": {"cost": 0.1}}
    v = decide(standings(close, 0.01, **costs), TERMS, 0.1)
    assert (v.kind, v.winner) == ("better", "b")
    assert "the cheapest arm" in v.text
    v = decide(standings(close, 0.01), TERMS, 0.1)
    assert v.winner == "a", "costs unknown: the better of the two"
    assert "cheapest" not in v.text


def test_a_real_gain_below_worth_keeps_a_cheap_baseline_but_not_a_dear_one() -> None:
    small = {"base": 0.2, "a": 0.21}
    v = decide(standings(small, 0.005), TERMS, 0.01)
    assert (v.kind, v.winner) == ("keep_baseline", "base")
    assert "a is better" in v.text
    v = decide(standings(small, 0.005, base={"cost": 5.0}, a={"cost": 1.0}), TERMS, 0.01)
    assert (v.kind, v.winner) == ("better", "a")


def test_keep_the_baseline_only_where_it_is_shown() -> None:
    v = decide(standings({"base": 0.2, "a": 0.19}, 0.02), TERMS, 0.02)
    assert (v.kind, v.winner) == ("keep_baseline", "base")
    v = decide(standings({"base": 0.2, "a": 0.2}, 0.03), TERMS, 0.05)
    assert (v.kind, v.winner) == ("not_decided", None), "not significantly different is not equal"
    assert "more questions" in v.text


def test_how_many_more_questions() -> None:
    """Half the distance that four in five find needs four times the questions: 900 more than 300."""
    v = decide(standings({"base": 0.2, "a": 0.25}, 0.08), TERMS, 0.1)
    assert v.kind == "not_decided"
    assert v.leader == "a"
    assert "a leads, +0.050 on base (adjusted p = 0.500)" in v.text
    assert "About 900 more questions (in about 45 more clusters like these)" in v.text


def test_who_leads_is_said_only_where_somebody_does() -> None:
    assert (
        "No arm scores more than the baseline, base."
        in decide(standings({"base": 0.2, "a": 0.2}, 0.3), TERMS, 0.1).text
    )
    level = decide(standings({"base": 0.2, "a": 0.25, "b": 0.25}, 0.3), TERMS, 0.1).text
    assert "a and b lead, +0.050 on base" in level


def test_p_and_interval_must_agree() -> None:
    means = {"base": 0.2, "a": 0.3}
    wide = decide(standings(means, 0.12, a={"p": 0.01}), TERMS, 0.1)
    high_p = decide(standings(means, 0.05, a={"p": 0.06}), TERMS, 0.1)
    assert (wide.kind, high_p.kind) == ("not_decided", "not_decided")


def test_an_arm_that_breaks_a_constraint_is_reported_not_chosen() -> None:
    means = {"base": 0.2, "big": 0.8, "a": 0.5, "b": 0.2}
    v = decide(standings(means, 0.05, big={"able": False}), TERMS, 0.1)
    assert (v.kind, v.winner, v.as_good_as_best) == ("better", "a", True)
    assert "big is better too, by 0.600 (adjusted p = 0.001), but breaks a constraint" in v.text
    assert "below every other arm that keeps the constraints" in v.text, "big leads a by 0.3"
    v = decide(standings({"base": 0.5, "a": 0.49, "big": 0.52}, 0.01, big={"able": False, "p": 0.5}), TERMS, 0.1)
    assert v.text.startswith("Keep base: no arm that keeps the constraints gains 0.02 or more")
    assert "big breaks a constraint and is not among the arms that could be chosen." in v.text
    v = decide(standings({"base": 0.2, "big": 0.8}, 0.05, big={"able": False}), TERMS, 0.1)
    assert (v.kind, v.winner) == ("not_decided", None)
    assert "no arm but base keeps the constraints. big is better too" in v.text


def test_a_baseline_that_breaks_a_constraint_is_never_kept() -> None:
    v = decide(standings({"base": 0.2, "a": 0.19}, 0.01, base={"able": False}), TERMS, 0.02)
    assert (v.kind, v.winner) == ("not_decided", None)
    assert "base itself breaks a constraint" in v.text


def test_a_worse_arm_is_never_better() -> None:
    v = decide(standings({"base": 0.5, "a": 0.2}, 0.05), TERMS, 0.1)
    assert (v.kind, v.winner) == ("keep_baseline", "base")


def test_no_verdict_contradicts_its_intervals() -> None:
    """Over a grid: better needs a lower bound above 0; keeping needs every upper bound below worth."""
    for a, b, half in itertools.product((0.1, 0.19, 0.2, 0.21, 0.3), (0.15, 0.2, 0.25), (0.004, 0.015, 0.06)):
        arms = standings({"base": 0.2, "a": a, "b": b}, half)
        v = decide(arms, TERMS, 0.1)
        by = {s.name: s for s in arms}
        if v.kind == "better":
            assert by[v.winner].above_baseline > 0
        elif v.kind == "keep_baseline":
            assert max(by["base"].below.values()) < TERMS.worth
        else:
            assert all(s.above_baseline <= 0 for s in arms if s.name != "base")
            assert max(by["base"].below.values()) >= TERMS.worth
        if v.as_good_as_best:
            assert all(x < TERMS.worth for x in by[v.winner].below.values())


def test_why_nothing_is_decided_is_true() -> None:
    close = decide(standings({"base": 0.2, "a": 0.3}, 0.2), TERMS, 0.05)
    assert "It is close" in close.text, "the difference that this test can show is smaller than the one seen"
    dear = {name: {"able": False} for name in ("base", "a")}
    nobody = decide(standings({"base": 0.2, "a": 0.3}, 0.2, **dear), TERMS, 0.3)
    assert nobody.text.startswith("Not decided: no arm keeps the constraints.")
    worse = decide(standings({"base": 0.3, "a": 0.2}, 0.2, base={"able": False}), TERMS, 0.3)
    assert "more questions (" not in worse.text, "a baseline that breaks a constraint is never shown to be enough"
