"""How likely texts are beside those of people: a model of letters, fitted on the real rows alone.

Letters are predicted from the four before them by interpolated Kneser-Ney smoothing with one discount (Chen and Goodman
1999, "An empirical study of smoothing techniques for language modeling"). A real row is scored by a model of the other
half of the rows, and a variant by the one that has not seen its parent: so both are equally new to it, and what real
rows get is what a variant may be held against.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from sharpen.types import Example

ORDER = 5  # letters, the one that is predicted included
DISCOUNT = 0.75
FEWEST = 50
"""Real rows below which their own spread is not known well enough."""
MOST = 4_000
"""Real rows that are read, evenly spaced."""
LONGEST = 2_000  # characters of a text that are read
TAIL = 0.01
"""The share of real rows below which a variant is told to be unlike them."""
START, STOP = "\x02", "\x03"


class Letters:
    """A model of letters; ``bits(text)`` is how many of them a letter of a text takes, lower is likelier."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.counts: list[dict[str, dict[str, int]]] = [defaultdict(dict) for _ in range(ORDER)]
        highest = self.counts[-1]
        for text in texts:
            padded = _padded(text)
            for i in range(ORDER - 1, len(padded)):
                after = highest[padded[i - ORDER + 1 : i]]
                after[padded[i]] = after.get(padded[i], 0) + 1
        for n in range(ORDER - 2, -1, -1):  # of lower orders: before how many different letters it stands
            for history, after in self.counts[n + 1].items():
                lower = self.counts[n][history[1:]]
                for letter in after:
                    lower[letter] = lower.get(letter, 0) + 1
        self.totals = [{h: sum(after.values()) for h, after in order.items()} for order in self.counts]
        self.size = len(self.counts[0].get("", ())) + 1  # and one for every letter that was never seen

    def chance(self, history: str, letter: str) -> float:
        """The probability of a letter after the four before it."""
        p = 1 / self.size
        for n in range(ORDER):
            before = history[len(history) - n :]
            after = self.counts[n].get(before)
            if after is None:
                break  # a longer one was not seen either
            total = self.totals[n][before]
            p = max(after.get(letter, 0) - DISCOUNT, 0.0) / total + DISCOUNT * len(after) / total * p
        return p

    def bits(self, text: str) -> float:
        """Mean of the negative binary logarithm of the probability of a text's letters and of its end."""
        padded = _padded(text)
        places = range(ORDER - 1, len(padded))
        return -sum(math.log2(self.chance(padded[i - ORDER + 1 : i], padded[i])) for i in places) / len(places)


class Likely:
    """Two models of the halves of some rows, and what each row gets from the one that has not seen it."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.halves = (Letters(texts[1::2]), Letters(texts[::2]))  # the first is for texts at even places
        self.real = sorted(self.halves[i % 2].bits(text) for i, text in enumerate(texts))

    def cut(self, tail: float) -> float:
        """Bits that the least likely ``tail`` of real rows exceed."""
        return self.real[max(0, math.ceil((1 - tail) * len(self.real)) - 1)]


@lru_cache(maxsize=2)
def _fitted(texts: tuple[str, ...]) -> Likely:
    return Likely(texts)


class Realism:
    """How likely variants are beside the rows that they are made of; knows nothing where those are too few."""

    def __init__(self, train: Sequence[Example]) -> None:
        some = list(train[:: -(-len(train) // MOST)]) if len(train) >= FEWEST else []
        self.model = _fitted(tuple(e.question for e in some)) if some else None
        self.place = {e.id: i for i, e in enumerate(some)}

    def bits(self, text: str, parent: str) -> float | None:
        """What a letter of a variant takes; None where nothing is known."""
        return self.model.halves[self.place.get(parent, 0) % 2].bits(text) if self.model else None

    def beyond(self, text: str, parent: str, tail: float) -> bool:
        """Whether a variant is less likely than all real rows but the least likely ``tail`` of them."""
        found = self.bits(text, parent)
        return found is not None and self.model is not None and found > self.model.cut(tail)

    def facts(self, made: Sequence[Example]) -> Mapping[str, float]:
        """Medians of real rows and of variants in bits a letter, the cut-off, and the share of variants beyond it."""
        if self.model is None or not made:
            return {}
        some = made[:: -(-len(made) // MOST)]
        bits = sorted(b for e in some if (b := self.bits(e.question, str(e.meta.get("of", "")))) is not None)
        cut = self.model.cut(TAIL)
        told = {"real": self.model.real[len(self.model.real) // 2], "made": bits[len(bits) // 2], "cut": cut}
        return {**{k: round(v, 3) for k, v in told.items()}, "beyond": round(sum(b > cut for b in bits) / len(bits), 4)}


def _padded(text: str) -> str:
    return START * (ORDER - 1) + text[:LONGEST].replace(START, "").replace(STOP, "") + STOP


__all__ = ["Letters", "Likely", "Realism"]
