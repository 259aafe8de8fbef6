"""When a passage says what a sentence says, and what a text cites."""

from __future__ import annotations

import numpy as np
import pytest

from sharpen.metrics import open_metric
from sharpen.support import ENOUGH, cited, claims, sentences, support, supported
from sharpen.types import Answer, Example, Message, Passage, Span

HALL = (
    "The hall was built in 1904 by Anna Berg. It seats 300 people. Dogs may not enter it. On Sundays parking is free."
)


@pytest.mark.parametrize(
    ("sentence", "yes"),
    [
        ("It seats 300 people.", True),
        ("The hall, built by Anna Berg in 1904, seats 300 people.", True),
        ("On Sundays you park for free.", True),
        ("Dogs are not allowed to enter.", True),
        ("The hall was built in 1905.", False),
        ("The hall was built by Peter Stone in 1904.", False),
        ("Parking is not free on Sundays.", False),
        ("The museum opens at noon for visitors.", False),
        ("", False),
        ("the of and", False),
    ],
)
def test_what_a_passage_supports(sentence: str, yes: bool) -> None:
    assert (support(sentence, HALL) >= ENOUGH) is yes


def test_support_by_hand() -> None:
    """Stems red (3), tower (5) and high (4) of ``The red tower is high``; the first two stand there: 8 of 12."""
    assert support("The red tower is high", "A red tower stands there") == pytest.approx(8 / 12)


def test_meaning_is_mixed_in_where_words_say_anything() -> None:
    def embed(texts: list[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if "red" in t else [0.6, 0.8] for t in texts])

    sentence, passage = "The red tower is high", "A tall tower. A red tower."
    assert supported(sentence, [passage], embed) == pytest.approx((8 / 12 + 1.0) / 2)
    assert supported("Nothing alike", [passage], embed) == 0.0
    assert supported(sentence, []) == 0.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One here. Two there! Three?", ["One here.", "Two there!", "Three?"]),
        ("Dr. Berg came at 3.5 p.m. with J. Smith.", ["Dr. Berg came at 3.5 p.m. with J. Smith."]),
        ("First line\nSecond line", ["First line", "Second line"]),
        ("", []),
    ],
)
def test_sentences(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Rome is old [2].", [("Rome is old", (2,))]),
        ("Rome is old. [2] It is warm there [1][3].", [("Rome is old", (2,)), ("It is warm there", (1,)), ("", (3,))]),
        ("It is old and large [1], and was warm [2, 5].", [("It is old and large", (1,)), ("and was warm", (2, 5))]),
        ("[1] Rome is old.", [("Rome is old.", (1,))]),
        ("No marks.", []),
    ],
)
def test_claims_and_what_they_cite(text: str, found: list[tuple[str, tuple[int, ...]]]) -> None:
    made = claims(text)
    assert [n for _, n in made] == [n for _, n in found]
    for (said, _), (wanted, _) in zip(made, found, strict=True):
        assert wanted.strip(".") in said


def given(*texts: str) -> tuple[Passage, ...]:
    return tuple(Passage(str(n), t, Span("a", n, n + 1)) for n, t in enumerate(texts))


def test_a_worked_answer_gets_the_number_that_supports_it() -> None:
    assert cited("It seats 300 people. It is ugly.", given("The roof is red.", HALL)) == (
        "It seats 300 people [2]. It is ugly."
    )
    assert cited("300", given(HALL)) == "300 [1]"
    assert cited("It is [1].", given(HALL)) == "It is [1]."
    assert cited("It.", ()) == "It."


def test_grounded_and_citation_precision_by_hand() -> None:
    example = Example("q", (Message("user", "?"),))
    passages = given("The roof is red.", HALL)
    answer = Answer("It seats 300 people. It was built in 1905.", passages=passages)
    (score,) = open_metric("grounded").score([example], [answer])
    assert (score.value, score.why) == (0.5, "not supported: It was built in 1905.")
    raw = "It seats 300 people [2]. It seats 300 people [1]. It is big [7]. The roof is red [1]."
    (score,) = open_metric("citation_precision").score([example], [Answer("x", raw, passages=passages)])
    assert score.value == 0.5
    for name in ("grounded", "citation_precision"):
        assert open_metric(name).score([example], [Answer("It.")])[0].value is None
    refusal = Answer("Not in our documents.", passages=passages, finish="refused")
    assert open_metric("grounded").score([example], [refusal])[0].value is None


def test_the_title_of_a_passage_counts() -> None:
    passage = Passage("p", "He was born in 1904.", Span("a", 0, 9), meta={"title": "Peter Stone"})
    answer = Answer("The painter Peter Stone was born in 1904.", passages=(passage,))
    assert open_metric("grounded").score([Example("q", ())], [answer])[0].value == 1
