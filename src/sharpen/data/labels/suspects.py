"""Labels that are likely wrong, by confident learning (Northcutt, Jiang and Chuang 2021, doi:10.1613/jair.1.12125).

Each row is judged by a classifier that has not seen it (out-of-fold). A class's threshold is the mean probability that
rows labelled with it get for it; a row whose probability of another class reaches that class's threshold is a suspect.
All rows are ranked, by how much more likely their likeliest other class is than their own; suspects are marked.

What it does not see: errors that are the same everywhere (a class that people always confuse is what the classifier
learns), and rows of classes with fewer than two examples, which no fold can learn. A suspect is a row to look at, not
an error: ambiguous and rare wordings are among them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.data.labels._linear import STRENGTH, coded, matrix, needs_sklearn, probabilities
from sharpen.errors import UserError

WHAT = "looking for label errors"


@dataclass(frozen=True)
class Suspect:
    """A row by its position, its label, the one suggested instead, and why.

    ``margin`` is the probability of the suggested label minus that of the given one, from -1 to 1; ``suspect`` says
    whether confident learning counts it as an error; rows that are none are ranked behind by their margin.
    """

    row: int
    label: Any
    suggested: Any
    margin: float
    suspect: bool
    reason: str


@dataclass(frozen=True)
class Suspects:
    """All rows, the most suspicious first, and what the labels as a whole look like.

    ``noise`` is the estimated share of wrong labels; ``confused`` the pairs (given, likely true) with the estimated
    number of rows, largest first.
    """

    ranked: tuple[Suspect, ...]
    noise: float
    confused: tuple[tuple[Any, Any, float], ...]

    @property
    def found(self) -> tuple[Suspect, ...]:
        return tuple(s for s in self.ranked if s.suspect)


def out_of_fold(
    features: Any,
    labels: Sequence[Hashable],
    folds: int = 5,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    strength: float = STRENGTH,
) -> tuple[list[Any], NDArray[np.float64]]:
    """Return the classes and, (n, classes), each row's probabilities from a classifier trained without its fold.

    ``groups`` keeps rows together that say nearly the same (copies of a row would vouch for its wrong label).

    Raises:
        UserError: fewer than two classes, or fewer rows (or groups) than folds.
        MissingExtra: scikit-learn is not installed.
    """
    needs_sklearn(WHAT)
    x = matrix(features, len(labels), WHAT)
    classes, y = coded(labels)
    if len(classes) < 2:
        raise UserError(f"there is one label or none among {len(labels)} rows.", WHAT, "Give rows of two classes.")
    units = len(set(groups)) if groups is not None else len(labels)
    if not 2 <= folds <= units:
        raise UserError(f"{folds} folds of {units} rows or groups.", WHAT, "Take at least 2 folds, and more rows.")
    parts = _folds(y, folds, seed, groups)
    out = np.zeros((len(y), len(classes)))
    for fold in range(folds):
        held = parts == fold
        if held.any():
            out[held] = probabilities(x[~held], y[~held], x[held], len(classes), strength)
    return classes, out


def _folds(y: NDArray[np.intp], folds: int, seed: int, groups: Sequence[Hashable] | None) -> NDArray[np.intp]:
    """Each row's fold; classes are spread evenly, groups stay whole (dealt out largest class first)."""
    rng = np.random.default_rng(seed)
    out = np.empty(len(y), dtype=np.intp)
    if groups is None:
        order = rng.permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]  # one class after the other, shuffled within
        out[order] = np.arange(len(y)) % folds
        return out
    _, g = coded(groups)
    members: dict[int, list[int]] = {}
    for i in rng.permutation(len(y)):
        members.setdefault(int(g[i]), []).append(int(i))
    held = np.zeros((folds, int(y.max()) + 1))
    for rows in sorted(members.values(), key=len, reverse=True):
        counts = np.bincount(y[rows], minlength=held.shape[1])
        fold = int(np.argmin(held @ counts + held.sum(axis=1) * 1e-6))
        held[fold] += counts
        out[rows] = fold
    return out


