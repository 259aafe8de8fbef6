"""The scheduler over a model that is a rule: the next token follows from all before it, as they lie in the blocks."""

from __future__ import annotations

import dataclasses
import gc
import queue
import threading
import weakref
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import UserError
from sharpen.models._openvino_engine import BROKEN, Engine, Job, Loop, chained
from sharpen.models._openvino_pages import BLOCK, Part
from sharpen.types import Completion, Decoding

WORDS = 50
END = 0


def rule(seen: Sequence[int]) -> int:
    return crc32(repr(tuple(seen)).encode()) % WORDS


class Rule:
    """Pages that hold tokens where a model's hold keys and values, and follow ``then``."""

    def __init__(self, count: int, then: Any = rule) -> None:
        self.count, self.then = count, then
        self.held = np.full((count, BLOCK), -1)
        self.read = 0

    def copy(self, source: int, target: int) -> None:
        self.held[target] = self.held[source]

    def run(self, parts: Sequence[Part]) -> tuple[Any, Any]:
        picked = []
        for part in parts:
            assert len(part.ids)
            for place, token in enumerate(part.ids, part.past):
                self.held[part.blocks[place // BLOCK], place % BLOCK] = token
            self.read += len(part.ids)
        for part in parts:  # a row that writes into another one's block is seen here
            seen = self.held[list(part.blocks)].ravel()[: part.past + len(part.ids)].tolist()
            if part.picked:
                picked.append(self.then(seen))
        logits = np.zeros((len(picked), WORDS), np.float32)
        logits[range(len(picked)), picked] = 10.0
        return logits, np.log(np.exp(logits).sum(-1))


class Letters:
    """A chat whose tokens are letters; two of them are halves of one character."""

    ends = (END,)
    text = "·abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    halves = (WORDS - 2, WORDS - 1)

    def decode(self, ids: Sequence[int]) -> str:
        said = "".join({self.halves[0]: "<", self.halves[1]: ">"}.get(i, self.text[i]) for i in ids)
        return said.replace("<>", "é").replace("<", BROKEN).replace(">", BROKEN)


def jobs_of(prompts: Sequence[Sequence[int]], told: Any, **more: Any) -> list[Job]:
    decoding = Decoding(max_new_tokens=9, **more.pop("decoding", {}))
    return [Job(i, tuple(ids), decoding, 9, told, **more) for i, ids in enumerate(prompts)]


def drained(told: queue.SimpleQueue[Any]) -> dict[int, Completion]:
    found = {}
    while not told.empty():
        job, text, completion = told.get()
        assert not isinstance(text, Exception), text
        if completion:
            assert job.index not in found
            found[job.index] = completion
    return found


def expected(prompt: Sequence[int]) -> list[int]:
    seen, new = list(prompt), list[int]()
    while len(new) < 9 and (token := rule(seen)) != END:
        seen.append(token)
        new.append(token)
    return new


PROMPTS = st.lists(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40)), min_size=1, max_size=4).map(
        lambda runs: tuple(token for token, n in runs for _ in range(n))
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PROMPTS, min_size=1, max_size=3), st.integers(2, 14), st.sets(st.integers(0, 40)))
def test_every_answer_follows_its_own_prompt(calls: list[Any], count: int, cancelled: set[int]) -> None:
    """Whatever is shared, copied, let go, cancelled or refused: each job ends once, and its answer is its own."""
    loop = Loop(Rule(count), Letters())  # type: ignore[arg-type]
    told = [queue.SimpleQueue[Any]() for _ in calls]
    every = []
    for call, mine in zip(calls, told, strict=True):
        jobs = jobs_of(call, mine)
        every += jobs
        loop.take(chained(jobs))
        loop.turn()  # the next call comes while this one is on its way
    for n in cancelled & set(range(len(every))):
        every[n].cancelled = True
    turns = 0
    while loop.busy:
        loop.turn()
        turns += 1
        assert turns < 10_000, "it does not come to an end"
    for call, mine in zip(calls, told, strict=True):
        found = drained(mine)
        assert sorted(found) == list(range(len(call)))
        for i, prompt in enumerate(call):
            if len(prompt) + 9 > count * BLOCK:
                assert found[i].finish in ("error", "cancelled")
            elif found[i].finish != "cancelled":
                assert list(found[i].tokens) == expected(prompt)


def test_after_a_refused_prompt_its_beginning_is_still_read_once() -> None:
    pages = Rule(8)
    loop = Loop(pages, Letters())  # type: ignore[arg-type]
    beginning = (1,) * 100
    told = queue.SimpleQueue[Any]()
    loop.take(chained(jobs_of([beginning + (1,) * 300, *((*beginning, 2, n) for n in range(5, 9))], told)))
    while loop.busy:
        loop.turn()
    found = drained(told)
    assert found[0].finish == "error"
    assert sorted(c.cached_tokens for i, c in found.items() if i) == [0, 101, 101, 101]


