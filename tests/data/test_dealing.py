"""Folds: every question is tested once, whole clusters at a time; of a fold's test nothing is learned from in it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen import data
from sharpen.data.splitting import deal, split_fold
from sharpen.errors import UserError
from sharpen.inputs import Data
from sharpen.types import Example, Message

SHARES = {"train": 0.7, "dev": 0.15, "test": 0.15}


def sample(sizes: list[int]) -> list[Example]:
    return [
        Example(f"{c}-{i}", (Message("user", "?"),), ("x",), source=f"s{c}")
        for c, n in enumerate(sizes)
        for i in range(n)
    ]


@given(st.lists(st.integers(1, 40), min_size=3, max_size=50), st.integers(2, 8), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_every_source_is_tested_in_one_fold_and_learned_from_in_no_such(
    sizes: list[int], folds: int, seed: int
) -> None:
    folds = min(folds, len(sizes))
    examples = sample(sizes)
    dealt = deal(examples, folds, "source", seed)
    assert set(dealt) == set(range(1, folds + 1))
    tested = Counter[str]()
    for k in range(1, folds + 1):
        given_ = split_fold(examples, dealt, k, SHARES, "source", seed)
        sources = {s: {e.source for e, g in zip(examples, given_, strict=True) if g == s} for s in SHARES}
        assert not sources["test"] & (sources["train"] | sources["dev"])
        assert not sources["train"] & sources["dev"]
        if len(sources["train"] | sources["dev"]) > 1:
            assert sources["train"]
            assert sources["dev"]
        tested.update(e.id for e, g in zip(examples, given_, strict=True) if g == "test")
    assert tested == {e.id: 1 for e in examples}


def test_equal_sources_make_equal_folds_and_the_ratio_of_train_to_dev_is_kept() -> None:
    examples = sample([10] * 40)
    dealt = deal(examples, 5)
    assert Counter(dealt) == dict.fromkeys(range(1, 6), 80)
    for k in range(1, 6):  # of the 32 sources that are left .70 : .15, which are 26.35 and 5.65
        count = Counter(split_fold(examples, dealt, k, SHARES, "source"))
        assert (count["test"], count["train"], count["dev"]) == (80, 260, 60)


def test_the_deal_of_a_known_case_never_changes_and_does_not_hang_on_the_order_of_rows() -> None:
    examples = sample([4] * 10)
    assert deal(examples, 3)[::4] == [2, 1, 1, 2, 3, 2, 3, 1, 1, 3]
    back = deal(examples[::-1], 3)
    assert back[::-1] == deal(examples, 3)
    assert len({tuple(deal(examples, 3, seed=seed)) for seed in range(10)}) >= 8


def test_by_label_every_fold_tests_and_learns_every_label() -> None:
    labels = [("a", 50), ("b", 20), ("c", 10), ("rare", 2)]
    examples = [Example(f"{n}{i}", (Message("user", "?"),), (n,), labels=(n,)) for n, k in labels for i in range(k)]
    dealt = deal(examples, 5, "label")
    count = Counter((e.labels[0], k) for e, k in zip(examples, dealt, strict=True))
    assert {count["a", k] for k in range(1, 6)} == {10}
    assert {count["b", k] for k in range(1, 6)} == {4}
    assert max(Counter(dealt).values()) - min(Counter(dealt).values()) <= 1
    for k in range(1, 6):
        given_ = split_fold(examples, dealt, k, SHARES, "label")
        learned = {e.labels[0] for e, g in zip(examples, given_, strict=True) if g == "train"}
        assert learned == {"a", "b", "c", "rare"}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    rows = [
        {"question": f"What about {s} {chr(97 + s) * 4} and {i * 37}?", "answers": f"answer {i}", "source": f"s{s}.md"}
        for s in range(12)
        for i in range(5)
    ]
    # Asked of two sources with one answer: nobody may learn it where it is tested.
    rows += [
        {"question": "Who may sign a contract of this kind at all?", "answers": "x", "source": f"s{s}.md"}
        for s in (0, 1, 2)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return tmp_path


def settings_of(**more: Any) -> Data:
    return Data(examples="q.jsonl", split={"train": 0.7, "dev": 0.15, "test": 0.15, **more})


def test_of_prepared_folds_every_question_is_sealed_once_and_nothing_of_it_is_seen(base: Path) -> None:
    tested = Counter[str]()
    for k in range(1, 5):
        made = data.load(data.prepare(settings_of(folds=4, fold=k), base, base / "store"))
        test = data.load_sealed(made.seal)
        seen = [*made.train, *made.dev]
        assert not {e.source for e in test} & {e.source for e in seen}
        assert not {e.question for e in test} & {e.question for e in seen}, "the same words of another source went"
        assert {e.id for e in test} | {e.id for e in seen} <= {f"q:{n}" for n in range(1, 64)}
        tested.update(e.id for e in test)
    assert len(tested) == 63
    assert set(tested.values()) == {1}


def test_more_folds_than_sources_are_refused_with_the_number(base: Path) -> None:
    with pytest.raises(UserError, match=r"data.split: folds: 12 clusters \(source\) are too few for 13 folds"):
        data.prepare(settings_of(folds=13, fold=1), base, base / "store")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"folds": 1}, "one fold is no fold"),
        ({"folds": 3, "fold": 4}, "no fold 4 of 3"),
        ({"folds": 5, "by": "time"}, "trained on what came later"),
        ({"folds": 21}, "less than or equal to 20"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings_of(**wrong)
