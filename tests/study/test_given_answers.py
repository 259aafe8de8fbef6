"""Answers that were given elsewhere: how they are read, what is said of them, and what cannot be had from them."""

from __future__ import annotations

import pytest

from sharpen.metrics import open_metric
from sharpen.study.given import as_answers
from sharpen.tasks import open_task
from sharpen.types import Example, Message


@pytest.mark.parametrize(
    "labels",
    [
        ("> 5 years", "< 5 years", "- unknown"),
        ("class: A", "class: B", "category: A"),
        ('"a"', "a", "*a*"),
        ("A", "a: x", "x"),
    ],
)
def test_an_answer_that_is_a_class_is_that_class(labels: tuple[str, ...]) -> None:
    asked = [Example(c, (Message("user", "Which?"),), targets=(c,), labels=(c,)) for c in labels]
    given = {c: c for c in labels}
    answers = as_answers(given, asked, open_task("classification"), labels)
    assert [a.text for a in answers] == list(labels)
    assert [s.value for s in open_metric("accuracy").score(asked, answers)] == [1.0] * len(labels)
