"""What an augmentation does to a training set beside making it larger: balance, words of gender, noise, lengths.

Each measure before and after, so that a bias that comes in or grows is seen. It is a probe and no proof: it counts
words and does not understand them, words of gender are English ones, and noise is told by words alone.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sharpen.data.augmentations.counterfactual import OTHER, PAIRS
from sharpen.data.augmenting import group_of
from sharpen.data.wording import words
from sharpen.types import Example

FIRST = frozenset(a for a, _ in PAIRS) | {"his"}
SECOND = (frozenset(OTHER) - FIRST) | {"hers"}
FEWEST = 20
"""Texts with words of gender below which their share is not told."""
MOST = 500
"""Texts that are put to the classifier, drawn."""
LEAST = 5
"""Examples of a class with words of gender below which its leaning is not told."""


def probe(train: Sequence[Example], made: Sequence[Example]) -> dict[str, Any]:
    """Return measures of train alone (``before``) and with what was made (``after``), and sentences that warn.

    ``imbalance`` is the largest class over the smallest; ``gender`` the share of texts with words of one gender among
    those with words of one of the two; ``leaning`` the largest distance of a class's share from that; ``unknown`` the
    share of words that stand nowhere in train; ``elsewhere`` the share of texts that have more in common with another
    class than with their own, by the words of train without the text itself or its parent.
    """
    before, after = measures(train, train), measures([*train, *made], train)
    made_of = measures(made, train) if made else {}
    warnings = []
    for key, what, most in (("leaning", "a class leans more to one gender", 0.05), ("gender", "", 0.05)):
        a, b = before[key], after[key]
        if a is not None and b is not None and (b - a > most if key == "leaning" else abs(b - a) > most):
            warnings.append(f"{what or 'the share of the genders moves'}: {a:.2f} before, {b:.2f} after.")
    if before["imbalance"] and after["imbalance"] > 1.25 * before["imbalance"]:
        a, b = before["imbalance"], after["imbalance"]
        warnings.append(f"classes are less even: the largest is {a:.1f} times the smallest before, {b:.1f} after.")
    if made_of and before["elsewhere"] is not None and made_of["elsewhere"] is not None:
        a, b = before["elsewhere"], made_of["elsewhere"]
        if b > a + 0.1:
            warnings.append(f"{b:.0%} of the variants look like another class than their own, {a:.0%} of train do.")
    return {"before": before, "after": after, "made": made_of, "warnings": warnings}


def measures(rows: Sequence[Example], train: Sequence[Example]) -> dict[str, Any]:
    """The measures of some rows; ``unknown`` and ``elsewhere`` against the words of train."""
    classes = Counter(group_of(e) for e in rows if group_of(e))
    sides = [(e, side) for e in rows if (side := _side(e.question)) is not None]
    share = sum(side for _, side in sides) / len(sides) if len(sides) >= FEWEST else None
    of = defaultdict(list)
    for e, side in sides:
        if group_of(e):
            of[group_of(e)].append(side)
    leaning = [abs(sum(s) / len(s) - share) for s in of.values() if len(s) >= LEAST and share is not None]
    texts = [words(e.question) for e in rows]
    vocabulary = {w for e in train for w in words(e.question)}
    n = sum(map(len, texts))
    return {
        "n": len(rows),
        "imbalance": _round(max(classes.values()) / min(classes.values())) if classes else None,
        "gender": _round(share),
        "leaning": _round(max(leaning, default=None)),
        "words": _round(n / len(texts)) if texts else None,
        "unknown": _round(sum(w not in vocabulary for t in texts for w in t) / n) if n else None,
        "elsewhere": _round(_elsewhere(rows, train)),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _side(text: str) -> int | None:
    """1: words of the first gender alone; 0: of the second alone; None: none, or both."""
    there = set(words(text))
    first, second = bool(there & FIRST), bool(there & SECOND)
    return int(first) if first != second else None


def _elsewhere(rows: Sequence[Example], train: Sequence[Example]) -> float | None:
    """The share of rows with a class that a naive Bayes classifier of train, that row left out, puts elsewhere."""
    known = {e.id: (group_of(e), set(words(e.question))) for e in train if group_of(e)}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    sizes: Counter[str] = Counter()
    for group, said in known.values():
        counts[group].update(said)
        sizes[group] += 1
    judged = [e for e in rows if group_of(e) in sizes]
    if len(sizes) < 2 or not judged:
        return None
    if len(judged) > MOST:
        judged = random.Random(0).sample(judged, MOST)
    total = len(known)
    spread = Counter(w for c in counts.values() for w in c.elements())
    wrong = 0
    for e in judged:
        # A variant is judged by what others of its class say, and not by its own parent.
        group, without = known.get(str(e.meta.get("of", e.id)), ("", set[str]()))
        left = [w for w in set(words(e.question)) if spread[w] > (w in without)]
        best = max(sizes, key=lambda g: (_likelihood(left, counts[g], sizes[g], g == group, without, total), g))
        wrong += best != group_of(e)
    return wrong / len(judged)


def _likelihood(said: Sequence[str], seen: Counter[str], n: int, own: bool, without: set[str], total: int) -> float:
    """Log-likelihood of a text's words in a class, its own row left out (Laplace)."""
    n -= own
    found = math.log((n + 1) / (total + 1))
    return found + sum(math.log((seen[w] - (own and w in without) + 0.1) / (n + 0.2)) for w in said)
