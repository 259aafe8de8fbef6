"""The one tolerant reading of a raw reply."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.metrics import parse


@pytest.mark.parametrize(
    "raw",
    [
        "Paris",
        " Paris \n",
        "Answer: Paris",
        "answer:Paris",
        "The answer is: Paris",
        "Final answer: Paris",
        "**Answer:** Paris",
        "**Answer:** **Paris**",
        '**Answer:** "Paris"\n\nBecause the text says so.',
        "Answer:\nParis",
        "**Answer:**\n\nParis",
        "`Paris`",
        "```\nParis\n```",
        "```text\nParis\n```\nThis is the capital.",
        "“Paris”",
        "- Paris",
        "# Paris",
        "> Paris",
        "Category: Paris",
        "assistant: Paris",
        "<think>\nIs it Lyon?\n</think>\n\nParis",
    ],
)
def test_what_stands_around_an_answer_is_taken_off(raw: str) -> None:
    assert parse(raw) == "Paris"


@pytest.mark.parametrize("raw", ["", "  \n", "Answer:", "**Answer:**", '""', "```\n```", "<think>I wonder", "''"])
def test_nothing_is_left_of_nothing(raw: str) -> None:
    assert parse(raw) == ""


@pytest.mark.parametrize(
    "raw",
    [
        "The answer is in the text",
        '"A" and "B"',
        "a: b",
        "-5 degrees",
        "*.md",
        "5 * 3 * 2",
        "O'Neill's",
        "__init__.py",
        "#1",
        "an answer",
    ],
)
def test_the_answer_itself_is_not_touched(raw: str) -> None:
    assert parse(raw) == (raw if raw != "a: b" else "b")


def test_several_lines_are_kept_where_they_are_asked_for() -> None:
    assert parse("Summary: One.\n\n- Two.", one_line=False) == "One.\n\n- Two."


@given(st.one_of(st.text(), st.text(alphabet="*_`#>-\"'“” \nAnswer:a<think>/")), st.booleans())
@settings(max_examples=500, deadline=None)
def test_reading_twice_changes_nothing(raw: str, one_line: bool) -> None:
    once = parse(raw, one_line)
    assert parse(once, one_line) == once
