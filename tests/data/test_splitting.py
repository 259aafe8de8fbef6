"""Splits keep clusters whole, come close to the shares, and depend on the seed alone."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data import cluster, split
from sharpen.types import Example, Message

SHARES = {"train": 0.55, "dev": 0.15, "test": 0.30}


def sample(sizes: list[int]) -> list[Example]:
    return [
        Example(f"{c}-{i}", (Message("user", "?"),), ("x",), source=f"s{c}")
        for c, n in enumerate(sizes)
        for i in range(n)
    ]


@given(st.lists(st.integers(1, 60), min_size=3, max_size=60), st.integers(0, 10))
@settings(max_examples=150, deadline=None)
def test_clusters_are_whole_and_no_split_is_empty(sizes: list[int], seed: int) -> None:
    examples = sample(sizes)
    given_ = split(examples, SHARES, "source", seed)
    where: dict[str, set[str]] = defaultdict(set)
    for e, s in zip(examples, given_, strict=True):
        where[e.source].add(s)
    assert all(len(s) == 1 for s in where.values())
    assert set(given_) == {"train", "dev", "test"}


def test_shares_are_close_for_unequal_sources() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        sizes = np.maximum(1, rng.lognormal(3, 0.6, 48)).astype(int).tolist()
        given_ = Counter(split(sample(sizes), SHARES, "source", seed))
        assert all(abs(given_[s] / sum(sizes) - SHARES[s]) < 0.01 for s in SHARES)


def test_the_order_of_rows_does_not_count_and_the_seed_does() -> None:
    examples = sample([5, 9, 14, 3, 8, 22, 7, 5, 6, 11])
    first = dict(zip(examples, split(examples, SHARES, "source", 0), strict=True))
    back = examples[::-1]
    assert dict(zip(back, split(back, SHARES, "source", 0), strict=True)) == first
    others = {tuple(split(examples, SHARES, "source", seed)) for seed in range(10)}
    assert len(others) >= 8


def test_big_sources_are_not_always_in_train() -> None:
    examples = sample([40, 35, *[10] * 20])
    seen = Counter(
        given_
        for seed in range(40)
        for e, given_ in zip(examples, split(examples, SHARES, "source", seed), strict=True)
        if e.id == "0-0"
    )
    assert set(seen) >= {"train", "test"}
    assert seen["test"] >= 5


def test_the_split_of_a_known_case_never_changes() -> None:
    """A split that changed between versions would let yesterday's training rows into today's test."""
    made = split(sample([4, 4, 4, 4, 4, 4, 4, 4, 4, 4]), SHARES, "source", 0)
    assert "".join(s[1] for s in made[::4]) == "rreeererrr"  # second letters of train, dev, test


def test_by_label_every_label_has_its_shares_and_can_be_learned() -> None:
    rows = [("a", 100), ("b", 40), ("rare", 1), ("two", 2)]
    examples = [Example(f"{n}{i}", (Message("user", "?"),), (n,), labels=(n,)) for n, k in rows for i in range(k)]
    given_ = split(examples, SHARES, "label", 3)
    count = Counter((e.labels[0], s) for e, s in zip(examples, given_, strict=True))
    assert (count["a", "train"], count["a", "dev"], count["a", "test"]) == pytest.approx((55, 15, 30), abs=1)
    assert (count["b", "train"], count["b", "dev"], count["b", "test"]) == pytest.approx((22, 6, 12), abs=1)
    assert count["rare", "train"] == count["two", "train"] == 1


def test_rows_without_a_source_are_clusters_of_their_own() -> None:
    examples = [Example(str(i), (Message("user", "?"),), ("x",)) for i in range(1000)]
    assert len({cluster(e, "source") for e in examples}) == 1000
    assert Counter(split(examples, SHARES, "source", 0)) == {"train": 550, "dev": 150, "test": 300}
    assert cluster(Example("1", (), source="id:2"), "source") != cluster(Example("2", ()), "source")
