"""Questions that stand there twice or nearly so, and what cleaning changed: some of each, for a person to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sharpen.data.dataset import Dataset
from sharpen.data.leaks import near_duplicates
from sharpen.data.page.doubts import where
from sharpen.data.page.masking import shown

MOST = 20_000
"""Questions that are compared with each other."""
PAIRS = 10
"""Pairs that are listed."""


def repeated(data: Dataset) -> dict[str, Any]:
    """How many questions of train and dev are like another one, and some pairs with their places.

    ``same`` of the ``n`` have the same words as another one; pairs that differ are listed first.
    """
    every = (*data.train, *data.dev)[:MOST]
    texts, at = [e.question for e in every], where(data)
    alike, same, pairs = set[int](), set[int](), list[tuple[float, int, int]]()
    for i, j, similarity in near_duplicates(texts, texts):
        if i < j:
            alike |= {i, j}
            same |= {i, j} if similarity == 1 else set()
            pairs.append((similarity, i, j))
    pairs.sort(key=lambda p: (p[0] == 1, -p[0], p[1], p[2]))
    listed = [
        {
            "similarity": round(similarity, 2),
            "places": [_place(at[every[k].id]) for k in (i, j)],
            "texts": [shown(texts[k]) for k in (i, j)],
            "alike": _answers(every[i]) == _answers(every[j]),
        }
        for similarity, i, j in pairs[:PAIRS]
    ]
    n = len(alike)
    share = round(n / max(1, len(every)), 4)
    return {"n": n, "same": len(same), "of": len(every), "share": share, "pairs": listed, "n_pairs": len(pairs)}


def _place(at: tuple[str, str, str]) -> str:
    return ", ".join(filter(None, at[1:])) + f" ({at[0]})"


def _answers(example: Any) -> tuple[Any, ...]:
    return (sorted(example.labels), sorted(example.targets), example.answerable)


def changes(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, str]]:
    """Samples of what each rule of cleaning changed, before and after."""
    return [
        {"rule": rule, "before": shown(c["before"], True), "after": shown(c["after"], True)}
        for rule, some in sorted(found.items())
        for c in some
    ]
