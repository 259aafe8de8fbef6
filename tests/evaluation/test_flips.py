"""The flips: hand-computed values, and scipy and statsmodels as independent references."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from evaluation_shapes import Mean, scored
from scipy import stats

from sharpen.evaluation import Rule, compare
from sharpen.evaluation.flips import Flips, largest, quantile, signs, smallest_p, studentised
from sharpen.types import Score


def all_of(drawn: Flips) -> np.ndarray:
    return drawn.part(0, len(drawn))


def test_all_flips_up_to_sixteen_clusters_each_once() -> None:
    for g in (1, 2, 5, 10):
        drawn = all_of(signs(g, 20_000, 0))
        assert drawn.shape == (2 ** (g - 1), g)
        rows = {tuple(r) for r in drawn.tolist()}
        assert len(rows) == len(drawn)
        assert not rows & {tuple(-x for x in r) for r in rows}, "a flip and its mirror image are one"
    assert len(signs(16, 20_000, 0)) == 2**15
    assert all_of(signs(17, 20_000, 0)).shape == (20_001, 17)


@pytest.mark.parametrize("g", [8, 40])
def test_the_first_flip_flips_nothing(g: int) -> None:
    assert (signs(g, 500, 0).part(0, 1) == 1).all()


def test_random_flips_are_fair_and_repeatable() -> None:
    drawn = all_of(signs(100, 20_000, 3))
    assert abs(float(drawn.mean())) < 0.003
    assert np.abs(np.corrcoef(drawn[:, :20].T) - np.eye(20)).max() < 0.04
    signs.cache_clear()
    assert (all_of(signs(100, 20_000, 3)) == drawn).all()


def test_many_clusters_take_bits_and_the_same_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand questions that stand alone would take 800 MB of signs."""
    rng = np.random.default_rng(4)
    sums, sizes = rng.normal(size=(3, 50)), rng.integers(1, 9, 50).astype(float)
    pairs = np.triu_indices(3, 1)
    held = largest(sums, sizes, signs(50, 3_000, 1), pairs)
    alone = studentised(sums, sizes, signs(50, 3_000, 1))
    monkeypatch.setattr("sharpen.evaluation.flips.HELD", 0)
    signs.cache_clear()
    drawn = signs(50, 3_000, 1)
    assert drawn._whole is None
    assert drawn._bits.nbytes == 3_001 * 7
    for ours, theirs in zip(largest(sums, sizes, drawn, pairs), held, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(studentised(sums, sizes, drawn), alone)
    signs.cache_clear()


def test_smallest_p() -> None:
    assert smallest_p(1, 20_000) == 1
    assert smallest_p(7, 20_000) == pytest.approx(2 / 2**7)
    assert smallest_p(40, 20_000) == pytest.approx(1 / 20_001)


def test_statistic_by_hand() -> None:
    """Sums 3, 1, -1 over sizes 2, 1, 1: mean 3/4, residuals 1.5, 0.25, -1.75."""
    t = studentised(np.array([[3.0, 1.0, -1.0]]), np.array([2.0, 1.0, 1.0]), signs(3, 0, 0))
    assert t[0, 0] == pytest.approx(3 / np.sqrt((1.5**2 + 0.25**2 + 1.75**2) * 3 / 2))


def test_equal_clusters_give_students_t() -> None:
    x = np.random.default_rng(0).normal(0.4, 1, 12)
    t = studentised(x[None], np.ones(12), signs(12, 0, 0))
    assert t[0, 0] == pytest.approx(abs(stats.ttest_1samp(x, 0).statistic))


def test_largest_is_the_maximum_over_pairs() -> None:
    rng = np.random.default_rng(1)
    sums, sizes = rng.normal(size=(5, 9)), rng.integers(2, 30, 9).astype(float)
    pairs = np.triu_indices(5, 1)
    drawn = signs(9, 0, 0)
    top, observed = largest(sums, sizes, drawn, pairs)
    single = studentised(sums[pairs[0]] - sums[pairs[1]], sizes, drawn)
    np.testing.assert_allclose(top, single.max(axis=0))
    np.testing.assert_allclose(observed, single[:, 0])


def test_quantile_leaves_at_most_alpha_above() -> None:
    top = np.arange(1.0, 129.0)
    assert quantile(top, 0.05) == 122
    assert (top > quantile(top, 0.05)).mean() <= 0.05


def _two(differences: np.ndarray, sizes: np.ndarray | None = None) -> tuple[dict, list[str]]:
    """Arms whose cluster differences are as given, one question a cluster."""
    values = 0.5 + differences / 2
    return {"base": scored([0.5] * len(values)), "arm": scored(values)}, [f"c{i}" for i in range(len(values))]


@pytest.mark.parametrize(("g", "seed"), [(8, 0), (10, 1), (13, 2), (16, 3)])
def test_p_of_one_pair_is_that_of_scipy(g: int, seed: int) -> None:
    d = np.random.default_rng(seed).uniform(-0.4, 0.8, g)
    arms, clusters = _two(d)
    ours = compare(arms, clusters=clusters, metric=Mean(), baseline="base").arm("arm").p_adjusted
    theirs = stats.permutation_test(
        (d,), lambda x, axis: np.abs(np.mean(x, axis=axis)), permutation_type="samples", n_resamples=np.inf,
        alternative="greater",
    ).pvalue  # fmt: skip
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_p_of_many_clusters_is_near_that_of_a_t_test() -> None:
    d = np.random.default_rng(5).normal(0.1, 0.5, 120).clip(-1, 1)
    arms, clusters = _two(d)
    ours = compare(arms, clusters=clusters, metric=Mean(), baseline="base").arm("arm").p_adjusted
    assert ours == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.006)


