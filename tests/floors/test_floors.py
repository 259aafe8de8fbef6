"""Floors: cheap answers, and exactly those that their pages promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sharpen.errors import UserError
from sharpen.floors import open_floor
from sharpen.techniques import Bench
from sharpen.testing import tiny_bench
from sharpen.types import Document, Example, Message

LEARNED = (
    ("a", "where is my parcel", "delivery"),
    ("b", "the parcel is late", "delivery"),
    ("c", "give my money back", "refund"),
    ("d", "refund the money now", "refund"),
    ("e", "i forgot my password", "account"),
)


def example(id: str, question: str, target: str = "") -> Example:
    return Example(id, (Message("user", question),), (target,) if target else (), source=id)


def bench(learned: tuple[tuple[str, str, str], ...] = LEARNED, documents: tuple[Document, ...] = ()) -> Bench:
    train = tuple(example(*row) for row in learned)
    return replace(tiny_bench("classification"), train=train, dev=train, documents=documents)


def say(name: str, bench: Bench, *questions: str) -> list[str]:
    predict = open_floor(name)(bench)
    assert predict is not None
    return [a.text for a in predict([example(f"q{i}", q) for i, q in enumerate(questions)])]


def test_majority_is_the_most_frequent_answer_and_ties_go_by_name() -> None:
    assert say("majority", bench((*LEARNED, ("f", "x", "account"), ("g", "y", "account"))), "x", "y") == ["account"] * 2
    assert say("majority", bench(), "anything") == ["delivery"], "of two as frequent the first by name"
    assert open_floor("majority")(bench(())) is None


def test_nearest_answer_is_that_of_the_question_with_the_same_words() -> None:
    assert say("nearest_answer", bench(), "my PASSWORD, please", "money!") == ["account", "refund"]
    assert open_floor("nearest_answer")(bench((("a", "q", ""),))) is None


@pytest.mark.parametrize("name", ["tfidf_linear", "embedding_linear"])
def test_linear_floors_learn_words(name: str) -> None:
    pytest.importorskip("sklearn")
    learned = (*LEARNED, ("f", "my password does not work", "account"))
    asked = ("a late parcel", "my money back", "a new password")
    assert say(name, bench(learned), *asked) == ["delivery", "refund", "account"]
    assert open_floor(name)(bench(LEARNED[:2])) is None, "one class is nothing to learn"


@pytest.mark.parametrize("name", ["tfidf_linear", "embedding_linear"])
def test_linear_floors_leave_very_many_classes_alone(name: str) -> None:
    """A weight a class and feature, 25 numbers a weight: the process would be killed without a sentence."""
    pytest.importorskip("sklearn")
    many = tuple((f"q{i}", f"question number {i}", f"class {i}") for i in range(2001))
    assert open_floor(name)(bench(many)) is None


def test_linear_floors_do_the_tiny_job() -> None:
    pytest.importorskip("sklearn")
    whole = tiny_bench("classification")
    for name in ("tfidf_linear", "embedding_linear"):
        predict = open_floor(name)(whole)
        assert predict is not None
        right = [a.text == e.targets[0] for a, e in zip(predict(whole.dev), whole.dev, strict=True)]
        assert sum(right) >= 0.8 * len(right)


def test_questions_without_words_are_nothing_to_learn_from() -> None:
    pytest.importorskip("sklearn")
    assert open_floor("tfidf_linear")(bench((("a", "?", "x"), ("b", "!!", "y")))) is None


def test_best_sentence_of_the_best_passage() -> None:
    documents = (
        Document("a.md", "Parcels come by van. They take ten days to islands! Signed for."),
        Document("b.md", "The shop opens at nine. It closes at six."),
    )
    whole = bench(documents=documents)
    assert say("best_sentence", whole, "when do parcels reach islands, in days?", "when does the shop close?") == [
        "They take ten days to islands!",
        "The shop opens at nine.",
    ]
    assert open_floor("best_sentence")(bench()) is None


def test_first_sentences_are_three() -> None:
    text = "One is here. Two is there! Is three? Four is late. Five."
    assert say("first_sentences", bench(), text, "Only one", "") == [
        "One is here. Two is there! Is three?",
        "Only one",
        "",
    ]


def test_a_floor_that_is_not_there() -> None:
    with pytest.raises(UserError, match="Did you mean majority"):
        open_floor("majorty")
