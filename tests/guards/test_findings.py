"""Overlapping findings: the surer one stays, nothing that was found is uncovered."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sharpen.guards import find
from sharpen.guards.findings import Finding, settled


def test_the_surer_keeps_its_place_and_another_what_sticks_out() -> None:
    long, sure = Finding("A", 0, 10, 0.5), Finding("B", 4, 6, 0.9)
    assert settled([long, sure]) == [Finding("A", 0, 4, 0.5), sure, Finding("A", 6, 10, 0.5)]


def test_of_equally_sure_ones_the_longer_stays() -> None:
    assert settled([Finding("A", 0, 5), Finding("B", 0, 9)]) == [Finding("B", 0, 9)]


def test_neighbours_stay_apart_and_come_in_order() -> None:
    assert settled([Finding("B", 5, 9), Finding("A", 0, 5)]) == [Finding("A", 0, 5), Finding("B", 5, 9)]


PLACES = st.tuples(st.integers(0, 30), st.integers(1, 12), st.sampled_from([0.5, 0.7, 0.9]), st.sampled_from("ABC"))


@given(st.lists(PLACES, max_size=12))
def test_what_was_found_is_covered_once(places: list[tuple[int, int, float, str]]) -> None:
    found = [Finding(kind, start, start + size, score) for start, size, score, kind in places]
    kept = settled(found)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    covered = [i for f in kept for i in range(f.start, f.end)]
    assert len(covered) == len(set(covered))
    assert set(covered) == {i for f in found for i in range(f.start, f.end)}
    best = {i: max(f.score for f in found if f.start <= i < f.end) for i in covered}
    assert all(f.score == best[i] for f in kept for i in range(f.start, f.end))


def test_a_value_that_needs_its_context_is_found_elsewhere_too() -> None:
    text = "My SSN is 123456780. I repeat: 123456780, not 1234567801."
    assert [(f.type, f.start) for f in find(text)] == [("US_SSN", 10), ("US_SSN", 31)]


def test_types_narrow_what_is_looked_for() -> None:
    text = "ada@example.org, 203.0.113.9"
    assert [f.type for f in find(text, ("IP",))] == ["IP"]
    assert [f.type for f in find(text)] == ["EMAIL", "IP"]