def confident_learning(
    probability: NDArray[np.float64], labels: Sequence[Hashable], classes: Sequence[Any]
) -> Suspects:
    """Rank rows by out-of-sample ``probability`` (n, classes), columns in the order of ``classes``.

    Raises:
        UserError: shapes do not fit, or a label is none of the classes.
    """
    p, place = np.asarray(probability, dtype=np.float64), {c: i for i, c in enumerate(classes)}
    if p.shape != (len(labels), len(classes)):
        raise UserError(f"probabilities have the shape {p.shape}.", WHAT, "Give a row an example, a column a class.")
    strange = next((c for c in labels if c not in place), None)
    if strange is not None:
        raise UserError(f"the label {strange!r} is none of the classes.", WHAT, "Give all classes.")
    y = np.array([place[c] for c in labels], dtype=np.intp)
    rows = np.arange(len(y))
    own = p[rows, y]
    count = np.bincount(y, minlength=len(classes))
    # A class without rows, or one that no fold could learn, has no threshold that could be reached.
    total = np.bincount(y, weights=own, minlength=len(classes))
    threshold = np.where((count > 0) & (total > 0), total / np.maximum(count, 1), np.inf)
    reached = np.where(p >= threshold, p, -1.0)
    likely = np.where(reached.max(axis=1, initial=-1.0) >= 0, reached.argmax(axis=1), -1)
    suspect = (likely >= 0) & (likely != y)
    others = p.copy()
    others[rows, y] = -1.0
    suggested = np.where(suspect, likely, others.argmax(axis=1))
    margin = p[rows, suggested] - own
    joint = _joint(y, likely, count)
    order = np.lexsort((rows, -margin, ~suspect))
    ranked = tuple(
        Suspect(
            int(i),
            labels[i],
            classes[suggested[i]],
            float(margin[i]),
            bool(suspect[i]),
            _reason(labels[i], classes[suggested[i]], own[i], p[i, suggested[i]], threshold[suggested[i]], suspect[i]),
        )
        for i in order
    )
    off = joint.copy()
    np.fill_diagonal(off, 0.0)
    pairs = [(classes[i], classes[j], float(off[i, j])) for i, j in zip(*np.nonzero(off), strict=True)]
    noise = float(off.sum() / len(y)) if len(y) else 0.0
    return Suspects(ranked, noise, tuple(sorted(pairs, key=lambda t: -t[2])))


def _joint(y: NDArray[np.intp], likely: NDArray[np.intp], count: NDArray[np.intp]) -> NDArray[np.float64]:
    """The calibrated confident joint: (given, likely true) in rows, whose rows sum to the given labels' counts."""
    joint = np.zeros((len(count), len(count)))
    seen = likely >= 0
    np.add.at(joint, (y[seen], likely[seen]), 1.0)
    sums = joint.sum(axis=1)
    empty = sums == 0
    joint[empty, empty] = count[empty]  # nothing confident is known of it: taken as right
    scale = np.where(empty, 1.0, count / np.where(empty, 1.0, sums))
    return joint * scale[:, None]


def _reason(label: Any, other: Any, own: float, its: float, threshold: float, suspect: bool) -> str:
    found = f"trained without it, a classifier gives {label!r} {own:.2f} and {other!r} {its:.2f}"
    if suspect:
        return f"{found}; rows labelled {other!r} get {threshold:.2f} on average"
    return f"{found}, less than rows labelled {other!r} get"


def find_suspects(
    features: Any,
    labels: Sequence[Hashable],
    folds: int = 5,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> Suspects:
    """Rank all rows by how likely their label is wrong; see the module for how, and :func:`out_of_fold` for errors."""
    classes, probability = out_of_fold(features, labels, folds, seed, groups)
    return confident_learning(probability, labels, classes)
