"""What benchmarks/pii.py counts, on rows made by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import pii


def row(text: str, template: int, *spans: tuple[str, int, int]) -> dict[str, object]:
    keys = ("entity_type", "start_position", "end_position")
    return {"full_text": text, "template_id": template, "spans": [dict(zip(keys, s, strict=True)) for s in spans]}


ROWS = [row("I am Ada Lovelace", 1, ("PERSON", 5, 17)), row("mail a@b.de", 2, ("EMAIL_ADDRESS", 5, 11))]


def test_found_covered_and_right() -> None:
    found = [[("PERSON", 5, 8), ("PHONE", 0, 1)], [("PERSON", 5, 11)]]
    made = pii.judged(ROWS, found, frozenset({1}), False)
    assert made["PERSON"]["recall"]["value"] == 1.0
    assert made["PERSON"]["covered"]["value"] == 0.0  # Lovelace is left over
    assert (made["PERSON"]["precision"]["value"], made["PERSON"]["precision"]["n"]) == (0.5, 2)
    assert made["EMAIL"]["recall"]["value"] == 0.0
    assert made["EMAIL"]["covered"]["value"] == 1.0
    assert made["PHONE"]["precision"]["value"] == 0.0
    assert made["PERSON"]["new_templates"]["n"] == 0
    assert made["EMAIL"]["new_templates"]["n"] == 1


def test_towns_are_right_for_a_location_alone() -> None:
    rows, found = [row("in Kent", 1, ("GPE", 3, 7))], [[("ADDRESS", 3, 7)]]
    assert pii.judged(rows, found, frozenset(), True)["ADDRESS"]["precision"]["value"] == 1.0
    assert pii.judged(rows, found, frozenset(), False)["ADDRESS"]["precision"]["value"] == 0.0


def test_the_intervals() -> None:
    assert pii.wilson(0, 0) is None
    assert pii.wilson(8, 10) == pytest.approx([0.4902, 0.9433], abs=1e-3)  # statsmodels, method wilson
    assert pii.resampled([(1, True), (1, False)]) is None
    assert pii.resampled([(1, True), (2, True), (3, True)]) == [1.0, 1.0]
    assert pii.resampled([(1, True), (1, True), (2, False), (2, False)]) == [0.0, 1.0]


def test_the_demands() -> None:
    found = [[(pii.TYPES[s["entity_type"]], s["start_position"], s["end_position"]) for s in r["spans"]] for r in ROWS]  # type: ignore[attr-defined]
    made = pii.judged(ROWS, found, frozenset(), False)
    for kind in pii.DEMANDS:
        for name in ("recall", "precision"):
            made[kind][name] = {"value": 0.9, "n": 10}
    verdicts = pii.demanded(made, None)
    assert verdicts["recall of PERSON"][0] is True
    assert verdicts["recall of CARD"][0] is False
    assert verdicts["precision of CARD"][0] is None
    better = {kind: {"precision": {"value": 0.95, "n": 9}} for kind in pii.DEMANDS}
    assert pii.demanded(made, better)["precision of CARD"][0] is False


def test_about_half_is_unseen() -> None:
    assert 440 < sum(pii.unseen(f"text {i}") for i in range(1000)) < 560
