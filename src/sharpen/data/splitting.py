"""Which examples are learned from, chosen on, and sealed; whole clusters stay together.

The order is that of a hash of the seed and the cluster's name, so the split depends on neither the order of rows nor
the platform; examples of one name stay together. Clusters are handed out in that order to whichever split lacks most,
and then moved or exchanged as long as that brings the shares, counted in questions, closer to what was asked for.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from sharpen.types import Example

SPLITS = ("train", "dev", "test")


def cluster(example: Example, by: str) -> str:
    """Return the name of what ``example`` is never torn from; its own id where it belongs to nothing."""
    name = {"source": example.source, "group": example.group}.get(by, "")
    return f"{by}:{name}" if name else f"id:{example.id}"


def split(examples: Sequence[Example], shares: Mapping[str, float], by: str = "source", seed: int = 0) -> list[str]:
    """Return the split (train, dev or test) of each example.

    Args:
        examples: one that belongs to nothing is named by its id.
        shares: of train, dev and test; they sum to 1.
        by: source, group, row, or label (rows, every label in the same shares).
        seed: another seed gives another split.
    """
    if by == "label":
        return _stratified(examples, shares, seed)
    clusters = [cluster(e, by) for e in examples]
    sizes = Counter(clusters)
    given = _assign({c: sizes[c] for c in sorted(sizes, key=lambda c: _order(seed, c))}, shares)
    return [given[c] for c in clusters]


def _order(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def _assign(sizes: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, str]:
    total = sum(sizes.values())
    lack = {s: shares[s] * total for s in SPLITS}
    given = {}
    for name, size in sizes.items():
        most = max(SPLITS, key=lambda s: lack[s])
        given[name] = most
        lack[most] -= size
    _fill_empty(given, sizes, lack)
    if len(sizes) <= 300:
        _improve(given, sizes, lack)
    return given


def _fill_empty(given: dict[str, str], sizes: Mapping[str, int], lack: dict[str, float]) -> None:
    """Give a split that got nothing the smallest cluster of a split that has several."""
    for empty in [s for s in SPLITS if s not in given.values()]:
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
        members: dict[str, dict[int, str]] = {s: {} for s in SPLITS}
        counts = Counter(given.values())
        for name, at in given.items():
            members[at].setdefault(sizes[name], name)  # one of each size is enough
        for a, b in combinations(SPLITS, 2):
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


def _stratified(examples: Sequence[Example], shares: Mapping[str, float], seed: int) -> list[str]:
    rows: dict[str, list[int]] = defaultdict(list)
    for i, e in enumerate(examples):
        rows[(e.labels or e.targets or ("",))[0]].append(i)
    given = [""] * len(examples)
    owed = dict.fromkeys(SPLITS, 0.0)  # what rounding owes each split, carried from label to label
    for label in sorted(rows):
        for n, i in enumerate(sorted(rows[label], key=lambda i: _order(seed, examples[i].id))):
            for s in SPLITS:
                owed[s] += shares[s]
            most = "train" if n == 0 else max(SPLITS, key=lambda s: owed[s])  # every label can be learned
            given[i] = most
            owed[most] -= 1
    return given
