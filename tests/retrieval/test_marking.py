"""Marks stand where the words do, and the sentence that is shown first is the one that says it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sharpen.retrieval import nearest_sentence, snippet, word_marks
from sharpen.retrieval.marking import sentences

TEXT = "Leave is asked for in June. The refunds are paid to the card. Dr. Amber answers within 30 days!\nNo one else."


def said(text: str, places: list[tuple[int, int]]) -> list[str]:
    return [text[a:b] for a, b in places]


def test_words_are_marked_in_any_form_and_common_ones_are_not() -> None:
    assert said(TEXT, word_marks(TEXT, "How is the refund of a CARD paid?")) == ["refunds", "paid", "card"]
    assert word_marks(TEXT, "zebra") == []
    assert said("料金は三千円です", word_marks("料金は三千円です", "料金")) == ["料", "金"]


def test_the_sentence_that_shares_most_with_the_answer_is_marked_and_the_question_decides_ties() -> None:
    def found(answer: str, question: str) -> str | None:
        place = nearest_sentence(TEXT, answer, question)
        return TEXT[slice(*place)] if place else None

    assert found("to the card", "Where is it paid?") == "The refunds are paid to the card."
    assert found("30 days", "How long?") == "Amber answers within 30 days!"
    assert found("", "When is leave asked for?") == "Leave is asked for in June."
    assert found("zebra", "xylophone") is None


def test_a_snippet_is_where_most_marks_are() -> None:
    text = (
        "card " + "and more words of no matter " * 40 + "the card is paid by card, and the card again " + "x y z " * 90
    )
    start, end = snippet(text, word_marks(text, "card paid"), 120)
    assert end - start <= 120
    assert text[start:end].count("card") == 3
    assert snippet("short", [], 120) == (0, 5)


@given(st.text(max_size=200))
def test_sentences_are_stretches_of_the_text_in_order(text: str) -> None:
    places = list(sentences(text))
    assert all(a < b and text[a:b] == text[a:b].strip() for a, b in places)
    assert all(left[1] <= right[0] for left, right in pairwise(places))
    kept = "".join("".join(text[a:b].split()) for a, b in places)
    assert kept == "".join(text.split())


@given(st.text(max_size=120), st.text(max_size=40), st.integers(1, 60))
def test_marks_and_snippets_stay_within_the_text(text: str, query: str, wide: int) -> None:
    marks = word_marks(text, query)
    start, end = snippet(text, marks, wide)
    assert 0 <= start <= end <= len(text)
    assert end - start <= wide or len(text) <= wide
    assert all(0 <= a < b <= len(text) for a, b in marks)
