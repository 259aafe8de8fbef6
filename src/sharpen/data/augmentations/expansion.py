"""Put a sentence from elsewhere beside a question: one of a document that is about the same, or of a like question.

The longer text keeps its answer; what is added is what people say before they come to the point.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.data.wording import words
from sharpen.types import Example

SENTENCE = re.compile(r"[^.!?\n]{20,160}[.!?](?=\s|$)")
MOST = 20_000
"""Sentences that are looked at."""


def expansion(before: float = 0.7) -> Augmentation:
    """Return the augmentation; ``before``: how often the sentence comes before the question, else after it."""

    def make(material: Material) -> list[Variant]:
        sentences = _Sentences(material)
        made = []
        for e in material.train:
            rng = material.rng(f"expansion {e.id}")
            near = sentences.near(e)
            for sentence, source in rng.sample(near, min(material.n, len(near))):
                pair = (sentence, e.question) if rng.random() < before else (e.question, sentence)
                how, notes = f"a sentence of {source} added", {"from": source}
                made.append(Variant(e.id, " ".join(pair), how, kept_words=False, notes=notes))
        return made

    return make


class _Sentences:
    """Sentences by their words, rare ones first."""

    def __init__(self, material: Material) -> None:
        found: list[tuple[str, str]] = []
        for document in material.documents:
            found += [(m[0].strip(), document.source) for m in SENTENCE.finditer(document.text)]
        if not material.documents:  # what others of the same class said says nothing of another class
            found = [(e.question, e.id) for e in material.train if len(e.question) <= 160]
        self.labels = {} if material.documents else {e.id: e.labels for e in material.train}
        self.found = found[:MOST]
        self.by_word: dict[str, list[int]] = defaultdict(list)
        for i, (sentence, _) in enumerate(self.found):
            for word in set(words(sentence)):
                self.by_word[word].append(i)

    def near(self, example: Example, most: int = 5) -> Sequence[tuple[str, str]]:
        """Sentences that share rare words with a question, the nearest first; never the question itself."""
        shared: Counter[int] = Counter()
        for word in set(words(example.question)):
            there = self.by_word.get(word, [])
            if len(there) <= max(10, len(self.found) // 50):
                shared.update(there)
        ranked = sorted(shared, key=lambda i: (-shared[i], i))
        fit = [self.found[i] for i in ranked if self._fits(example, self.found[i])]
        return fit[:most]

    def _fits(self, example: Example, found: tuple[str, str]) -> bool:
        sentence, source = found
        if sentence == example.question or source == example.id:
            return False
        return not self.labels or (self.labels[source] == example.labels and bool(example.labels))
