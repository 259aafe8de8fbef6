"""Balance: exact counts, remarks, and rows and weights that even classes out."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.data.labels.balance import balance, oversample, table, undersample, weights
from sharpen.errors import UserError


def test_a_table_by_hand() -> None:
    made = table("label", ["a", "b", "a", None, "a", "c"])
    assert [(r.value, r.count, r.share) for r in made.rows] == [("a", 3, 0.6), ("b", 1, 0.2), ("c", 1, 0.2)]
    assert (made.missing, made.imbalance) == (1, 3.0)
    assert made.effective == pytest.approx(0.6**-0.6 * 0.2**-0.4)  # exp of the entropy: 2.586
    assert table("x", [1, 2, 3, 4]).effective == pytest.approx(4)
    empty = table("x", [None])
    assert (empty.rows, empty.missing, empty.imbalance) == ((), 1, 1.0)


def test_classes_by_facet_and_remarks() -> None:
    labels = ["big"] * 30 + ["small"] * 3 + ["mid"] * 10
    sources = ["s1", "s2"] * 15 + ["s1"] * 3 + ["s2"] * 9 + ["s1"]
    made = balance(labels, {"source": sources, "language": ["en"] * 43})
    assert made.crossed["source"] == {
        ("big", "s1"): 15,
        ("big", "s2"): 15,
        ("small", "s1"): 3,
        ("mid", "s2"): 9,
        ("mid", "s1"): 1,
    }
    assert made.remarks == (
        "label: 'big' has 30 rows, 'small' 3: 10.0 to 1.",
        "1 of 3 labels have fewer than 5 rows: 'small' (3).",
        "label 'mid': 9 of its 10 rows come from one source, 's2'.",
    )
    assert balance(["a", "b"] * 9, {"source": ["x"] * 18}).remarks == ("All 18 rows come from one source, 'x'.",)
    assert balance(["a", "b"] * 9, {"source": ["x", "x", "y", "y"] * 4 + ["x", "y"]}).remarks == ()
    with pytest.raises(UserError, match="facet f"):
        balance(["a"], {"f": []})


def test_rows_by_hand() -> None:
    labels = ["a", "a", "a", "a", "a", "b", "b"]
    over = oversample(labels)
    assert over[:7] == list(range(7))
    assert Counter(over)[5] + Counter(over)[6] == 5
    assert {Counter(over)[5], Counter(over)[6]} == {2, 3}
    under = undersample(labels)
    assert len(under) == 4
    assert {5, 6} < set(under)
    assert undersample(labels, to=3) == sorted(undersample(labels, to=3))
    assert len(undersample(labels, to=3)) == 5
    assert Counter(labels[i] for i in oversample(labels, to=6)) == {"a": 6, "b": 6}
    assert weights(["a", "a", "a", "b"]) == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    assert weights(["a", "a", "b"], strength=0) == [1, 1, 1]
    assert oversample([]) == undersample([]) == weights([]) == []


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(0, 99))
def test_classes_come_out_even(labels: list[str], seed: int) -> None:
    counts = Counter(labels)
    over, under = oversample(labels, seed=seed), undersample(labels, seed=seed)
    assert set(Counter(labels[i] for i in over).values()) == {max(counts.values())}
    assert set(Counter(labels[i] for i in under).values()) == {min(counts.values())}
    assert set(over) == set(range(len(labels)))
    assert len(set(under)) == len(under)
    often = Counter(over)
    for c in counts:
        times = {often[i] for i, label in enumerate(labels) if label == c}
        assert max(times) - min(times) <= 1
    made = weights(labels)
    assert sum(made) == pytest.approx(len(labels))
    for c in counts:
        assert sum(w for w, label in zip(made, labels, strict=True) if label == c) == pytest.approx(
            len(labels) / len(counts)
        )
