"""Accuracy and macro-F1, the latter against scikit-learn, also under resampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sharpen.errors import UserError
from sharpen.metrics import bounds_of, open_metric, value_of, worst
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
    assert worst(bounds_of(open_metric("exact_match")), True, [0.5]) == 0
    assert worst(bounds_of(open_metric("seconds")), False, [2.0, 4.0]) == 4
    assert worst(bounds_of(object()), True, [20.0, 50.0]) == 0
    assert worst(bounds_of(object()), True, [-3.0, 50.0]) == -3
    assert worst(bounds_of(object()), False, []) == 0


def test_mean_leaves_out_what_was_not_judged() -> None:
    metric = open_metric("exact_match")
    scores = [Score(1.0), Score(None, "why"), Score(0.0), Score(1.0)]
    assert metric.aggregate(scores) == pytest.approx(2 / 3)
    assert metric.aggregate(scores, [1, 5, 3, 0]) == pytest.approx(0.25)
    assert np.isnan(metric.aggregate([Score(None)]))


def test_batches_fit_together_where_the_classes_are_given() -> None:
    """One class of the questions occurs in the second batch alone, another was not among those given."""
    sklearn = pytest.importorskip("sklearn.metrics")
    examples, answers, truth, said = sample(300, 4)
    known = [c for c in CLASSES if c != "rare"]
    said = [s if s != "rare" else "fees" for s in said]
    answers = [Answer(s) for s in said]
    order = sorted(range(300), key=lambda i: truth[i] in {"limits", "rare"})
    metric = open_metric("macro_f1", labels=known)
    scores = []
    for part in (order[:100], order[100:]):
        scores += metric.score([examples[i] for i in part], [answers[i] for i in part])
    assert len({len(s.stats) for s in scores}) == 1
    assert "rare" in truth
    wanted = sklearn.f1_score(truth, said, average="macro", zero_division=0)
    assert metric.aggregate(scores) == pytest.approx(wanted, abs=1e-12)
    assert [s.value for s in scores] == [float(truth[i] == said[i]) for i in order]


def test_a_class_that_is_answered_and_does_not_occur_counts_where_the_classes_are_given() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    examples, answers, truth, said = sample(60, 7)
    kept = [i for i in range(60) if truth[i] != "limits"]
    assert "limits" in {said[i] for i in kept}
    metric = open_metric("macro_f1", labels=CLASSES)
    scores = metric.score([examples[i] for i in kept], [answers[i] for i in kept])
    wanted = sklearn.f1_score([truth[i] for i in kept], [said[i] for i in kept], average="macro", zero_division=0)
    assert metric.aggregate(scores) == pytest.approx(wanted, abs=1e-12)


def test_of_several_right_classes_any_is_right() -> None:
    example = Example("1", (Message("user", "?"),), labels=("a", "b"))
    for labels in ((), ("a", "b", "c")):
        metric = open_metric("macro_f1", labels=labels)
        found = [metric.score([example], [Answer(t)])[0].value for t in ("a", "b", "c")]
        assert found == ([1, 0, 0] if not labels else [1, 1, 0])


@pytest.mark.parametrize("name", ["exact_match", "accuracy", "macro_f1"])
def test_the_value_counts_what_could_not_be_judged_as_wrong(name: str) -> None:
    metric = open_metric(name, **({"labels": ("a", "b")} if name == "macro_f1" else {}))
    examples = [Example(str(i), (Message("user", "?"),), (t,), labels=(t,)) for i, t in enumerate("abab")]
    failed = [Answer("a"), Answer("", error="it broke"), Answer("a", error="it broke"), Answer("b")]
    wrong = [Answer("a"), Answer("none"), Answer("none"), Answer("b")]
    assert value_of(metric, metric.score(examples, failed)) == value_of(metric, metric.score(examples, wrong))
    assert metric.aggregate(metric.score(examples, failed)) > (value_of(metric, metric.score(examples, failed)) or 0)
    weights = [1.0, 3.0, 0.0, 1.0]
    assert value_of(metric, metric.score(examples, failed), weights) == metric.aggregate(
        metric.score(examples, wrong), weights
    )


def test_there_is_no_value_where_nothing_was_judged_and_the_worst_seen_where_the_worst_has_no_end() -> None:
    metric = open_metric("exact_match")
    assert value_of(metric, []) is None
    assert value_of(metric, [Score(None, "it broke")] * 3) is None
    assert value_of(metric, [Score(1.0)], [0.0]) is None
    slow = open_metric("seconds")
    assert value_of(slow, [Score(2.0), Score(None), Score(4.0)]) == pytest.approx(10 / 3)


def test_a_metric_may_be_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "shouts.py").write_text(
        "from sharpen.metrics import Judge\nfrom sharpen.types import Score\n\n\n"
        "def shouts():\n    return Judge('shouts', lambda e, a: Score(float(a.text.isupper())))\n"
    )
    metric = open_metric("shouts.py", tmp_path)
    assert value_of(metric, metric.score([Example("1", ())] * 2, [Answer("YES"), Answer("no")])) == 0.5
    with pytest.raises(UserError, match=r"no file whispers\.py"):
        open_metric("whispers.py", tmp_path)
