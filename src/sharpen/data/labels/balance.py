"""How evenly classes and facets are filled, and rows or weights that even them out; for train only.

The numbers are exact counts. A dev or test split stays as the world is: evening it out would change what a score
means, so nothing here takes a data set, only the rows that are to be learned from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sharpen.errors import UserError

UNEVEN = 10.0  # imbalance from which it is remarked
ONE_SOURCE = 0.9  # share of a class's rows from one source from which it is remarked
FEW = 5  # rows of a class below which it is remarked


@dataclass(frozen=True)
class Row:
    """One value of a facet, with its rows and their share."""

    value: Any
    count: int
    share: float


@dataclass(frozen=True)
class Table:
    """The values of one facet, most frequent first.

    ``imbalance`` is the largest count over the smallest (1 is even); ``effective`` the number of equally frequent
    values that would be as varied (the exponential of the entropy); ``missing`` the rows without a value.
    """

    facet: str
    rows: tuple[Row, ...]
    missing: int
    imbalance: float
    effective: float


def table(facet: str, values: Sequence[Hashable | None]) -> Table:
    """Count the values of one facet; None is missing. Shares are of the rows that have a value."""
    counts = Counter(v for v in values if v is not None)
    n = counts.total()
    rows = sorted(counts.items(), key=lambda t: (-t[1], str(t[0])))
    if not rows:
        return Table(facet, (), len(values), 1.0, 0.0)
    entropy = -sum(c / n * math.log(c / n) for c in counts.values())
    imbalance = rows[0][1] / rows[-1][1]
    made = tuple(Row(v, c, c / n) for v, c in rows)
    return Table(facet, made, len(values) - n, imbalance, math.exp(entropy))


@dataclass(frozen=True)
class Balance:
    """Tables of the classes and of every facet, classes by facet, and what is worth remarking.

    ``crossed[facet][(class, value)]`` counts rows with both.
    """

    classes: Table
    facets: tuple[Table, ...]
    crossed: Mapping[str, Mapping[tuple[Any, Any], int]]
    remarks: tuple[str, ...]


def balance(
    labels: Sequence[Hashable | None], facets: Mapping[str, Sequence[Hashable | None]] | None = None
) -> Balance:
    """Describe rows by label and by facets (segment, language, department, source, ...), one value a row.

    Raises:
        UserError: a facet has not as many values as there are rows.
    """
    facets = facets or {}
    for name, values in facets.items():
        if len(values) != len(labels):
            raise UserError(
                f"{len(values)} values for {len(labels)} rows.", f"facet {name}", "Give one a row, or None."
            )
    classes = table("label", labels)
    tables = tuple(table(name, values) for name, values in facets.items())
    crossed: dict[str, Counter[tuple[Any, Any]]] = {
        name: Counter((c, v) for c, v in zip(labels, values, strict=True) if c is not None and v is not None)
        for name, values in facets.items()
    }
    remarks = [*_uneven((classes, *tables)), *_few(classes)]
    if "source" in facets:
        remarks += _one_source(labels, facets["source"])
    return Balance(classes, tables, crossed, tuple(remarks))


def _uneven(tables: Sequence[Table]) -> list[str]:
    return [
        f"{t.facet}: {t.rows[0].value!r} has {t.rows[0].count} rows, {t.rows[-1].value!r} {t.rows[-1].count}: "
        f"{t.imbalance:.1f} to 1."
        for t in tables
        if t.imbalance >= UNEVEN and t.facet != "source"
    ]


def _few(classes: Table) -> list[str]:
    few = [r for r in classes.rows if r.count < FEW]
    if not few or len(classes.rows) < 2:
        return []
    some = ", ".join(f"{r.value!r} ({r.count})" for r in few[-5:])
    return [f"{len(few)} of {len(classes.rows)} labels have fewer than {FEW} rows: {some}."]


def _one_source(labels: Sequence[Hashable | None], sources: Sequence[Hashable | None]) -> list[str]:
    """Where one source speaks for all, or for a class: what is learned may be the source, not the class."""
    all_of = Counter(s for s in sources if s is not None)
    if len(all_of) == 1 and all_of.total() > 1:
        return [f"All {all_of.total()} rows come from one source, {next(iter(all_of))!r}."]
    out = []
    by: dict[Hashable, Counter[Hashable]] = {}
    for label, source in zip(labels, sources, strict=True):
        if label is not None and source is not None:
            by.setdefault(label, Counter())[source] += 1
    for label in sorted(by, key=str):
        source, count = by[label].most_common(1)[0]
        n = by[label].total()
        if n >= FEW and count / n >= ONE_SOURCE:
            out.append(f"label {label!r}: {count} of its {n} rows come from one source, {source!r}.")
    return out


def oversample(labels: Sequence[Hashable], to: int | None = None, seed: int = 0) -> list[int]:
    """Return rows such that each class has ``to`` (by default as many as the largest), by repeating.

    Every row stands as often as any other of its class, give or take one; larger classes are left whole. The first
    ``len(labels)`` entries are all rows in order, the repeated ones follow.
    """
    members = _members(labels)
    want = max((len(m) for m in members.values()), default=0) if to is None else to
    rng = np.random.default_rng(seed)
    out = list(range(len(labels)))
    for rows in members.values():
        more = max(0, want - len(rows))
        out += rows * (more // len(rows))
        out += sorted(int(i) for i in rng.choice(rows, more % len(rows), replace=False))
    return out


def undersample(labels: Sequence[Hashable], to: int | None = None, seed: int = 0) -> list[int]:
    """Return rows, in order, such that no class has more than ``to`` (by default as many as the smallest)."""
    members = _members(labels)
    want = min((len(m) for m in members.values()), default=0) if to is None else to
    rng = np.random.default_rng(seed)
    return sorted(int(i) for rows in members.values() for i in rng.choice(rows, min(want, len(rows)), replace=False))


def weights(labels: Sequence[Hashable], strength: float = 1.0) -> list[float]:
    """Return a weight a row by which classes count alike; their mean is 1.

    ``strength`` 1 makes classes count alike, 0 rows; between them the weight is (n / (classes * count)) ** strength,
    scaled.
    """
    counts = Counter(labels)
    raw = [(len(labels) / (len(counts) * counts[c])) ** strength for c in labels]
    mean = sum(raw) / len(raw) if raw else 1.0
    return [w / mean for w in raw]


def _members(labels: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    out: dict[Hashable, list[int]] = {}
    for i, label in enumerate(labels):
        out.setdefault(label, []).append(i)
    return out


def resample(labels: Sequence[Hashable], strength: float = 1.0, seed: int = 0) -> list[int]:
    """Return as many rows as there are, each about as often as :func:`weights` says; classes get exactly their share.

    A class with the share s of the weight gets s * n rows, rounded by largest remainder and never none; within it every
    row stands as often as any other, give or take one.
    """
    given, members = weights(labels, strength), _members(labels)
    shares = {c: sum(given[i] for i in rows) for c, rows in members.items()}
    counts = {c: max(1, math.floor(share + 1e-9)) for c, share in shares.items()}
    by_rest = sorted(shares, key=lambda c: (counts[c] - shares[c], list(members).index(c)))
    for c in by_rest[: max(0, len(labels) - sum(counts.values()))]:
        counts[c] += 1
    rng = np.random.default_rng(seed)
    out: list[int] = []
    for c, rows in members.items():
        out += rows * (counts[c] // len(rows))
        out += [int(i) for i in rng.choice(rows, counts[c] % len(rows), replace=False)]
    return sorted(out)
