"""Put the ending of another question with the same answer in place of a question's own (contextual replacement).

"How do I top up | by card?" and "Can I add money | with my watch?" give "How do I top up with my watch?". Only for
examples with classes: of other questions the end is what is asked for.
"""

from __future__ import annotations

from collections import defaultdict

from sharpen.data.augmenting import Augmentation, Material, Variant, is_word, tokens
from sharpen.types import Example


def replacement(keep: float = 0.5) -> Augmentation:
    """Return the augmentation; ``keep``: the share of a question's words that stays its own."""

    def make(material: Material) -> list[Variant]:
        alike: dict[tuple[str, ...], list[Example]] = defaultdict(list)
        for e in material.train:
            alike[e.labels].append(e)
        made = []
        for e in material.train:
            others = [o for o in alike[e.labels] if o.id != e.id] if e.labels else []
            rng = material.rng(f"replacement {e.id}")
            for other in rng.sample(others, min(material.n, len(others))):
                head, tail = _cut(e.question, keep)[0], _cut(other.question, keep)[1]
                if head and tail:
                    how = f"its end is that of {other.id}"
                    made.append(Variant(e.id, f"{head} {tail}", how, notes={"from": other.id}))
        return made

    return make


def _cut(text: str, keep: float) -> tuple[str, str]:
    split = tokens(text)
    places = [i for i, t in enumerate(split) if is_word(t)]
    if len(places) < 4:
        return "", ""
    at = places[round(keep * len(places))]
    return "".join(split[:at]).strip(), "".join(split[at:]).strip()
