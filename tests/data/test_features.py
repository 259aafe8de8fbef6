"""Features of rows by hand, and tables that a spreadsheet cannot take for formulas."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.data.features import (
    FEATURES,
    as_csv,
    count_sentences,
    features,
    features_of,
    harmless,
    kind,
    reading_ease,
    syllables,
)
from sharpen.types import Example, Message, Span


def test_the_features_of_a_row_by_hand() -> None:
    turns = (Message("system", "x"), Message("user", "Hi"), Message("assistant", "Yes?"))
    e = Example("1", (*turns, Message("user", "Is it 9 EUR? It is.")), ("no, 10", "x"), gold=(Span("d", 0, 1),))
    found = features_of(e)
    assert found["turns"] == 3
    assert (found["question_characters"], found["question_words"], found["question_sentences"]) == (19, 6, 2)
    assert found["words_per_sentence"] == 3.0
    assert found["mean_word_length"] == round((2 + 2 + 1 + 3 + 2 + 2) / 6, 2)
    assert found["distinct_words"] == round(4 / 6, 4)
    assert (found["digits"], found["capitals"]) == (round(1 / 19, 4), round(5 / 19, 4))
    assert found["punctuation"] == round(2 / 19, 4)
    assert (found["answers"], found["answer_words"], found["gold"]) == (2, 2, 1)
    assert {"id", "split", *found} == set(FEATURES)


@pytest.mark.parametrize(
    ("question", "how"),
    [
        ("What is it?", "what"),
        ("how do I pay", "how"),
        ("Is it open?", "yes or no"),
        ("About the contract: does it end?", "yes or no"),
        ("In which year was it?", "which"),
        ("It broke when I fell", "statement or request"),
        ("You there?", "other question"),
        ("!", "empty"),
    ],
)
def test_how_a_question_is_asked(question: str, how: str) -> None:
    assert kind(question) == how


@pytest.mark.parametrize(("word", "n"), [("cat", 1), ("table", 2), ("make", 1), ("tree", 1), ("banana", 3), ("the", 1)])
def test_syllables(word: str, n: int) -> None:
    assert syllables(word) == n


def test_reading_ease_is_fleschs() -> None:
    """Six words of one syllable in one sentence: 206.835 - 1.015 * 6 - 84.6."""
    assert reading_ease("The cat sat on the mat.") == 116.1
    assert reading_ease("123 !") is None
    assert (count_sentences("A. B? C"), count_sentences("  "), count_sentences("one")) == (3, 0, 1)


def test_readability_is_said_of_english_alone() -> None:
    e = Example("1", (Message("user", "Where is it now?"),), ("x",))
    assert features_of(e, lambda text: "de")["readability"] is None
    assert features_of(e, lambda text: "en")["readability"] is not None


@given(st.text(max_size=30))
def test_no_cell_begins_like_a_formula_and_all_come_back(text: str) -> None:
    cell = text.replace("\r", " ").replace("\x00", " ")
    table = as_csv([{"a": cell, "b": 1}], ("a", "b"))
    rows = list(csv.reader(io.StringIO(table)))
    assert rows[1][0].removeprefix("'") == cell.removeprefix("'")
    assert rows[1][0].lstrip()[:1] not in ("=", "+", "-", "@")


def test_a_number_stays_a_number() -> None:
    assert harmless(-1) == -1
    assert harmless("-1") == "'-1"
    assert harmless(None) == ""


def test_rows_of_all_splits_are_in_the_table() -> None:
    e = Example("1", (Message("user", "What?"),), ("x",))
    made = list(features({"train": [e], "dev": [e]}))
    assert [row["split"] for row in made] == ["train", "dev"]
    assert len(as_csv(made, FEATURES).splitlines()) == 3
