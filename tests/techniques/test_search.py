"""Searching prompts: within the calls, better than chance, kept only beyond noise, nothing of dev in a prompt."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import UserError
from sharpen.models.fake import FakeModel
from sharpen.runtime import Answers, Engines
from sharpen.techniques import Bench, NotAvailable, open_technique
from sharpen.techniques._searching import WAYS, Trials, searched
from sharpen.techniques._space import FORMS, Point, Space, leaked, space_of
from sharpen.techniques.search import SURE, calls_of
from sharpen.testing import tiny_bench
from sharpen.types import (
    Answer,
    Completion,
    Decoding,
    Demo,
    Example,
    Generate,
    Message,
    Prompt,
    Reasoning,
    Step,
    System,
)

CHOICES = {"instruction": list("abcdef"), "examples": list("abcdefgh"), "format": list("abcd")}


def value(point: Point) -> float:
    """Best at (4, 6, 2), which is one of 192."""
    return 0.3 + 0.3 * (point[0] == 4) + 0.25 * (point[1] == 6) + 0.1 * (point[2] == 2) + 0.02 * (point[1] % 3)


@pytest.mark.parametrize("how", WAYS)
def test_better_points_are_found(how: str) -> None:
    """200 questions, each right by the chance of the point: of 12 seeds the search finds .75 and more in most."""
    found = []
    for seed in range(12):
        rng = random.Random(seed)
        drawn: dict[Point, list[bool]] = {}

        def judge(point: Point, n: int, drawn: Any = drawn, rng: random.Random = rng) -> tuple[float, int]:
            said = drawn.setdefault(point, [rng.random() < value(point) for _ in range(200)])
            return sum(said[:n]) / n, n

        best = searched(WAYS[how], Space(System("m"), CHOICES), Trials(judge, 1500, 200), random.Random(seed))
        assert best is not None
        found.append(value(best))
    assert sum(v >= 0.55 for v in found) >= 9, found


@given(
    how=st.sampled_from(sorted(WAYS)), calls=st.integers(0, 400), questions=st.integers(1, 60), seed=st.integers(0, 99)
)
@settings(max_examples=60, deadline=None)
def test_no_search_asks_more_than_it_may(how: str, calls: int, questions: int, seed: int) -> None:
    made: Counter[Point] = Counter()

    def judge(point: Point, n: int) -> tuple[float, int]:
        made[point] = max(made[point], n)
        return value(point), 2 * n

    trials = Trials(judge, calls, questions, each=2)
    searched(WAYS[how], Space(System("m"), CHOICES), trials, random.Random(seed))
    assert 2 * made.total() == trials.used <= calls


class Says(Bench):
    """A bench whose programs are right as often as their instruction's last word says, the same questions each time."""

    asked: int = 0

    def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
        self.asked += len(examples)
        said = program.prompt.instruction
        share = float(said.split()[-1]) if said[-1].isdigit() else 0.1
        right = [random.Random(f"{e.id} {said}").random() < share for e in examples]
        made = [Answer(e.targets[0] if r else "wrong") for e, r in zip(examples, right, strict=True)]
        return [replace(a, completions=(Completion(a.text),)) for a in made]


def says(n: int = 200, **changes: Any) -> Says:
    plain = tiny_bench()
    dev = tuple(replace(plain.dev[i % len(plain.dev)], id=f"d{i}") for i in range(n))
    notes: list[tuple[str, dict[str, Any]]] = []
    fields = {f: getattr(plain, f) for f in Bench.__dataclass_fields__}
    made = Says(**{**fields, "dev": dev, "note": lambda kind, facts: notes.append((kind, facts)), **changes})
    made.notes = notes  # type: ignore[attr-defined]
    return made


START = System("fake:", prompt=Prompt("Do it 0.4"))


@pytest.mark.parametrize("how", WAYS)
def test_what_is_better_beyond_noise_is_kept(how: str) -> None:
    bench = says()
    texts = ["Say 0.3", "Tell 0.45", "Write 0.8", "Name 0.2"]
    options = {"how": how, "over": "instruction", "instructions": texts, "calls": 1000}
    made = open_technique("search", options)(START, bench)
    assert made.prompt.instruction == "Write 0.8"
    ((_, said),) = [n for n in bench.notes if n[0] == "searched"]  # type: ignore[attr-defined]
    assert (said["kept"], said["origin"], said["n"]) == (True, "given", 80)
    assert bench.asked <= said["used"] <= 1000
    assert said["gain"] > SURE * said["error"] > 0


def test_what_is_better_by_chance_is_not() -> None:
    kept = 0
    for seed in range(40):
        start = System("fake:", prompt=Prompt(f"Do {seed} 0.4"))
        bench = says(seed=seed)
        texts = [f"{seed} {n} times 0.4" for n in range(30)]
        options = {"how": "random", "over": "instruction", "instructions": texts, "calls": 1200}
        kept += open_technique("search", options)(start, bench) != start
    assert kept <= 5, "5% of 40, and what is luck"


