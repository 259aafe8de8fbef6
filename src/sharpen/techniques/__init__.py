"""What makes a program better: each technique is ``improve(program, bench) -> program``.

A technique sees train, dev and documents through the :class:`Bench`; the test split is not in its type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.store import hash_file
from sharpen.techniques.bench import Bench, Counts, NotAvailable, Tried
from sharpen.types import System, Task, Technique, plain, restore

__all__ = ["Bench", "Counts", "NotAvailable", "Tried", "open_technique", "placed", "refs", "why_not"]


def open_technique(name: str, options: Mapping[str, Any], base: Path | None = None) -> Technique:
    """Return the technique called ``name`` with its options.

    Raises:
        UserError: there is none, or an option is not one of its parameters.
        PluginError: one that is not ours fails; later, when it improves a program, this is raised as well.
    """
    part = parts.find("technique", name, base)
    technique: Technique = parts.make("technique", name, placed(part, options, base)[0], base)
    return technique if part.origin == "sharpen" else _checked(technique, part)


def placed(part: parts.Part, options: Mapping[str, Any], base: Path | None = None) -> tuple[dict[str, Any], list[str]]:
    """Options with the files that they name relative to the use case's, and the content of these, as hashes."""
    made, hashes = dict(options), list[str]()
    for option in part.files:
        given = options.get(option)
        several = [given] if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else []
        found = {x: (base or Path()) / x for x in several if isinstance(x, str)}
        found = {x: path for x, path in found.items() if path.suffix and path.is_file()}
        hashes += [hash_file(path) for path in found.values()]
        if found:
            new = [str(found.get(x, x)) for x in several]
            made[option] = new[0] if isinstance(given, str) else new
    return made, hashes


def _checked(technique: Technique, part: parts.Part) -> Technique:
    """Somebody else's technique, of which only a whole program is taken."""

    def improve(program: System, bench: Bench) -> System:
        with parts.blamed(part):
            made = technique(program, bench)
            parts.expect(made, System, "the program")
            written = json.dumps(plain(made), ensure_ascii=False, allow_nan=False).encode()
            whole: System = restore(json.loads(written))  # what the next run will find
            lost = [ref for ref in refs(whole) if not bench.store.has(ref)]
            if lost:
                raise ValueError(f"the program needs {lost[0]!r}, which the store does not hold")
            return whole

    return improve


def refs(program: System) -> list[str]:
    """All artefacts that a program needs."""
    found = list(program.adapters)
    found += [program.retriever.index] if program.retriever else []
    found += [program.shots.index] if program.shots else []
    reranker = program.retriever.reranker if program.retriever else ""
    found += [reranker] if reranker.startswith("reranker:") else []  # a trained one; others are models
    return found


def why_not(name: str, program: System, task: Task, can: frozenset[str], base: Path | None = None) -> str | None:
    """Return why a technique cannot be applied here, or None when it can.

    A technique's file may define ``applies(program, task, can)``; without it, the technique applies everywhere. What
    only the data can tell is said later: ``improve`` raises :class:`NotAvailable`.
    """
    part = parts.find("technique", name, base)
    applies = getattr(parts.module(part), "applies", None)
    with parts.blamed(part):
        reason: str | None = applies(program, task, can) if applies else None
        if reason is not None and not isinstance(reason, str):
            raise TypeError(f"applies() said {reason!r}, which is neither a sentence nor None")
    return reason
