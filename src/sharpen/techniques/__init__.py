"""What makes a program better: each technique is ``improve(program, bench) -> program``.

A technique sees train, dev and documents through the :class:`Bench`; the test split is not in its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.errors import UserError
from sharpen.techniques.bench import Bench, Counts, NotAvailable, Tried
from sharpen.types import System, Task, Technique

__all__ = ["Bench", "Counts", "NotAvailable", "Tried", "open_technique", "why_not"]


def open_technique(name: str, options: Mapping[str, Any], base: Path | None = None) -> Technique:
    """Return the technique called ``name`` with its options.

    Raises:
        UserError: there is none, or an option is not one of its parameters.
    """
    import inspect

    make = parts.factory("technique", name, base)
    known = inspect.signature(make).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in known.values())
    strange = [k for k in options if k not in known]
    if strange and not open_ended:
        raise UserError(
            f"the technique {name} has no option {', '.join(strange)}.",
            do=f"It has: {', '.join(known) or 'none'}. See: sharpen parts technique",
        )
    technique: Technique = make(**options)
    return technique


def why_not(name: str, program: System, task: Task, can: frozenset[str], base: Path | None = None) -> str | None:
    """Return why a technique cannot be applied here, or None when it can.

    A technique's file may define ``applies(program, task, can)``; without it, the technique applies everywhere. What
    only the data can tell is said later: ``improve`` raises :class:`NotAvailable`.
    """
    module = parts.module(parts.find("technique", name, base))
    applies = getattr(module, "applies", None)
    reason: str | None = applies(program, task, can) if applies else None
    return reason