def test_calls_are_those_of_the_model() -> None:
    """Counted where the model stands: steps, thoughts and votes are calls, too."""
    made: list[str] = []

    class Counting(FakeModel):
        def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
            made.extend(r.purpose for r in requests)
            return super().generate(requests)

    plain = tiny_bench()
    dev = tuple(
        replace(plain.dev[i % len(plain.dev)], id=f"d{i}", messages=(Message("user", f"{i}?"),)) for i in range(40)
    )
    engines = Engines(plain.store, lambda ref, adapters: Counting(), lambda: FakeModel())
    bench = replace(plain, dev=dev, engines=engines)
    program = replace(
        bench.first("fake:"), steps=(Step("facts", "{question}"),), reasoning=Reasoning(), decoding=Decoding(8, votes=2)
    )
    assert calls_of(program) == 5
    open_technique("search", {"how": "halving", "calls": 400})(program, bench)
    assert 200 < len(made) <= 400
    assert set(made) == {"facts", "reasoning", "answer"}


def test_a_search_that_was_stopped_goes_on() -> None:
    plain = tiny_bench()
    dev = tuple(
        replace(plain.dev[i % len(plain.dev)], id=f"d{i}", messages=(Message("user", f"{i}?"),)) for i in range(40)
    )
    asked: list[int] = []

    class Counting(FakeModel):
        left = 10**9

        def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
            for i, done in super().generate(requests):
                if Counting.left <= 0:
                    raise KeyboardInterrupt
                Counting.left -= 1
                asked.append(i)
                yield i, done

    engines = Engines(plain.store, lambda ref, adapters: Counting(), lambda: FakeModel())
    search = open_technique("search", {"calls": 300})

    def bench(name: str) -> Bench:
        return replace(plain, dev=dev, engines=engines, answers=Answers(plain.store.root / name))

    start = plain.first("fake:")
    whole = search(start, bench("one.sqlite"))
    n = len(asked)
    Counting.left = n // 2
    with pytest.raises(KeyboardInterrupt):
        search(start, bench("two.sqlite"))
    Counting.left = 10**9
    assert search(start, bench("two.sqlite")) == whole
    assert len(asked) == 2 * n, "nothing was asked twice"


def test_nothing_of_dev_stands_in_a_prompt() -> None:
    bench = tiny_bench()
    dev = bench.dev[0]
    assert leaked(f"Answer as in: {dev.question.upper()}!", bench.dev)
    assert not leaked("Answer in few words.", bench.dev)
    told = {"Own": "own", f"As {dev.question}": "given", "Be brief.": "given"}
    space = space_of(System("fake:", prompt=Prompt("Own")), bench, ("instruction", "examples"), ((2,), 3), told)
    assert space.choices["instruction"] == [None, "Be brief."]
    shown = {d.example_id for point in [(0, 1), (1, 2), (0, 3)] for d in space.program(point).demos}
    assert shown <= {e.id for e in bench.train}


def test_points_are_programs() -> None:
    start = System("fake:", prompt=Prompt("Own"), demos=(Demo("a long one", "x"), Demo("b", "y")))
    space = space_of(start, tiny_bench(), ("instruction", "order", "format"), ((2,), 1), {"Own": "o", "Other": "t"})
    assert space.sizes == (2, 4, 4)
    assert space.points == 32
    assert space.program((0, 0, 0)) == start
    made = space.program((1, 1, 2))
    assert (made.prompt.instruction, [d.question for d in made.demos]) == ("Other", ["b", "a long one"])
    assert (made.prompt.template, made.prompt.context_template) == FORMS[1]
    assert [d.question for d in space.program((0, 2, 0)).demos] == ["b", "a long one"]


def test_a_model_proposes_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = says()
    said = iter(["Say 0.9", "Say 0.9", "Name 0.1"])
    seen: list[str] = []

    class Writer(FakeModel):
        def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
            seen.extend(r.messages[-1].content for r in requests)
            yield from ((i, Completion(next(said))) for i in range(len(requests)))

    engines = Engines(bench.store, lambda ref, adapters: Writer() if ref == "fake:big" else FakeModel())
    monkeypatch.setattr(bench, "engines", engines)
    options = {"over": "instruction", "proposer": "fake:big", "proposed": 3, "instructions": "Do 0.2", "calls": 900}
    monkeypatch.setattr(bench, "task", replace(bench.task, instructions=("Do 0.3",), context_instructions=()))
    assert open_technique("search", options)(START, bench).prompt.instruction == "Say 0.9"
    assert "Output: " in seen[0]
    assert seen[0] != seen[1], "each sees another draw of training examples"


@pytest.mark.parametrize(
    "options",
    [{"how": "genetic"}, {"over": "tone"}, {"over": ()}, {"calls": -1}, {"k": "3"}, {"instructions": "{answer}"}],
)
def test_wrong_options_are_said_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="the option"):
        open_technique("search", options)


def test_too_few_calls_or_questions_are_said() -> None:
    with pytest.raises(NotAvailable, match="too few to search and to confirm"):
        open_technique("search", {"calls": 10})(START, says())
    with pytest.raises(NotAvailable, match="too few"):
        open_technique("search", {})(START, says(n=6))
