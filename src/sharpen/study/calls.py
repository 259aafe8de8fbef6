"""The calls of an answer: steps before it, thoughts, votes and asking again, as techniques will leave them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sharpen import parts

JSON = 8  # tokens of the form of JSON with one field
WRITING = frozenset({"reason", "structured", "chain", "step_back", "check_first", "rewrite_history", "own_language"})
METHODS = WRITING | {"vote", "shorten", "avoid", "history"}
SHORT = 48  # tokens of a question that a step writes


@dataclass(frozen=True)
class Calls:
    """What an answer takes beside one call; tokens are the most that may be written.

    ``steps`` and ``thoughts``: tokens of each step, and of the thoughts; ``votes``: how many answers are drawn;
    ``tries``: how often an answer is asked for, where half of the times that it may be asked for anew are needed;
    ``form``: tokens of an answer's form; ``written``: a class is written, not ranked.
    """

    steps: tuple[int, ...] = ()
    thoughts: int = 0
    votes: int = 1
    tries: float = 1.0
    form: int = 0
    written: bool = False

    @property
    def most(self) -> int:
        """Calls of an answer, asking again apart."""
        return len(self.steps) + self.votes * (2 if self.thoughts else 1)


ONE = Calls()


def writes(steps: Any) -> bool:
    """Whether one of these techniques has the model write where a plain program only chooses."""
    return any(step in steps for step in WRITING)


def tried(step: str, options: Mapping[str, Any], calls: Calls, retrieves: bool) -> list[Calls]:
    """The calls of each candidate that a technique tries on dev; one alone is not tried, only taken."""
    known = inspect.signature(parts.factory("technique", step)).parameters.values()
    given = {**{p.name: p.default for p in known}, **options}
    most = given.get("max_new_tokens", 0)
    if step == "reason":
        return [replace(calls, thoughts=most)] * (1 if isinstance(given["ask"], str) else len(given["ask"]))
    if step == "vote":
        return [replace(calls, votes=n) for n in sorted(_several(given["n"]))]
    if step in ("structured", "avoid"):
        tries = max(calls.tries, 1 + given["retries"] / 2)
        calls = replace(calls, tries=tries)
        if step == "avoid":
            return [calls] * 2
        return [replace(calls, form=JSON, written=True)] * ((1 if given["schema"] else 2) + bool(given["examples"]))
    if step == "chain":
        from sharpen.techniques.chain import READY

        return [replace(calls, steps=calls.steps + (most,) * len(given["steps"] or READY[given["kind"]]))]
    if step == "step_back":
        return [replace(calls, steps=(*calls.steps, SHORT, *([] if retrieves else [most])))]
    if step == "check_first":
        return [replace(calls, steps=(*calls.steps, most))] * 2
    if step == "rewrite_history":
        return [replace(calls, steps=(*calls.steps, most))] * (2 if retrieves else 1)
    if step == "own_language":
        through = [replace(calls, steps=(*calls.steps, 2 * SHORT))] if given["through_english"] else []
        return [calls, calls, *through]
    return [calls] * {"shorten": 3, "history": len(_several(given.get("turns", 0))) + 1}.get(step, 1)


def _several(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)
