"""Choose among instructions on dev.

The task's own templates, with the use case's goal filled in; those for given text where the program retrieves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sharpen.errors import UserError
from sharpen.techniques.bench import Bench
from sharpen.types import System, Technique


def instruct(instructions: str | Sequence[str] = ()) -> Technique:
    """Return the technique.

    Args:
        instructions: templates to try beside the program's own; ``{goal}`` and ``{labels}`` are filled in. Default:
            the task's.
    """
    own = texts_of(instructions)

    def improve(program: System, bench: Bench) -> System:
        task = bench.task
        templates = own or (
            task.context_instructions if program.retriever and task.context_instructions else task.instructions
        )
        texts = dict.fromkeys([program.prompt.instruction, *(bench.fill(t) for t in templates)])
        own_first, *others = texts  # the program's own is the program, whose answers may be known
        candidates = [(f"0: {own_first[:60]}", program)]
        for n, text in enumerate(others, 1):
            prompt = replace(program.prompt, instruction=text, name=f"instruct {n}")
            candidates.append((f"{n}: {text[:60]}", replace(program, prompt=prompt)))
        return bench.best(candidates, "instruction")

    return improve


def texts_of(instructions: str | Sequence[str]) -> tuple[str, ...]:
    """Read the option ``instructions``.

    Raises:
        UserError: it holds what is no text, or a name that nothing fills in.
    """
    own = (instructions,) if isinstance(instructions, str) else tuple(instructions)
    if not all(isinstance(text, str) for text in own):
        raise UserError(f"the option instructions is {instructions!r}.", do="Write texts: instructions=('…', '…')")
    unknown = {name for text in own for name in re.findall(r"\{\w+\}", text)} - {"{goal}", "{labels}"}
    if unknown:
        what = f"the option instructions holds {', '.join(sorted(unknown))}, which nothing fills in."
        raise UserError(what, do="Only {goal} and {labels} are filled in.")
    return own
