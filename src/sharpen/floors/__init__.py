"""Cheap answers that a tuned model has to beat. A floor is fitted on train and dev like any arm, and never shipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sharpen import parts
from sharpen.techniques import Bench
from sharpen.types import Answer, Example

Predict: TypeAlias = Callable[[Sequence[Example]], list[Answer]]
Floor: TypeAlias = Callable[[Bench], Predict | None]


def open_floor(name: str) -> Floor:
    """Return the floor called ``name``; called with a bench it returns its answers' function, or None where the data
    does not carry it (no documents, say)."""
    floor: Floor = parts.factory("floor", name)()
    return floor
