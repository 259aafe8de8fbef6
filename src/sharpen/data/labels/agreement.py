"""How far annotators agree beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha; nominal labels.

All are 1 for full agreement, about 0 for what chance gives, and negative for less than that. None says that the figure
does not exist: nothing was labelled twice, or all labels are the same, so that chance alone would agree fully.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from sharpen.errors import UserError

Label: TypeAlias = Hashable
Ratings: TypeAlias = Sequence[Sequence[Label | None]]
"""One row an item, one column an annotator; None where the annotator did not label the item."""

WHAT = "agreement"


def cohen_kappa(a: Sequence[Label | None], b: Sequence[Label | None]) -> float | None:
    """Agreement of two annotators over the items that both labelled (Cohen 1960, doi:10.1177/001316446002000104).

    Raises:
        UserError: they have not the same number of items.
    """
    if len(a) != len(b):
        raise UserError(f"{len(a)} and {len(b)} labels.", WHAT, "Give both annotators' labels of the same items.")
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    if not both:
        return None
    n = len(both)
    observed = sum(x == y for x, y in both) / n
    first, second = Counter(x for x, _ in both), Counter(y for _, y in both)
    expected = sum(first[label] * second[label] for label in first) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(ratings: Ratings) -> float | None:
    """Agreement of many annotators, each item labelled by as many (Fleiss 1971, doi:10.1037/h0031619).

    Who labelled what does not matter, only how often; None entries are left out of a row.

    Raises:
        UserError: items were labelled by different numbers of annotators (alpha takes those).
    """
    rows = [Counter(label for label in row if label is not None) for row in ratings]
    sizes = {row.total() for row in rows}
    if len(sizes) > 1:
        say = f"items carry between {min(sizes)} and {max(sizes)} labels."
        raise UserError(say, "Fleiss' kappa", "Use Krippendorff's alpha, which allows missing labels.")
    if not rows or max(sizes) < 2:
        return None
    n = max(sizes)
    observed = sum(sum(c * (c - 1) for c in row.values()) for row in rows) / (len(rows) * n * (n - 1))
    totals = sum(rows, Counter[Label]())
    expected = sum((c / (len(rows) * n)) ** 2 for c in totals.values())
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(ratings: Ratings) -> float | None:
    """Agreement of any number of annotators with missing labels, nominal (Krippendorff 2011, "Computing alpha").

    Items with fewer than two labels say nothing and are left out.
    """
    rows = [Counter(label for label in row if label is not None) for row in ratings]
    rows = [row for row in rows if row.total() > 1]
    totals = sum(rows, Counter[Label]())
    n = totals.total()
    # Pairs of unequal labels within an item, each weighted by 1 / (labels of the item - 1).
    observed = sum((row.total() ** 2 - sum(c * c for c in row.values())) / (row.total() - 1) for row in rows)
    expected = n * n - sum(c * c for c in totals.values())
    return None if not expected else 1 - (n - 1) * observed / expected


@dataclass(frozen=True)
class Agreement:
    """What the annotators of a set of items agree on. ``pairs`` holds (annotator, annotator, items, kappa)."""

    items: int
    labelled_twice: int
    unanimous: int
    alpha: float | None
    fleiss: float | None
    pairs: tuple[tuple[str, str, int, float | None], ...]


def agreement(ratings: Ratings, annotators: Sequence[str]) -> Agreement:
    """Return all figures; ``fleiss`` is None where items carry different numbers of labels.

    Raises:
        UserError: a row has not one entry for each annotator.
    """
    for i, row in enumerate(ratings):
        if len(row) != len(annotators):
            what = f"{len(row)} labels for {len(annotators)} annotators."
            raise UserError(what, f"{WHAT}, row {i}", "Put None where an annotator gave none.")
    given = [[label for label in row if label is not None] for row in ratings]
    twice = [row for row in given if len(row) > 1]
    columns = list(zip(*ratings, strict=True)) if ratings else [() for _ in annotators]
    pairs = [
        (
            annotators[i],
            annotators[j],
            sum(x is not None and y is not None for x, y in zip(columns[i], columns[j], strict=True)),
            cohen_kappa(columns[i], columns[j]),
        )
        for i, j in combinations(range(len(annotators)), 2)
    ]
    even = len({len(row) for row in given}) == 1
    return Agreement(
        len(ratings),
        len(twice),
        sum(len(set(row)) == 1 for row in twice),
        krippendorff_alpha(ratings),
        fleiss_kappa(ratings) if even else None,
        tuple(pairs),
    )
