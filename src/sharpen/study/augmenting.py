"""Augmentations as steps of an arm: ``typos + lora`` trains on the examples and on variants of them.

Such a step changes what the steps after it learn from, and nothing else: dev and test stay what they are. Each is made
once, from train alone, and kept with how many variants went and why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from sharpen import parts
from sharpen.data import (
    Augmented,
    Balanced,
    Limits,
    Material,
    augment,
    balanced,
    example_from,
    example_row,
    open_augmentation,
    open_sampler,
    probe,
    replays,
)
from sharpen.errors import UserError
from sharpen.runtime import answer_all
from sharpen.store import locked, read_cached, write_text
from sharpen.techniques import Bench, NotAvailable, open_technique
from sharpen.types import Decoding, Document, Example, Generate, Message, System, digest, plain

LONGEST = 256  # tokens that a model may write for one variant
Weights: TypeAlias = Callable[[str], str]
OWN = ("n", "share", "alike", "longest", "even", "likely", "language", "model")
"""Options of every augmentation, which it does not see itself."""


@dataclass(frozen=True)
class Options:
    """What an arm says of an augmentation, beside the augmentation's own options.

    Attributes:
        n: variants of each example that are asked for.
        limits: what they have to keep to.
        model: reference of the model that writes, for those that need one.
        language: of the examples, as a code, where it is not to be told from them.
    """

    n: int
    limits: Limits
    model: str
    language: str
    rest: Mapping[str, Any]


def kind_of(step: str) -> str:
    """What a step of an arm is: an augmentation or a sampler, which change what is learned from, or a technique."""
    return next((kind for kind in ("augmentation", "sampler") if step in parts.all_parts(kind)), "technique")


def is_augmentation(step: str) -> bool:
    """Whether a step of an arm changes what the steps after it learn from, and nothing else."""
    return kind_of(step) != "technique"


def open_step(step: str, options: Mapping[str, Any], base: Path) -> Any:
    """A step of an arm, opened: a technique, an augmentation or a sampler.

    Raises:
        UserError: there is none, or it has no such option.
    """
    if kind_of(step) == "technique":
        return open_technique(step, options, base)
    if kind_of(step) == "sampler":
        return open_sampler(step, options)
    return open_augmentation(step, read_options(step, options).rest)


def read_options(step: str, options: Mapping[str, Any]) -> Options:
    """Tell the options of all augmentations from those of this one.

    Raises:
        UserError: one of the former is no number, or out of range.
    """
    n, share = options.get("n", 1), options.get("share", 1.0)
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 100:
        raise UserError(f"the option n of {step} is {n!r}.", do="Write how many variants of each example: 1 to 100.")
    limits = Limits()
    numbers = {"share": share, "alike": options.get("alike", limits.alike)}
    numbers |= {name: options.get(name, getattr(limits, name)) for name in ("longest", "likely")}
    for name, value in numbers.items():
        most = 1.0 if name in ("alike", "likely") else 100.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise UserError(f"the option {name} of {step} is {value!r}.", do=f"Write a number from 0 to {most:g}.")
    even, language = options.get("even", False), options.get("language", "")
    if not isinstance(even, bool):
        raise UserError(f"the option even of {step} is {even!r}.", do="Write true or false.")
    if not isinstance(language, str):
        raise UserError(f"the option language of {step} is {language!r}.", do="Write a code, en for instance.")
    rest = {k: v for k, v in options.items() if k not in OWN}
    limits = Limits(**{k: float(v) for k, v in numbers.items()}, even=even)
    return Options(n, limits, str(options.get("model", "")), language, rest)


def nothing_learns(steps: Sequence[str]) -> str | None:
    """The first augmentation of an arm after which nothing follows that could learn from it; None: all is well."""
    for i, step in enumerate(steps):
        if is_augmentation(step) and all(map(is_augmentation, steps[i + 1 :])):
            return step
    return None


def augmented(
    step: str,
    options: Mapping[str, Any],
    program: System,
    bench: Bench,
    seed: int,
    key: str = "",
    weights: Weights = str,
) -> tuple[Bench, dict[str, Any]]:
    """Return the bench with other training examples (variants among them, or sampled), and what was made of it.

    Args:
        step: the augmentation or sampler.
        options: as the arm names them.
        program: the program so far, whose mistakes some augmentations look for.
        bench: whose train is augmented.
        seed: of its random choices.
        key: what else makes this another result: data and code.
        weights: what the model is that writes, by its reference: another one under its name writes other variants.

    Raises:
        NotAvailable: it needs a model, documents or classes that are not there.
    """
    if kind_of(step) == "sampler":
        try:
            sampled = _sampled(step, options, bench, seed)
        except UserError as e:
            raise NotAvailable(e.problems) from None
        return replace(bench, train=sampled.examples), {"sampler": step, **sampled.facts}
    given = read_options(step, options)
    part = parts.find("augmentation", step)
    needs = [program.fingerprint, bench.engines.identity(program.model)] if _looks_at_the_program(part) else []
    needs += [weights(given.model)] if given.model else []
    name = digest(["augmentation", step, parts.content(part), dict(options), seed, key, *needs, _content(bench.train)])
    path = bench.store.root / "built" / f"{name}.json"
    with locked(path.with_suffix(""), lambda: bench.progress("wait for another study that augments the same", 0, None)):
        made = read_cached(path, _written)
        if made is None:
            made = _make(step, given, program, bench, seed)
            text = {"step": step, "options": dict(options), "seed": seed, "parents": hashes(bench.train, made.examples)}
            text |= {"rows": [example_row(e) for e in made.examples], **made.facts}
            if made.examples or not given.model:  # one that wrote nothing may have been out of order
                write_text(path, json.dumps(text, ensure_ascii=False))
    if not made.examples:
        raise nothing_made(step, made, len(bench.train))
    facts = {
        "augmentation": step,
        **few(step, made, len(bench.train)),
        **made.facts,
        "probe": probe(bench.train, made.examples),
    }
    return replace(bench, train=(*bench.train, *made.examples)), facts


FEW = 0.05
"""The share of train below which an operator's variants change next to nothing."""


