"""From a program and a question to an answer, as a generator of requests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sharpen.metrics import parse
from sharpen.runtime.choosing import adjusted, answer_in
from sharpen.runtime.citing import citing
from sharpen.runtime.composing import compose, fill, nearest, slots_of, texts_of
from sharpen.runtime.finding import finding, noticed_in
from sharpen.runtime.structured import from_field, held, in_field, invalid, json_in, mended, within
from sharpen.types import (
    Answer,
    Completion,
    Decoding,
    Demo,
    Example,
    Generate,
    Likelihoods,
    Message,
    Passage,
    Rank,
    Refusal,
    Request,
    Search,
    Step,
    System,
)

WARMTH = 0.7
"""The temperature at which several answers are drawn where a program names none (Wang et al. 2023)."""


def answering(program: System, example: Example) -> Generator[Request, Any, Answer]:
    """Yield requests, be sent their results, and return the answer.

    The steps come first, in their order, and the search when the first of them wants passages, or at their end.
    """
    slots = slots_of(example)
    found: tuple[Passage, ...] | None = None
    said: list[Completion] = []
    for step in program.steps:
        if step.needs and not slots.get(step.needs, "").strip():
            slots[step.name] = example.question
            continue
        if found is None and "{context}" in step.template:
            found = yield from finding(program.retriever, example, slots)
        reply: Completion = yield _asked(program, step, slots, found or ())
        said.append(reply)
        if reply.error:
            return _failed(f"the step {step.name}: {reply.error}", found or (), said)
        slots[step.name] = parse(reply.text, step.one_line)
    if found is None:
        found = yield from finding(program.retriever, example, slots)
    noticed = noticed_in(program, found)
    wrote = {step.name: slots[step.name] for step in program.steps}
    refusal = program.refusal
    if refusal and refused(refusal, found, wrote):
        made = Answer(refusal.text, passages=found, completions=tuple(said), seconds=_sum(said), steps=wrote)
        return replace(made, finish="refused", findings=noticed)
    demos = program.demos
    if program.shots is not None:
        s = program.shots
        # A few more than wanted, because the question's own entry and its near-duplicates are left out.
        near: tuple[Passage, ...] = yield Search(s.index, example.question, s.k + 3, s.how)
        demos = (*demos, *nearest(near, example, s.k))
    demos = tuple(_shown(program, demo) for demo in demos)
    messages = compose(program.prompt, example.messages, demos, found, slots, program.reasoning)
    drawn = []
    for n in range(_votes(program)):
        one = yield from _drawn(program, messages, n, found)
        drawn.append(one)
    made = elected(drawn)
    findings, said = (*noticed, *made.findings), [*said, *made.completions]
    return replace(made, completions=tuple(said), seconds=_sum(said), steps=wrote, findings=findings)


def _asked(program: System, step: Step, slots: Mapping[str, str], found: Sequence[Passage]) -> Generate:
    values = {**slots, "context": texts_of(program.prompt, found)}
    turns = [Message("system", fill(step.instruction, slots))] if step.instruction else []
    turns.append(Message("user", fill(step.template, values)))
    own = not step.model or step.model == program.model
    adapters = program.adapters if step.tuned and own else ()
    decoding = Decoding(step.max_new_tokens, one_line=step.one_line)
    return Generate(step.model or program.model, adapters, tuple(turns), decoding, step.name)


def _shown(program: System, demo: Demo) -> Demo:
    """A worked example as this program answers: in its form; its question stands for steps that need more than that."""
    steps = {step.name: demo.question for step in program.steps if step.needs} | dict(demo.steps)
    return replace(demo, answer=in_field(demo.answer, program.decoding.field), steps=tuple(steps.items()))


def refused(refusal: Refusal, found: Sequence[Passage], wrote: Mapping[str, str]) -> bool:
    """Whether a question is not answered, by its passages and what its steps wrote."""
    if refusal.least is not None and max((p.score for p in found), default=float("-inf")) < refusal.least:
        return True
    said = re.findall(r"\w+", wrote.get(refusal.step, "").casefold())
    wanted = re.findall(r"\w+", refusal.says.casefold())
    return bool(wanted) and said[: len(wanted)] == wanted


def _failed(why: str, found: tuple[Passage, ...], said: Sequence[Completion]) -> Answer:
    return Answer("", passages=found, completions=tuple(said), finish="error", error=why)


def _votes(program: System) -> int:
    """How many answers are drawn; one where likelihoods choose and nothing before them is drawn, for all are alike."""
    decoding = program.decoding
    alike = decoding.choices and not decoding.by_text and program.reasoning is None
    return 1 if alike else max(1, decoding.votes)


def _drawn(
    program: System, messages: tuple[Message, ...], n: int, found: tuple[Passage, ...]
) -> Generator[Request, Any, Answer]:
    """One answer: the thoughts, where there are any, and what is said after them."""
    decoding = program.decoding
    if _votes(program) > 1:
        decoding = replace(decoding, seed=decoding.seed + n, temperature=decoding.temperature or WARMTH)
    said: list[Completion] = []
    thoughts = ""
    if program.reasoning is not None:
        r = program.reasoning
        drawing = replace(decoding, max_new_tokens=r.max_new_tokens, choices=(), priors=(), schema="", one_line=False)
        thought: Completion = yield Generate(program.model, program.adapters, messages, drawing, "reasoning")
        if thought.error:
            return _failed(thought.error, found, [thought])
        said.append(thought)
        thoughts = thought.text.strip()
        messages = (*messages, Message("assistant", thoughts), Message("user", r.then))
        decoding = replace(decoding, temperature=0.0)  # what is drawn is how it thinks
    if decoding.choices and not decoding.by_text:
        ranked: Likelihoods = yield Rank(program.model, program.adapters, messages, decoding.choices)
        made = _chosen(decoding, ranked, found)
    else:
        made = yield from _written(program, decoding, messages, found)
    return replace(made, reasoning=thoughts, completions=(*said, *made.completions))


def _written(
    program: System, decoding: Decoding, messages: tuple[Message, ...], found: tuple[Passage, ...]
) -> Generator[Request, Any, Answer]:
    """What is written, asked for anew as long as it does not keep its schema and there are retries."""
    said: list[Completion] = []
    valid = None
    for tries_left in range(decoding.retries, -1, -1):
        completion: Completion = yield Generate(program.model, program.adapters, messages, decoding)
        said.append(completion)
        if completion.error:
            break
        why = invalid(completion.text, decoding.schema) if decoding.schema else None
        valid = why is None if decoding.schema else None
        why = why or held(completion.text, decoding.avoid)
        if why is None or not tries_left:
            break
        messages = mended(messages, completion.text, why, decoding.schema)
    last = said[-1]
    text = last.text
    if valid:
        text = from_field(text, decoding.field) if decoding.field else json_in(text)
    if not valid or decoding.choices:
        text = answer_in(text, decoding.choices, decoding.one_line)
    text, citations, findings = citing(text, found) if program.prompt.cites else (text, tuple(p.id for p in found), ())
    stays = held(text, decoding.avoid)
    return Answer(
        text=within(text, decoding.words),
        raw=last.text,
        passages=found,
        citations=citations,
        findings=(*findings, *([stays] if stays else [])),
        completions=tuple(said),
        seconds=last.seconds,
        finish=last.finish,
        error=last.error,
        valid=valid,
    )


def elected(drawn: Sequence[Answer]) -> Answer:
    """The answer that was given most often, case and space apart; of several the one that came first.

    What failed or says nothing has no vote. Scores of classes are those of the votes' mean.
    """
    if len(drawn) == 1:
        return drawn[0]
    all_said = tuple(c for a in drawn for c in a.completions)
    kept = [a for a in drawn if not a.error and a.text.strip()]
    if not kept:
        return replace(drawn[0], completions=all_said)
    votes = Counter(_alike(a.text) for a in kept)
    best = max(votes.values())
    chosen = next(a for a in kept if votes[_alike(a.text)] == best)
    labels = dict.fromkeys(label for a in kept for label in a.label_scores)
    means = {label: sum(a.label_scores.get(label, 0.0) for a in kept) / len(kept) for label in labels}
    return replace(chosen, votes=best, completions=all_said, label_scores=means)


def _alike(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .!")


def _sum(said: Sequence[Completion]) -> float | None:
    """Seconds of all calls; None where nobody measured one."""
    known = [c.seconds for c in said if c.seconds is not None]
    return sum(known) if known else None


def _chosen(decoding: Decoding, ranked: Likelihoods, passages: tuple[Passage, ...]) -> Answer:
    if ranked.error:
        return Answer("", passages=passages, finish="error", error=ranked.error)
    scores = adjusted(decoding, ranked.logprobs, ranked.tokens)
    best = max(range(len(scores)), key=scores.__getitem__)
    # The completion keeps what the model said of each choice (sums and lengths), so that another rule can be tried on
    # dev without asking again.
    said = Completion(
        decoding.choices[best],
        tokens=ranked.tokens,
        logprobs=ranked.logprobs,
        prompt_tokens=ranked.prompt_tokens,
        seconds=ranked.seconds,
        ranked=True,
    )
    return Answer(
        text=decoding.choices[best],
        raw=decoding.choices[best],
        label_scores=dict(zip(decoding.choices, scores, strict=True)),
        passages=passages,
        citations=tuple(p.id for p in passages),
        completions=(said,),
        seconds=ranked.seconds,
    )
