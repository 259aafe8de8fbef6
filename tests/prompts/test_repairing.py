"""Symptoms of answers, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sharpen.prompts.repairing import SIGNS, symptoms
from sharpen.types import Answer, Example, Message

QUESTION = "Where does the river Rhine begin today?"


def one(target: str, text: str, **more: Any) -> tuple[Example, Answer]:
    return Example("1", (Message("user", QUESTION),), (target,)), Answer(text, **more)


CASES = {
    "nothing is said": one("Tomasee", " "),
    "it refuses": one("Tomasee", "I'm sorry, I cannot help with that."),
    "cut off": one("Tomasee", "Tomasee", finish="length"),
    "too long": one("Tomasee", "It is the Tomasee up there."),
    "too short": one("the lake Toma in Grisons", "lake Toma"),
    "wrong form": one("Tomasee", "The Tomasee."),
    "wrong details": one("Tomasee", "Bodensee"),
    "the schema is not kept": one("Tomasee", "Tomasee", valid=False),
    "the question is repeated": one("Tomasee", "The river Rhine does begin today where? Tomasee"),
    "parts of the prompt are repeated": one("Tomasee", "Tomasee</given>"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_symptom_is_seen(name: str) -> None:
    example, answer = CASES[name]
    assert name in [s.name for s in symptoms([example], [answer])]


def test_right_answers_have_none_and_every_sign_is_tested() -> None:
    assert set(CASES) == {name for name, *_ in SIGNS}
    example, answer = one("Tomasee", "tomasee.")
    assert symptoms([example], [answer]) == []
    assert symptoms([], []) == []


def test_shares_are_told_from_a_least_one_on() -> None:
    right, wrong = one("Tomasee", "Tomasee"), one("Tomasee", "Bodensee")
    rows = [right] * 8 + [wrong] * 2
    assert symptoms([e for e, _ in rows], [a for _, a in rows]) == [], "20% is below 30%"
    rows = [right] * 6 + [wrong] * 4
    (found,) = symptoms([e for e, _ in rows], [a for _, a in rows])
    assert (found.name, found.share, found.n) == ("wrong details", 0.4, 10)
    failed = one("Tomasee", "", error="no model")
    assert symptoms([failed[0]], [failed[1]]) == []


def test_long_references_are_not_looked_for_in_answers() -> None:
    example, answer = one("word " * 30, "word " * 25)
    assert symptoms([example], [answer]) == []
