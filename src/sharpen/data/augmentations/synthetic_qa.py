"""Let a model write questions with answers from passages of the documents; only answers that stand there are kept.

The span of the answer is the gold passage, so retrieval and reading learn from it as from a person's question.
Documents are those that training may learn from: never a source of dev or test (unless ``data.documents_final`` says
that new questions will be asked of these same documents).
"""

from __future__ import annotations

import re

from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.data.writing import asked
from sharpen.types import Document, Message, Span

WRITES = True
INSTRUCTION = (
    "Write one question that the passage answers, and its answer, copied word for word from the passage, in a few "
    "words. Reply with two lines:\nQuestion: ...\nAnswer: ..."
)
SAID = re.compile(r"question\s*:\s*(?P<question>.+?)\s*\n+\s*answer\s*:\s*(?P<answer>.+)", re.I)
PARAGRAPH = re.compile(r"\S[^\n]*(?:\n(?!\s*\n)[^\n]*)*")
LEAST = 80  # characters: less is a heading


def synthetic_qa(instruction: str = INSTRUCTION) -> Augmentation:
    """Return the augmentation; ``instruction`` is told to the model before each passage."""

    def make(material: Material) -> list[Variant]:
        passages = [(d, m.start(), m[0]) for d in material.documents for m in PARAGRAPH.finditer(d.text)]
        passages = [p for p in passages if len(p[2]) >= LEAST]
        wanted = material.n * len(material.train)
        if len(passages) > wanted:
            passages = material.rng("synthetic_qa").sample(passages, wanted)
        said = asked(
            material, [(Message("system", instruction), Message("user", text)) for _, _, text in passages], "ask"
        )
        return [v for p, answer in zip(passages, said, strict=True) if (v := _variant(*p, answer)) is not None]

    return make


def _variant(document: Document, start: int, passage: str, said: str) -> Variant | None:
    """What the model wrote as a variant; None where its answer does not stand in the passage."""
    found = SAID.search(said)
    if not found:
        return None
    answer = found["answer"].split("\n")[0].strip().strip('"').rstrip(".")
    at = passage.lower().find(answer.lower()) if answer else -1
    if at < 0:
        return None
    gold = Span(document.source, start + at, start + at + len(answer))
    exact = passage[at : at + len(answer)]
    return Variant("", found["question"].strip(), "written by a model from a passage", exact, gold, kept_words=False)
