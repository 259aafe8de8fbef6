"""Sentences that no passage supports are found where they stand."""

from __future__ import annotations

from sharpen.guards.grounding import check, kept
from sharpen.types import Passage, Span

HALL = Passage("a", "It was built in 1904. It seats 300 people.", Span("a", 0, 9), meta={"title": "The Old Hall"})


def test_what_is_not_supported_is_marked_and_can_be_dropped() -> None:
    text = "The Old Hall seats 300 people [1]. It was built in 1905. It seats many people."
    found = check(text, [HALL])
    assert [text[f.start : f.end] for f in found] == ["It was built in 1905."]
    assert {f.type for f in found} == {"ungrounded"}
    assert kept(text, [HALL]) == "The Old Hall seats 300 people [1]. It seats many people."
    assert check("", [HALL]) == []
    assert kept("It seats 300.", [HALL]) == "It seats 300."


def test_without_passages_nothing_is_supported() -> None:
    assert [(f.start, f.end, f.score) for f in check("One here. Two.", [])] == [(0, 9, 1.0), (10, 14, 1.0)]
