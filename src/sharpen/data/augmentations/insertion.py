"""Put words of other questions with the same answer in between (after Wei and Zou 2019, "EDA", random insertion).

Their insertion takes synonyms; words that the same class uses need no dictionary and no language. Where examples have
no classes, words come from anywhere in train.
"""

from __future__ import annotations

from collections import defaultdict

from sharpen.data.augmenting import Augmentation, Material, Variant, is_word, times, tokens


def insertion(rate: float = 0.1) -> Augmentation:
    """Return the augmentation; ``rate``: words put in, as a share of a question's words."""

    def make(material: Material) -> list[Variant]:
        stock: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for e in material.train:
            stock[e.labels] += [t.lower() for t in tokens(e.question) if is_word(t) and len(t) > 3]
        made = []
        for e in material.train:
            split, rng = tokens(e.question), material.rng(f"insertion {e.id}")
            places = [i for i, t in enumerate(split) if is_word(t)]
            own = {t.lower() for t in split}
            others = [w for w in stock[e.labels] if w not in own]
            if not places or not others:
                continue
            n = times(rate, places)
            for _ in range(material.n):
                new = list(split)
                for at in sorted((rng.choice(places) for _ in range(n)), reverse=True):
                    new[at] = f"{new[at]} {rng.choice(others)}"
                made.append(Variant(e.id, "".join(new), f"{n} words put in"))
        return made

    return make
