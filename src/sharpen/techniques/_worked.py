"""What the program itself makes of training questions: which it gets right, and what its steps write of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sharpen.metrics import bounds_of
from sharpen.techniques.bench import Bench
from sharpen.types import Answer, Decoding, Demo, Example, System

HALF = 0.5  # of a metric's span, from which an answer counts as right


def right(bench: Bench, examples: Sequence[Example], answers: Sequence[Answer]) -> list[bool]:
    """Whether each answer is right, by the metric that decides: in the upper half of its span.

    A metric whose span is not known tells no right answers.
    """
    metric = bench.metrics[0]
    low, high = bounds_of(metric)
    if not metric.higher_is_better or high - low == float("inf"):
        return [False] * len(answers)
    least = low + HALF * (high - low)
    return [s.value is not None and s.value > least for s in metric.score(examples, answers)]


def with_steps(program: System, demos: Sequence[Demo], bench: Bench) -> list[Demo]:
    """Worked examples with what the program's steps write of their questions."""
    known = {e.id: e for e in bench.train}
    shown = [d for d in demos if d.example_id in known]
    if not program.steps or not shown:
        return list(demos)
    # The answer itself is not wanted: it costs one token.
    bare = replace(program, demos=(), shots=None, reasoning=None, refusal=None, decoding=Decoding(1))
    answers = bench.answer(bare, [known[d.example_id].blind() for d in shown], "steps of examples")
    wrote = {d.example_id: tuple(a.steps.items()) for d, a in zip(shown, answers, strict=True)}
    return [replace(d, steps=wrote.get(d.example_id, ())) for d in demos]
