"""Answer in several calls: what one writes stands in the next, and all of it in the answer's ``steps``.

A ready chain, or steps of one's own: each is a name and what is asked, in which ``{question}``, ``{context}`` (the
passages that were found), ``{history}`` (the turns before) and the names of earlier steps are filled in. What the steps
wrote stands before the question under the last call. Wu et al. 2022, "AI Chains". A chain of the study's own kinds:
``facts`` lists what matters first, ``draft`` writes an answer and then the better one, ``plan`` makes a plan, ``parts``
answers smaller questions first (Zhou et al. 2023, "Least-to-most prompting").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sharpen.errors import Problem, UserError
from sharpen.techniques._options import count
from sharpen.techniques._worked import with_steps
from sharpen.techniques.bench import Bench
from sharpen.types import Prompt, Step, System, Task, Technique

READY: Mapping[str, tuple[tuple[str, str], ...]] = {
    "facts": (("facts", "{question}\n\nDo not answer. List the facts that matter for the answer, one a line."),),
    "draft": (
        ("draft", "{question}"),
        ("critique", "{question}\n\nA draft of the answer: {draft}\n\nWhat is wrong or missing in the draft?"),
    ),
    "plan": (("plan", "{question}\n\nDo not answer yet. Write a plan of at most three steps for finding the answer."),),
    "parts": (
        ("parts", "{question}\n\nWhich smaller questions have to be answered first? List them, one a line."),
        ("answers", "{question}\n\nAnswer each of these smaller questions in one line:\n{parts}"),
    ),
}
FROM_TEXT = "{context}\n\n"
KNOWN = ("question", "context", "history")


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Steps have to be written."""
    return None if "generate" in can else "the model cannot write steps: it only chooses"


def chain(kind: str = "facts", steps: Sequence[Sequence[str]] = (), max_new_tokens: int = 96) -> Technique:
    """Return the technique.

    Args:
        kind: a ready chain: facts, draft, plan or parts.
        steps: one's own instead: ``(('facts', 'List the facts in: {question}'), …)``.
        max_new_tokens: the most tokens of a step.
    """
    if kind not in READY:
        raise UserError(f"the option kind is {kind!r}.", do=f"It is one of: {', '.join(READY)}.")
    own = read_steps(steps)
    most = count("max_new_tokens", max_new_tokens, most=100_000)

    def improve(program: System, bench: Bench) -> System:
        made = own or READY[kind]
        if not own and program.retriever is not None:
            made = tuple((name, FROM_TEXT + text) for name, text in made)
        new = tuple(Step(free(name, program), text, max_new_tokens=most) for name, text in made)
        return with_notes(program, new, bench)

    return improve


def with_notes(program: System, steps: Sequence[Step], bench: Bench, hidden: Sequence[str] = ()) -> System:
    """The program with more steps, whose notes stand before the question, also in its worked examples.

    What the steps named in ``hidden`` write stands only where other steps name it.
    """
    told = [step.name for step in steps if step.name not in hidden]
    shown = "".join(f"{name.replace('_', ' ').capitalize()}:\n{{{name}}}\n\n" for name in told)
    made = replace(program, steps=(*program.steps, *steps), prompt=noted(program.prompt, shown))
    return replace(made, demos=tuple(with_steps(made, made.demos, bench)))


def noted(prompt: Prompt, shown: str) -> Prompt:
    """The prompt with a text before its question; passages stay first."""
    before, asked, after = prompt.context_template.rpartition("{context}\n\n")
    context = f"{before}{asked}{shown}{after}" if asked else shown + prompt.context_template
    return replace(prompt, template=shown + prompt.template, context_template=context)


def free(name: str, program: System) -> str:
    """The name, or with a number where a step before has it."""
    taken, made, n = {*KNOWN, *(s.name for s in program.steps)}, name, 2
    while made in taken:
        made, n = f"{name}_{n}", n + 1
    return made


def read_steps(given: Any) -> tuple[tuple[str, str], ...]:
    """Read named steps; each may use those before it.

    Raises:
        UserError: with everything that is wrong with them.
    """
    do = "Write: steps=(('facts', 'List the facts in: {question}'), ('check', 'Are they all needed? {facts}'))"
    if not isinstance(given, list | tuple):
        raise UserError(f"the option steps is {given!r}.", do=do)
    problems, seen, made = [], list(KNOWN), []
    for n, step in enumerate(given, 1):
        where = f"steps, number {n}"
        if not isinstance(step, list | tuple) or len(step) != 2 or not all(isinstance(x, str) for x in step):
            problems.append(Problem(f"{step!r} is not a name and a text.", where, do))
            continue
        name, text = step
        if not re.fullmatch(r"[a-z]\w*", name):
            what = f"the name {name!r} is not one small letter and then letters, digits and _."
            problems.append(Problem(what, where, do))
        elif name in seen:
            problems.append(Problem(f"the name {name!r} is taken.", where, "Give it another one."))
        unknown = [x for x in re.findall(r"\{(\w+)\}", text) if x not in seen]
        if unknown:
            what = f"the text holds {{{unknown[0]}}}, which no earlier step writes."
            problems.append(Problem(what, where, f"There are: {', '.join(f'{{{x}}}' for x in seen)}."))
        seen.append(name)
        made.append((name, text))
    if problems:
        raise UserError(problems)
    return tuple(made)
