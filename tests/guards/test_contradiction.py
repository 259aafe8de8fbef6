"""Passages that say the same of something and not the same."""

from __future__ import annotations

import pytest

from sharpen.guards.contradiction import contradictions, disagree
from sharpen.types import Passage, Span


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("The old town hall was opened in May 1904.", "The old town hall was opened in May 1905.", "1904 or 1905"),
        ("Dogs may enter the hall on Sundays.", "Dogs may not enter the hall on Sundays.", "one denies"),
        ("The old town hall was opened in May 1904.", "The old town hall was opened in May 1904.", ""),
        ("The old town hall was opened in May 1904.", "The old town hall was opened in May.", ""),
        ("The town hall was opened in 1904.", "The old mill was closed in 1905.", ""),
        ("", "", ""),
    ],
)
def test_in_what_two_sentences_disagree(one: str, other: str, what: str) -> None:
    assert disagree(one, other).startswith(what)
    assert bool(disagree(one, other)) == bool(what) == bool(disagree(other, one))


def test_passages_are_named_by_their_numbers() -> None:
    texts = [
        "It is red. The entrance fee is 5 dollars for adults.",
        "Nothing.",
        "The entrance fee for adults is 7 dollars.",
    ]
    given = [Passage(str(n), t, Span(str(n), 0, 9)) for n, t in enumerate(texts)]
    assert contradictions(given) == ("passages 1 and 3 disagree: 5 or 7",)
    assert contradictions(given[:2]) == contradictions([]) == ()
