"""The one classifier of this folder: logistic regression on frozen features, as the floors have it."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.errors import MissingExtra, UserError

STRENGTH = 10.0  # C: the middle of what the floors choose from
TOLERANCE = 1e-3  # of the gradient: a third of the rounds of the usual 1e-4; rankings need no last digit

SMALL = 50_000_000  # multiplications a round, below which one thread does them


def needs_sklearn(what: str) -> None:
    """Say which extra is missing.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtra(what, "scikit-learn", "floors")


def matrix(features: Any, n: int, what: str) -> NDArray[np.floating[Any]]:
    """Return the features as an array (n, d) of finite numbers.

    Raises:
        UserError: it has another shape, or holds what is no number.
    """
    x = np.asarray(features)
    x = x if x.dtype == np.float32 else x.astype(np.float64)  # single precision is fitted twice as fast
    if x.ndim != 2 or len(x) != n or not x.shape[1]:
        raise UserError(f"features have the shape {x.shape}, for {n} rows.", what, "Give one row of numbers for each.")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise UserError("a feature is not a finite number.", f"{what}, row {row}", "Embed that text again.")
    return x


def coded(labels: Sequence[Hashable]) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the classes in order, and each row's as its position."""
    classes = sorted(set(labels), key=lambda c: (str(type(c)), str(c)))
    place = {c: i for i, c in enumerate(classes)}
    return classes, np.array([place[c] for c in labels], dtype=np.intp)


@contextmanager
def calm(work: int) -> Iterator[None]:
    """No warnings, and one thread where there is little to multiply: on a busy machine several wait for each other."""
    from threadpoolctl import threadpool_limits  # scikit-learn needs it

    with warnings.catch_warnings(), threadpool_limits(1 if work < SMALL else None):
        warnings.simplefilter("ignore")
        yield


def probabilities(
    x: NDArray[np.floating[Any]],
    y: NDArray[np.intp],
    asked: NDArray[np.floating[Any]],
    classes: int,
    strength: float = STRENGTH,
) -> NDArray[np.float64]:
    """Fit on (x, y) and return (len(asked), classes); a class that ``y`` does not hold gets zero."""
    out = np.zeros((len(asked), classes))
    seen = np.unique(y)
    if len(seen) == 1:
        out[:, seen[0]] = 1.0
        return out
    from sklearn.linear_model import LogisticRegression

    with calm(x.size * len(seen)):  # not converged to the last digit is good enough for ranking
        model = LogisticRegression(C=strength, max_iter=300, tol=TOLERANCE).fit(x, y)
    out[:, seen] = model.predict_proba(asked)
    return out
