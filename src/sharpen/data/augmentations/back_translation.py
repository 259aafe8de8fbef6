"""Translate each question into another language and back (Sennrich et al. 2016, "Improving neural MT").

Both ways are asked of the model that is given by reference; the words change, what is meant stays where it translates
well. Each of a question's variants goes by another language.
"""

from __future__ import annotations

from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.data.writing import asked
from sharpen.errors import UserError
from sharpen.types import Message

WRITES = True
THERE = "Translate the text into {language}. Reply with the translation only."


def back_translation(
    languages: tuple[str, ...] | list[str] = ("German", "Japanese", "Swahili", "Hindi"), own: str = "English"
) -> Augmentation:
    """Return the augmentation; ``languages`` are gone through, ``own`` is the language of the questions."""
    if not languages:
        raise UserError("the option languages is empty.", do="Name at least one language, German for instance.")

    def make(material: Material) -> list[Variant]:
        made = []
        for language in list(languages)[: material.n]:
            there = asked(material, [_told(e.question, language) for e in material.train], f"into {language}")
            gone = [(e, t.strip()) for e, t in zip(material.train, there, strict=True) if t.strip()]
            back = asked(material, [_told(t, own) for _, t in gone], f"back from {language}")
            how = f"by way of {language}"
            made += [Variant(e.id, t.strip(), how) for (e, _), t in zip(gone, back, strict=True) if t.strip()]
        return made

    return make


def _told(text: str, language: str) -> tuple[Message, ...]:
    return (Message("system", THERE.replace("{language}", language)), Message("user", text))
