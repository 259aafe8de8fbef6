"""The contract that every technique keeps, alone and in sums, on the fake model."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from sharpen import parts
from sharpen.config import parse_sum
from sharpen.techniques import NotAvailable, open_technique, why_not
from sharpen.techniques.bench import Bench
from sharpen.testing import TASKS, check_technique, tiny_bench
from sharpen.types import System, Technique

EMBEDS = True  # as its parts do, a sum of them may
NAMES = sorted(n for n, p in parts.all_parts("technique").items() if p.origin == "sharpen")
SUMS = ["few_shot + lora", "retrieve + few_shot", "retrieve + lora", "nearest_shots + lora", "instruct + few_shot"]
SUMS += ["retrieve + nearest_shots", "retrieve + instruct + few_shot + lora", "few_shot + retrieve"]
SUMS += ["retrieve + rerank(model='fake:', fetch=(3, 5))", "retrieve + rerank(model='fake:') + few_shot + lora"]
SUMS += ["retrieve(k=2) + expand + rerank(model='fake:') + order(words=(20, 0)) + few_shot"]
SUMS += ["retrieve(chunk=('paragraphs', 'meaning'), parent=(0, 50)) + order"]


def a_sum(does: str) -> Technique:
    steps = [open_technique(name, options) for name, options in parse_sum(does)]

    def improve(program: System, bench: Bench) -> System:
        for step in steps:
            program = step(program, bench)
        return program

    return improve


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_technique_keeps_the_contract(name: str, task: str) -> None:
    check_technique(name, [task])


@pytest.mark.parametrize("does", SUMS)
def test_a_sum_keeps_the_contract(does: str) -> None:
    check_technique(lambda: a_sum(does), ["question-answering", "classification"])


@pytest.mark.parametrize("name", NAMES)
def test_why_not_is_a_sentence_or_nothing(name: str) -> None:
    bench = tiny_bench()
    for can in (frozenset(), frozenset({"generate"}), frozenset({"score"}), frozenset({"generate", "score", "tune"})):
        reason = why_not(name, bench.first("fake:"), bench.task, can)
        assert reason is None or reason.strip()
    assert why_not(name, bench.first("fake:"), bench.task, bench.model(bench.first("fake:")).can) is None


def test_a_hosted_model_cannot_be_tuned_here() -> None:
    bench = tiny_bench()
    assert "cannot be trained" in (why_not("lora", bench.first("fake:"), bench.task, frozenset({"generate"})) or "")


def scores(does: str, documents: bool = True) -> dict[str, float]:
    bench = tiny_bench(documents=documents)
    tried = bench.score(a_sum(does)(bench.first("fake:"), bench))
    return dict(zip([m.name for m in bench.metrics], tried.values, strict=True))


def test_the_levers_do_what_they_are_for() -> None:
    """The fake model knows no facts and is long-winded: retrieval brings facts, examples and training brevity."""
    assert scores("baseline")["exact_match"] == 0
    assert scores("few_shot")["exact_match"] == 0
    assert scores("lora")["exact_match"] == 0
    assert scores("retrieve")["exact_match"] == 0
    assert scores("retrieve")["token_f1"] > scores("baseline")["token_f1"]
    assert scores("retrieve + few_shot")["exact_match"] >= 0.9
    assert scores("retrieve + lora")["exact_match"] >= 0.9


def test_conversations_of_one_turn_are_shown_to_others() -> None:
    bench = tiny_bench("chat")
    shown = a_sum("few_shot(k=3, draws=1)")(bench.first("fake:"), bench).demos
    single = {e.id for e in bench.train if len(e.messages) == 1}
    assert 0 < len(single) < len(bench.train)
    assert len(shown) == 3
    assert {d.example_id for d in shown} <= single


@pytest.mark.parametrize(
    ("name", "task", "why"),
    [
        ("few_shot", "chat", "none has both a single question and an answer"),
        ("nearest_shots", "chat", "none has both a single question and an answer"),
        ("retrieve", "question-answering", "retrieve needs documents"),
    ],
)
def test_what_cannot_be_used_says_why_and_is_not_the_baseline(name: str, task: str, why: str) -> None:
    bench = tiny_bench(task, documents=False)
    bench.train = tuple(e for e in bench.train if len(e.messages) > 1 or task != "chat")
    assert bench.train
    with pytest.raises(NotAvailable, match=why):
        a_sum(name)(bench.first("fake:"), bench)


@pytest.mark.parametrize(("said", "caught"), [("there is nothing.", False), (" ", True)])
def test_the_contract_asks_for_a_reason(said: str, caught: bool) -> None:
    def refuse(program: System, bench: Bench) -> System:
        raise NotAvailable(said)

    with pytest.raises(AssertionError, match="NotAvailable says why") if caught else nullcontext():
        check_technique(lambda: refuse, ["chat"])
