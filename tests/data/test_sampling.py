"""Samples keep shares, distances are what one computes by hand, and a sheet comes back with its verdicts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.data.sampling import apportioned, distances, edges, reviewed, sample, sheet, smirnov, variation
from sharpen.errors import UserError
from sharpen.types import Example, Message


def row(i: int, label: str, text: str = "What is it?") -> Example:
    return Example(f"r{i}", (Message("user", f"{text} {i}"),), (label,), labels=(label,), source=f"s{i % 3}")


EXAMPLES = [row(i, "a" if i < 60 else "b" if i < 90 else "c") for i in range(100)]


def test_a_sample_keeps_the_shares_of_classes_and_the_order() -> None:
    part = sample(EXAMPLES, 20)
    assert Counter(e.labels[0] for e in part) == {"a": 12, "b": 6, "c": 2}
    assert [e.id for e in part] == [e.id for e in EXAMPLES if e in part]
    assert sample(EXAMPLES, 20) == part
    assert sample(EXAMPLES, 20, seed=1) != part
    assert sample(EXAMPLES, 1000) == EXAMPLES
    assert {e.id for e in part} < {e.id for e in sample(EXAMPLES, 40)}


def test_seats_by_hand() -> None:
    """10 seats for 5.2, 3.3 and 1.5: the last is given to the part with the largest remainder."""
    assert apportioned({"x": 52, "y": 33, "z": 15}, 10) == {"x": 5, "y": 3, "z": 2}


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), min_size=1), st.integers(0, 60))
def test_seats_sum_to_what_there_is_and_no_part_gets_more_than_it_has(sizes: dict[str, int], n: int) -> None:
    n = min(n, sum(sizes.values()))
    given_ = apportioned(sizes, n)
    assert sum(given_.values()) == n
    assert all(0 <= given_[k] <= sizes[k] for k in sizes)


def test_distances_by_hand() -> None:
    assert variation({"a": 1, "b": 1}, {"a": 3, "c": 1}) == pytest.approx(0.5)
    assert variation({"a": 2}, {"a": 9}) == 0
    assert variation({}, {"a": 1}) == 1
    assert smirnov([1, 2], [1, 2]) == 0
    assert smirnov([1, 2], [3, 4]) == 1
    assert smirnov([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_smirnov_is_that_of_the_definition(one: list[int], other: list[int]) -> None:
    grid = np.arange(10)
    cdf = [(np.asarray(x)[:, None] <= grid).mean(0) for x in (one, other)]
    assert smirnov(one, other) == pytest.approx(float(np.abs(cdf[0] - cdf[1]).max()))


def test_a_skewed_part_is_far_from_the_whole_and_a_sample_is_near() -> None:
    near, far = distances(sample(EXAMPLES, 50), EXAMPLES), distances(EXAMPLES[60:], EXAMPLES)
    assert near["classes"] == 0
    assert far["classes"] == pytest.approx(0.6)
    assert "ways of asking" not in near, "all are asked alike"


def test_a_sheet_comes_back_with_its_verdicts(tmp_path: Path) -> None:
    file = tmp_path / "review.csv"
    lines = sheet(EXAMPLES[:10]).splitlines()
    filled = [line.removesuffix(",,,") + f",{'Right' if i < 8 else 'wrong'},kim," for i, line in enumerate(lines[1:])]
    file.write_text("\n".join([lines[0], *filled]), encoding="utf-8-sig")
    found = reviewed(file)
    assert found["verdicts"] == {"right": 8, "wrong": 2, "unclear": 0}
    assert found["right"] == 0.8
    assert found["interval"] == [pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4)]
    assert found["reviewers"] == {"kim": 10}


def test_a_sheet_that_says_something_else_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "review.csv"
    file.write_text("id,verdict,reviewer\n1,right,kim\n2,perhaps,kim\n")
    with pytest.raises(UserError, match=r"line 3: there is no verdict 'perhaps'"):
        reviewed(file)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no review sheet"):
        reviewed(file)
    file.write_text("id,verdict,reviewer\n1,,\n")
    assert reviewed(file)["right"] is None


def test_edge_cases_are_the_longest_the_rarest_and_the_least_sure_in_turns() -> None:
    rows = [row(i, "a", f"{'red apple' if i % 2 else 'red pear'} tree") for i in range(20)]
    rows += [row(20 + i, "b", "blue sea ship") for i in range(20)]
    rows += [row(40, "a", "blue sea ship"), row(41, "c", "other"), row(42, "c", "stone")]
    rows += [row(43, "b", "blue sea ship " * 9), row(44, "a", "red pear tree " * 5)]
    found = edges(rows, 6)
    assert [why for _, why in found] == ["longest", "rarest class", "least sure"] * 2
    assert [e.id for e, why in found if why == "longest"] == ["r43", "r44"]
    assert {e.id for e, _ in found} >= {"r41", "r42"}, "the rarest class"
    assert len({e.id for e, _ in found}) == 6, "each once"
    assert edges(rows, 6) == found
    assert not {e.id for e, _ in edges(rows, 6, rows[40:])} & {e.id for e in rows[40:]}
    assert len(edges(rows, 100)) == len(rows)
    plain = [Example(f"p{i}", (Message("user", "x" * i),)) for i in range(1, 4)]
    assert [(e.id, why) for e, why in edges(plain, 2)] == [("p3", "longest"), ("p2", "longest")]


def test_verdicts_on_edge_cases_are_counted_apart(tmp_path: Path) -> None:
    file = tmp_path / "review.csv"
    lines = sheet(EXAMPLES[:2], [(EXAMPLES[5], "longest"), (EXAMPLES[6], "longest")]).splitlines()
    said = ["right", "right", "wrong", "wrong"]
    filled = [f"{line.removesuffix(',,,')},{v},kim," for line, v in zip(lines[1:], said, strict=True)]
    file.write_text("\n".join([lines[0], *filled]))
    found = reviewed(file)
    assert (found["rows"], found["right"], found["verdicts"]["wrong"]) == (2, 1.0, 0)
    assert found["edges"] == {"longest": {"right": 0, "wrong": 2, "unclear": 0}}
