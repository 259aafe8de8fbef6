"""What a model writes for data: conversations put to it, and lists read out of what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sharpen.data.augmenting import Material
from sharpen.errors import UserError
from sharpen.types import Message

MARKS = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")


def asked(material: Material, conversations: Sequence[Sequence[Message]], what: str) -> list[str]:
    """Put conversations to the material's model.

    Raises:
        UserError: no model was given.
    """
    if material.ask is None:
        do = "Name one for the augmentation: {model: 'openai:http://host/v1#name'}, or any other reference."
        raise UserError(f"no model was named that could write ({what}).", do=do)
    said = material.ask(conversations)
    if len(said) != len(conversations):
        raise ValueError(f"{len(conversations)} conversations got {len(said)} texts")
    return said


def lines(text: str) -> list[str]:
    """The items of a list, without bullets, numbers, quotes and empty lines."""
    found = [MARKS.sub("", line).strip().strip('"').strip() for line in text.splitlines()]
    return [line for line in found if line]
