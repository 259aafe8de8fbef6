"""Which data to ask for next: the slices of rows in which a model is wrong more often than elsewhere.

A slice (a class, a source, a way of asking, a column's value) is weak where so many wrong rows would fall into it by
chance alone (Fisher's exact test, one-sided) in fewer than 5% of cases over all slices together (Bonferroni). It is a
look at rows that were scored for choosing (dev), never at those of the test.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sharpen.data.page.coverage import looks
from sharpen.types import Example

LEAST = 10
"""Scored rows of a slice below which nothing is said of it."""


@dataclass(frozen=True)
class Request:
    """A weak slice: ``wrong`` of its ``n`` scored rows are, and ``elsewhere`` is the share over all others.

    ``there`` is how many rows of train it has.
    """

    facet: str
    value: str
    n: int
    wrong: int
    elsewhere: float
    there: int

    def __str__(self) -> str:
        said = f"{self.facet} {self.value}: {self.wrong} of {self.n} are wrong, elsewhere {self.elsewhere:.0%}"
        return f"{said}; train has {self.there} rows of it. Ask for more of these."


def slices(train: Sequence[Example], scored: Sequence[Example], wrong: Sequence[bool]) -> list[Request]:
    """Return every slice that has enough scored rows to say something of it, and not all of them.

    Args:
        train: what the model may learn from.
        scored: rows that the model answered, of dev.
        wrong: of each of them, whether its answer was wrong.

    Raises:
        ValueError: there is not one verdict for each scored row.
    """
    if len(scored) != len(wrong):
        raise ValueError(f"{len(scored)} rows and {len(wrong)} verdicts")
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    there: dict[tuple[str, str], int] = defaultdict(int)
    rows: Mapping[str, Sequence[Example]] = {"train": train, "dev": scored}
    for facet, of in looks(rows).items():
        for e, bad in zip(scored, wrong, strict=True):
            for value in of(e):
                found[facet, value].append(bad)
        for e in train:
            for value in of(e):
                there[facet, value] += 1
    made = []
    for key, some in found.items():
        here, n = sum(some), len(some)
        if LEAST <= n < len(scored):
            made.append(Request(*key, n, here, (sum(wrong) - here) / (len(wrong) - n), there[key]))
    return made


def requests(train: Sequence[Example], scored: Sequence[Example], wrong: Sequence[bool]) -> list[Request]:
    """Return the weak slices, the most wrong rows first; arguments and errors as of :func:`slices`."""
    large = slices(train, scored, wrong)
    weak = [r for r in large if by_chance(r.wrong, r.n, sum(wrong), len(wrong)) <= 0.05 / len(large)]
    return sorted(weak, key=lambda r: (-r.wrong, r.facet, r.value))


def by_chance(k: int, n: int, wrong: int, of: int) -> float:
    """How likely at least ``k`` of ``n`` rows are among the ``wrong`` ones ``of`` all, were they drawn at random."""
    most = min(n, wrong)
    logs = [_log_comb(wrong, x) + _log_comb(of - wrong, n - x) for x in range(max(k, n - of + wrong), most + 1)]
    return math.fsum(math.exp(x - _log_comb(of, n)) for x in logs)


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
