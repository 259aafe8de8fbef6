"""Exact match and token F1 against the official script of SQuAD 1.1, written out here; and ``contains``."""

from __future__ import annotations

import re
import string
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.metrics import open_metric
from sharpen.types import Answer, Example, Message


def official_normalise(s: str) -> str:
    """``normalize_answer`` of evaluate-v1.1.py."""

    def remove_articles(text: str) -> str:
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def remove_punc(text: str) -> str:
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return " ".join(remove_articles(remove_punc(s.lower())).split())


def official_f1(prediction: str, truth: str) -> float:
    """``f1_score`` of evaluate-v1.1.py."""
    prediction_tokens = official_normalise(prediction).split()
    truth_tokens = official_normalise(truth).split()
    common = Counter(prediction_tokens) & Counter(truth_tokens)
    num_same = sum(common.values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction_tokens)
    recall = 1.0 * num_same / len(truth_tokens)
    return (2 * precision * recall) / (precision + recall)


def score(name: str, answer: str, *targets: str) -> float | None:
    example = Example("1", (Message("user", "?"),), targets=targets)
    return open_metric(name).score([example], [Answer(answer)])[0].value


WORDS = st.lists(st.sampled_from(["The", "a", "an", "cat", "Cat.", "the-cat", "42", "4,2", "—", "naïve", "?", ""])).map(
    " ".join
)


TARGETS = st.one_of(WORDS, st.text()).filter(official_normalise)  # SQuAD has no others; see below


@given(st.one_of(WORDS, st.text()), st.lists(TARGETS, min_size=1, max_size=3))
@settings(max_examples=500, deadline=None)
def test_agrees_with_the_official_script(answer: str, targets: list[str]) -> None:
    em = max(float(official_normalise(answer) == official_normalise(t)) for t in targets)
    f1 = max(official_f1(answer, t) for t in targets)
    assert score("exact_match", answer, *targets) == em
    assert score("token_f1", answer, *targets) == f1


@pytest.mark.parametrize(
    ("answer", "target", "wanted"),
    [
        ("A", "A", 1),
        ("a.", "A", 1),
        ("", "A", 0),
        ("the", "A", 0),
        ("?", "A", 0),
        ("B", "A", 0),
        ("?", "?", 1),
        ("", "?", 0),
        ("!", "?", 0),
        ("The Who", "the who", 1),
        ("Who", "The Who", 1),
    ],
)
def test_a_reference_of_articles_or_punctuation_alone_is_no_gift(answer: str, target: str, wanted: float) -> None:
    assert score("exact_match", answer, target) == wanted
    assert score("token_f1", answer, target) == wanted


def test_an_empty_answer_is_right_where_nothing_is_expected() -> None:
    for metric in ("exact_match", "token_f1", "contains"):
        assert score(metric, " ", "") == 1
        assert score(metric, "x", "") == 0


@pytest.mark.parametrize(
    ("answer", "target", "wanted"),
    [
        ("It is 14 days.", "14 days", 1),
        ("In 2014 days were long", "14 days", 0),
        ("The Beatles", "beatles", 1),
        ("cat", "a", 0),
        ("category", "cat", 0),
        ("A", "a", 1),
        ("It is A.", "A", 1),
        ("", "x", 0),
        ("x", "?", 0),
    ],
)
def test_contains_looks_for_whole_words(answer: str, target: str, wanted: float) -> None:
    assert score("contains", answer, target) == wanted


def test_a_reference_to_nothing_known_is_an_ordinary_target() -> None:
    assert score("exact_match", "not in our documents", "Not in our documents.") == 1


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "contains"])
def test_ten_thousand_answers_take_less_than_a_second(name: str) -> None:
    examples = [Example(str(i), (Message("user", "?"),), targets=(f"the answer number {i}",)) for i in range(10_000)]
    answers = [Answer(f"It is answer number {i + i % 2}, I think.") for i in range(10_000)]
    metric = open_metric(name)
    begin = time.process_time()
    scores = metric.score(examples, answers)
    assert 0 < metric.aggregate(scores) < 1 or name == "exact_match"
    assert time.process_time() - begin < 1
