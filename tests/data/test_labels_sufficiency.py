"""Whether more data would help: the fit, the verdict, and how often its interval holds."""

from __future__ import annotations

import numpy as np
import pytest

from sharpen.data.labels.sufficiency import learning_curve, power_law, verdict
from sharpen.errors import UserError

SIZES = [100, 200, 400, 800, 1600]


@pytest.mark.parametrize(("floor", "scale", "slope"), [(0.1, 2.0, 0.5), (0.0, 1.0, 0.3), (0.05, 5.0, 0.8)])
def test_an_exact_law_is_found(floor: float, scale: float, slope: float) -> None:
    law = power_law(SIZES, [floor + scale * n**-slope for n in SIZES])
    assert law.slope == pytest.approx(slope, abs=1e-9)
    assert law.floor == pytest.approx(floor, abs=1e-9)
    assert law.scale == pytest.approx(scale)
    assert law.error(3200) == pytest.approx(floor + scale * 3200**-slope)


def test_flat_and_rising_errors_promise_nothing() -> None:
    for error in ([0.2] * 5, [0.1, 0.11, 0.12, 0.13, 0.14]):
        law = power_law(SIZES, error)
        assert law.error(1600) - law.error(3200) == pytest.approx(0, abs=1e-6)
        assert law.floor == pytest.approx(np.mean(error), abs=1e-6)


def curve(scale: float, slope: float, noise: float, seed: int, floor: float = 0.1, repeats: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = np.array(SIZES, dtype=float)
    return 1 - (floor + scale * n**-slope) + noise * rng.normal(size=(repeats, len(n)))


def test_the_three_verdicts() -> None:
    """Doubling 1,600: 2 n^-.5 gives .05 - .0354 = .0146 more; 0.05 n^-.5 gives .0004; noise decides nothing."""
    yes = verdict(SIZES, curve(4.0, 0.5, 0.001, 0))
    assert yes.helps == "yes"
    assert yes.gain == pytest.approx(0.0293, abs=0.003)
    assert yes.low < 0.0293 < yes.high
    assert yes.why.startswith("More data would help: twice the 1600 examples give about 0.0")
    no = verdict(SIZES, curve(0.05, 0.5, 0.0005, 1))
    assert no.helps == "no"
    assert verdict(SIZES, curve(2.0, 0.5, 0.03, 2)).helps == "not known"


def test_the_interval_holds_the_true_gain_about_as_often_as_it_says() -> None:
    for scale, slope in ((2.0, 0.5), (1.0, 0.3)):
        true = scale * (1600**-slope - 3200**-slope)
        found = [verdict(SIZES, curve(scale, slope, 0.006, seed)) for seed in range(60)]
        assert np.mean([f.low <= true <= f.high for f in found]) >= 0.85


def test_a_curve_on_features_and_held_out_groups() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 10))
    y = rng.integers(4, size=320)
    easy = centres[y] * 3 + 0.2 * rng.normal(size=(320, 10))
    made = learning_curve(easy, list(y), repeats=3)
    assert made.helps == "no"
    assert made.accuracy.shape == (3, 5)
    assert made.sizes[-1] == 240
    assert made.accuracy[:, -1].min() > 0.97
    # Hard: a label that belongs to the group, which a new group tells nothing of.
    groups = rng.integers(20, size=320)
    own = np.eye(20)[groups]
    luck = rng.integers(2, size=20)[groups]
    known, new = learning_curve(own, list(luck), repeats=3), learning_curve(own, list(luck), repeats=3, groups=groups)
    assert known.accuracy[:, -1].min() > 0.95
    assert new.accuracy[:, -1].mean() < 0.85
    again = learning_curve(own, list(luck), repeats=3)
    assert (again.gain, again.why) == (known.gain, known.why), "the same seed"


def test_too_little_is_said() -> None:
    pytest.importorskip("sklearn")
    for call in (
        lambda: learning_curve(np.ones((30, 2)), ["a"] * 30),
        lambda: learning_curve(np.ones((6, 2)), ["a", "b"] * 3),
        lambda: learning_curve(np.ones((30, 2)), ["a", "b"] * 15, groups=[1] * 15 + [2] * 15),
        lambda: power_law([1, 2], [0.1, 0.2]),
        lambda: verdict(SIZES, np.ones((1, 5))),
    ):
        with pytest.raises(UserError):
            call()


def test_no_more_is_gained_than_there_is_to_gain() -> None:
    found = verdict([8, 15, 27, 46, 76], np.array([[0.97, 0.98, 1.0, 1.0, 1.0]] * 3))
    assert (found.low, found.gain, found.high, found.helps) == (0.0, 0.0, 0.0, "no")