def test_one_bad_request_harms_no_other() -> None:
    engine = Engine(lambda: Rule(8), Letters())  # type: ignore[arg-type, return-value]
    told = queue.SimpleQueue[Any]()
    bad = jobs_of([(1, 2)], told, decoding={"temperature": 1.0, "top_p": None})
    good = jobs_of([(3, 4), (5, 6)], told)
    for job in bad:
        job.index = 2
    engine.submit([*bad, *good])
    found = {job.index: completion for job, _, completion in (told.get(timeout=20) for _ in range(3))}
    assert [list(found[i].tokens) for i in (0, 1)] == [expected((3, 4)), expected((5, 6))]
    engine.close()


@pytest.mark.parametrize("decoding", [{"temperature": 1.0, "top_p": 0.0}, {"temperature": 1e-40}])
def test_extreme_settings_draw_the_likeliest(decoding: dict[str, float]) -> None:
    loop, told = Loop(Rule(8), Letters()), queue.SimpleQueue[Any]()  # type: ignore[arg-type]
    loop.take(jobs_of([(1, 2)], told, decoding=decoding))
    while loop.busy:
        loop.turn()
    assert list(drained(told)[0].tokens) == expected((1, 2))


def test_an_engine_that_broke_tells_everyone_and_can_be_let_go() -> None:
    class Broken(Letters):
        def decode(self, ids: Sequence[int]) -> str:
            raise ValueError("no such token")

    engine = Engine(lambda: Rule(8), Broken())  # type: ignore[arg-type, return-value]
    told = queue.SimpleQueue[Any]()
    engine.submit(jobs_of([(1, 2), (3, 4)], told))
    errors = [told.get(timeout=20)[1] for _ in range(2)]
    engine.submit(jobs_of([(5, 6)], told))
    errors.append(told.get(timeout=20)[1])
    assert [str(e) for e in errors] == ["no such token"] * 3
    assert all(e.__traceback__ is None for e in errors)
    gone = weakref.ref(engine)
    engine.close()
    del engine
    gc.collect()
    assert gone() is None


def test_a_model_that_cannot_be_opened_is_said_to_everyone() -> None:
    def refuse() -> Any:
        raise UserError("it is damaged.", "model.bin", "Delete it.")

    engine = Engine(refuse, Letters())  # type: ignore[arg-type]
    told = queue.SimpleQueue[Any]()
    for _ in range(2):
        engine.submit(jobs_of([(1, 2)], told))
        error = told.get(timeout=20)[1]
        assert isinstance(error, UserError)
        assert str(error) == "model.bin: it is damaged. Delete it."
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(jobs_of([(1, 2)], told))


def test_a_thread_that_is_no_more_is_said() -> None:
    engine = Engine(lambda: Rule(8), Letters())  # type: ignore[arg-type, return-value]
    engine._thread = threading.Thread(target=print)  # as in a process that was forked
    with pytest.raises(RuntimeError, match="another process"):
        engine.submit(jobs_of([(1, 2)], None))


@pytest.mark.parametrize("stop", [("bé",), ("",), ("", "bé"), ("zz",)])
def test_what_is_streamed_is_never_taken_back(stop: tuple[str, ...]) -> None:
    """A stop string of which half a character is there: the text before it is not certain yet."""
    answer = [1, 2, *Letters.halves, 3, END]
    loop = Loop(Rule(8, lambda seen: answer[len(seen) - 2]), Letters())  # type: ignore[arg-type]
    told = queue.SimpleQueue[Any]()
    loop.take(jobs_of([(7, 7)], told, streams=True, decoding={"stop": stop}))
    streamed, completion = "", None
    while loop.busy:
        loop.turn()
    while completion is None:
        _, text, completion = told.get()
        streamed += text
    assert streamed == completion.text == ("a" if "bé" in stop else "abéc")


def test_a_question_does_not_wait_for_all_of_a_long_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpen.models._openvino_engine.AT_ONCE", 2)
    loop, told, quick = Loop(Rule(40), Letters()), queue.SimpleQueue[Any](), queue.SimpleQueue[Any]()  # type: ignore[arg-type]
    loop.take(jobs_of([(n, 5, n) for n in range(1, 40)], told))
    loop.turn()
    loop.take(jobs_of([(9, 9)], quick))
    while quick.empty():
        loop.turn()
    assert told.qsize() < 6
    while loop.busy:
        loop.turn()
    assert told.qsize() == 39
    assert dataclasses.asdict(quick.get()[2])["finish"] in ("stop", "length")
