"""What tuning learns from: the program's own prompts, without the examples that stand in them with their answers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from sharpen.config import parse_sum
from sharpen.data import near_duplicates
from sharpen.runtime import prompts
from sharpen.techniques import Bench, NotAvailable, open_technique, why_not
from sharpen.techniques.lora import conversations
from sharpen.testing import tiny_bench
from sharpen.types import Demo, Document, Example, Message, System


def built(does: str, bench: Bench) -> System:
    program = bench.first("fake:")
    for name, options in parse_sum(does):
        program = open_technique(name, options)(program, bench)
    return program


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def asked(example: Example, question: str) -> Example:
    return replace(example, messages=(Message("user", question),))


def test_it_learns_through_the_programs_own_prompt() -> None:
    bench = tiny_bench()
    program = built("retrieve(k=1, how='bm25')", bench)
    rows, dropped = conversations(program, bench.train, bench, 1.0)
    assert dropped == 0
    for row, example in zip(rows, bench.train, strict=True):
        assert [m.role for m in row] == ["system", "user", "assistant"]
        assert row[-1].content == example.targets[0]
        assert example.targets[0] in row[1].content, "the gold passage is given"
        assert row[1].content.endswith(f"Question: {example.question}")


def test_gold_takes_the_place_of_the_last_passage_where_retrieval_missed_it() -> None:
    bench = tiny_bench()
    program = built("retrieve(k=2, how='bm25')", bench)
    lost = tuple(asked(e, "Who knows?") for e in bench.train[:4])
    with_gold, _ = conversations(program, lost, bench, 1.0)
    without, _ = conversations(program, lost, bench, 0.0)
    index = bench.engines.index(program.retriever.index)  # type: ignore[union-attr]
    for example, row, bare in zip(lost, with_gold, without, strict=True):
        first, *_ = index.search(["Who knows?"], 2, "bm25")[0]
        (gold,) = index.covering(example.gold, 1)
        assert first.text in bare[1].content
        assert gold.text in row[1].content
        assert (first.text in row[1].content) or first == gold


@pytest.mark.parametrize("k", [1, 3])
def test_training_sees_what_answering_will_see(k: int) -> None:
    """Entries that hold a question word for word are found for test questions, too: they are not taken away here."""
    bench = tiny_bench()
    entries = [Document(f"faq/{e.id}.md", f"## {e.question}\n\n{e.targets[0]}.") for e in bench.train]
    bench = replace(bench, documents=tuple(entries))
    program = built(f"retrieve(k={k}, how='bm25')", bench)
    plain = tuple(replace(e, gold=()) for e in bench.train)
    rows, _ = conversations(program, plain, bench, 1.0)
    assert [row[:-1] for row in rows] == prompts(program, plain, bench.engines)
    assert all(e.question in row[1].content.rpartition("Question:")[0] for e, row in zip(plain, rows, strict=True))


def test_no_example_is_its_own_shot() -> None:
    bench = tiny_bench()
    program = built("few_shot(k=3, draws=1)", bench)
    shown = {d.example_id for d in program.demos}
    rows, dropped = conversations(program, bench.train, bench, 1.0)
    assert len(shown) == dropped == 3
    assert [row[-2].content for row in rows] == [e.question for e in bench.train if e.id not in shown]


def test_no_near_duplicate_of_a_shot_is_learned_from() -> None:
    bench = tiny_bench()
    one, two, other = bench.train[:3]
    twin = asked(two, one.question.upper().rstrip("?"))
    assert near_duplicates([twin.question], [one.question])
    bench = replace(bench, train=(one, twin, other))
    program = replace(bench.first("fake:"), demos=(Demo(one.question, one.targets[0], example_id=one.id),))
    rows, dropped = conversations(program, bench.train, bench, 1.0)
    assert [row[-2].content for row in rows] == [other.question]
    assert dropped == 2


def test_shots_found_for_each_question_leave_out_its_twins() -> None:
    bench = tiny_bench()
    doubled = tuple(replace(asked(e, e.question.upper().replace("?", " ?!")), id=f"{e.id} again") for e in bench.train)
    bench = replace(bench, train=(*bench.train, *doubled))
    program = built("nearest_shots(k=2, how='bm25')", bench)
    rows, dropped = conversations(program, bench.train, bench, 1.0)
    assert dropped == 0
    for row in rows:
        *shown, own = [words(m.content) for m in row if m.role == "user"]
        assert len(shown) == 2
        assert own not in shown


def test_what_is_left_out_is_noted_and_nothing_left_is_a_reason() -> None:
    bench = tiny_bench()
    notes: list[dict[str, Any]] = []
    bench.note = lambda kind, facts: notes.append(facts) if kind == "training rows" else None
    built("few_shot(k=3, draws=1) + lora", bench)
    assert notes == [{"train": 17, "dev": 10, "left_out": 3}]
    with pytest.raises(NotAvailable, match="no training example is left to learn"):
        built("few_shot(k=1, draws=1) + lora", replace(bench, train=bench.train[:1]))
    bare = tuple(replace(e, targets=()) for e in bench.train)
    with pytest.raises(NotAvailable, match="they have no answer"):
        built("lora", replace(bench, train=bare))


def test_a_tuned_program_is_not_tuned_again() -> None:
    bench = tiny_bench()
    tuned = built("lora", bench)
    can = bench.model(tuned).can
    assert why_not("lora", bench.first("fake:"), bench.task, can) is None
    assert "tuned already" in (why_not("lora", tuned, bench.task, can) or "")
    with pytest.raises(NotAvailable, match="tuned already"):
        open_technique("lora", {})(tuned, bench)
