"""Let a model say each question in other words.

Asked of the model that is given by reference, a hosted one mostly: a small one tends to answer instead.
"""

from __future__ import annotations

from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.data.writing import asked, lines
from sharpen.types import Message

WRITES = True
INSTRUCTION = (
    "Write {n} other ways to ask the same thing, one a line, without numbers. Keep every name, number and fact. "
    "Do not answer it."
)


def paraphrase(instruction: str = INSTRUCTION) -> Augmentation:
    """Return the augmentation; ``instruction`` is told to the model, {n} in it is how many are wanted."""

    def make(material: Material) -> list[Variant]:
        told = Message("system", instruction.replace("{n}", str(material.n)))
        said = asked(material, [(told, Message("user", e.question)) for e in material.train], "paraphrase")
        pairs = zip(material.train, said, strict=True)
        return [
            Variant(e.id, line, "paraphrased by a model") for e, text in pairs for line in lines(text)[: material.n]
        ]

    return make
