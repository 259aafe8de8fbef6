"""What is written beside exported weights says of every program what of it the files do not do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sharpen.study.card import _ways, beyond, prompt_of
from sharpen.types import Decoding, Demo, Prompt, Reasoning, Refusal, Shots, Step, System

PLAIN = System("m", prompt=Prompt("Be brief."), demos=(Demo("Q", "A"),))


def test_a_plain_program_is_carried_whole() -> None:
    assert beyond(PLAIN) == []
    assert "`answer.py` does it all" in _ways("hf", PLAIN)
    assert {"steps", "reasoning", "votes", "schema"}.isdisjoint(prompt_of(PLAIN))


@pytest.mark.parametrize(
    ("program", "says", "key"),
    [
        (replace(PLAIN, shots=Shots("i", 4)), "the 4 nearest training examples", "nearest_examples"),
        (replace(PLAIN, steps=(Step("facts", "{question}"),)), "before the answer (facts)", "steps"),
        (replace(PLAIN, reasoning=Reasoning("Think.")), "thinks before it answers", "reasoning"),
        (replace(PLAIN, decoding=Decoding(votes=5)), "5 answers are drawn", "votes"),
        (replace(PLAIN, decoding=Decoding(schema="{}", field="answer")), "JSON Schema", "schema"),
        (replace(PLAIN, decoding=Decoding(avoid=("sorry",))), "must not are asked for anew", "avoid"),
        (replace(PLAIN, decoding=Decoding(words=30)), "cut at 30 words", "words"),
        (replace(PLAIN, prompt=Prompt(cites=True)), "cited", "cites"),
        (replace(PLAIN, prompt=Prompt(fence="data")), "a tag that they cannot end", "fence"),
        (replace(PLAIN, prompt=Prompt(history=0)), "earlier turns", "history"),
        (replace(PLAIN, refusal=Refusal("No.", step="check")), "are not answered", "refusal"),
    ],
)
@pytest.mark.parametrize("format", ["hf", "gguf"])
def test_what_the_script_cannot_do_is_said_and_kept_as_data(program: System, says: str, key: str, format: str) -> None:
    assert says in "; ".join(beyond(program))
    said = _ways(format, program)
    assert says in said
    assert "cannot be had from these alone: use `sharpen ask`" in said
    assert "does it all" not in said
    assert key in json.loads(json.dumps(prompt_of(program)))


def test_worked_examples_are_kept_as_they_are_shown() -> None:
    demo = Demo("Q", "A", reasoning="Thus.", steps=(("facts", "- one"),))
    (kept,) = prompt_of(replace(PLAIN, demos=(demo,), decoding=Decoding(schema="{}", field="answer")))["demos"]
    assert kept["answer"] == '{"answer": "A"}'
    assert (kept["reasoning"], kept["steps"]) == ("Thus.", {"facts": "- one"})
