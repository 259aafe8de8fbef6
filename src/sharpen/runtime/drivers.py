"""The two drivers of the answer path, and the prompts that training learns from."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sharpen.runtime.answering import answering
from sharpen.runtime.composing import slots_of
from sharpen.runtime.engines import Engines
from sharpen.runtime.finding import finding
from sharpen.types import Answer, Example, Generate, Judge, Message, Passage, Rank, Retriever, Search, System

Run = Generator[Any, Any, Answer]


def batch(program: System, examples: Sequence[Example], engines: Engines) -> Iterator[tuple[int, Answer]]:
    """Answer many questions; yield ``(position, answer)`` as they finish.

    Requests of one kind to one engine become one batched call.
    """
    runs: dict[int, Run] = {i: answering(program, e) for i, e in enumerate(examples)}
    waiting: dict[int, Any] = {}
    for i, run in runs.items():
        waiting[i] = next(run)  # a program always asks at least one thing
    while waiting:
        groups: dict[Any, list[int]] = defaultdict(list)
        for i, request in waiting.items():
            groups[_key(request)].append(i)
        # Searches first: they are cheap, and what they lead to joins the model calls of the same round.
        key = min(groups, key=lambda k: (k[0] not in (Search, Judge), len(groups[k])))
        members = dict(enumerate(groups[key]))
        for position, result in _carry_out([waiting[i] for i in members.values()], engines):
            i = members.pop(position)
            try:
                waiting[i] = runs[i].send(result)
            except StopIteration as stop:
                del waiting[i], runs[i]
                yield i, stop.value
        if members:  # asking again would go on for ever
            raise RuntimeError(f"{key[1]} left {len(members)} of {len(groups[key])} requests without a result")


def _key(request: Any) -> tuple[Any, ...]:
    if isinstance(request, Search):
        return Search, request.index, request.k, request.how, request.where
    if isinstance(request, Judge):
        return Judge, request.reranker
    return type(request), request.model, request.adapters


def _carry_out(requests: list[Any], engines: Engines) -> Iterator[tuple[int, Any]]:
    """Carry out requests of one kind to one engine."""
    first = requests[0]
    if isinstance(first, Search):
        yield from enumerate(_search(requests, engines))
        return
    if isinstance(first, Judge):
        yield from enumerate(engines.reranker(first.reranker).judge([(r.query, r.passages) for r in requests]))
        return
    model = engines.model(first.model, first.adapters)
    yield from model.generate(requests) if isinstance(first, Generate) else model.score(requests)


def carry_out_one(request: Any, engines: Engines) -> Any:
    """Carry out one request to its end."""
    results = [result for _, result in _carry_out([request], engines)]
    if len(results) != 1:
        raise RuntimeError(f"{_key(request)[1]} gave {len(results)} results to one request")
    return results[0]


def _search(requests: Sequence[Search], engines: Engines) -> list[tuple[Passage, ...]]:
    first = requests[0]
    index = engines.index(first.index)
    if first.how == "gold":
        return [index.covering(r.gold, first.k) for r in requests]
    return index.search([r.query for r in requests], first.k, first.how, dict(first.where))


async def answer(
    program: System, example: Example, engines: Engines, on_request: Callable[[Any], None] | None = None
) -> Answer:
    """Answer one question without blocking the event loop; engines work in a thread."""
    run = answering(program, example)
    request = next(run)
    while True:
        if on_request:
            on_request(request)
        result = await asyncio.to_thread(carry_out_one, request, engines)
        try:
            request = run.send(result)
        except StopIteration as stop:
            done: Answer = stop.value
            return done


def found_for(
    retriever: Retriever, examples: Sequence[Example], steps: Sequence[Mapping[str, str]], engines: Engines
) -> list[tuple[Passage, ...]]:
    """Return what a retriever gives for each question; ``steps`` is what the steps before the search wrote for it."""
    runs = [finding(retriever, e, {**slots_of(e), **wrote}) for e, wrote in zip(examples, steps, strict=True)]
    waiting = {i: next(run) for i, run in enumerate(runs)}
    done: dict[int, tuple[Passage, ...]] = {}
    while waiting:
        groups: dict[Any, list[int]] = defaultdict(list)
        for i, request in waiting.items():
            groups[_key(request)].append(i)
        following: dict[int, Any] = {}
        for members in groups.values():
            for at, result in _carry_out([waiting[i] for i in members], engines):
                i = members[at]
                try:
                    following[i] = runs[i].send(result)
                except StopIteration as stop:
                    done[i] = stop.value
        waiting = following
    return [done[i] for i in range(len(examples))]


def prompts(
    program: System,
    examples: Sequence[Example],
    engines: Engines,
    passages: Callable[[Example, tuple[Passage, ...]], tuple[Passage, ...]] | None = None,
) -> list[tuple[Message, ...]]:
    """Return the messages that each question's answer is asked for with: what training has to learn from.

    The steps before it, and the thoughts, are written by the program as it is.

    ``passages`` may change what was found for an example (training puts the gold passage among distractors). Nothing is
    refused, because what is learned is to answer; where a step fails there are no messages.
    """
    runs: list[Run] = [answering(replace(program, refusal=None), e) for e in examples]
    waiting = {i: next(run) for i, run in enumerate(runs)}
    done: dict[int, tuple[Message, ...]] = {}
    while waiting:
        groups: dict[Any, list[int]] = defaultdict(list)
        for i, request in waiting.items():
            if isinstance(request, Rank) or (isinstance(request, Generate) and request.purpose == "answer"):
                done[i] = request.messages
            else:
                groups[_key(request)].append(i)
        following: dict[int, Any] = {}
        for members in groups.values():
            for at, found in _carry_out([waiting[i] for i in members], engines):
                i = members[at]
                r = program.retriever
                own = r is not None and isinstance(waiting[i], Search) and waiting[i].index == r.index
                try:
                    following[i] = runs[i].send(passages(examples[i], found) if passages and own else found)
                except StopIteration:
                    done[i] = ()
        waiting = following
    for run in runs:
        run.close()
    return [done[i] for i in range(len(examples))]
