"""Label errors by confident learning, and one text under several labels."""

from __future__ import annotations

import numpy as np
import pytest

from sharpen.data.labels.inconsistent import inconsistent
from sharpen.data.labels.suspects import confident_learning, find_suspects, out_of_fold
from sharpen.errors import UserError


def blobs(classes: int = 5, each: int = 60, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, 16))
    y = np.repeat(np.arange(classes), each)
    x = centres[y] + 0.6 * rng.normal(size=(len(y), 16))
    return x / np.linalg.norm(x, axis=1, keepdims=True), [f"c{i}" for i in y]


def test_the_confident_joint_by_hand() -> None:
    """Thresholds: a (.9 + .8 + .1) / 3 = .6, b (.7 + .6) / 2 = .65. Row 2 (a .1, b .9) reaches b's: a suspect.

    Row 4 (a .4, b .6) reaches neither, so it is not counted. Confident counts: a->a 2, a->b 1, b->b 1; calibrated to
    the labels' counts 3 and 2: 2, 1 and 2; so one row of five is estimated wrong.
    """
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.4, 0.6]])
    found = confident_learning(p, ["a", "a", "a", "b", "b"], ["a", "b"])
    assert [s.row for s in found.ranked] == [2, 4, 3, 1, 0], "the suspect, then by margin"
    assert [(s.row, s.suggested) for s in found.found] == [(2, "b")]
    assert found.ranked[0].margin == pytest.approx(0.8)
    assert found.noise == pytest.approx(0.2)
    assert found.confused == (("a", "b", pytest.approx(1.0)),)
    assert found.ranked[0].reason == (
        "trained without it, a classifier gives 'a' 0.10 and 'b' 0.90; rows labelled 'b' get 0.65 on average"
    )


def test_a_low_margin_below_the_threshold_is_no_suspect() -> None:
    p = np.array([[0.45, 0.55], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    found = confident_learning(p, ["a", "a", "b", "b"], ["a", "b"])
    assert not found.found
    assert found.noise == 0
    assert found.ranked[0].row == 0


def test_flips_come_first_with_their_true_label() -> None:
    pytest.importorskip("sklearn")
    x, y = blobs()
    noisy = list(y)
    flips = {3: "c4", 70: "c0", 130: "c1", 200: "c2", 290: "c3", 10: "c2", 100: "c4", 150: "c0"}
    for row, label in flips.items():
        noisy[row] = label
    found = find_suspects(x, noisy, seed=1)
    first = found.ranked[: len(flips)]
    assert {s.row for s in first} == set(flips)
    assert all(s.suggested == y[s.row] and s.label == noisy[s.row] for s in first)
    assert found.noise == pytest.approx(len(flips) / len(y), abs=0.01)


def test_clean_labels_have_few_suspects_and_the_same_seed_the_same_ranking() -> None:
    pytest.importorskip("sklearn")
    x, y = blobs(seed=3)
    one, two = find_suspects(x, y, seed=5), find_suspects(x, y, seed=5)
    assert one == two
    assert len(one.found) <= 3
    assert sorted(s.row for s in one.ranked) == list(range(len(y)))


def test_a_copy_does_not_vouch_for_its_label_when_groups_are_given() -> None:
    pytest.importorskip("sklearn")
    x, y = blobs(each=20)
    x, y = np.vstack([x, *[x[:1]] * 15]), [*y, *["c3"] * 15]
    y[0] = "c3"  # sixteen copies of one wrong row
    groups = [*range(100), *[0] * 15]
    held = find_suspects(x, y, groups=groups)
    assert {s.row for s in held.ranked[:16]} == {0, *range(100, 115)}
    assert {s.suggested for s in held.ranked[:16]} == {"c0"}
    own = {s.row: s.margin for s in find_suspects(x, y).ranked}
    assert own[0] < held.ranked[0].margin, "without groups the copies speak for it"


def test_every_row_is_judged_by_folds_without_it_and_groups_stay_whole() -> None:
    pytest.importorskip("sklearn")
    x, y = blobs(classes=2, each=10)
    classes, p = out_of_fold(x, y, folds=4)
    assert classes == ["c0", "c1"]
    assert p.shape == (20, 2)
    assert np.allclose(p.sum(axis=1), 1)
    lone = ["odd", *y[1:]]
    classes, p = out_of_fold(x, lone)
    assert p[0, classes.index("odd")] == 0, "its fold's training rows do not hold its class"


def test_what_cannot_be_judged_is_said() -> None:
    pytest.importorskip("sklearn")
    x, y = blobs(classes=2, each=3)
    for features, labels, folds, said in (
        (x, ["a"] * 6, 2, "one label"),
        (x, y, 9, "9 folds of 6"),
        (x[:5], y, 2, "shape"),
        (np.full_like(x, np.nan), y, 2, "not a finite number"),
    ):
        with pytest.raises(UserError, match=said):
            out_of_fold(features, labels, folds)
    with pytest.raises(UserError, match="groups"):
        out_of_fold(x, y, 3, groups=[1, 1, 1, 2, 2, 2])
    with pytest.raises(UserError, match="none of the classes"):
        confident_learning(np.ones((1, 1)), ["b"], ["a"])


def test_one_text_under_several_labels() -> None:
    texts = ["Where is my card?", "refund", "where is  my card", "Refund!", "WHERE is my card?!", "hello", "?", "!"]
    labels = ["arrival", "money", "lost", "fees", "arrival", "x", "a", "b"]
    card, refund = inconsistent(texts, labels)
    assert (card.rows, card.labels, card.suggested) == ((0, 2, 4), (("arrival", 2), ("lost", 1)), "arrival")
    assert (refund.rows, refund.suggested) == ((1, 3), None), "one against one decides nothing"
    assert not inconsistent(["a", "A"], ["x", "x"])
    assert len(inconsistent(["a b", "a b", "A B"], [1, 2, 1], same=str)) == 1
    with pytest.raises(ValueError, match="2 texts"):
        inconsistent(["a", "b"], ["x"])
