"""Leave out sentences of a text that its summary does not rest on, or let two of them change places (English).

A sentence is touched only where it shares no word of content with any reference and does not lean on its neighbours:
neither it nor the next one begins with a word that points back ("He", "This", "However"). The first and the last stay,
for instructions stand there. Only texts whose reference is much shorter and says what stands in them, as summaries do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from sharpen.data.augmenting import Augmentation, Material, Variant, check_language
from sharpen.data.cleaners._stops import stop_words
from sharpen.data.wording import words
from sharpen.errors import UserError
from sharpen.types import Example

LANGUAGES = ("en",)
FEWEST = 5  # sentences of a text
SHORTER = 3.0  # times the words of its reference that a text has at least
STANDS = 0.5  # share of a reference's content words that stand in the text at least
END = re.compile(r"(?<=[a-z]{4}[.!?])\s+(?=[A-Z])|\n+")  # an abbreviation, a name or a number ends none
_BACK = """
he she it they his her its their this that these those such both neither either another other others one some him them
however but and or so then thus therefore hence also moreover furthermore besides instead still yet meanwhile later
afterwards finally nevertheless nonetheless although because since while which who where there here again too as for
in not no yes consequently similarly likewise indeed second third next first
"""
BACK = frozenset(_BACK.split())
"""Words that point to what was said before, where a sentence begins with them."""


def sentences(drop: float = 0.3, order: bool = True) -> Augmentation:
    """Return the augmentation.

    Args:
        drop: the share of a text's sentences that is left out at most.
        order: whether a variant may instead let two neighbours change places.
    """
    if isinstance(drop, bool) or not isinstance(drop, int | float) or not 0 < drop < 1:
        raise UserError(f"the option drop is {drop!r}.", do="Write a share between 0 and 1.")

    def make(material: Material) -> list[Variant]:
        fit = [e for e in material.train if summarised(e)]
        if fit:
            check_language("sentences", LANGUAGES, material)
        made = []
        for e in fit:
            parts = split(e.question)
            free = untouched(parts[::2], e.targets)
            rng = material.rng(f"sentences {e.id}")
            for _ in range(material.n if free else 0):
                changed = _changed(parts, free, rng, drop, order)
                if changed:
                    made.append(Variant(e.id, *changed))
        return made

    return make


def split(text: str) -> list[str]:
    """Sentences and what stands between them, in turns; joined they are the text."""
    found, at = [], 0
    for gap in END.finditer(text):
        found += [text[at : gap.start()], gap[0]]
        at = gap.end()
    return [*found, text[at:]]


def summarised(example: Example) -> bool:
    """Whether an example's references are like summaries of its question."""
    text = words(example.question)
    if example.labels or len(split(example.question)[::2]) < FEWEST:
        return False
    held = _stems(text)
    told = [(words(t), _stems(words(t))) for t in example.targets]
    return bool(told) and all(
        said and len(text) >= SHORTER * len(said) and stems and len(stems & held) >= STANDS * len(stems)
        for said, stems in told
    )


def untouched(parts: Sequence[str], targets: Sequence[str]) -> list[int]:
    """Places of the sentences that no reference rests on and that no neighbour leans on."""
    told = frozenset[str]().union(*(_stems(words(t)) for t in targets))
    said = [words(p) for p in parts]
    leans = [not s or s[0] in BACK for s in said]
    return [
        i
        for i in range(1, len(parts) - 1)
        if len(said[i]) > 3 and "?" not in parts[i] and not leans[i] and not leans[i + 1] and not _stems(said[i]) & told
    ]


def _stems(said: Sequence[str]) -> frozenset[str]:
    """What words of content begin with, so that plurals and tenses of one count as it; numbers as they are."""
    stops = stop_words("en")
    return frozenset(w if w.isdigit() else w[:4] for w in said if w not in stops and (len(w) > 2 or w.isdigit()))


def _changed(
    parts: Sequence[str], free: Sequence[int], rng: random.Random, drop: float, order: bool
) -> tuple[str, str] | None:
    """A text with sentences left out, or two of them exchanged, and what was done."""
    pairs = [i for i in free if i + 1 in free]
    if order and pairs and rng.random() < 0.5:
        i = rng.choice(pairs)
        new = list(parts)
        new[2 * i], new[2 * i + 2] = new[2 * i + 2], new[2 * i]
        return "".join(new), f"sentences {i + 1} and {i + 2} changed places"
    most = min(len(free), int(drop * (len(parts) + 1) / 2))
    if not most:
        return None
    gone = set(rng.sample(list(free), rng.randint(1, most)))
    kept = "".join(p for n, p in enumerate(parts) if n // 2 not in gone)
    return kept, f"{len(gone)} of {(len(parts) + 1) // 2} sentences left out"
