"""Whether more labelled examples would help: a learning curve on subsets, and a power law through it.

A classifier is fitted on growing parts of the examples and judged on those held out; the error is described by
``error(n) = floor + scale * n ** -slope`` (Hestness et al. 2017, arXiv 1712.00409). Each repeat holds out other rows,
and the uncertainty is the jackknife over repeats with Student's t. Small parts often lie off the law (on banking77 it
promised .040 for a doubling that gave .028, and .027 without the smallest part), so the interval spans the law through
all sizes and the law without the smallest. Repeats share examples and the law is a guess: the interval is a lower bound
of what is not known, and nothing is said beyond a doubling.

The verdict is about the kind of classifier used here, on these features: a model that is tuned may go on learning
where this one has ended, seldom the other way round.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.data.labels._linear import coded, matrix, needs_sklearn, probabilities
from sharpen.errors import UserError

WHAT = "learning curve"
SHARES = (0.1, 0.2, 0.35, 0.6, 1.0)
SLOPES = np.concatenate([np.arange(0.02, 1.0, 0.02), np.arange(1.0, 2.01, 0.1)])
T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Student's t, two-sided 95 %, by the number of repeats."""


@dataclass(frozen=True)
class Law:
    """``error(n) = floor + scale * n ** -slope``."""

    floor: float
    scale: float
    slope: float

    def error(self, n: float) -> float:
        """The error rate expected with ``n`` examples."""
        return float(self.floor + self.scale * n**-self.slope)


@dataclass(frozen=True)
class Sufficiency:
    """The curve and the verdict.

    ``sizes`` are the examples learned from; ``accuracy`` (repeats, sizes); ``gain`` the accuracy that doubling is
    expected to give, between ``low`` and ``high`` (95 %); ``helps`` is yes, no or not known; ``why`` says it in words.
    """

    sizes: tuple[int, ...]
    accuracy: NDArray[np.float64]
    law: Law
    gain: float
    low: float
    high: float
    helps: str
    why: str


def power_law(sizes: Sequence[int], error: Sequence[float]) -> Law:
    """Fit by least squares with floor and scale not negative; the slope is searched from 0.02 to 2.

    Raises:
        UserError: fewer than three sizes.
    """
    if len(sizes) != len(error) or len(set(sizes)) < 3:
        raise UserError(f"{len(set(sizes))} sizes.", WHAT, "Give the error at three sizes or more.")
    n, e = np.asarray(sizes, dtype=np.float64), np.asarray(error, dtype=np.float64)
    z = n ** -SLOPES[:, None]  # (slopes, sizes)
    centred = z - z.mean(axis=1, keepdims=True)
    scale = centred @ e / (centred**2).sum(axis=1)
    free = np.stack([e.mean() - scale * z.mean(axis=1), scale])
    steep = np.stack([np.zeros(len(z)), np.maximum(0.0, z @ e / (z**2).sum(axis=1))])
    flat = np.stack([np.full(len(z), max(0.0, float(e.mean()))), np.zeros(len(z))])
    # The least-squares line in z with both not negative: the free one where it is so, otherwise one on an edge.
    lines = np.stack([free, steep, flat])  # (3, floor and scale, slopes)
    left = ((lines[:, 0, :, None] + lines[:, 1, :, None] * z - e) ** 2).sum(axis=2)
    left[0][(free < 0).any(axis=0)] = np.inf
    # Of laws that fit alike (a flat curve) the first edge is as good as any; rounding must not choose.
    kind, slope = np.unravel_index(int(np.argmin(np.round(left, 15))), left.shape)
    return Law(float(lines[kind, 0, slope]), float(lines[kind, 1, slope]), float(SLOPES[slope]))


