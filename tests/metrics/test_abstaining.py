"""Refusals counted, and risk over coverage, by hand."""

from __future__ import annotations

import pytest

from sharpen.metrics.abstaining import abstention, area, ranks_above, refused, risk_coverage
from sharpen.types import Answer, Example, Message


def example(answerable: bool | None) -> Example:
    return Example("q", (Message("user", "?"),), answerable=answerable)


NO, YES = Answer("Not in our documents.", finish="refused"), Answer("Rome")


def test_the_four_counts_and_their_f1() -> None:
    examples = [example(x) for x in (True, None, True, False, False, False, True)]
    answers = [YES, YES, NO, NO, NO, YES, YES]
    found = abstention(examples, answers, [True, False, False, False, False, False, True])
    assert (found.answered_right, found.answered_wrong) == (2, 1)
    assert (found.refused_right, found.refused_wrong, found.answered_unanswerable) == (2, 1, 1)
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found.f1 == pytest.approx(2 / 3)
    nothing = abstention([example(True)], [YES], [True])
    assert (nothing.precision, nothing.recall, nothing.f1) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Not in our documents.", True),
        ("It is not mentioned in the text.", True),
        ("I don't know.", True),
        ("Unanswerable", True),
        ("Not in Rome", False),
        ("No, he did not.", False),
        ("Rome. I do not know more.", False),
    ],
)
def test_a_model_may_refuse_by_itself(text: str, yes: bool) -> None:
    assert refused(Answer(text)) is yes


def test_risk_over_coverage() -> None:
    points = risk_coverage([0.9, 0.8, 0.8, 0.1], [True, False, True, False])
    assert points == [(0.25, 0.0), (0.75, pytest.approx(1 / 3)), (1.0, 0.5)]
    assert area(points) == pytest.approx(0.5 / 3 + 0.25 * 0.5)
    assert risk_coverage([], []) == []


def test_how_often_one_is_above_the_other() -> None:
    assert ranks_above([3.0, 2.0], [1.0, 2.0]) == pytest.approx(3.5 / 4)
    assert ranks_above([1.0], [2.0]) == 0.0
