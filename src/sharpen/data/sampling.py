"""A small part of the data that is like the whole, how unlike it still is, and a sheet on which people judge it.

Strata (classes, else sources) keep their shares by largest remainders; within one the order of a hash decides, so a
larger sample of the same seed holds the smaller one's rows of a stratum. Edge cases can be put beside it: mistakes are
likelier there, so their verdicts are counted apart and say nothing of the whole. Distances: total variation for shares
(0 the same, 1 nothing in common), Kolmogorov and Smirnov's for lengths.
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

SHEET = ("id", "source", "question", "answer", "labels", "chosen", "verdict", "reviewer", "note")
DRAWN = "sample"  # why a row is on a sheet, where chance put it there
JUDGED = 3_000  # rows of which the least sure are sought; of more, evenly spaced ones
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


def edges(examples: Sequence[Example], n: int, without: Sequence[Example] = ()) -> list[tuple[Example, str]]:
    """Return up to ``n`` examples at the edges, in turns the longest, of the rarest classes, the least sure, and why.

    The least sure are those whose two likeliest classes are closest, for a classifier on TF-IDF that has not seen them;
    they, and rare classes, are sought where there are at least two classes.
    """
    taken = {e.id for e in without}
    ranks = {"longest": sorted(examples, key=lambda e: (-len(e.question), e.id))}
    counts = Counter(stratum(e) for e in examples if e.labels)
    if len(counts) > 1:
        labelled = [e for e in examples if e.labels]
        ranks["rarest class"] = sorted(labelled, key=lambda e: (counts[stratum(e)], _order(0, e.id)))
        ranks["least sure"] = _least_sure(labelled)
    out: list[tuple[Example, str]] = []
    turns = {why: iter(rows) for why, rows in ranks.items()}
    while turns and len(out) < n:
        for why in list(turns):
            found = next((e for e in turns[why] if e.id not in taken), None)
            if found is None:
                del turns[why]
            elif len(out) < n:
                taken.add(found.id)
                out.append((found, why))
    return out


def _least_sure(labelled: Sequence[Example]) -> list[Example]:
    """Examples with classes, those first whose two likeliest are closest; none where there are too few to tell."""
    import numpy as np

    from sharpen.data.labels.suspects import out_of_fold
    from sharpen.data.labels.teaching import by_tfidf

    some = [labelled[i * len(labelled) // JUDGED] for i in range(JUDGED)] if len(labelled) > JUDGED else [*labelled]
    try:
        _, p = out_of_fold(by_tfidf([e.question for e in some]), [stratum(e) for e in some])
    except UserError:  # too few rows for folds, or scikit-learn is not installed
        return []
    p = np.sort(p, axis=1)
    return [some[i] for i in np.argsort(p[:, -1] - p[:, -2], kind="stable")]


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


def sheet(examples: Sequence[Example], beside: Sequence[tuple[Example, str]] = ()) -> str:
    """A table of rows with empty columns for who reviews them: verdict (right, wrong or unclear), reviewer, note.

    ``beside`` are the rows of :func:`edges`.
    """
    rows = [
        {
            "id": e.id,
            "source": e.source,
            "question": e.question,
            "answer": " | ".join(e.targets),
            "labels": " ".join(e.labels),
            "chosen": why,
        }
        for e, why in [*((e, DRAWN) for e in examples), *beside]
    ]
    return as_csv(rows, SHEET)


def reviewed(path: Path) -> dict[str, Any]:
    """What people said of a sheet: verdicts, the share that is right with its 95% interval (Wilson), and who.

    Edge cases are no part of those: ``edges`` has their verdicts by why they were chosen.

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
    why = [(row.get("chosen") or DRAWN) for row in rows]
    counts = Counter(verdict for (_, verdict, _), w in zip(said, why, strict=True) if verdict and w == DRAWN)
    beside: dict[str, Counter[str]] = {w: Counter() for w in why if w != DRAWN}
    for (_, verdict, _), w in zip(said, why, strict=True):
        if verdict and w != DRAWN:
            beside[w][verdict] += 1
    judged = counts["right"] + counts["wrong"]
    return {
        "rows": sum(w == DRAWN for w in why),
        "verdicts": {v: counts[v] for v in VERDICTS},
        "right": round(counts["right"] / judged, 4) if judged else None,
        "edges": {w: {v: n[v] for v in VERDICTS} for w, n in beside.items()},
        "interval": [round(x, 4) for x in wilson(counts["right"], judged)],
        "reviewers": dict(Counter(who or "nobody named" for _, verdict, who in said if verdict).most_common()),
    }
