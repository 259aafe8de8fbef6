"""How long questions, answers and documents are, split by split, against what the model reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sharpen.types import Document, Example

Tokens = Callable[[str], int]

BINS = 16


def lengths(
    rows: Mapping[str, Sequence[Example]], documents: Sequence[Document], tokens: Tokens | None, context: int | None
) -> dict[str, Any]:
    """Histograms over all rows that may be seen and of each split, in the same steps, and the rows that are too long.

    Args:
        rows: by split.
        documents: all of them; their lengths are in words.
        tokens: how many tokens of the model a text has; None: words are counted.
        context: tokens that the model reads.
    """
    size = tokens or (lambda text: len(text.split()))
    asked = {name: [size(e.question) for e in part] for name, part in rows.items()}
    told = {name: [size(e.targets[0]) for e in part if e.targets] for name, part in rows.items()}
    made: dict[str, Any] = {
        "unit": "tokens" if tokens else "words",
        "documents": histogram([len(d.text.split()) for d in documents]),
        "context": context if tokens else None,
        "too_long": None,
        "too_long_by_split": {},
    }
    for what, values in (("questions", asked), ("answers", told)):
        whole = histogram([v for some in values.values() for v in some])
        each = {name: histogram(some, step=whole["step"]) for name, some in values.items() if some}
        made[what] = {**whole, "splits": each}
    if tokens and context:
        both = {
            name: sum(size(e.question) + (size(e.targets[0]) if e.targets else 0) > context for e in part)
            for name, part in rows.items()
        }
        made["too_long"], made["too_long_by_split"] = sum(both.values()), both
    return made


def histogram(values: Sequence[int], bins: int = BINS, step: int = 0) -> dict[str, Any]:
    """Counts of values in equal steps from 0, with median, 95th percentile and greatest; the last step holds the tail.

    Steps end at the 99th percentile, or a single long one would leave a chart empty; they are 1, 2 or 5 times a power
    of ten, unless ``step`` gives another.
    """
    if not values:
        return {"n": 0, "step": 0, "counts": []}
    ordered = sorted(values)
    at = {name: ordered[min(len(ordered) - 1, int(q * len(ordered)))] for name, q in (("median", 0.5), ("p95", 0.95))}
    step = step or _round(-(-ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] // bins))
    counted = Counter(min(v // step, bins) for v in values)
    last = max(counted)
    return {"n": len(values), "step": step, **at, "max": ordered[-1], "counts": [counted[i] for i in range(last + 1)]}


def _round(step: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    power = int("1" + "0" * (len(str(max(1, step))) - 1))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= step)
