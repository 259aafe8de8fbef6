"""Choosing on dev: ties, budgets, failures, and the same choice every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sharpen.techniques import Bench, Counts, open_technique
from sharpen.techniques.bench import worse_than
from sharpen.testing import tiny_bench
from sharpen.types import Answer, Decoding, Example, Prompt, System


class Scripted(Bench):
    """A bench whose programs answer as their instruction says: "3" is right three times, "x" fails on all but one."""

    asked: list[tuple[str, int]]

    def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
        self.asked.append((program.prompt.instruction, len(examples)))
        said = program.prompt.instruction
        if said == "x":
            return [Answer(e.targets[0]) if i == 0 else Answer("", error="it broke.") for i, e in enumerate(examples)]
        return [Answer(e.targets[0] if i < int(said) else "wrong") for i, e in enumerate(examples)]


def scripted(**changes: Any) -> Scripted:
    bench = replace(tiny_bench(), answers=None, **changes)
    made = Scripted(**{f: getattr(bench, f) for f in bench.__dataclass_fields__})
    made.asked = []
    return made


def candidates(*instructions: str) -> list[tuple[str, System]]:
    return [(f"c{i}", System("fake:", prompt=Prompt(s))) for i, s in enumerate(instructions)]


def test_the_best_on_dev_is_chosen() -> None:
    bench = scripted()
    assert bench.best(candidates("1", "4", "2"), "x").prompt.instruction == "4"


def test_earlier_candidates_win_ties() -> None:
    bench = scripted()
    tied = [(f"c{i}", System("fake:", prompt=Prompt("3", name=str(i)))) for i in range(4)]
    assert bench.best(tied, "x").prompt.name == "0"


def test_who_is_ahead_on_a_part_of_dev_wins_no_tie_on_all_of_it() -> None:
    dev = tuple(replace(e, id=f"{e.id} {n}") for n in range(10) for e in tiny_bench().dev)
    right = {"early": (5, 20), "ahead": (10, 20), "behind": (0, 90)}  # of a third of dev, of all of it

    class Halves(Scripted):
        def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
            n = right[program.prompt.instruction][len(examples) == len(dev)]
            return [Answer(e.targets[0] if i < n else "wrong") for i, e in enumerate(examples)]

    bench = Halves(**{f: getattr(scripted(dev=dev), f) for f in Bench.__dataclass_fields__})
    assert bench.best(candidates("early", "ahead", "behind"), "x").prompt.instruction == "early"
    right["ahead"] = (10, 21)
    assert bench.best(candidates("early", "ahead", "behind"), "x").prompt.instruction == "ahead"


def many(n: int) -> tuple[Example, ...]:
    dev = tiny_bench().dev
    return tuple(replace(dev[i % len(dev)], id=f"d{i}") for i in range(n))


def test_a_dearer_candidate_has_to_be_better_than_noise() -> None:
    """Of 100 questions one more right is within noise (the error of the difference is .01), five are not (.022)."""
    bench = scripted(dev=many(100))
    for cheap, dear, chosen in [("50", "51", "50"), ("50", "55", "55"), ("50", "40", "50"), ("0", "0", "0")]:
        assert bench.best(candidates(cheap, dear), "x", cheapest_first=True).prompt.instruction == chosen
    assert bench.best(candidates("50", "51"), "x").prompt.instruction == "51"


def test_a_dearer_candidate_is_not_dropped_for_a_cheaper_one_that_fails() -> None:
    class Failing(Scripted):
        def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
            fails = program.prompt.instruction == "fails"
            return [Answer("", error="it broke.") if fails else Answer("wrong") for _ in examples]

    bench = Failing(**{f: getattr(scripted(dev=many(20)), f) for f in Bench.__dataclass_fields__})
    assert bench.best(candidates("fails", "0"), "x", cheapest_first=True).prompt.instruction == "0"
    assert bench.best(candidates("0", "fails"), "x", cheapest_first=True).prompt.instruction == "0"


def test_of_three_that_are_alike_the_cheapest_goes_on_and_wins() -> None:
    bench = scripted(dev=many(90))
    bench.best(candidates("10", "11", "11"), "x", cheapest_first=True)
    assert [n for _, n in bench.asked] == [30] * 3 + [90] * 2
    assert bench.best(candidates("10", "11", "11"), "x", cheapest_first=True).prompt.instruction == "10"


def test_the_error_of_a_difference_is_the_jackknifes() -> None:
    """Two programs that differ on one of 20 questions: the difference is .05, and so is its error."""
    dev = many(20)
    bench = scripted(dev=dev)

    def tried(n: int) -> Any:
        said = [Answer(e.targets[0] if i < n else "wrong") for i, e in enumerate(dev)]
        return bench.judge(System("fake:"), dev, said)

    weights = [1.0] * 20
    assert not worse_than(tried(5), tried(6), bench.metrics, weights)
    assert worse_than(tried(5), tried(9), bench.metrics, weights)
    assert not worse_than(tried(9), tried(5), bench.metrics, weights)


def test_a_heavy_question_counts_for_more() -> None:
    few = tuple(replace(e, weight=9.0 if i == 3 else 1.0) for i, e in enumerate(tiny_bench().dev[:4]))
    bench = scripted(dev=few)
    said = ["wrong", "wrong", "wrong", few[3].targets[0]]
    tried = bench.judge(System("fake:"), few, [Answer(text) for text in said])
    assert tried.values[0] == pytest.approx(9 / 12)


def test_a_program_that_fails_does_not_win_by_its_one_good_answer() -> None:
    assert scripted().best(candidates("x", "2"), "x").prompt.instruction == "2"
    assert scripted().best(candidates("2", "x"), "x").prompt.instruction == "2"


def test_no_more_is_tried_than_the_budget_lets() -> None:
    bench = scripted(counts=Counts(trials=2))
    assert bench.best(candidates("1", "2", "9"), "x").prompt.instruction == "2"
    bench = scripted(counts=Counts(trials=0))
    assert bench.best(candidates("1", "2"), "x").prompt.instruction == "1"
    assert bench.asked == []


def test_the_better_half_goes_on() -> None:
    dev = tuple(replace(e, id=f"{e.id} {n}") for n in range(10) for e in tiny_bench().dev)
    bench = scripted(dev=dev)
    assert bench.best(candidates("1", "2", "3", "4", "5", "6"), "x").prompt.instruction == "6"
    third = len(dev) // 3
    assert [n for _, n in bench.asked] == [third] * 6 + [len(dev)] * 3
    assert {said for said, n in bench.asked if n == len(dev)} == {"4", "5", "6"}


def test_a_trial_sees_as_much_of_dev_as_the_budget_lets() -> None:
    bench = scripted(counts=Counts(dev=4))
    bench.best(candidates("1", "2"), "x")
    assert [n for _, n in bench.asked] == [4, 4]


@pytest.mark.parametrize("dev", [(), None])
def test_one_candidate_or_no_dev_needs_no_trial(dev: Any) -> None:
    bench = scripted(**({"dev": dev} if dev is not None else {}))
    given = candidates("1", "2") if dev == () else candidates("1")
    assert bench.best(given, "x").prompt.instruction == "1"
    assert bench.asked == []


def test_random_numbers_depend_on_seed_and_purpose_alone() -> None:
    bench = tiny_bench()
    assert bench.rng("a").random() == tiny_bench(task="chat").rng("a").random()
    assert bench.rng("a").random() != bench.rng("b").random()
    assert bench.rng("a").random() != replace(bench, seed=1).rng("a").random()


def test_the_first_program() -> None:
    program = tiny_bench().first("fake:")
    assert program.prompt.instruction == "Tell visitors about our rooms. Answer in as few words as possible."
    assert program.decoding == Decoding(max_new_tokens=32)
    chooses = tiny_bench("classification").first("fake:").decoding
    assert chooses.choices == ("account", "delivery", "refund")
    assert not chooses.by_text
    assert tiny_bench().fill("{goal} {labels} {other}") == "Tell visitors about our rooms.  {other}"


@pytest.mark.parametrize(("can", "told"), [({"generate"}, True), ({"generate", "score"}, False)])
def test_a_model_that_writes_the_class_is_told_which_there_are(can: set[str], told: bool) -> None:
    bench = tiny_bench("classification")
    bench.model(System("fake:")).can = frozenset(can)
    program = bench.first("fake:")
    assert program.decoding.by_text is told
    assert ("account, delivery, refund" in program.prompt.instruction) is told
    assert program.prompt.instruction.startswith("Tell visitors about our rooms.")


def test_without_a_template_that_names_the_classes_the_first_one_is_taken() -> None:
    bench = tiny_bench("classification")
    bench.task = replace(bench.task, instructions=("{goal} Reply with the class only.",))
    bench.model(System("fake:")).can = frozenset({"generate"})
    assert bench.first("fake:").prompt.instruction == "Tell visitors about our rooms. Reply with the class only."


def test_who_leads_goes_on_however_dear() -> None:
    """On a third of dev the dearest leads within noise; on all of it, it is far ahead."""
    dev = many(90)
    right = {"a": (12, 20), "b": (12, 20), "c": (13, 60)}

    class Halves(Scripted):
        def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
            n = right[program.prompt.instruction][len(examples) == len(dev)]
            return [Answer(e.targets[0] if i < n else "wrong") for i, e in enumerate(examples)]

    bench = Halves(**{f: getattr(scripted(dev=dev), f) for f in Bench.__dataclass_fields__})
    assert bench.best(candidates("a", "b", "c"), "x", cheapest_first=True).prompt.instruction == "c"


def test_the_programs_own_instruction_is_the_program() -> None:
    bench = tiny_bench()
    program = bench.first("fake:")
    assert open_technique("instruct", {"instructions": program.prompt.instruction})(program, bench) == program