def test_interval_of_many_clusters_is_near_that_of_a_t_test() -> None:
    d = np.random.default_rng(6).normal(0.1, 0.4, 150).clip(-1, 1)
    arms, clusters = _two(d)
    row = compare(arms, clusters=clusters, metric=Mean(bounds=(-np.inf, np.inf)), baseline="base").arm("arm")
    low, high = stats.ttest_1samp(d / 2, 0).confidence_interval()
    assert (row.delta_ci_low, row.delta_ci_high) == pytest.approx((low, high), abs=0.003)


def test_adjusted_p_lies_between_raw_p_and_holms() -> None:
    """The largest of correlated statistics: no p below its raw one, and the least not above Holm's least."""
    rng = np.random.default_rng(7)
    g, k = 14, 6
    shared = rng.normal(size=g)
    values = {f"a{i}": (0.5 + 0.05 * i + 0.1 * (shared + rng.normal(size=g))).clip(0, 1) for i in range(k)}
    arms = {a: scored(v) for a, v in values.items()}
    clusters = [f"c{i}" for i in range(g)]
    result = compare(arms, clusters=clusters, metric=Mean(), baseline="a0")
    raw = {
        a: compare({"a0": arms["a0"], a: arms[a]}, clusters=clusters, metric=Mean(), baseline="a0").arm(a).p_adjusted
        for a in arms
        if a != "a0"
    }
    for a, p in raw.items():
        assert result.arm(a).p_adjusted >= p - 1e-12
    least = min(raw, key=raw.get)
    assert result.arm(least).p_adjusted <= (k - 1) * raw[least] + 1e-12


def test_brute_force_of_the_whole_procedure() -> None:
    """p and the critical value, written a second time with loops."""
    rng = np.random.default_rng(8)
    sizes = np.array([3, 1, 4, 2, 5, 2, 3])
    cluster_of = np.repeat(np.arange(7), sizes)
    values = (rng.random((3, cluster_of.size)) < np.array([[0.2], [0.5], [0.9]])).astype(float)
    arms = {f"a{i}": scored(v) for i, v in enumerate(values)}
    result = compare(arms, clusters=[f"c{i}" for i in cluster_of], metric=Mean(), baseline="a0", rule=Rule(alpha=0.1))
    n = sizes.sum()

    def t(cluster_sums: np.ndarray) -> float:
        mean = cluster_sums.sum() / n
        return abs(mean * n) / np.sqrt(((cluster_sums - mean * sizes) ** 2).sum() * 7 / 6)

    sums = np.array([[v[cluster_of == c].sum() for c in range(7)] for v in values])
    top = [
        max(t(np.array(flip) * (sums[i] - sums[0])) for i in (1, 2)) for flip in itertools.product((1, -1), repeat=7)
    ]
    for i in (1, 2):
        p = np.mean(np.array(top) >= t(sums[i] - sums[0]) - 1e-9)
        assert result.arm(f"a{i}").p_adjusted == pytest.approx(p)


@pytest.mark.parametrize("g", [12, 14, 16])
def test_a_part_of_all_flips_moves_every_cluster_by_itself(g: int) -> None:
    """Every so many of all flips never moved some clusters: their signs are the digits of the flip's number."""
    some = signs(g, 0, 0).some(1000).part(0, 1000)
    assert len(some) == 1000
    assert (some[0] == 1).all()
    moved = some[:, :-1].T  # the last cluster never is: a flip and its mirror image are one
    assert (moved == -1).any(axis=1).all()
    assert np.abs(np.corrcoef(moved) - np.eye(g - 1)).max() < 0.15


def test_what_all_arms_have_in_common_hides_no_small_difference() -> None:
    """In single precision: one question of 100,000 differs, so all flips tie and p is 1; it was 0.0001."""
    right = np.random.default_rng(0).random(100_000) < 0.97
    clusters = [f"c{i // 2500}" for i in range(len(right))]
    for one in (77, 60_001, 99_999):
        other = right.copy()
        other[one] = ~other[one]
        arms = {"base": [Score(float(x)) for x in right], "a": [Score(float(x)) for x in other]}
        assert compare(arms, clusters=clusters, metric=Mean(), baseline="base").arm("a").p_adjusted == 1.0