class NothingMade(NotAvailable):
    """An operator made no variant; ``facts`` are what is known of those that were proposed."""

    def __init__(self, what: str, step: str, facts: Mapping[str, Any]) -> None:
        super().__init__(what, do=f"Leave {step} out, or change its options; sharpen data augment --with {step} shows.")
        self.facts = facts


def nothing_made(step: str, made: Augmented, n: int) -> NotAvailable:
    """Why an arm with this operator would be the arm without it, and what to do."""
    why = ", ".join(f"{k} {reason}" for reason, k in made.refused.items())
    what = f"it makes no variant of {n} training rows ({why or 'none that it could change'})."
    return NothingMade(what, step, made.facts)


def few(step: str, made: Augmented, n: int) -> dict[str, str]:
    """A warning where the variants are so few that the arm is nearly the arm without them."""
    if len(made.examples) >= FEW * n:
        return {}
    said = f"{step} made {len(made.examples)} variants of {n} training rows: an arm with it is nearly the one without."
    return {"warning": said}


def hashes(train: Sequence[Example], made: Sequence[Example]) -> dict[str, str]:
    """Short hashes of the questions that variants were made of, by id: a row of that id may be another one later."""
    of = {str(e.meta.get("of")) for e in made}
    return {e.id: digest(e.question)[:16] for e in train if e.id in of}


def unwritten(step: str, options: Mapping[str, Any]) -> bool:
    """Whether a step needs a model that writes, and none is named."""
    if kind_of(step) != "augmentation" or options.get("model"):
        return False
    return bool(getattr(parts.module(parts.find("augmentation", step)), "WRITES", False))


def times_as_many(step: str, options: Mapping[str, Any], bench: Bench) -> float:
    """By about how much a step makes what is learned from larger or smaller."""
    if kind_of(step) == "augmentation":
        given = read_options(step, options)
        return 1 + min(given.n, given.limits.share)
    try:
        made = _sampled(step, options, bench, 0)
    except UserError:  # the arm will not be built, and says why
        return 1.0
    return len(made.examples) / len(bench.train)


def _sampled(step: str, options: Mapping[str, Any], bench: Bench, seed: int) -> Balanced:
    rows = (*bench.train, *bench.replay) if replays(step) else bench.train
    return balanced(step, open_sampler(step, options), rows, bool(bench.labels), seed)


def _make(step: str, given: Options, program: System, bench: Bench, seed: int) -> Augmented:
    def ask(conversations: Sequence[Sequence[Message]]) -> list[str]:
        return _told(given.model, conversations, bench, step)

    def predict(texts: Sequence[str]) -> list[str]:
        asked = [Example(f"variant:{i}", (Message("user", t),)) for i, t in enumerate(texts)]
        told = answer_all(program, asked, bench.engines, None, lambda n: bench.progress(f"{step} asks", n, len(asked)))
        return [a.text for a in told]

    material = Material(
        bench.train,
        tuple(_of_train(bench)),
        given.n,
        seed,
        ask if given.model else None,
        predict if bench.labels else None,
        bench.progress,
        given.language,
    )
    try:
        return augment(step, open_augmentation(step, given.rest), material, given.limits)
    except UserError as e:
        raise NotAvailable(e.problems) from None


def _told(ref: str, conversations: Sequence[Sequence[Message]], bench: Bench, step: str) -> list[str]:
    """What a model says to conversations, one text each; one that failed is empty."""
    requests = [Generate(ref, (), tuple(c), Decoding(LONGEST)) for c in conversations]
    said = [""] * len(requests)
    for done, (i, completion) in enumerate(bench.engines.model(ref).generate(requests), 1):
        said[i] = "" if completion.error else completion.text
        bench.progress(f"{step} writes", done, len(requests))
    return said


def _of_train(bench: Bench) -> list[Document]:
    """Documents that training questions come from: what learns from text may not see those of dev or test."""
    known = {e.source for e in bench.train} | {g.source for e in bench.train for g in e.gold}
    known -= {e.source for e in bench.dev} | {g.source for e in bench.dev for g in e.gold}
    return [d for d in bench.documents if d.source in known]


def _looks_at_the_program(part: parts.Part) -> bool:
    return bool(getattr(parts.module(part), "PREDICTS", False))


def _content(examples: Sequence[Example]) -> str:
    return digest([plain(e) for e in examples])


def _written(data: Any) -> Augmented:
    """What was made before, as it was written down."""
    refused = {str(k): int(v) for k, v in data["refused"].items()}
    groups = {str(k): (int(before), int(after)) for k, (before, after) in data.get("groups", {}).items()}
    rows, likely = tuple(map(example_from, data["rows"])), {k: float(v) for k, v in data.get("likelihood", {}).items()}
    return Augmented(rows, refused, int(data["proposed"]), groups, likely)


__all__ = ["augmented", "is_augmentation", "kind_of", "nothing_learns", "open_step", "read_options"]
