"""What a search over prompts chooses among: instructions, worked examples, their order, and the question's form.

A point is one choice a dimension, as numbers; the first choice of each is the program as it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sharpen.data import words
from sharpen.runtime import prompts
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.techniques.few_shot import demonstrations, usable
from sharpen.types import Decoding, Demo, Example, Generate, Message, System

DIMENSIONS = ("instruction", "examples", "order", "format")
FORMS = (
    ("Question: {question}\nAnswer:", "{context}\n\nQuestion: {question}\nAnswer:"),
    ("{question}", "Text:\n{context}\n\nUsing the text above: {question}"),
    ("### Question\n{question}\n\n### Answer", "### Text\n{context}\n\n### Question\n{question}\n\n### Answer"),
)
"""Templates beside the program's own, without and with passages."""
ORDERS: dict[str, Callable[[Sequence[Demo]], list[Demo]]] = {
    "as drawn": list,
    "reversed": lambda demos: list(reversed(demos)),
    "shortest first": lambda demos: sorted(demos, key=lambda d: len(d.question) + len(d.answer)),
    "longest first": lambda demos: sorted(demos, key=lambda d: -len(d.question) - len(d.answer)),
}
Point = tuple[int, ...]


@dataclass
class Space:
    """The dimensions, each with its choices; ``origins`` says where an instruction is from."""

    start: System
    choices: Mapping[str, Sequence[Any]]
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many choices each dimension has."""
        return tuple(len(c) for c in self.choices.values())

    @property
    def points(self) -> int:
        """How many points there are."""
        n = 1
        for size in self.sizes:
            n *= size
        return n

    def draw(self, rng: random.Random) -> Point:
        """A point, each choice as likely as another."""
        return tuple(rng.randrange(size) for size in self.sizes)

    def program(self, point: Point) -> System:
        """The program of a point."""
        at = {name: self.choices[name][i] for name, i in zip(self.choices, point, strict=True)}
        prompt = self.start.prompt
        if at.get("instruction") is not None:
            prompt = replace(prompt, instruction=at["instruction"])
        if at.get("format") is not None:
            prompt = replace(prompt, template=at["format"][0], context_template=at["format"][1])
        demos = self.start.demos if at.get("examples") is None else at["examples"]
        if at.get("order") is not None:
            demos = tuple(ORDERS[at["order"]](demos))
        if prompt != self.start.prompt:
            prompt = replace(prompt, name="searched")
        return replace(self.start, prompt=prompt, demos=tuple(demos))

    def said(self, point: Point) -> str:
        """The point in a line."""
        made = []
        for (name, choices), i in zip(self.choices.items(), point, strict=True):
            choice = choices[i]
            what = "own" if i == 0 else f"{len(choice)} ({i})" if name == "examples" else i
            made.append(f"{name} {choice if name == 'order' and i else what}")
        return ", ".join(made)


def space_of(
    program: System, bench: Bench, over: Sequence[str], sets: tuple[Sequence[int], int], told: Mapping[str, str]
) -> Space:
    """Return the space around a program.

    Args:
        program: to begin with.
        bench: whose training examples are shown.
        over: the dimensions.
        sets: how many worked examples, and how many draws of each number.
        told: instructions and where each is from.
    """
    choices: dict[str, list[Any]] = {}
    if "instruction" in over:
        kept = [text for text in told if text != program.prompt.instruction]
        choices["instruction"] = [None, *(text for text in kept if not leaked(text, bench.dev))]
    if "examples" in over:
        choices["examples"] = [None, *_sets(program, bench, *sets)]
    if "order" in over:
        choices["order"] = [None, *list(ORDERS)[1:]]
    if "format" in over:
        own = (program.prompt.template, program.prompt.context_template)
        choices["format"] = [None, *(f for f in FORMS if f != own)]
    return Space(program, choices, told)


def _sets(program: System, bench: Bench, sizes: Sequence[int], draws: int) -> list[tuple[Demo, ...]]:
    try:
        pool = usable(bench)
    except NotAvailable:
        return []
    made: dict[tuple[Demo, ...], None] = {}
    for draw in range(draws):
        order = bench.rng(f"search {draw}").sample(pool, len(pool))
        for n in (n for n in sizes if n):
            made[tuple(demonstrations(program, order[:n], bench))] = None
    return list(made) + ([()] if 0 in sizes and program.demos else [])


def leaked(text: str, dev: Sequence[Example]) -> bool:
    """Whether a text holds a question of dev, or a long answer of it."""
    held = f" {_plain(text)} "
    for e in dev:
        for part, least in ((e.question, 4), *((t, 4) for t in e.targets)):
            said = _plain(part)
            if len(said.split()) >= least and f" {said} " in held:
                return True
    return False


def _plain(text: str) -> str:
    return " ".join(words(text))


def proposals(bench: Bench, ref: str, n: int, shown: int = 5) -> list[str]:
    """Instructions that a model writes from training examples (Zhou et al. 2023, "Large language models are human-level
    prompt engineers"), each from another draw of them."""

    def drawing(i: int) -> Decoding:
        return Decoding(96, temperature=0.9, top_p=0.95, seed=bench.seed + i, one_line=False)

    asked = []
    for i in range(n):
        rng = bench.rng(f"propose {i}")
        some = rng.sample(list(usable(bench)), min(shown, len(usable(bench))))
        pairs = "\n\n".join(f"Input: {e.question}\nOutput: {e.targets[0]}" for e in some)
        text = f"{pairs}\n\nThe goal: {bench.goal}\nWrite the one instruction by which every input became its output."
        asked.append(Generate(ref, (), (Message("user", text),), drawing(i)))
    made = dict(bench.engines.model(ref).generate(asked))
    texts = [" ".join(made[i].text.split())[:600] for i in range(n) if not made[i].error]
    return list(dict.fromkeys(t for t in texts if t))


def fits(program: System, bench: Bench, longest: Sequence[Example]) -> bool:
    """Whether the prompts of the longest questions, and their answers, fit the model's context."""
    model = bench.model(program)
    asked = prompts(program, [e.blind() for e in longest], bench.engines)
    return all(len(model.render(m).ids) + program.decoding.max_new_tokens <= model.context for m in asked)
