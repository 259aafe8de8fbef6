"""What a search found, against trec_eval's numbers (by ir-measures 0.4.3) and by hand."""

from __future__ import annotations

import pytest

from sharpen.metrics import open_metric
from sharpen.metrics.ranking import hits, holds, ndcg_at, precision_at, ranked, recall_at, reciprocal_rank
from sharpen.types import Answer, Example, Message, Passage, Span

KS = (1, 3, 5, 10)
# Hits by place, how many are relevant; recall, precision and nDCG at 1, 3, 5, 10; reciprocal rank.
KNOWN: list[tuple[str, int, list[float], float]] = [
    ("1000000000", 2, [0.5, 0.5, 0.5, 0.5, 1.0, 0.333333, 0.2, 0.1, 1.0, 0.613147, 0.613147, 0.613147], 1.0),
    ("001", 1, [0.0, 1.0, 1.0, 1.0, 0.0, 0.333333, 0.2, 0.1, 0.0, 0.5, 0.5, 0.5], 0.333333),
    ("000", 2, [0.0] * 12, 0.0),
    ("111", 4, [0.25, 0.75, 0.75, 0.75, 1.0, 1.0, 0.6, 0.3, 1.0, 1.0, 0.831872, 0.831872], 1.0),
    ("0000000010", 4, [0.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.117516], 0.111111),
]


@pytest.mark.parametrize(("places", "relevant", "expected", "rank"), KNOWN)
def test_rankings_as_trec_eval_has_them(places: str, relevant: int, expected: list[float], rank: float) -> None:
    found = [c == "1" for c in places]
    made = [recall_at(k, found, relevant) for k in KS] + [precision_at(k, found) for k in KS]
    made += [ndcg_at(k, found, relevant) for k in KS]
    assert made == pytest.approx(expected, abs=1e-6)
    assert reciprocal_rank(found) == pytest.approx(rank, abs=1e-6)


def passage(start: int, end: int, source: str = "a", score: float = 0.0) -> Passage:
    return Passage(f"{source}#{start}", "text", Span(source, start, end), score)


@pytest.mark.parametrize(
    ("start", "end", "source", "yes"),
    [
        (0, 100, "a", True),
        (15, 100, "a", True),  # half of it
        (16, 100, "a", False),
        (12, 14, "a", True),  # lies in it
        (20, 30, "a", False),
        (0, 100, "b", False),
    ],
)
def test_a_passage_holds_what_stands_in_it_for_half(start: int, end: int, source: str, yes: bool) -> None:
    assert holds(passage(start, end, source), Span("a", 10, 20)) is yes


def test_what_was_held_before_is_no_hit_again() -> None:
    gold = [Span("a", 0, 10), Span("a", 50, 60)]
    assert hits([passage(90, 99), passage(0, 20), passage(5, 30), passage(40, 70)], gold) == [False, True, False, True]


def test_the_metrics_look_at_what_was_given_by_score() -> None:
    example = Example("q", (Message("user", "?"),), gold=(Span("a", 0, 10), Span("a", 50, 60)))
    given = (passage(90, 99, score=0.2), passage(0, 20, score=0.5), passage(70, 80, score=0.9))
    assert [p.span.start for p in ranked(given)] == [70, 0, 90]
    answer = Answer("x", passages=given)
    assert open_metric("gold_rank").score([example], [answer])[0].value == 0.5
    assert open_metric("gold_recall").score([example], [answer])[0].value == 0.5
    bare = Example("q", (Message("user", "?"),))
    assert open_metric("gold_rank").score([bare], [answer])[0].value is None
