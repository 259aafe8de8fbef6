"""How questions came about, counted: what proposed them, who stands behind them, and behind how many nobody does.

A row is a draft's where it says both what proposed it (``origin``) and whether somebody confirmed it (``confirmed``),
as ``sharpen data label --write`` writes them. Counts name no row, so they may be known of a sealed test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sharpen.types import Example

YES = frozenset({"true", "yes", "1"})  # as tables write it


def came_about(examples: Iterable[Example]) -> dict[str, Any]:
    """Count the drafts among examples; empty where there are none.

    ``drafted``, ``unconfirmed`` and ``edited`` are rows, ``origins`` rows by what proposed them, ``confirmed_by`` rows
    by who stands behind them; two people may stand behind one.
    """
    drafts = [e.meta for e in examples if "origin" in e.meta and "confirmed" in e.meta]
    if not drafts:
        return {}
    people = Counter(who for m in drafts if _yes(m["confirmed"]) for who in _people(m.get("confirmed_by")))
    return {
        "drafted": len(drafts),
        "unconfirmed": sum(not _yes(m["confirmed"]) for m in drafts),
        "edited": sum(_yes(m.get("edited")) for m in drafts),
        "origins": dict(Counter(str(m["origin"]) for m in drafts).most_common()),
        "confirmed_by": dict(people.most_common()),
    }


def unconfirmed_in(splits: Mapping[str, Sequence[Example]]) -> list[str]:
    """Say how many rows of which split nobody stands behind."""
    found = {name: came_about(rows).get("unconfirmed", 0) for name, rows in splits.items()}
    listed = ", ".join(f"{n} of {name}" for name, n in found.items() if n)
    do = "Have people decide on them: sharpen data label QUEUE --who NAME."
    return [f"drafts that nobody confirmed: {listed}. {do}"] if listed else []


def _yes(value: Any) -> bool:
    return str(value).strip().lower() in YES


def _people(value: Any) -> list[str]:
    given = value if isinstance(value, list | tuple) else [value] if value else []
    return [str(who) for who in given]
