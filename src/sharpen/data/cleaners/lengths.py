"""Texts that are too long for what reads them, and texts whose length is far from that of the others.

``too_long`` counts words against ``most`` (a model's context in tokens, divided by about 1.4 for English). Outliers are
those whose logarithm of the number of words is further from the median than ``far`` robust standard deviations
(1.4826 times the median absolute deviation; Iglewicz and Hoaglin 1993 use 3.5). All texts are read once before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from sharpen.data.cleaning import Outcome, TextCleaner, without

RULES = ("too_long", "outlier_long", "outlier_short")
SPREAD = 0.25
"""The least standard deviation of log lengths, so that among texts of one length not every other one is far off."""


def lengths(most: int | None = None, far: float = 5.0, off: Sequence[str] = ()) -> TextCleaner:
    """Return the cleaner.

    Args:
        most: words that a text may have; None: any number.
        far: robust standard deviations from which a length is an outlier.
        off: rules that are not applied.
    """
    on = without(RULES, off, "lengths")

    def learned(texts: Iterable[str]) -> TextCleaner:
        seen = Counter(len(t.split()) for t in texts)
        return made(*_middle(seen)) if sum(seen.values()) >= 20 else made(0.0, math.inf)

    def made(middle: float, spread: float) -> TextCleaner:
        return TextCleaner(on, lambda texts: [_one(t, most, (middle, spread * far), on) for t in texts])

    return TextCleaner(on, made(0.0, math.inf).texts, learned)


def _middle(seen: Counter[int]) -> tuple[float, float]:
    """The median of log(1 + words), and the robust standard deviation."""
    middle = _median({math.log1p(n): count for n, count in seen.items()})
    apart: Counter[float] = Counter()
    for n, count in seen.items():
        apart[abs(math.log1p(n) - middle)] += count
    return middle, max(1.4826 * _median(apart), SPREAD)


def _median(weights: dict[float, int] | Counter[float]) -> float:
    half, passed = sum(weights.values()) / 2, 0.0
    for value in sorted(weights):
        passed += weights[value]
        if passed >= half:
            return value
    return 0.0


def _one(text: str, most: int | None, usual: tuple[float, float], on: Sequence[str]) -> Outcome:
    n = len(text.split())
    if "too_long" in on and most is not None and n > most:
        return Outcome(None, ("too_long",), f"{n} words, and {most} are the most")
    middle, far = usual
    rule = "outlier_long" if math.log1p(n) > middle + far else "outlier_short" if math.log1p(n) < middle - far else ""
    if rule in on:
        low, high = math.expm1(max(middle - far, 0)), math.expm1(middle + far)
        return Outcome(None, (rule,), f"{n} words, and others have {low:.0f} to {high:.0f}")
    return Outcome(text)
