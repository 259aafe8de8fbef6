"""Let a model write questions with answers from passages, and say each question again by way of another language.

A pair stays only if the model, given the passage and the question in its new words, gives the same answer again
(Alberti et al. 2019, "Synthetic QA corpora generation with roundtrip consistency"). So questions share fewer words with
their passage than those that are written with it in sight. Documents are those that training may learn from.
"""

from __future__ import annotations

from dataclasses import replace

from sharpen.data.augmentations.back_translation import back_translation
from sharpen.data.augmentations.synthetic_qa import INSTRUCTION, synthetic_qa
from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.data.wording import words
from sharpen.data.writing import asked
from sharpen.types import Example, Message

WRITES = True
ANSWER = "Answer the question in a few words, copied from the passage.\n\nPassage:\n{passage}"
AROUND = 1_000  # characters of the document on each side of the answer that are shown


def reworded_qa(language: str = "German", own: str = "English", instruction: str = INSTRUCTION) -> Augmentation:
    """Return the augmentation.

    Args:
        language: the one that questions go through.
        own: that of the documents.
        instruction: what is told to the model before each passage, as for ``synthetic_qa``.
    """
    write, reword = synthetic_qa(instruction), back_translation((language,), own)

    def make(material: Material) -> list[Variant]:
        first = [v for v in write(material) if v.gold is not None]
        texts = {d.source: d.text for d in material.documents}
        as_examples = tuple(
            Example(str(i), (Message("user", v.question),), (v.target or "",)) for i, v in enumerate(first)
        )
        found = reword(replace(material, train=as_examples, n=1)) if first else []
        conversations = []
        for again in found:
            gold = first[int(again.of)].gold
            assert gold is not None
            passage = texts[gold.source][max(0, gold.start - AROUND) : gold.end + AROUND]
            told = Message("system", ANSWER.replace("{passage}", passage))
            conversations.append((told, Message("user", again.question)))
        said = asked(material, conversations, "answer again") if conversations else []
        made = []
        for again, answer in zip(found, said, strict=True):
            pair = first[int(again.of)]
            if words(answer) == words(pair.target or ""):
                made.append(replace(pair, question=again.question, how=f"{pair.how}, then {again.how}"))
        return made

    return make
