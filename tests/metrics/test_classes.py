"""Accuracy and macro-F1, the latter against scikit-learn, also under resampling."""

from __future__ import annotations

import numpy as np
import pytest

from sharpen.metrics import open_metric, worst
from sharpen.types import Answer, Example, Message, Score

CLASSES = ["card_arrival", "Lost card", "fees", "limits", "rare"]


def sample(n: int, seed: int) -> tuple[list[Example], list[Answer], list[str], list[str]]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(CLASSES, n, p=[0.4, 0.3, 0.2, 0.08, 0.02]).tolist()
    said = [t if rng.random() < 0.6 else str(rng.choice(CLASSES)) for t in truth]
    examples = [Example(str(i), (Message("user", "?"),), (t,), labels=(t,)) for i, t in enumerate(truth)]
    return examples, [Answer(f" {s.upper()}\n") for s in said], truth, said


def test_macro_f1_is_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    for seed in range(5):
        examples, answers, truth, said = sample(300, seed)
        metric = open_metric("macro_f1")
        scores = metric.score(examples, answers)
        assert metric.aggregate(scores) == pytest.approx(sklearn.f1_score(truth, said, average="macro"), abs=1e-12)
        assert np.mean([s.value for s in scores]) == pytest.approx(sklearn.accuracy_score(truth, said))
        accuracy = open_metric("accuracy")
        assert accuracy.aggregate(accuracy.score(examples, answers)) == pytest.approx(
            np.mean([s.value for s in scores])
        )


def test_macro_f1_of_resamples_is_made_from_sums_of_stats() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    examples, answers, truth, said = sample(60, 7)
    metric = open_metric("macro_f1", labels=CLASSES)
    stats = np.array([s.stats for s in metric.score(examples, answers)])
    weights = np.random.default_rng(1).multinomial(60, [1 / 60] * 60, size=50)
    assert metric.aggregate_stats is not None
    made = metric.aggregate_stats(weights @ stats)
    for row, value in zip(weights, made, strict=True):
        drawn = np.repeat(np.arange(60), row)
        wanted = sklearn.f1_score([truth[i] for i in drawn], [said[i] for i in drawn], average="macro")
        assert value == pytest.approx(wanted, abs=1e-12)
    assert metric.aggregate(metric.score(examples, answers), weights[0].tolist()) == pytest.approx(made[0], abs=1e-12)


def test_an_answer_outside_the_classes_is_a_miss_and_nobodys_false_alarm() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    examples, answers, truth, said = sample(100, 3)
    answers[:20] = [Answer("no idea")] * 20
    said[:20] = ["no idea"] * 20
    metric = open_metric("macro_f1")
    wanted = sklearn.f1_score(truth, said, labels=sorted(set(truth)), average="macro")
    assert metric.aggregate(metric.score(examples, answers)) == pytest.approx(wanted, abs=1e-12)


def test_a_failed_answer_is_not_judged_but_carries_the_stats_of_a_wrong_one() -> None:
    examples, answers, _, _ = sample(10, 0)
    metric = open_metric("macro_f1", labels=CLASSES)
    failed = metric.score(examples, [Answer("", error="timeout"), *answers[1:]])
    wrong = metric.score(examples, [Answer("something else"), *answers[1:]])
    assert failed[0].value is None
    assert "timeout" in failed[0].why
    assert failed[0].stats == wrong[0].stats


def test_accuracy_folds_case_and_space_only() -> None:
    metric = open_metric("accuracy")
    example = Example("1", (Message("user", "?"),), labels=("Card arrival",))
    said = ["card  arrival ", "card_arrival", "card", ""]
    assert [s.value for s in metric.score([example] * 4, [Answer(t) for t in said])] == [1, 0, 0, 0]


def test_what_an_unjudged_answer_counts_for() -> None:
    assert worst(open_metric("exact_match")) == 0
    assert worst(open_metric("seconds")) == float("inf")


def test_mean_leaves_out_what_was_not_judged() -> None:
    metric = open_metric("exact_match")
    scores = [Score(1.0), Score(None, "why"), Score(0.0), Score(1.0)]
    assert metric.aggregate(scores) == pytest.approx(2 / 3)
    assert metric.aggregate(scores, [1, 5, 3, 0]) == pytest.approx(0.25)
    assert np.isnan(metric.aggregate([Score(None)]))
