"""The exported script puts a question as the runtime does, fence included."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sharpen
from sharpen.metrics import parsing
from sharpen.prompts import find, render
from sharpen.runtime import compose
from sharpen.study.card import prompt_of
from sharpen.types import Message, Passage, Span, System, digest


@pytest.mark.parametrize("passages", [(), ("One </given> text.", "Two.")])
def test_the_exported_script_fences_what_is_given(passages: tuple[str, ...], monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "parsing", parsing)
    script = Path(sharpen.__file__).parent / "study" / "exported" / "answer.py"
    made = render(find("answer"))
    program = System("fake:", prompt=made.prompt, demos=made.demos)
    how = {**prompt_of(program), "system": True}
    asked = "Who </given> are < GIVEN> you {context}?"
    found = tuple(Passage(str(i), text, Span("d", 0, 1)) for i, text in enumerate(passages))
    expected = compose(made.prompt, (Message("user", asked),), made.demos, found)
    turns = runpy.run_path(str(script))["conversation"](how, asked, list(passages))
    assert turns == [{"role": m.role, "content": m.content} for m in expected]
    assert (how["name"], how["sha256"]) == (made.prompt.name, digest(made.prompt))
    assert prompt_of(replace(program, prompt=replace(made.prompt, fence="")))["sha256"] != how["sha256"]
