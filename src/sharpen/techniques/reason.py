"""Let the model think before it answers; the thoughts are kept apart from the answer.

Two calls: the thoughts are asked for and written, and the answer is asked for after them (Kojima et al. 2022, "Large
language models are zero-shot reasoners"). How they are asked for is chosen on dev. Worked examples of the program get
thoughts of the model's own, written on train: those that led to the right answer (Zelikman et al. 2022, "STaR"; Zhang
et al. 2023, "Automatic chain of thought prompting"); an example whose question was thought about wrongly gives its
place to one that was not. So ``few_shot + reason`` is both; ``reason`` alone shows no examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sharpen.errors import UserError
from sharpen.techniques._options import count
from sharpen.techniques._worked import right
from sharpen.techniques.bench import Bench
from sharpen.techniques.few_shot import demonstrations, usable
from sharpen.types import Demo, Reasoning, System, Task, Technique

ASKS = (
    "Let's think step by step.",
    "Let's work this out in a step by step way to be sure we have the right answer.",  # Zhou et al. 2023
    "First say in a sentence or two what is asked and what matters for it. Do not answer yet.",
)
THEN = "Therefore, the answer is:"
CLASS = "Therefore, the class is:"
SHORTEST = 3  # words that are a thought


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Thoughts have to be written."""
    return None if "generate" in can else "the model cannot write thoughts: it only chooses"


def reason(
    ask: str | Sequence[str] = ASKS, then: str = "", max_new_tokens: int = 160, tries: int = 24, shown: bool = True
) -> Technique:
    """Return the technique.

    Args:
        ask: what is put under the question; several are tried on dev.
        then: what is asked after the thoughts; empty: for the answer, or for the class.
        max_new_tokens: the most tokens that the thoughts may have.
        tries: training questions that are thought about to find thoughts for the worked examples.
        shown: whether worked examples are shown with thoughts.
    """
    asks = (ask,) if isinstance(ask, str) else tuple(ask)
    if not asks or not all(isinstance(text, str) and text.strip() for text in asks):
        raise UserError(f"the option ask is {ask!r}.", do="Write a text, or several: ask=('…', '…')")
    if not isinstance(then, str):
        raise UserError(f"the option then is {then!r}.", do="Write a text: then='Therefore, the answer is:'")
    if type(shown) is not bool:
        raise UserError(f"the option shown is {shown!r}.", do="Write: shown=False")
    most, asked = count("max_new_tokens", max_new_tokens, most=100_000), count("tries", tries)

    def improve(program: System, bench: Bench) -> System:
        after = then or (CLASS if program.decoding.choices else THEN)
        candidates = []
        for text in asks:
            thinking = replace(program, reasoning=Reasoning(text, after, most))
            candidates.append((text, thinking))
        made = bench.best(candidates, "reason")
        if not program.demos or not shown:
            return made
        taught = replace(made, demos=_thoughtful(made, bench, asked))
        if taught == made:
            return made
        return bench.best([("examples with thoughts", taught), ("examples without", made)], "thoughts of examples")

    return improve


def _thoughtful(program: System, bench: Bench, tries: int) -> tuple[Demo, ...]:
    """As many worked examples, those first that have thoughts which led to the right answer."""
    pool = {e.id: e for e in usable(bench)}
    first = [pool[d.example_id] for d in program.demos if d.example_id in pool]
    others = [e for e in pool.values() if e not in first]
    bench.rng("reason").shuffle(others)
    asked = [*first, *others][: max(tries, len(first))]
    # Without worked examples: a question is not to be thought about with its own answer in sight.
    answers = bench.answer(replace(program, demos=()), [e.blind() for e in asked], "thoughts")
    held = right(bench, asked, answers)
    thoughts = {
        e.id: a.reasoning
        for e, a, ok in zip(asked, answers, held, strict=True)
        if ok and len(a.reasoning.split()) >= SHORTEST
    }
    facts = {"asked": len(asked), "right": sum(held), "with thoughts": len(thoughts), "shown": len(program.demos)}
    bench.note("thoughts", facts)
    n = len(program.demos)
    taken = [e for e in asked if e.id in thoughts][:n]
    demos = [replace(d, reasoning=thoughts[d.example_id]) for d in demonstrations(program, taken, bench)]
    taken_ids = {d.example_id for d in demos}
    plain = [d for d in program.demos if d.example_id not in taken_ids]
    return (*plain[: n - len(demos)], *demos)  # nearest to the question those that show how
