"""Options of techniques: what can be written in an arm, and what is said of what cannot."""

from __future__ import annotations

import pytest

from sharpen.config import parse_sum
from sharpen.errors import UserError
from sharpen.techniques import open_technique
from sharpen.testing import tiny_bench


def opened(does: str):
    ((name, options),) = parse_sum(does)
    return open_technique(name, options)


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("few_shot(k='three')", "the option k is 'three'"),
        ("few_shot(k=0)", "Write a whole number from 1, or several: k=(1, 3)"),
        ("few_shot(k=())", "the option k is ()"),
        ("few_shot(k=(1, 'x'))", "the option k is"),
        ("few_shot(draws=(1, 2))", "the option draws"),
        ("few_shot(shots=3)", "the technique few_shot has no option shots. It has: k, draws."),
        ("nearest_shots(k=True)", "the option k is True"),
        ("nearest_shots(how='magic')", "It is one of: dense, bm25, hybrid."),
        ("retrieve(k=1.5)", "the option k is 1.5"),
        ("retrieve(how='densely')", "It is one of: auto, hybrid, dense, bm25."),
        ("retrieve(size='big')", "the option size is 'big'"),
        ("instruct(instructions=(1, 2))", "the option instructions is (1, 2)"),
        ("lora(rank=8)", "lora has no option rank"),
        ("lora(learning_rat=1)", "Did you mean learning_rate?"),
        ("lora(r='eight')", "an option of lora has a value of the wrong kind"),
        ("lora(r=0)", "r is 0. It must be at least 1."),
        ("lora(choose='best')", "the option choose is 'best'. It is one of: dev, loss, last."),
        ("lora(gold_share=2)", "the option gold_share is 2. Write a share from 0 to 1."),
    ],
)
def test_a_wrong_option_is_a_sentence_before_anything_is_built(does: str, says: str) -> None:
    with pytest.raises(UserError) as e:
        opened(does)
    assert says in str(e.value)


@pytest.mark.parametrize("does", ["few_shot(k=1, draws=1)", "few_shot(k=(1,))", "few_shot(k=[1, 1], draws=1)"])
def test_one_number_or_several(does: str) -> None:
    bench = tiny_bench()
    assert len(opened(does)(bench.first("fake:"), bench).demos) == 1


def test_one_instruction_or_several() -> None:
    bench = tiny_bench()
    notes: list[str] = []
    bench.note = lambda kind, facts: notes.append(facts.get("candidate", ""))
    opened("instruct(instructions='Say {goal}')")(bench.first("fake:"), bench)
    assert any("Say Tell visitors about our rooms." in n for n in notes)


def test_lora_learns_through_the_programs_own_prompt() -> None:
    from sharpen.techniques.lora import conversations

    bench = tiny_bench()
    program = opened("retrieve(k=1, how='bm25')")(bench.first("fake:"), bench)
    rows, dropped = conversations(program, bench.train, bench, 1.0)
    assert dropped == 0
    for row, example in zip(rows, bench.train, strict=True):
        assert [m.role for m in row] == ["system", "user", "assistant"]
        assert row[-1].content == example.targets[0]
        assert example.targets[0] in row[1].content, "the gold passage is given"
        assert row[1].content.endswith(f"Question: {example.question}")


def test_gold_takes_the_place_of_the_last_passage_where_retrieval_missed_it() -> None:
    from dataclasses import replace

    from sharpen.techniques.lora import conversations
    from sharpen.types import Message

    bench = tiny_bench()
    program = opened("retrieve(k=2, how='bm25')")(bench.first("fake:"), bench)
    lost = tuple(replace(e, messages=(Message("user", "Who knows?"),)) for e in bench.train[:4])
    with_gold, _ = conversations(program, lost, bench, 1.0)
    without, _ = conversations(program, lost, bench, 0.0)
    index = bench.engines.index(program.retriever.index)  # type: ignore[union-attr]
    for example, row, bare in zip(lost, with_gold, without, strict=True):
        first, *_ = index.search(["Who knows?"], 2, "bm25")[0]
        (gold,) = index.covering(example.gold, 1)
        assert first.text in bare[1].content
        assert gold.text in row[1].content
        assert (first.text in row[1].content) or first == gold
