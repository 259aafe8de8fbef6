"""Ask with a prompt of the library, or with one of your own: ``prompt(name='answer')``, ``prompt(name='mine.yaml')``.

Options fill its slots; ``goal`` and ``labels`` are filled with those of the use case. Of several prompts, and of
wordings of their task that the model itself writes, the best on dev is taken. It says how a question is put, so it
stands before what adds to that: ``prompt(...) + few_shot``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sharpen.data.writing import lines
from sharpen.errors import Problem, UserError
from sharpen.prompts import Brief, find, lint, render
from sharpen.prompts.brief import SLOT
from sharpen.techniques._options import count
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Decoding, Generate, Message, System, Task, Technique

FILES = ("name",)
ASK = "Write {n} other ways to give this order, one a line, without numbers. Keep what stands in braces as it is."
SHOWN = 3  # questions that are named where they do not fit


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """A prompt needs a model that reads one."""
    return None if can & {"generate", "score"} else "the model can neither generate nor score"


def prompt(
    name: str | Sequence[str] = "answer", without: str | Sequence[str] = (), written: int = 0, **slots: Any
) -> Technique:
    """Return the technique.

    Args:
        name: of a prompt in the library, or a YAML file; several are tried on dev.
        without: fields to leave out, such as ``'examples'``, so that an arm shows what they add.
        written: so many other wordings of each prompt's task are written by the program's model, and tried as well.
        slots: what stands in the prompt's slots.
    """
    more = count("written", written, least=0, most=20)
    names, left_out = _texts("name", name), _texts("without", without)
    if not names:
        raise UserError("the option name is empty.", do="Name a prompt: prompt(name='answer')")
    briefs = [b.without(*left_out) for b in _found(names)]
    known = {slot for brief in briefs for slot in brief.slots if slot != brief.question}
    strange = sorted(set(slots) - known)
    if strange:
        do = f"They have: {', '.join(sorted(known)) or 'none to be filled'}."
        raise UserError([Problem(f"the prompts {', '.join(names)} have no slot {s}.", do=do) for s in strange])
    for brief in briefs:  # what is wrong is said before anything is built; goal and labels come with the data
        render(brief, _given(brief, {"goal": "goal", "labels": "labels"}, slots))

    def improve(program: System, bench: Bench) -> System:
        _is_first(program)
        told = {"goal": bench.goal, "labels": ", ".join(bench.labels)}
        candidates = []
        for brief in briefs:
            _fits(brief, bench)
            values = _given(brief, told, slots)
            candidates.append((brief.name, _put(program, brief, values)))
            for n, other in enumerate(_written(program, brief, more, bench), 1):
                label = f"{brief.name}, written {n} by the model: {other.task[:60]}"
                candidates.append((label, _put(program, other, values)))
        return bench.best(candidates, "prompt")

    return improve


def _texts(option: str, given: Any) -> tuple[str, ...]:
    several = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list | tuple) else (None,)
    if not all(isinstance(x, str) for x in several):
        raise UserError(f"the option {option} is {given!r}.", do=f"Write a text, or several: {option}=('…', '…')")
    return tuple(str(x) for x in several)


def _found(names: Sequence[str]) -> list[Brief]:
    """The prompts that are called so; what is wrong with all of them at once, each with its file and line."""
    made, problems = list[Brief](), list[Problem]()
    for name in dict.fromkeys(names):
        try:
            made.append(find(name))
        except UserError as e:  # who tells it puts the arm in the place of the file
            problems += [Problem(f"{p.where}: {p.what}" if p.where else p.what, do=p.do) for p in e.problems]
    if problems:
        raise UserError(problems)
    return made


def _given(brief: Brief, told: dict[str, str], slots: dict[str, Any]) -> dict[str, Any]:
    """What of all that is given this prompt has slots for; what the study says stands behind what an option says."""
    wanted = set(brief.slots) - {brief.question}
    return {n: v for n, v in {**told, **slots}.items() if n in wanted and str(v).strip()}


def _put(program: System, brief: Brief, values: dict[str, Any]) -> System:
    """The program, asked so."""
    made = render(brief, values)
    if made.schema and program.decoding.choices:
        what = f"the prompt {brief.name} asks for JSON, and here one of the classes is chosen."
        raise NotAvailable(what, do="Take a prompt without output_schema.")
    before = program.prompt
    put = replace(made.prompt, history=before.history, passage_template=before.passage_template)
    demos = (*made.demos, *program.demos)
    return replace(program, prompt=put, demos=demos, decoding=made.decoding(program.decoding))


def _written(program: System, brief: Brief, n: int, bench: Bench) -> list[Brief]:
    """The prompt with other wordings of its task, as the model writes them; those that lose a slot or break a rule go.

    The model is told the task alone, and no example of train or dev.
    """
    if not n:
        return []
    model = bench.engines.model(program.model)
    if "generate" not in model.can:
        raise NotAvailable("the model writes no text, so it writes no prompt.", do="Leave out the option written.")
    turns = (Message("system", ASK.replace("{n}", str(n))), Message("user", brief.task))
    request = Generate(program.model, (), turns, Decoding(64 * n, one_line=False), "prompt")
    ((_, said),) = model.generate([request])
    made = []
    for text in dict.fromkeys(line for line in lines(said.text) if line != brief.task):
        if set(SLOT.findall(text)) != set(SLOT.findall(brief.task)):
            continue
        other = brief.model_copy(update={"task": text, "origin": "written by the model"})
        if not any(f.level == "error" for f in lint(other)):
            made.append(other)
    return made[:n]


def _is_first(program: System) -> None:
    """See that nothing is lost with the prompt that is replaced."""
    before = program.prompt
    there = " ".join((before.instruction, before.template, before.context_template))
    used = [step.name for step in program.steps if re.search(rf"\{{{step.name}\}}", there)]
    if used or before.cites:
        what = f"the prompt holds what a technique before put there ({', '.join(used) or 'passages are cited'})."
        raise NotAvailable(what, do="Write prompt first: prompt(...) + the others.")


def _fits(brief: Brief, bench: Bench) -> None:
    """See that the questions are what their slot takes."""
    slot = brief.slots[brief.question]
    bad = [(e.id, why) for e in (*bench.train, *bench.dev) if (why := slot.wrong(e.question))]
    if bad:
        shown = "; ".join(f"{i} {why}" for i, why in bad[:SHOWN])
        what = f"{len(bad)} questions do not fit the slot {brief.question} of the prompt {brief.name}: {shown}."
        raise NotAvailable(what, do="Take another prompt, or change the slot in a copy of it.")
