"""The measurement of folds' honesty: its truth is what it says, and a small one stays within its bounds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sharpen.evaluation import Ledger

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import folds


def test_every_question_is_answered_once_and_from_other_sources_alone() -> None:
    drawn = folds.draw("null", 3)
    dealt = folds.deal(drawn.examples, 5, "source", 3)
    said: dict[int, int] = {}
    for k in range(1, 6):
        given = folds.split_fold(drawn.examples, dealt, k, folds.SHARES, "source", 3)
        mine = folds.answered(drawn, given)
        assert not said.keys() & mine.keys()
        said |= mine
    assert len(said) == len(drawn.examples)


def test_classes_can_be_learned_in_one_truth_and_not_in_the_other() -> None:
    share = {}
    for truth in ("null", "learns"):
        right = [np.sign(d.points[:, 0]) == 2 * d.classes - 1 for d in (folds.draw(truth, n) for n in range(20))]
        share[truth] = float(np.concatenate(right).mean())
    assert abs(share["null"] - 0.5) < 0.03
    assert share["learns"] > 0.65


def test_a_small_measurement() -> None:
    found = folds.measure(25)
    assert found["null"]["better_over_folds"] <= 0.16  # 5 or more of 25 at 5% happen once in 140
    assert found["learns"]["better_over_folds"] >= 0.8 > found["learns"]["better_on_one_split"]


def test_parts_of_one_run_look_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    first = ledger.record("same", "a/fold-1", "plan 1", ["q", "r"])
    second = ledger.record("same", "a/fold-2", "plan 2", ["q", "r"])  # the same words, asked of other sources
    third = ledger.record("other", "a/fold-3", "plan 3", ["r", "s"])
    assert [(o.look, o.share) for o in (first, second, third)] == [(1, 0.0)] * 3
    again = ledger.record("other", "b/fold-1", "plan", ["r", "s"])
    assert (again.look, again.share) == (2, 1.0)
    part = ledger.record("some", "c", "plan", ["s", "t"])
    assert (part.look, part.share) == (3, 0.5)  # s was seen by a and by b
    assert ledger.record("same", "a/fold-2", "another", ["q", "r"]).plan == "plan 2"