def verdict(sizes: Sequence[int], accuracy: NDArray[np.float64], worth: float = 0.01) -> Sufficiency:
    """Judge a measured curve: ``accuracy`` (repeats, sizes), of which the last size is all there is.

    Args:
        sizes: growing.
        accuracy: from 0 to 1.
        worth: the smallest gain of a doubling that would matter.

    Raises:
        UserError: fewer than two repeats or three sizes.
    """
    error = 1.0 - np.asarray(accuracy, dtype=np.float64)
    if error.ndim != 2 or error.shape[0] < 2 or error.shape[1] != len(sizes):
        raise UserError(f"accuracies have the shape {error.shape}.", WHAT, "Give two repeats or more, of all sizes.")
    law = power_law(sizes, list(error.mean(axis=0)))
    r = len(error)
    ranges = [_range(sizes[skip:], error[:, skip:]) for skip in ((0, 1) if len(sizes) > 3 else (0,))]
    gain = float(np.mean([middle for middle, _ in ranges]))
    low = max(0.0, min(middle - half for middle, half in ranges))
    left = float(error[:, -1].mean())  # nothing gains more than there is to gain
    high = min(left, max(middle + half for middle, half in ranges))
    gain, low = min(gain, left), min(low, left)
    helps = "yes" if low >= worth else "no" if high < worth else "not known"
    say = {
        "yes": f"More data would help: twice the {sizes[-1]} examples give about {gain:.3f} more accuracy",
        "no": f"More data of this kind would hardly help: twice the {sizes[-1]} examples give about {gain:.3f}",
        "not known": f"Whether more data would help is not known: twice the {sizes[-1]} examples give about {gain:.3f}",
    }
    why = f"{say[helps]} ({low:.3f} to {high:.3f}, of which {worth:g} would matter; {r} repeats)."
    return Sufficiency(tuple(sizes), 1.0 - error, law, gain, low, high, helps, why)


def _range(sizes: Sequence[int], error: NDArray[np.float64]) -> tuple[float, float]:
    """What doubling gives by the law through these sizes, and half the width of its 95 % interval (jackknife)."""
    r = len(error)
    whole = _gain(power_law(sizes, list(error.mean(axis=0))), sizes[-1])
    without = [power_law(sizes, list(np.delete(error, i, axis=0).mean(axis=0))) for i in range(r)]
    gains = np.array([_gain(law, sizes[-1]) for law in without])
    spread = float(np.sqrt((r - 1) / r * ((gains - gains.mean()) ** 2).sum()))
    return whole, T.get(r, 1.96 + 2.7 / r) * spread


def _gain(law: Law, n: float) -> float:
    return law.error(n) - law.error(2 * n)


def learning_curve(
    features: Any,
    labels: Sequence[Hashable],
    repeats: int = 5,
    held_out: float = 0.25,
    worth: float = 0.01,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> Sufficiency:
    """Measure the curve of a logistic regression on ``features`` (n, d), and judge it.

    ``groups`` (sources) are held out whole, so that the curve is that of new sources.

    Raises:
        UserError: fewer than two classes, or too few rows or groups to hold some out.
        MissingExtra: scikit-learn is not installed.
    """
    needs_sklearn(WHAT)
    x = matrix(features, len(labels), WHAT)
    classes, y = coded(labels)
    _, units = coded(groups) if groups is not None else (None, np.arange(len(y), dtype=np.intp))
    count = int(units.max(initial=-1)) + 1
    held = max(1, round(held_out * count))
    if len(classes) < 2 or count - held < 2 or len(y) < 20:
        what = f"{len(y)} rows of {len(classes)} classes in {count} groups are too few."
        raise UserError(what, WHAT, "Label at least 20 examples of two classes.")
    rng = np.random.default_rng(seed)
    splits = []
    for _ in range(repeats):
        out = np.isin(units, rng.permutation(count)[:held])
        splits.append((rng.permutation(np.flatnonzero(~out)), np.flatnonzero(out)))
    whole = min(len(learn) for learn, _ in splits)
    sizes = sorted({max(2, round(s * whole)) for s in SHARES})
    accuracy = np.array(
        [
            [
                float(
                    (probabilities(x[learn[:n]], y[learn[:n]], x[test], len(classes)).argmax(axis=1) == y[test]).mean()
                )
                for n in sizes
            ]
            for learn, test in splits
        ]
    )
    return verdict(sizes, accuracy, worth)
