"""Active learning: what is chosen, and that it wins against chance where it should."""

from __future__ import annotations

import numpy as np
import pytest

from sharpen.data.labels.active import WAYS, choose, uncertainty
from sharpen.errors import UserError

pytest.importorskip("sklearn")


def uneven(seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """Twelve classes, the first of 400 rows and the others of 20 to 40, so that chance mostly finds the first."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(12), [400, *rng.integers(20, 41, 11)])
    x = 2 * rng.normal(size=(12, 8))[y] + 0.4 * rng.normal(size=(len(y), 8))
    order = rng.permutation(len(y))
    return x[order], [int(c) for c in y[order]]


@pytest.mark.parametrize("how", WAYS)
def test_rows_are_new_distinct_and_repeatable(how: str) -> None:
    x, y = uneven()
    known = {i: y[i] for i in range(60)}
    one = choose(x, known, 25, how, seed=3)
    assert one == choose(x, known, 25, how, seed=3)
    assert len(set(one)) == 25
    assert not set(one) & set(known)
    assert all(type(i) is int for i in one)
    assert sorted(choose(x[:70], known, 25, how)) == list(range(60, 70)), "no more than there are"
    assert choose(x, known, 0, how) == []


def test_a_cold_start_meets_more_classes_than_chance() -> None:
    gains = []
    for seed in range(5):
        x, y = uneven(seed)
        chosen = choose(x, {}, 12, seed=seed)
        by_chance = np.random.default_rng(seed).permutation(len(y))[:12]
        gains.append(len({y[i] for i in chosen}) - len({y[i] for i in by_chance}))
    assert min(gains) > 0
    assert np.mean(gains) >= 3


def test_doubt_by_hand_and_the_doubtful_first() -> None:
    """One feature, two classes at -1 and 1: the nearer to 0, the more doubtful."""
    x = np.array([[-1.0], [1.0], [-1.1], [1.1], [0.05], [0.9], [-0.4], [-2.0]])
    known = {0: "l", 2: "l", 1: "r", 3: "r"}
    assert choose(x, known, 4, "uncertain") == [4, 6, 5, 7]
    doubt = uncertainty(x, known, np.array([4, 5, 6, 7]))
    assert (doubt > 0).all()
    assert doubt.max() <= 1
    assert doubt[0] > doubt[2] > doubt[1] > doubt[3]


def test_mixed_does_not_take_one_question_many_times() -> None:
    """Forty copies of the most doubtful row, and ten other doubtful ones: doubt alone takes the copies."""
    rng = np.random.default_rng(0)
    sides = np.vstack([rng.normal(size=(20, 3)) * 0.1 + [2, 0, 0], rng.normal(size=(20, 3)) * 0.1 - [2, 0, 0]])
    copies = np.zeros((40, 3))
    others = np.column_stack([np.full(10, 0.05), 3 * rng.normal(size=(10, 2))])
    x = np.vstack([sides, copies, others])
    known = {i: i // 20 for i in range(40)}
    alone, mixed = choose(x, known, 8, "uncertain"), choose(x, known, 8, "mixed")
    assert sum(40 <= i < 80 for i in alone) >= 6
    assert sum(40 <= i < 80 for i in mixed) <= 2


def test_typical_rows_are_no_outliers_and_groups_with_a_label_wait() -> None:
    rng = np.random.default_rng(1)
    x = np.vstack([rng.normal(size=(50, 2)) * 0.2, rng.normal(size=(50, 2)) * 0.2 + 5, [[40.0, 40.0]]])
    first, second = choose(x, {}, 2, "typical")
    assert {first // 50, second // 50} == {0, 1}, "one of each group, and not the outlier"
    assert choose(x, {0: "a"}, 1, "typical")[0] // 50 == 1


def test_mistakes_are_said() -> None:
    x, _ = uneven()
    with pytest.raises(UserError, match="no way 'best'"):
        choose(x, {}, 3, "best")
    with pytest.raises(UserError, match="two classes"):
        choose(x, {0: "a"}, 3, "uncertain")
    with pytest.raises(UserError, match="row 5000"):
        choose(x, {5000: "a"}, 3)
    with pytest.raises(UserError, match="not a finite number"):
        choose(np.array([[np.nan]]), {}, 1)
