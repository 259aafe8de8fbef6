"""The same text under different labels: at most one of them can be right, or the text lacks what decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from sharpen.data.wording import words


@dataclass(frozen=True)
class Clash:
    """Rows with one text, and how often each label was given, the most frequent first.

    ``suggested`` is the label of more than half of the rows, None where there is none.
    """

    text: str
    rows: tuple[int, ...]
    labels: tuple[tuple[Any, int], ...]
    suggested: Any | None


def normalised(text: str) -> str:
    """A text without case, width, punctuation and spacing; one without any word stays as it is."""
    return " ".join(words(text)) or text.strip()


def inconsistent(
    texts: Sequence[str], labels: Sequence[Hashable], same: Callable[[str], str] = normalised
) -> list[Clash]:
    """Return the texts that carry more than one label, in the order of their first row; ``same`` is their key."""
    if len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts and {len(labels)} labels")
    together: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        together.setdefault(same(text), []).append(i)
    found = []
    for rows in together.values():
        counts = Counter(labels[i] for i in rows)
        if len(counts) > 1:
            ordered = tuple(sorted(counts.items(), key=lambda t: (-t[1], str(t[0]))))
            suggested = ordered[0][0] if 2 * ordered[0][1] > len(rows) else None
            found.append(Clash(texts[rows[0]], tuple(rows), ordered, suggested))
    return found
