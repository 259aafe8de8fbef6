"""What holds for every metric, whoever wrote it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from sharpen import parts
from sharpen.metrics import open_metric
from sharpen.types import Answer, Completion, Example, Message, Passage, Score, Span

METRICS = sorted(parts.all_parts("metric"))
FORM = {n for n in METRICS if getattr(parts.module(parts.find("metric", n)), "REFERENCES", True) is False}


def example(i: int, target: str) -> Example:
    gold = (Span(target, 0, 9),)
    return Example(str(i), (Message("user", f"Question {i}?"),), targets=(target,), labels=(target,), gold=gold)


def holding(text: str) -> tuple[Passage, ...]:
    """A passage that holds what is said, for metrics that look at passages."""
    return (Passage(text, text, Span(text, 0, 9)),)


def answer(text: str, **more: Any) -> Answer:
    return Answer(
        text, text, seconds=0.5, completions=(Completion(text, prompt_tokens=7, completion_tokens=2),), **more
    )


def read(text: str, passage: str) -> Answer:
    """An answer that cites the one passage that it was given."""
    return replace(answer(text), raw=f"{text} [1]", passages=holding(passage))


TARGETS = ["Paris", "14 days", "Ünïcödé 日本語 🦆", "the", "a b c d", "Paris"]
SAID = ["paris", "It takes 14 days.", "ünïcödé 日本語 🦆", "", "a b x d", "\ud800 \x00 \u202e"]
EXAMPLES = [example(i, t) for i, t in enumerate(TARGETS)]
ANSWERS = [answer(t) for t in SAID]
READ = [read(t, target) for t, target in zip(SAID, TARGETS, strict=True)]


def alike(a: Score, b: Score) -> bool:
    return a.value == b.value and a.why == b.why


@pytest.mark.parametrize("name", METRICS)
def test_page_and_factory(name: str) -> None:
    part = parts.find("metric", name)
    assert part.summary.endswith((".", "better."))
    metric = open_metric(name)
    assert metric.name == name
    assert isinstance(metric.higher_is_better, bool)
    low, high = metric.bounds
    assert low < high


@pytest.mark.parametrize("name", METRICS)
def test_a_batch_is_judged_as_one_by_one(name: str) -> None:
    metric = open_metric(name)
    batch = metric.score(EXAMPLES, ANSWERS)
    single = [metric.score([e], [a])[0] for e, a in zip(EXAMPLES, ANSWERS, strict=True)]
    if metric.aggregate_stats is None:
        assert batch == single
    else:  # classes come from the batch, so an answer may be none of them when it stands alone
        assert [s.value for s in batch] == [s.value for s in single]
    assert batch == metric.score(EXAMPLES, ANSWERS)
    assert metric.score([], []) == []


@pytest.mark.parametrize("name", METRICS)
def test_values_are_within_bounds_and_the_right_answer_is_not_worse(name: str) -> None:
    metric = open_metric(name)
    low, high = metric.bounds
    for s in metric.score(EXAMPLES, ANSWERS):
        assert s.value is None or low <= s.value <= high
    right = metric.score(EXAMPLES[:2], [read(t, t) for t in TARGETS[:2]])
    wrong = metric.score(EXAMPLES[:2], [read("nonsense", "something else")] * 2)
    assert all((r.value or 0) >= (w.value or 0) for r, w in zip(right, wrong, strict=True))
    if high == 1 and name not in FORM:
        assert [r.value for r in right] == [1, 1]
        assert [w.value for w in wrong] == [0, 0]


@pytest.mark.parametrize("name", METRICS)
def test_a_failed_answer_is_not_judged_and_says_why(name: str) -> None:
    metric = open_metric(name)
    scores = metric.score(EXAMPLES, [*READ[:-1], Answer("", error="the server hung up")])
    assert scores[-1].value is None
    assert "hung up" in scores[-1].why
    assert math.isfinite(metric.aggregate(scores))
    assert math.isnan(metric.aggregate([scores[-1]]))


@pytest.mark.parametrize("name", METRICS)
def test_an_example_without_reference_is_not_a_zero(name: str) -> None:
    metric = open_metric(name)
    bare = Example("1", (Message("user", "?"),))
    (score,) = metric.score([bare], [answer("x")])
    assert (score.value is None) == (metric.bounds[1] == 1 and name not in FORM)
    assert score.value is not None or score.why


@pytest.mark.parametrize("name", METRICS)
def test_stats_add_up_to_the_metric(name: str) -> None:
    metric = open_metric(name)
    scores = metric.score(EXAMPLES, READ)
    if metric.aggregate_stats is None:
        values = [s.value for s in scores if s.value is not None]
        assert metric.aggregate(scores) == pytest.approx(sum(values) / len(values))
        return
    import numpy as np

    sums = np.sum([s.stats for s in scores], axis=0)
    assert metric.aggregate(scores) == pytest.approx(float(metric.aggregate_stats(sums)))
    assert metric.aggregate_stats(np.stack([sums, sums])[None]).shape == (1, 2)


@pytest.mark.parametrize("name", METRICS)
def test_weights_count(name: str) -> None:
    metric = open_metric(name)
    scores = metric.score(EXAMPLES, READ)
    doubled = metric.aggregate([*scores, scores[0]])
    assert metric.aggregate(scores, [2, 1, 1, 1, 1, 1]) == pytest.approx(doubled)
