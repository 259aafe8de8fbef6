"""Search for a better prompt: instruction, worked examples, their order and the form of the question, on dev.

One budget of model calls, whichever way it is spent, and what was found is kept only where it is better beyond noise on
questions of dev that the search has not seen. What is shown comes from train; instructions that hold a question or an
answer of dev are not tried, nor prompts that do not fit the model. Answers are kept as they come, so a search that was
stopped goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sharpen.errors import UserError
from sharpen.runtime import prompts
from sharpen.techniques._options import count, counts
from sharpen.techniques._searching import LEAST, WAYS, Trials, searched
from sharpen.techniques._space import DIMENSIONS, Point, Space, fits, proposals, space_of
from sharpen.techniques.bench import Bench, NotAvailable, difference
from sharpen.techniques.instruct import texts_of
from sharpen.techniques.labels import rules
from sharpen.types import Answer, Example, System, Task, Technique

SURE = 1.833
"""Standard errors by which a prompt has to be better: Student's t at 5%, one-sided, for the ten groups of the error."""
LOOKED = 0.6
"""The share of dev that is searched on; the rest confirms."""


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """A prompt needs a model that reads one."""
    return None if can & {"generate", "score"} else "the model can neither generate nor score"


def search(
    how: str = "bayesian",
    calls: int = 0,
    over: str | Sequence[str] = DIMENSIONS,
    k: int | Sequence[int] = (3, 5),
    draws: int = 4,
    instructions: str | Sequence[str] = (),
    proposer: str = "",
    proposed: int = 6,
) -> Technique:
    """Return the technique.

    Args:
        how: random, halving, bayesian or evolving.
        calls: model calls at most, those that confirm included; 0: as many as trying ``counts.trials`` programs takes.
        over: what is searched: of instruction, examples, order, format.
        k: how many worked examples.
        draws: draws of training examples of each number.
        instructions: templates to try beside the task's own; ``{goal}`` and ``{labels}`` are filled in.
        proposer: a model that writes instructions from training examples, too.
        proposed: how many it writes; they are no part of ``calls``.
    """
    if how not in WAYS:
        raise UserError(f"the option how is {how!r}.", do=f"It is one of: {', '.join(WAYS)}.")
    dimensions = (over,) if isinstance(over, str) else tuple(over)
    if not dimensions or set(dimensions) - set(DIMENSIONS):
        raise UserError(f"the option over is {over!r}.", do=f"It is some of: {', '.join(DIMENSIONS)}.")
    limit, sizes, sets = count("calls", calls, 0, 10**9), counts("k", k, 0), count("draws", draws)
    own, n_proposed = texts_of(instructions), count("proposed", proposed)

    def improve(program: System, bench: Bench) -> System:
        each = calls_of(program)
        dev = list(bench.dev)
        bench.rng("search").shuffle(dev)
        cut = round(LOOKED * len(dev))
        look, confirm = dev[:cut], dev[cut:]
        budget = limit or bench.counts.trials * len(dev) * each
        left = budget - 2 * len(confirm) * each
        if len(confirm) < LEAST or left < 2 * LEAST * each:
            what = f"{budget} calls and {len(dev)} questions of dev are too few to search and to confirm what is found."
            enough = (2 * max(len(confirm), LEAST) + 4 * LEAST) * each
            raise NotAvailable(what, do=f"Give it calls={enough} and 20 questions of dev.")
        told = {program.prompt.instruction: "the program's"}
        task = bench.task
        shipped = (program.retriever and task.context_instructions) or task.instructions
        told |= {bench.fill(t): "the task's" for t in reversed(shipped)} | {bench.fill(t): "given" for t in own}
        if proposer:
            told |= {t: f"written by {proposer}" for t in proposals(bench, proposer, n_proposed) if t not in told}
        space = space_of(program, bench, dimensions, (sizes, sets), told)
        judge = _Judge(space, bench, look)
        trials = Trials(judge, left, len(look), each)
        found = searched(WAYS[how], space, trials, bench.rng(f"search {how}"))
        return _confirmed(space, found, bench, confirm, trials, {"how": how, "calls": budget, "each": each})

    return improve


def calls_of(program: System) -> int:
    """Model calls of an answer at most: its steps, and its thoughts, drafts and votes."""
    drawn = (1 + program.decoding.retries) + (program.reasoning is not None)
    return len(program.steps) + max(1, program.decoding.votes) * drawn


class _Judge:
    """The value of a point; each question is asked once."""

    def __init__(self, space: Space, bench: Bench, look: Sequence[Example]) -> None:
        self.space, self.bench, self.look = space, bench, look
        self.said: dict[Point, list[Answer]] = {}
        by_length = sorted(look, key=lambda e: -sum(len(m.content) for m in e.messages))
        self.longest = by_length[:4]

    def __call__(self, point: Point, n: int) -> tuple[float, int]:
        program, bench, label = self.space.program(point), self.bench, self.space.said(point)
        said = self.said.setdefault(point, [])
        if not said and not fits(program, bench, self.longest):
            bench.note("tried", {"what": "search", "candidate": f"{label}: too long", "n": 0, "round": 0, "values": {}})
            return -math.inf, 0
        said += bench.answer(program, self.look[len(said) : n], f"search {label}")
        judged = [bench.judge(program, self.look[:n], some, label) for _, some in rules(program, said)]
        best = max(judged, key=lambda t: t.values)
        values = {m.name: v for m, v in zip(bench.metrics, best.values, strict=True) if math.isfinite(v)}
        bench.note("tried", {"what": "search", "candidate": label, "n": n, "round": 0, "values": values})
        return best.values[0], sum(len(a.completions) for a in said[:n])


def _confirmed(
    space: Space, found: Point | None, bench: Bench, confirm: Sequence[Example], trials: Trials, facts: dict[str, Any]
) -> System:
    """What was found, where it is better than the program beyond noise on questions that were not searched on."""
    facts |= {"points": len(trials.known), "used": trials.used, "space": space.points}
    if found is None or found == (0,) * len(found):
        bench.note("searched", {**facts, "kept": False, "why": "nothing tried was better"})
        return space.start
    program = space.program(found)
    before, after = bench.score(space.start, confirm, "own"), bench.score(program, confirm, "found")
    gain, error = difference(before, after, bench.metrics[0], [e.weight for e in confirm])
    kept = gain > SURE * error and gain > 0
    facts["used"] += 2 * len(confirm) * facts["each"]
    origin = space.origins.get(program.prompt.instruction, "")
    lengths = [_length(p, bench, confirm[:8]) for p in (space.start, program)]
    facts |= {"found": space.said(found), "instruction": program.prompt.instruction, "origin": origin}
    facts |= {"gain": gain, "error": error, "n": len(confirm), "kept": kept, "prompt_tokens": lengths}
    bench.note("searched", facts)
    bench.note("chose", {"what": "search", "candidate": facts["found"] if kept else "own"})
    return program if kept else space.start


def _length(program: System, bench: Bench, some: Sequence[Example]) -> float:
    """Tokens of a prompt, in the mean."""
    model = bench.model(program)
    asked = prompts(program, [e.blind() for e in some], bench.engines)
    return round(sum(len(model.render(m).ids) for m in asked) / max(1, len(asked)), 1)
