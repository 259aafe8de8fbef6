"""The technique ``prompt``: a prompt as data becomes how a program asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sharpen.config import parse_sum
from sharpen.errors import UserError
from sharpen.nouns import Completion
from sharpen.parts import find as part_of
from sharpen.prompts import find, render
from sharpen.prompts.shelf import written
from sharpen.techniques import NotAvailable, open_technique, placed
from sharpen.testing import tiny_bench
from sharpen.types import Demo, Step


def opened(does: str, base: Path | None = None):
    ((name, options),) = parse_sum(does)
    return open_technique(name, options, base)


def test_a_prompt_of_the_library_is_how_a_program_asks() -> None:
    bench = tiny_bench()
    before = replace(bench.first("fake:"), demos=(Demo("q", "a"),))
    made = opened("prompt(name='answer')")(before, bench)
    expected = render(find("answer"))
    assert made.prompt == expected.prompt
    assert made.demos == (*expected.demos, Demo("q", "a"))
    assert made.decoding.words == 20
    assert made.decoding.max_new_tokens == before.decoding.max_new_tokens
    assert made.prompt.name.startswith("answer ")
    bare = opened("prompt(name='answer', without=('examples', 'persona'))")(bench.first("fake:"), bench)
    assert not bare.demos
    assert "librarian" not in bare.prompt.instruction


def test_labels_come_from_the_study_and_of_several_one_is_chosen() -> None:
    bench = tiny_bench("classification")
    notes: list[str] = []
    bench.note = lambda kind, facts: notes.append(f"{kind} {facts['candidate']}")
    made = opened("prompt(name=('classify', 'sentiment'))")(bench.first("fake:"), bench)
    assert {"tried classify", "tried sentiment"} <= set(notes)
    own = opened("prompt(name='classify')")(bench.first("fake:"), bench)
    assert ", ".join(bench.labels) in own.prompt.instruction
    assert made.prompt.name.split()[0] in ("classify", "sentiment")
    told = opened("prompt(name='classify', labels='x, y')")(bench.first("fake:"), bench)
    assert "The classes are: x, y." in told.prompt.instruction


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("prompt(name='anwser')", "Did you mean answer"),
        ("prompt(name=3)", "the option name is 3"),
        ("prompt(name=())", "the option name is empty"),
        ("prompt(name='answer', without='task')", "nothing that a prompt can be tried without"),
        ("prompt(name='rewrite', tone='rude')", "the slot tone of the prompt rewrite is none of: polite"),
        ("prompt(name='answer', colour='red')", "have no slot colour"),
        ("prompt(name='none.yaml')", "there is no such file"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_built(does: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        opened(does)


def test_a_file_of_ones_own_lies_beside_the_use_case(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(written(find("answer").model_copy(update={"name": "mine", "tone": "Curt."})))
    bench = tiny_bench()
    made = opened("prompt(name='mine.yaml')", tmp_path)(bench.first("fake:"), bench)
    assert "Tone: Curt." in made.prompt.instruction
    part = part_of("technique", "prompt")
    first = placed(part, {"name": "mine.yaml"}, tmp_path)[1]
    path.write_text(path.read_text().replace("Curt.", "Kind."))
    second = placed(part, {"name": "mine.yaml"}, tmp_path)[1]
    assert len(first) == len(second) == 1
    assert first != second, "an edited file makes another arm"
    assert placed(part, {"name": "answer"}, tmp_path) == ({"name": "answer"}, [])


def test_what_is_wrong_with_all_files_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\ntask: Go.\ntonne: x\nslots: {text: {}}\n")
    with pytest.raises(UserError) as e:
        opened("prompt(name=('bad.yaml', 'anwser'))", tmp_path)
    assert [p.what for p in e.value.problems] == [
        f"{tmp_path / 'bad.yaml'}, line 3: unknown key 'tonne'.",
        "there is no prompt called 'anwser'.",
    ]


def test_nothing_that_stands_in_the_prompt_is_lost() -> None:
    bench = tiny_bench()
    program = bench.first("fake:")
    thought = replace(
        program,
        steps=(Step("plan", "Plan: {question}"),),
        prompt=replace(program.prompt, template="{plan}\n{question}"),
    )
    cited = replace(program, prompt=replace(program.prompt, cites=True))
    for before in (thought, cited):
        with pytest.raises(NotAvailable, match="Write prompt first"):
            opened("prompt(name='answer')")(before, bench)


def test_what_the_data_do_not_fit_is_said(tmp_path: Path) -> None:
    short = find("answer").model_dump(mode="json")
    short["slots"]["text"]["words"] = 1
    (tmp_path / "short.yaml").write_text(written(type(find("answer")).model_validate(short)))
    bench = tiny_bench()
    with pytest.raises(NotAvailable, match="do not fit the slot text of the prompt answer"):
        opened("prompt(name='short.yaml')", tmp_path)(bench.first("fake:"), bench)
    classes = tiny_bench("classification")
    if classes.first("fake:").decoding.choices:
        with pytest.raises(NotAvailable, match="asks for JSON"):
            opened("prompt(name='extract')")(classes.first("fake:"), classes)


def test_the_model_writes_other_wordings_and_dev_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four lines one lacks an order, one has a slot of its own; the others are tried, and their origin is told."""
    bench = tiny_bench()
    program = bench.first("fake:")
    said = '1. Find the answer to the question.\n- The answer.\nAnswer {this}.\n"Give the answer."\n'
    asked = []

    def generate(self, requests):
        asked.extend(r for r in requests if r.purpose == "prompt")
        for i, request in enumerate(requests):
            yield i, Completion(said if request.purpose == "prompt" else "?")

    monkeypatch.setattr(type(bench.model(program)), "generate", generate)
    notes: list[str] = []
    bench.note = lambda kind, facts: notes.append(facts["candidate"])
    made = opened("prompt(name='answer', written=3)")(program, bench)
    assert len(asked) == 1
    known = {e.question for e in (*bench.train, *bench.dev)}
    assert not any(q in m.content for m in asked[0].messages for q in known)
    assert {n for n in notes if "written" in n} == {
        "answer, written 1 by the model: Find the answer to the question.",
        "answer, written 2 by the model: Give the answer.",
    }
    assert made.prompt == render(find("answer")).prompt, "of equal ones the first"
    with pytest.raises(UserError, match="the option written is -1"):
        opened("prompt(written=-1)")
