"""Which examples to have labelled next, so that each label teaches most: uncertainty and diversity.

Three ways to choose, on a feature matrix:

* ``typical`` needs no label: the pool is clustered into as many groups as there will be labels, and the most typical
  row (nearest to its neighbours) of the largest groups without a label is taken (TypiClust, Hacohen, Dekel and
  Weinshall 2022, arXiv 2202.02794). The start, when a classifier knows too little to know what it does not know.
* ``uncertain`` takes the rows whose two likeliest classes are closest (margin; Scheffer et al. 2001). A batch of these
  alone holds many copies of one question.
* ``mixed``: of the most uncertain rows, a weighted k-means picks some that differ (Zhdanov 2019, arXiv 1901.05954).

``auto`` is ``typical`` while there are fewer than ``ENOUGH`` labels a class, then ``mixed``. Labels chosen like this
are no random sample: use them for train, never for test.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.data.labels._linear import calm, coded, matrix, needs_sklearn, probabilities
from sharpen.errors import UserError

WHAT = "choosing what to label"
WAYS = ("auto", "typical", "uncertain", "mixed")
ENOUGH = 4.0  # labels a class from which the classifier's doubt says more than typicality
WIDE = 10  # uncertain rows looked at for each one taken
NEIGHBOURS = 20
LARGE = 5  # rows in a group from which its most typical row is one of its kind


def choose(features: Any, labels: Mapping[int, Hashable], budget: int, how: str = "auto", seed: int = 0) -> list[int]:
    """Choose rows to label next.

    Args:
        features: (n, d), the whole pool, labelled rows included.
        labels: what is known, by row.
        budget: how many to choose; fewer come back where fewer are left.
        how: auto, typical, uncertain, mixed.
        seed: of the clustering.

    Returns:
        Rows without a label, each once, in the order in which they should be labelled.

    Raises:
        UserError: shapes do not fit, the way is unknown, or doubt is asked for with fewer than two classes.
        MissingExtra: scikit-learn is not installed.
    """
    needs_sklearn(WHAT)
    x = matrix(features, len(features), WHAT)
    known = sorted(labels)
    if how not in WAYS:
        raise UserError(f"there is no way {how!r}.", WHAT, f"Take one of {', '.join(WAYS)}.")
    if known and not 0 <= known[0] <= known[-1] < len(x):
        raise UserError(f"row {known[-1] if known[0] >= 0 else known[0]} is none of {len(x)}.", WHAT, "Count from 0.")
    left = np.setdiff1d(np.arange(len(x)), known)
    budget = min(budget, len(left))
    if budget <= 0:
        return []
    classes = len(set(labels.values()))
    if how == "auto":
        how = "mixed" if classes > 1 and len(known) >= ENOUGH * classes else "typical"
    if how == "typical":
        return typical(x, known, budget, seed)
    if classes < 2:
        raise UserError("doubt needs labels of two classes.", WHAT, "Begin with the way 'typical'.")
    doubt = uncertainty(x, labels, left)
    order = left[np.argsort(-doubt, kind="stable")]
    if how == "uncertain" or budget == len(left):
        return [int(i) for i in order[:budget]]
    wide = order[: WIDE * budget]
    return _spread(x, wide, np.sort(doubt)[::-1][: len(wide)], budget, seed)


def uncertainty(
    x: NDArray[np.floating[Any]], labels: Mapping[int, Hashable], rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return 1 minus the difference of the two likeliest classes' probabilities, for each of ``rows``."""
    known = sorted(labels)
    classes, y = coded([labels[i] for i in known])
    p = np.sort(probabilities(x[known], y, x[rows], len(classes)), axis=1)
    doubt: NDArray[np.float64] = 1.0 - (p[:, -1] - p[:, -2])
    return doubt


def typical(x: NDArray[np.floating[Any]], known: list[int], budget: int, seed: int) -> list[int]:
    """Return the most typical row of each of the largest groups in which nothing is labelled yet."""
    groups = len(known) + budget
    place = _clusters(x, min(groups, len(x)), seed)
    labelled = np.bincount(place[known], minlength=groups) if known else np.zeros(groups, dtype=np.intp)
    size = np.bincount(place, minlength=groups)
    taken = set(known)
    # First groups without a label; among those the large ones, since a tiny group is mostly outliers.
    order = np.lexsort((np.arange(groups), -size, np.where(size < LARGE, 1, 0), labelled))
    queues = {int(g): _by_typicality(x, np.flatnonzero(place == g)) for g in order if size[g]}
    chosen: list[int] = []
    while len(chosen) < budget:
        for g in order:
            row = next((i for i in queues.get(int(g), ()) if i not in taken), None)
            if row is not None and len(chosen) < budget:
                taken.add(row)
                chosen.append(row)
    return chosen


def _by_typicality(x: NDArray[np.floating[Any]], rows: NDArray[np.intp]) -> list[int]:
    """Rows of one group, those first whose nearest neighbours in it are nearest."""
    if len(rows) < 3:
        return [int(i) for i in rows]
    if len(rows) > 2000:  # a group this large needs no exact distances: those to its centre order it
        mean = np.linalg.norm(x[rows] - x[rows].mean(axis=0), axis=1)
    else:
        own = x[rows]
        square = (own**2).sum(axis=1)
        distance = np.sqrt(np.maximum(square[:, None] + square[None, :] - 2 * own @ own.T, 0.0))
        k = min(NEIGHBOURS, len(rows) - 1)
        mean = np.partition(distance, k, axis=1)[:, : k + 1].sum(axis=1) / k
    return [int(i) for i in rows[np.argsort(mean, kind="stable")]]


def _clusters(x: NDArray[np.floating[Any]], groups: int, seed: int) -> NDArray[np.intp]:
    from sklearn.cluster import MiniBatchKMeans

    if groups >= len(x):
        return np.arange(len(x), dtype=np.intp)
    with calm(x.size * groups):  # fewer distinct rows than groups leaves some empty, which it would warn of
        made = MiniBatchKMeans(groups, n_init=1, batch_size=max(1024, 2 * groups), max_iter=30, random_state=seed)
        return np.asarray(made.fit_predict(x), dtype=np.intp)


def _spread(
    x: NDArray[np.floating[Any]], rows: NDArray[np.intp], weight: NDArray[np.float64], budget: int, seed: int
) -> list[int]:
    """Pick ``budget`` of ``rows`` that differ: the nearest to each centre of a k-means weighted by doubt."""
    from sklearn.cluster import KMeans

    with calm(len(rows) * x.shape[1] * budget):
        made = KMeans(min(budget, len(rows)), n_init=1, max_iter=50, random_state=seed)
        made.fit(x[rows], sample_weight=weight + 1e-6)
        distance = made.transform(x[rows])
    nearest: dict[int, int] = {}
    for i, g in enumerate(made.labels_):
        if g not in nearest or distance[i, g] < distance[nearest[g], g]:
            nearest[int(g)] = i
    picked = sorted(nearest.values())  # rows come by doubt, so the most doubtful first
    rest = [i for i in range(len(rows)) if i not in set(picked)]
    return [int(rows[i]) for i in [*picked, *rest][:budget]]
