"""Weak spots drive what data are asked for: a planted one is found, and chance makes none."""

from __future__ import annotations

import random

import pytest

from sharpen.data.requests import Request, by_chance, requests
from sharpen.types import Example, Message


def row(i: int, label: str, **meta: str) -> Example:
    return Example(str(i), (Message("user", f"Which is number {i}?"),), (label,), labels=(label,), meta=meta)


def test_a_planted_weak_spot_is_asked_for() -> None:
    train = [row(i, "a" if i < 30 else "b") for i in range(40)]
    scored = [row(i, "a" if i < 80 else "b") for i in range(100)]
    wrong = [i % 10 == 0 if i < 80 else i % 4 != 0 for i in range(100)]  # 8 of 80, and 15 of 20
    (found,) = requests(train, scored, wrong)
    assert found == Request("class", "b", 20, 15, 0.1, 10)
    said = "class b: 15 of 20 are wrong, elsewhere 10%; train has 10 rows of it. Ask for more of these."
    assert str(found) == said


def test_mistakes_by_chance_ask_for_nothing_more_often_than_is_stated() -> None:
    alarms = 0
    for seed in range(100):
        r = random.Random(seed)
        scored = [row(i, r.choice("abcd"), segment=r.choice("xyz")) for i in range(200)]
        alarms += bool(requests(scored, scored, [r.random() < 0.3 for _ in scored]))
    assert alarms <= 8, "at most 5 of 100 are stated"


def test_few_rows_ask_for_nothing_and_each_row_needs_its_verdict() -> None:
    scored = [row(i, "a" if i < 9 else "b") for i in range(100)]
    assert requests(scored, scored, [i < 9 for i in range(100)]) == []
    with pytest.raises(ValueError, match="100 rows and 1 verdicts"):
        requests(scored, scored, [True])


def test_chance_by_hand() -> None:
    """3 of 4 drawn, of 8 with 4 wrong (the lady tasting tea): (16 + 1) / 70."""
    assert by_chance(3, 4, 4, 8) == pytest.approx(17 / 70)
    assert by_chance(0, 4, 4, 8) == pytest.approx(1)
    assert by_chance(3, 7, 4, 8) == pytest.approx(1), "one row is left out, so three at least are in"
