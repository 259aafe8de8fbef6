"""Kappa, alpha and aggregates against published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data.labels._latent import fit
from sharpen.data.labels.agreement import agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha
from sharpen.data.labels.consensus import dawid_skene, majority
from sharpen.errors import UserError

# Krippendorff's example with three coders and missing values; alpha is .691.
CODERS = ("*****3412113 3*3".replace(" ", ""), "1*2133 43*******".replace(" ", ""), "**213 44*21133*4".replace(" ", ""))
MISSING = [[None if c == "*" else c for c in item] for item in zip(*CODERS, strict=True)]

# Fleiss' example: 14 raters, 10 items, 5 classes; kappa is .210.
FLEISS = """0 0 0 0 14|0 2 6 4 2|0 0 3 5 6|0 3 9 2 0|2 2 8 1 1|7 7 0 0 0|3 2 6 3 0|2 5 3 2 2|6 5 2 1 0|0 2 2 3 7"""


def test_cohen_by_hand() -> None:
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: agreed .7, by chance .5 * .6 + .5 * .4 = .5, so .4."""
    a = ["y"] * 25 + ["n"] * 25
    b = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)
    assert cohen_kappa([*a, None, "y"], [*b, "y", None]) == pytest.approx(0.4), "items of one alone say nothing"
    assert cohen_kappa(["y", "n"], ["n", "y"]) == pytest.approx(-1)
    assert cohen_kappa(["y", "y"], ["y", "y"]) is None
    assert cohen_kappa([None], ["y"]) is None
    with pytest.raises(UserError, match="1 and 2"):
        cohen_kappa(["y"], ["y", "n"])


def test_fleiss_as_published() -> None:
    rows = [[c for c, n in zip("abcde", row.split(), strict=True) for _ in range(int(n))] for row in FLEISS.split("|")]
    assert fleiss_kappa(rows) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa([["a", "a"], ["b", "b"]]) == pytest.approx(1)
    assert fleiss_kappa([["a", "b"], ["a", "b"]]) == pytest.approx(-1), "observed 0, by chance .5"
    assert fleiss_kappa([["a", "a"]]) is None
    assert fleiss_kappa([]) is None
    assert fleiss_kappa([["a"], ["b"]]) is None
    with pytest.raises(UserError, match="between 1 and 2"):
        fleiss_kappa([["a", None], ["b", "b"]])


def test_alpha_as_published() -> None:
    assert krippendorff_alpha(MISSING) == pytest.approx(0.691, abs=5e-4)


def test_alpha_by_hand() -> None:
    """Items aa, ab, bb: unequal pairs 2 / 1 = 2; totals a 3, b 3, so 36 - 18 = 18; 1 - 5 * 2 / 18 = 4 / 9."""
    assert krippendorff_alpha([["a", "a"], ["a", "b"], ["b", "b"]]) == pytest.approx(4 / 9)
    assert krippendorff_alpha([["a", "a"], ["a", "b"], ["b", "b"], ["a", None]]) == pytest.approx(4 / 9)
    assert krippendorff_alpha([["a", "a"]]) is None
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([["a", None]]) is None


def test_figures_together() -> None:
    found = agreement([["a", "a", None], ["a", "b", "b"], [None, None, "a"]], ["anna", "ben", "cleo"])
    assert (found.items, found.labelled_twice, found.unanimous, found.fleiss) == (3, 2, 1, None)
    assert found.pairs == (("anna", "ben", 2, 0.0), ("anna", "cleo", 1, 0.0), ("ben", "cleo", 1, None))
    assert agreement([], ["anna", "ben"]).alpha is None
    with pytest.raises(UserError, match="row 0"):
        agreement([["a"]], ["anna", "ben"])


ROWS = st.lists(st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=3, max_size=3), max_size=12)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_alpha_does_not_depend_on_order_or_names(rows: list[list[str | None]]) -> None:
    alpha = krippendorff_alpha(rows)
    other = krippendorff_alpha([[None if v is None else ord(v) for v in reversed(row)] for row in reversed(rows)])
    assert alpha == (None if other is None else pytest.approx(other))
    assert alpha is None or alpha <= 1 + 1e-12


def test_majority() -> None:
    found = majority([["a", "a", "b"], ["a", "b", None], [None, None, None]])
    assert [(f.label, f.votes) for f in found] == [("a", 3), (None, 2), (None, 0)]
    assert [f.share for f in found] == pytest.approx([2 / 3, 0.5, 0])


def crowd(
    seed: int, right: list[float], items: int = 300, classes: int = 3
) -> tuple[list[str], list[list[str | None]]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=items)
    columns = []
    for share in right:
        wrong = (truth + rng.integers(1, classes, size=items)) % classes
        columns.append(np.where(rng.random(items) < share, truth, wrong))
    rows = [[None if rng.random() < 0.1 else f"c{v}" for v in row] for row in zip(*columns, strict=True)]
    return [f"c{t}" for t in truth], rows


def test_dawid_skene_knows_who_is_reliable_and_beats_the_majority() -> None:
    right = [0.95, 0.9, 0.45, 0.4, 0.4]
    gains = []
    for seed in range(5):
        truth, rows = crowd(seed, right)
        found = dawid_skene(rows)
        assert list(found.reliability) == pytest.approx(right, abs=0.09)
        ours = np.mean([f.label == t for f, t in zip(found.labels, truth, strict=True)])
        plain = np.mean([f.label == t for f, t in zip(majority(rows), truth, strict=True)])
        gains.append(ours - plain)
    assert min(gains) > 0.05


def test_dawid_skene_on_full_agreement_and_on_nothing() -> None:
    found = dawid_skene([["a", "a"], ["b", "b"], [None, None], ["a", None]])
    assert [f.label for f in found.labels] == ["a", "b", None, "a"]
    assert found.classes == ("a", "b")
    for rows, said in (([[None]], "no label"), ([], "length"), ([["a"], ["a", "b"]], "length")):
        with pytest.raises(UserError, match=said):
            dawid_skene(rows)


def test_one_round_of_expectation_maximisation_by_hand() -> None:
    """One voter, two items, votes 0 and 1, no pull: prior (1.9, 2.1) / 4, each vote counted by the start.

    Counts with pseudo 1: class 0 (1 + .6, 1 + .3), class 1 (1 + .4, 1 + .7).
    """
    votes, start = np.array([[0], [1]]), np.array([[0.6, 0.4], [0.3, 0.7]])
    made = fit(votes, start, np.ones((2, 2)), rounds=1)
    assert made.confusion[0] == pytest.approx(np.array([[1.6 / 2.9, 1.3 / 2.9], [1.4 / 3.1, 1.7 / 3.1]]))
    assert made.prior == pytest.approx([1.9 / 4, 2.1 / 4])
    zero = np.array([1.9 * 1.6 / 2.9, 2.1 * 1.4 / 3.1])
    assert made.posterior[0] == pytest.approx(zero / zero.sum())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_objective_never_falls(seed: int) -> None:
    rng = np.random.default_rng(seed)
    votes = rng.integers(-1, 3, size=(20, 4))
    start = rng.dirichlet(np.ones(3), size=20)
    told = np.array(fit(votes, start, np.full((3, 3), 0.3), rounds=30).objective)
    assert (np.diff(told) > -1e-8).all()
