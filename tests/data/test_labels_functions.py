"""Labelling functions: what they cover, and a label model against the majority."""

from __future__ import annotations

import numpy as np
import pytest

from sharpen.data.labels.functions import Rule, Votes, apply, by_majority, keywords, label_model, pattern, summary
from sharpen.errors import PluginError, UserError

TEXTS = ("I want my money back!", "where is my parcel", "refund for the parcel", "hello")
RULES = (keywords("refund", "money back", "refund"), pattern("delivery", r"parcel|shipp(ed|ing)"))


def test_rules_vote_or_abstain() -> None:
    votes = apply(RULES, TEXTS)
    assert votes.classes == ("delivery", "refund")
    assert votes.said.tolist() == [[1, -1], [-1, 0], [1, 0], [-1, -1]]
    assert apply([keywords("x", "back")], ["backwards", "go BACK."]).said.tolist() == [[-1], [0]], "whole words"


def test_coverage_overlaps_conflicts_and_accuracy_by_hand() -> None:
    third = Rule("polite", lambda text: "refund" if "!" in text else None)
    votes = apply([*RULES, third], TEXTS)
    refund, delivery, polite = summary(votes, {0: "refund", 2: "delivery", 3: "refund"})
    assert (refund.coverage, refund.overlaps, refund.conflicts) == (0.5, 0.5, 0.25)
    assert (refund.judged, refund.accuracy, refund.says) == (2, 0.5, ("refund",))
    assert (delivery.coverage, delivery.overlaps, delivery.conflicts, delivery.accuracy) == (0.5, 0.25, 0.25, 1.0)
    assert (polite.coverage, polite.overlaps, polite.conflicts, polite.accuracy) == (0.25, 0.25, 0.0, 1.0)
    assert summary(votes)[0].accuracy is None


def test_majority_of_rules() -> None:
    assert [a.label for a in by_majority(apply(RULES, TEXTS))] == ["refund", "delivery", None, None]


def test_a_rule_that_fails_is_named_and_mistakes_are_said() -> None:
    with pytest.raises(PluginError, match=r"labelling function 'broken' \(from text 0\).*ZeroDivisionError"):
        apply([Rule("broken", lambda text: 1 // 0)], TEXTS)
    with pytest.raises(UserError, match="two labelling functions"):
        apply([Rule("a", len), Rule("a", len)], TEXTS)
    with pytest.raises(UserError, match="'refund', which is no class"):
        apply(RULES, TEXTS, classes=["delivery"])
    with pytest.raises(UserError, match="no regular expression"):
        pattern("x", "(")
    with pytest.raises(UserError, match="no word"):
        keywords("x", "?!")
    with pytest.raises(UserError, match="said anything"):
        label_model(apply([Rule("mute", lambda text: None)], TEXTS))
    with pytest.raises(UserError, match="prior"):
        label_model(apply(RULES, TEXTS), prior={"refund": 1.0})


def simulated(seed: int, n: int = 1500) -> tuple[Votes, np.ndarray]:
    """Three classes of shares .5, .3 and .2; eight functions of unequal accuracy that speak on some of the texts."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    columns = []
    covers = [0.5, 0.4, 0.7, 0.7, 0.6, 0.7, 0.3, 0.6]
    for right, cover in zip([0.95, 0.9, 0.5, 0.45, 0.45, 0.4, 0.8, 0.4], covers, strict=True):
        wrong = (truth + rng.integers(1, 3, n)) % 3
        vote = np.where(rng.random(n) < right, truth, wrong)
        columns.append(np.where(rng.random(n) < cover, vote, -1))
    return Votes(tuple("abcdefgh"), (0, 1, 2), np.stack(columns, axis=1)), truth


def right(labels: list, truth: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(np.mean([a.label == t for a, t in zip(labels, truth, strict=True)]))


def test_the_label_model_beats_the_majority_on_every_seed() -> None:
    for seed in range(6):
        votes, truth = simulated(seed)
        made = label_model(votes)
        rows = zip(made.labels, by_majority(votes), truth, strict=True)
        decided = [(a, m.label, t) for a, m, t in rows if m.label is not None]
        ours = np.mean([a.label == t for a, _, t in decided])
        plain = np.mean([m == t for _, m, t in decided])
        assert ours > plain + 0.05, "where a majority decides, not only because it leaves ties open"
        assert made.accuracy[0] == pytest.approx(0.95, abs=0.08)
        assert made.accuracy[3] == pytest.approx(0.45, abs=0.1)
        assert list(made.prior) == pytest.approx([0.5, 0.3, 0.2], abs=0.07)
        sure = made.probability.max(axis=1)
        assert sure.mean() == pytest.approx(right(list(made.labels), truth), abs=0.05), "its probabilities hold"


def test_rules_for_one_class_each_are_weighed_too() -> None:
    """Each function knows one class, and one of them names it much too often; its silence is what counts."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        n = 1200
        truth = rng.choice(2, n, p=[0.6, 0.4])

        def rule(c: int, hit: float, false: float, truth=truth, rng=rng, n=n) -> np.ndarray:  # type: ignore[no-untyped-def]
            return np.where(rng.random(n) < np.where(truth == c, hit, false), c, -1)

        said = np.stack([rule(0, 0.7, 0.05), rule(0, 0.6, 0.1), rule(1, 0.7, 0.6), rule(1, 0.6, 0.05)], axis=1)
        votes = Votes(tuple("abcd"), (0, 1), said)
        made = label_model(votes)
        covered = (said >= 0).any(axis=1)
        assert [a.label is not None for a in made.labels] == covered.tolist()
        kept = [i for i in range(n) if covered[i]]
        plain_labels = by_majority(votes)
        plain = np.mean([plain_labels[i].label == truth[i] for i in kept])
        assert np.mean([made.labels[i].label == truth[i] for i in kept]) > plain + 0.05
        assert made.accuracy[2] < made.accuracy[3]


def test_known_labels_and_priors_are_used() -> None:
    votes, truth = simulated(0, n=200)
    known = {i: int(truth[i]) for i in range(100)}
    made = label_model(votes, gold=known)
    assert all(made.labels[i].label == truth[i] for i in known)
    fixed = label_model(votes, prior={0: 5, 1: 3, 2: 2})
    assert list(fixed.prior) == pytest.approx([0.5, 0.3, 0.2])
