"""Tune the model with low-rank adapters, through the program's own prompt.

What it learns from is what it will see: training questions are put by the program itself, with its worked examples and
retrieved passages. Where retrieval missed a training question's gold passage, the gold passage takes the place of the
last one in ``gold_share`` of the cases, so that the model learns to read and still meets distractors
(Hu et al. 2021, "LoRA"; Zhang et al. 2024, "RAFT").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sharpen.data import near_duplicates
from sharpen.errors import UserError
from sharpen.runtime import in_field, prompts
from sharpen.techniques._train import check_options, tune
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.tuning import TrainOptions
from sharpen.types import Example, Message, Passage, System, Task, Technique

NEEDS = {"torch": "local", "transformers": "local", "safetensors": "local"}
TRAINS = True
OPTIONS = TrainOptions  # what ``**options`` may hold
CHOICES = ("dev", "loss", "last")
TUNED = "the program is tuned already; name one technique that trains per arm"


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Weights must be within reach, and not tuned already."""
    if program.adapters:
        return TUNED
    if "tune" in can:
        return None
    return "this model's weights cannot be trained here (it is hosted, or its engine does not train)"


def lora(gold_share: float = 1.0, choose: str = "dev", **options: Any) -> Technique:
    """Return the technique.

    The smallest validation loss need not be where answers are best, and neither need the last step (see docs/LOG.md).
    So the adapters of both answer dev, and the use case's own metrics choose.

    Args:
        choose: which adapter is kept: ``dev`` asks dev, ``loss`` takes the smallest validation loss, ``last`` the last.
        gold_share: how often a missed gold passage is put among the passages of a training question.
        options: fields of :class:`sharpen.tuning.TrainOptions`, such as ``r``, ``learning_rate``, ``num_train_epochs``.
    """
    if isinstance(gold_share, bool) or not isinstance(gold_share, int | float) or not 0 <= gold_share <= 1:
        raise UserError(f"the option gold_share is {gold_share!r}.", do="Write a share from 0 to 1.")
    if choose not in CHOICES:
        raise UserError(f"the option choose is {choose!r}.", do=f"It is one of: {', '.join(CHOICES)}.")
    check_options(options)

    def improve(program: System, bench: Bench) -> System:
        if program.adapters:  # the loop trains the plain model: what came of it would not fit the tuned one
            raise NotAvailable(f"{TUNED}.")
        train, dropped = conversations(program, bench.train, bench, gold_share)
        dev, _ = conversations(program, bench.dev, bench, 0.0)
        bench.note("training rows", {"train": len(train), "dev": len(dev), "left_out": dropped})
        if not train:
            what = "no training example is left to learn: they have no answer, or the prompt itself shows them."
            raise NotAvailable(what, do="Add training examples with answers.")
        learn = getattr(bench.model(program), "learn", None)  # the model itself is not held: training needs the memory
        if learn:
            made = [
                (
                    "",
                    bench.keep("adapter", lambda folder: learn([(m[:-1], m[-1].content) for m in train], folder)),
                )
            ]
        else:
            made = tune(program, train, dev, bench, options)
        made = {"dev": made, "loss": made[:1], "last": made[-1:]}[choose]
        tuned = [(label, replace(program, adapters=(*program.adapters, ref))) for label, ref in made]
        return bench.best(tuned, "checkpoint")

    return improve


def conversations(
    program: System, examples: Sequence[Example], bench: Bench, gold_share: float
) -> tuple[list[tuple[Message, ...]], int]:
    """Return the program's own prompts with the first reference as the reply, and how many examples were left out.

    Left out are examples without a reference, and those that the prompt itself shows with their answers.
    """
    usable = _not_shown([e for e in examples if e.targets], program)
    rng = bench.rng("gold")
    chance = {e.id: rng.random() for e in usable}

    def passages(example: Example, found: tuple[Passage, ...]) -> tuple[Passage, ...]:
        if not example.gold or program.retriever is None or chance[example.id] >= gold_share:
            return found
        gold = bench.engines.index(program.retriever.index).covering(example.gold, 1)
        if not gold or gold[0].id in {p.id for p in found}:
            return found
        return (*found[:-1], gold[0]) if found else gold

    asked = prompts(program, usable, bench.engines, passages)
    field = program.decoding.field
    pairs = [(m, e) for m, e in zip(asked, usable, strict=True) if m]  # none where a step failed
    rows = [(*m, Message("assistant", in_field(e.targets[0], field))) for m, e in pairs]
    return rows, len(examples) - len(rows)


def _not_shown(examples: Sequence[Example], program: System) -> list[Example]:
    """The examples that are no worked example of the program, nor a near-duplicate of one."""
    if not program.demos:
        return list(examples)
    alike = near_duplicates([e.question for e in examples], [d.question for d in program.demos])
    twins = {i for i, _, _ in alike}
    return [e for i, e in enumerate(examples) if i not in twins]
