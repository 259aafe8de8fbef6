"""What is told of an answer while it is written is the answer, whole, and never taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.models.fake import FakeModel
from sharpen.runtime import Engines, batch, streamed
from sharpen.runtime.streaming import Shown
from sharpen.store import Store
from sharpen.types import Completion, Decoding, Example, Generate, Message, Prompt, Reasoning, Step, System

LONG = "The tower of the old town was painted red by Anna in the spring of the year nineteen hundred and two."


class Saying(FakeModel):
    """Says one thing, in pieces."""

    def __init__(self, text: str, size: int = 3) -> None:
        super().__init__()
        self.text, self.size = text, size

    def generate(self, requests: Any) -> Iterator[tuple[int, Completion]]:
        yield from ((i, Completion(self.text)) for i, _ in enumerate(requests))

    def stream(self, request: Generate) -> Iterator[tuple[str, Completion | None]]:
        pieces = [self.text[i : i + self.size] for i in range(0, len(self.text), self.size)]
        for piece in pieces[:-1]:
            yield piece, None
        yield pieces[-1] if pieces else "", Completion(self.text)


def run(tmp_path: Path, model: Any, program: System) -> tuple[Any, list[str]]:
    engines = Engines(Store(tmp_path), lambda ref, adapters: model)
    told: list[str] = []
    example = Example("q", (Message("user", "What was painted?"),))
    answer = streamed(program, example, engines, told.append)
    assert answer == next(batch(program, [example], engines))[1]
    return answer, told


PROGRAM = System("fake:")


@pytest.mark.parametrize(
    ("text", "changes", "in_pieces"),
    [
        (LONG, {}, True),
        (f"Answer: {LONG}", {}, True),
        (f"{LONG}\nAnd what nobody asked for.", {}, True),
        (f'"{LONG}"', {}, False),
        (LONG, {"decoding": Decoding(schema='{"type": "object"}')}, False),
        (LONG, {"decoding": Decoding(votes=3)}, False),
        (LONG, {"decoding": Decoding(words=4)}, False),
        (f"{LONG} [1] And so it is, as can be seen [2, 3].", {"prompt": Prompt(cites=True)}, True),
        ("Red.", {}, False),
        ("", {}, False),
    ],
)
def test_the_pieces_are_the_answer(tmp_path: Path, text: str, changes: Any, in_pieces: bool) -> None:
    answer, told = run(tmp_path, Saying(text), replace(PROGRAM, **changes))
    assert "".join(told) == answer.text
    assert (len(told) > 3) == in_pieces


def test_what_comes_before_the_answer_is_not_told(tmp_path: Path) -> None:
    program = replace(PROGRAM, steps=(Step("facts", "List: {question}"),), reasoning=Reasoning())
    answer, told = run(tmp_path, Saying(LONG), program)
    assert answer.steps == {"facts": LONG}
    assert answer.reasoning == LONG
    assert "".join(told) == LONG


def test_an_engine_that_does_not_stream_is_told_at_once(tmp_path: Path) -> None:
    model = Saying(LONG)
    model.can = frozenset({"generate"})
    assert run(tmp_path, model, PROGRAM)[1] == [LONG]


def test_the_fake_model_streams_what_it_says() -> None:
    request = Generate("fake:", (), (Message("user", "What is it?"),), Decoding())
    pieces = list(FakeModel().stream(request))
    whole = next(iter(FakeModel().generate([request])))[1]
    assert "".join(p for p, _ in pieces) == whole.text
    assert pieces[-1][1] == whole
    assert len(pieces) > 5


@given(st.text(alphabet='ab .[]1"*\nA:', max_size=120), st.booleans(), st.booleans())
def test_nothing_is_taken_back_whatever_is_written(raw: str, one_line: bool, cites: bool) -> None:
    told: list[str] = []
    shown = Shown(told.append, one_line, cites)
    for n in range(len(raw) + 1):
        shown.grew(raw[:n])
    before = shown.text
    shown.ended("the end")
    assert "".join(told) in (f"{before}\nthe end", "the end")
