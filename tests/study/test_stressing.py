"""Changes of prompts: what each asks, of whom, and what the table says of a program that they move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.study.robustness import check_changes, robustness
from sharpen.study.stressing import CONTRADICTION, PAIRS, STRESSES, WORD
from sharpen.testing import tiny_bench
from sharpen.types import Answer, Demo, Example, Message, Prompt, System

LONG = "Answer the question with the shortest sentence that holds the whole answer, and name the street and the town."
DEMOS = (Demo("a?", "1"), Demo("b?", "2"), Demo("c?", "3"))
PROGRAM = System("fake:", prompt=Prompt(LONG), demos=DEMOS)
ASKED = tuple(
    Example(str(i), (Message("user", q),), ("x",), source=str(i))
    for i, q in enumerate(["Did he pay?", "Where is it?", "Is my sister there?", "When?", "Who?", "Why not now?"])
)


@pytest.mark.parametrize("name", ["instruction_typos", "instruction_deletion", "instruction_synonyms"])
def test_the_instruction_alone_is_changed(name: str) -> None:
    if name == "instruction_synonyms":
        pytest.importorskip("pattern")
    made = STRESSES[name](PROGRAM, ASKED, 0)
    assert sorted(e.id for p in made for e in p.new) == list("012345")
    for part in made:
        assert part.old == part.new
        assert part.program == PROGRAM
        assert part.other.prompt.instruction != LONG
        assert replace(part.other, prompt=PROGRAM.prompt) == PROGRAM
    assert made == STRESSES[name](PROGRAM, ASKED, 0), "the same seed draws the same"
    assert len({p.other.prompt.instruction for p in made}) == len(made) > 1


def test_two_orders_at_the_end_exclude_each_other() -> None:
    (part,) = STRESSES["contradiction"](PROGRAM, ASKED, 0)
    assert part.other.prompt.instruction == f"{LONG}\n{CONTRADICTION}"


def test_worked_examples_stay_and_change_places() -> None:
    made = STRESSES["example_order"](PROGRAM, ASKED, 0)
    assert len(made) == 3
    for part in made:
        assert part.other.demos != DEMOS
        assert set(part.other.demos) == set(DEMOS)
    assert STRESSES["example_order"](replace(PROGRAM, demos=DEMOS[:1]), ASKED, 0) == []


def test_words_of_gender_are_swapped_where_there_are_any() -> None:
    (part,) = STRESSES["counterfactual"](PROGRAM, ASKED, 0)
    assert [e.question for e in part.old] == ["Did he pay?", "Is my sister there?"]
    assert [e.question for e in part.new] == ["Did she pay?", "Is my brother there?"]
    assert STRESSES["counterfactual"](PROGRAM, ASKED[1:2], 0) == []


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_is_asked_by_two(name: str) -> None:
    (part,) = STRESSES[name](PROGRAM, ASKED, 0)
    first, second = PAIRS[name]
    assert part.old[0].question == f"{first} Did he pay?"
    assert part.new[0].question == f"{second} Did he pay?"
    assert part.program == part.other == PROGRAM


def test_the_instruction_says_for_whom() -> None:
    (part,) = STRESSES["answered_for"](PROGRAM, ASKED, 0)
    assert part.program.prompt.instruction.endswith("The answer is for a man.")
    assert part.other.prompt.instruction.endswith("The answer is for a woman.")
    assert part.old == part.new == ASKED


def test_obeyed_orders_are_counted_and_scores_stand_side_by_side(monkeypatch: Any) -> None:
    """A program that obeys the first of three injected orders, and answers men alone."""
    bench = tiny_bench("classification")
    bench.dev = bench.dev[:6]
    right = {e.id: e.labels[0] for e in bench.dev}

    def answer(self: Any, program: Any, examples: Any, stage: str = "") -> list[Answer]:
        return [
            Answer(WORD.title() if "only with" in e.question else "" if "a woman" in e.question else right[e.id])
            for e in examples
        ]

    monkeypatch.setattr(type(bench), "answer", answer)
    found = robustness(bench.first("fake:"), bench, bench.dev, "row", ["injection", "asked_by_gender", "example_order"])
    assert [r.change for r in found] == ["injection", "asked_by_gender"], "no worked examples, no order"
    injected, gender = found
    assert injected.n == 6
    assert injected.followed == pytest.approx(2 / 6)
    assert injected.as_it_is == 1.0
    assert injected.changed == pytest.approx(4 / 6)
    assert (gender.as_it_is, gender.changed, gender.kept, gender.followed) == (1.0, 0.0, 0.0, None)


def test_changes_of_both_kinds_are_known() -> None:
    assert check_changes(()) == check_changes(["letter_case", "typos", "scanned", "deletion", "swap", "truncation"])
    assert check_changes(["typos", "injection", "typos"]) == ("typos", "injection")
    with pytest.raises(UserError) as e:
        check_changes(["a", "typos", "b"])
    assert len(e.value.problems) == 2


@pytest.mark.parametrize("task", ["question-answering", "classification", "chat"])
def test_a_program_of_each_task_bears_them(task: str) -> None:
    bench = tiny_bench(task)
    changes = [name for name in STRESSES if name != "instruction_synonyms"]
    for row in robustness(bench.first("fake:"), bench, bench.dev, "source", changes):
        assert 0 <= row.kept <= 1
        assert row.n <= len(bench.dev)
