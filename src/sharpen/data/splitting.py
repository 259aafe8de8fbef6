"""Which examples are learned from, chosen on, and sealed; whole clusters stay together.

The order is that of a hash of the seed and the cluster's name, so the split depends on neither the order of rows nor
the platform; examples of one name stay together. Clusters are handed out in that order to whichever split lacks most,
and then moved or exchanged as long as that brings the shares, counted in questions, closer to what was asked for.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from sharpen.types import Example

SPLITS = ("train", "dev", "test")
CLUSTER = "_cluster"
"""Where ``Example.meta`` holds what a row was found to belong to: questions like it, or its day."""


def cluster(example: Example, by: str) -> str:
    """Return the name of what ``example`` is never torn from; its own id where it belongs to nothing."""
    found = str(example.meta.get(CLUSTER, "")) if by in ("similar", "time", "source") else ""
    name = {"source": found or example.source, "group": example.group}.get(by, found)
    return f"{by}:{name}" if name else f"id:{example.id}"


def clustered(example: Example, name: str) -> Example:
    """Return the example with the name of what it was found to belong to; as it is where that is nothing."""
    return replace(example, meta={**example.meta, CLUSTER: name}) if name else example


def split(examples: Sequence[Example], shares: Mapping[str, float], by: str = "source", seed: int = 0) -> list[str]:
    """Return the split (train, dev or test) of each example.

    Args:
        examples: one that belongs to nothing is named by its id.
        shares: of train, dev and test; they sum to 1.
        by: source, group, similar, row, or label (rows, every label in the same shares).
        seed: another seed gives another split.
    """
    return _cut(examples, {s: shares[s] for s in SPLITS}, by, seed)


def deal(examples: Sequence[Example], folds: int, by: str = "source", seed: int = 0) -> list[int]:
    """Return the fold, 1 to ``folds``, in whose test each example is; clusters are whole, folds about equally large."""
    if by == "label":
        return _dealt(examples, folds, seed)
    names = {str(k): 1 / folds for k in range(1, folds + 1)}
    return [int(k) for k in _cut(examples, names, by, seed)]


def split_fold(
    examples: Sequence[Example], fold: Sequence[int], number: int, shares: Mapping[str, float], by: str, seed: int = 0
) -> list[str]:
    """Return the split of each example in one fold: what was dealt to it is its test, the rest is train and dev.

    Args:
        examples: all of them.
        fold: as :func:`deal` gave it.
        number: of the fold, from 1.
        shares: of train and dev, in whose ratio the rest is split.
        by, seed: as for :func:`split`.
    """
    both = shares["train"] + shares["dev"]
    rest = [e for e, k in zip(examples, fold, strict=True) if k != number]
    given = iter(_cut(rest, {s: shares[s] / both for s in ("train", "dev")}, by, f"{seed}, fold {number}"))
    return ["test" if k == number else next(given) for k in fold]


def _cut(examples: Sequence[Example], shares: Mapping[str, float], by: str, seed: int | str) -> list[str]:
    if by == "label":
        return _stratified(examples, shares, seed)
    clusters = [cluster(e, by) for e in examples]
    sizes = Counter(clusters)
    given = _assign({c: sizes[c] for c in sorted(sizes, key=lambda c: _order(seed, c))}, shares)
    return [given[c] for c in clusters]


def _order(seed: int | str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def _assign(sizes: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, str]:
    total = sum(sizes.values())
    lack = {s: share * total for s, share in shares.items()}
    given = {}
    for name, size in sizes.items():
        most = max(lack, key=lambda s: lack[s])
        given[name] = most
        lack[most] -= size
    _fill_empty(given, sizes, lack)
    if len(sizes) <= 300:
        _improve(given, sizes, lack)
    return given


def _fill_empty(given: dict[str, str], sizes: Mapping[str, int], lack: dict[str, float]) -> None:
    """Give a split that got nothing the smallest cluster of a split that has several."""
    for empty in [s for s in lack if s not in given.values()]:
        counts = Counter(given.values())
        spare = [c for c in given if counts[given[c]] > 1]
        if spare:
            _move(min(spare, key=lambda c: sizes[c]), empty, given, sizes, lack)


def _move(name: str, to: str, given: dict[str, str], sizes: Mapping[str, int], lack: dict[str, float]) -> None:
    lack[given[name]] += sizes[name]
    lack[to] -= sizes[name]
    given[name] = to


def _improve(given: dict[str, str], sizes: Mapping[str, int], lack: dict[str, float]) -> None:
    """Move or exchange clusters while that lowers the sum of squared deviations; counts of clusters keep at least 1."""
    for _ in range(200):
        best, change = -1e-9, None
        members: dict[str, dict[int, str]] = {s: {} for s in lack}
        counts = Counter(given.values())
        for name, at in given.items():
            members[at].setdefault(sizes[name], name)  # one of each size is enough
        for a, b in combinations(lack, 2):
            # d questions from a to b change the sum of squares by 2d(lack[a] - lack[b]) + 2d²
            for d, pair in _exchanges(members[a], members[b], counts[a] > 1, counts[b] > 1):
                gain = 2 * d * (lack[a] - lack[b]) + 2 * d * d
                if gain < best:
                    best, change = gain, [(n, t) for n, t in zip(pair, (b, a), strict=True) if n]
        if change is None:
            return
        for name, to in change:
            _move(name, to, given, sizes, lack)


def _exchanges(a: dict[int, str], b: dict[int, str], from_a: bool, from_b: bool) -> list[tuple[int, tuple[str, str]]]:
    moves = [(x, (n, "")) for x, n in a.items() if from_a] + [(-y, ("", n)) for y, n in b.items() if from_b]
    return moves + [(x - y, (n, m)) for x, n in a.items() for y, m in b.items() if x != y]


def _stratified(examples: Sequence[Example], shares: Mapping[str, float], seed: int | str) -> list[str]:
    given = [""] * len(examples)
    owed = dict.fromkeys(shares, 0.0)  # what rounding owes each split, carried from label to label
    for rows in _by_label(examples, seed):
        for n, i in enumerate(rows):
            for s in shares:
                owed[s] += shares[s]
            most = "train" if n == 0 else max(shares, key=lambda s: owed[s])  # every label can be learned
            given[i] = most
            owed[most] -= 1
    return given


def _dealt(examples: Sequence[Example], folds: int, seed: int) -> list[int]:
    """Rows of one label after the other, dealt in turn."""
    given = [0] * len(examples)
    for n, i in enumerate(i for rows in _by_label(examples, seed) for i in rows):
        given[i] = n % folds + 1
    return given


def _by_label(examples: Sequence[Example], seed: int | str) -> list[list[int]]:
    """Positions of the rows of each label, in the order of the seed."""
    rows: dict[str, list[int]] = defaultdict(list)
    for i, e in enumerate(examples):
        rows[(e.labels or e.targets or ("",))[0]].append(i)
    return [sorted(rows[label], key=lambda i: _order(seed, examples[i].id)) for label in sorted(rows)]
