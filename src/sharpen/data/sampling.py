"""A small part of the data that is like the whole, how unlike it still is, and a sheet on which people judge it.

Strata (classes, else sources) keep their shares by largest remainders; within one the order of a hash decides, so a
larger sample of the same seed holds the smaller one's rows of a stratum. Distances: total variation for shares (0 the
same, 1 nothing in common), Kolmogorov and Smirnov's for lengths.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.data.bias import wilson
from sharpen.data.features import as_csv, kind
from sharpen.errors import UserError
from sharpen.types import Example

SHEET = ("id", "source", "question", "answer", "labels", "verdict", "reviewer", "note")
VERDICTS = ("right", "wrong", "unclear")


def sample(examples: Sequence[Example], n: int, seed: int = 0) -> list[Example]:
    """Return ``n`` examples (all where there are fewer), each stratum in its share, in their own order."""
    strata: dict[str, list[int]] = defaultdict(list)
    for i, e in enumerate(examples):
        strata[stratum(e)].append(i)
    quotas = apportioned({name: len(rows) for name, rows in strata.items()}, min(n, len(examples)))
    chosen = [
        i
        for name, rows in strata.items()
        for i in sorted(rows, key=lambda i: _order(seed, examples[i].id))[: quotas[name]]
    ]
    return [examples[i] for i in sorted(chosen)]


def stratum(example: Example) -> str:
    """What a row's share is kept of."""
    return example.labels[0] if example.labels else example.source


def apportioned(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """``n`` seats for parts of these sizes, by largest remainders (Hamilton); the sizes sum to ``n`` or more."""
    total = max(1, sum(sizes.values()))
    exact = {name: n * size / total for name, size in sizes.items()}
    given = {name: int(share) for name, share in exact.items()}
    for name in sorted(exact, key=lambda k: (given[k] - exact[k], k))[: n - sum(given.values())]:
        given[name] += 1
    return given


def _order(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def distances(part: Sequence[Example], whole: Sequence[Example]) -> dict[str, float]:
    """How unlike a part is to the whole, by class, source, way of asking and length."""
    looks: dict[str, Callable[[Example], Hashable]] = {
        "classes": lambda e: e.labels,
        "sources": lambda e: e.source,
        "ways of asking": lambda e: kind(e.question),
    }
    made = {
        what: variation(Counter(map(of, part)), Counter(map(of, whole)))
        for what, of in looks.items()
        if len({of(e) for e in whole}) > 1
    }
    for what, size in (("question", lambda e: e.question), ("answer", lambda e: "".join(e.targets[:1]))):
        made[f"length of the {what}"] = smirnov(*([len(size(e)) for e in rows] for rows in (part, whole)))
    return {what: round(d, 4) for what, d in made.items()}


def variation(one: Mapping[Any, int], other: Mapping[Any, int]) -> float:
    """The total variation distance of two counts: half the sum of the differences of shares."""
    n, m = sum(one.values()), sum(other.values())
    if not n or not m:
        return 0.0 if n == m else 1.0
    return sum(abs(one.get(k, 0) / n - other.get(k, 0) / m) for k in {*one, *other}) / 2


def smirnov(one: Sequence[float], other: Sequence[float]) -> float:
    """The greatest difference of two empirical distribution functions."""
    if not one or not other:
        return 0.0 if len(one) == len(other) else 1.0
    counts, most, below = (Counter(one), Counter(other)), 0.0, [0, 0]
    for value in sorted({*one, *other}):
        below = [b + c[value] for b, c in zip(below, counts, strict=True)]
        most = max(most, abs(below[0] / len(one) - below[1] / len(other)))
    return most


def sheet(examples: Sequence[Example]) -> str:
    """A table of rows with empty columns for who reviews them: verdict (right, wrong or unclear), reviewer, note."""
    rows = [
        {
            "id": e.id,
            "source": e.source,
            "question": e.question,
            "answer": " | ".join(e.targets),
            "labels": " ".join(e.labels),
        }
        for e in examples
    ]
    return as_csv(rows, SHEET)


def reviewed(path: Path) -> dict[str, Any]:
    """What people said of a sheet: verdicts, the share that is right with its 95% interval (Wilson), and who.

    Raises:
        UserError: it is no such sheet, or holds another verdict.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, ValueError, csv.Error) as e:
        raise UserError(f"cannot be read as a review: {e}.", str(path), "Save it as CSV in UTF-8.") from None
    if not rows or any(column not in rows[0] for column in ("id", "verdict", "reviewer")):
        do = f"Let it have the columns that it was written with: {', '.join(SHEET)}."
        raise UserError("is no review sheet.", str(path), do)
    said = [
        (n, (row["verdict"] or "").strip().lower(), (row["reviewer"] or "").strip()) for n, row in enumerate(rows, 2)
    ]
    wrong = [(n, verdict) for n, verdict, _ in said if verdict and verdict not in VERDICTS]
    if wrong:
        do = f"Write one of {', '.join(VERDICTS)}, or nothing."
        raise UserError(f"there is no verdict {wrong[0][1]!r}.", f"{path}, line {wrong[0][0]}", do)
    counts = Counter(verdict for _, verdict, _ in said if verdict)
    judged = counts["right"] + counts["wrong"]
    return {
        "rows": len(rows),
        "verdicts": {v: counts[v] for v in VERDICTS},
        "right": round(counts["right"] / judged, 4) if judged else None,
        "interval": [round(x, 4) for x in wilson(counts["right"], judged)],
        "reviewers": dict(Counter(who or "nobody named" for _, verdict, who in said if verdict).most_common()),
    }
