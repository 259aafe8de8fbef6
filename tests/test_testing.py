"""The contracts catch what they promise to catch, and speak of it in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharpen import parts
from sharpen.floors import Floor
from sharpen.models.fake import FakeModel
from sharpen.testing import check_floor, check_metric, check_model, check_technique, tiny_bench
from sharpen.types import Answer, Completion, Demo, Example, Generate, Message, Prompt, Rendered, Score, System

QA = ["question-answering"]


def improves(act: Callable[[System, Any], Any]) -> Callable[[], Any]:
    def broken() -> Any:
        return act

    return broken


def changes_the_bench(program: System, bench: Any) -> System:
    bench.train = bench.train[1:]
    return program


count = iter(range(1000))
BROKEN = {
    "returns a System": improves(lambda program, bench: None),
    "the same data and seed": improves(lambda p, b: replace(p, prompt=Prompt(str(next(count))))),
    "is not changed": improves(changes_the_bench),
    "from train, never from dev": improves(
        lambda p, b: replace(p, demos=(Demo("q", "a", example_id=b.dev[0].id),)) if b.dev else p
    ),
    "answers without errors": improves(lambda p, b: replace(p, prompt=Prompt("long " * 9000))),
    "with one training example it fails with IndexError": improves(lambda p, b: (b.train[1], p)[1]),
    "with no answers in train it fails": improves(lambda p, b: (b.train and b.train[0].targets[0], p)[1]),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_technique_is_caught(rule: str) -> None:
    with pytest.raises(AssertionError) as e:
        check_technique(BROKEN[rule], QA)
    assert rule in str(e.value)
    assert str(e.value).startswith("broken on question-answering")


def test_a_technique_by_path(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text('"""Mine."""\ndef mine():\n    return lambda program, bench: program\n')
    check_technique("./mine.py", QA, tmp_path)
    (tmp_path / "mine.py").write_text('"""Mine."""\ndef mine():\n    return lambda program, bench: None\n')
    with pytest.raises(AssertionError, match="mine on question-answering: returns a System"):
        check_technique("./mine.py", QA, tmp_path)


def test_a_technique_that_does_not_apply_must_say_why(tmp_path: Path) -> None:
    text = "def applies(program, task, can):\n    return {}\ndef mine():\n    return None\n"
    (tmp_path / "mine.py").write_text(text.format("'not here'"))
    check_technique("mine.py", QA, tmp_path)
    (tmp_path / "mine.py").write_text(text.format("' '"))
    with pytest.raises(AssertionError, match="says why not"):
        check_technique("mine.py", QA, tmp_path)


def floor(predict: Callable[[Sequence[Example]], Any]) -> Callable[[], Floor]:
    def broken() -> Floor:
        return lambda bench: predict

    return broken


def whim() -> Floor:
    """A floor that is another one each time it is fitted."""

    def fit(bench: Any) -> Any:
        text = str(next(count))
        return lambda examples: [Answer(text) for _ in examples]

    return fit


BROKEN_FLOORS = {
    "own answer is not looked at": floor(lambda es: [Answer("".join(e.targets)) for e in es]),
    "every question has an answer": floor(lambda es: [Answer("x") for _ in es[1:]]),
    "gives answers": floor(lambda es: ["x" for _ in es]),
    "the same data give the same answers": whim,
}


@pytest.mark.parametrize("rule", BROKEN_FLOORS)
def test_a_broken_floor_is_caught(rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_floor(BROKEN_FLOORS[rule], QA)


@pytest.mark.parametrize("name", sorted(parts.all_parts("metric")))
def test_our_metrics_keep_the_contract_of_plug_ins(name: str) -> None:
    check_metric(name)


class Always:
    name = "always"
    higher_is_better = True

    def score(self, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Score]:
        return [Score(1.0) for _ in answers]

    def aggregate(self, scores: Sequence[Score], weights: Any = None) -> float:
        return float(len(scores))


def test_a_broken_metric_is_caught() -> None:
    with pytest.raises(AssertionError, match="a failed answer is not judged"):
        check_metric(Always)


class Twice(FakeModel):
    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        yield from super().generate(requests)
        yield from super().generate(requests)


class Unsupervised(FakeModel):
    def render(self, messages: Sequence[Message], tools: Any = ()) -> Rendered:
        made = super().render(messages, tools)
        return replace(made, supervised=(False,) * len(made.ids))


@pytest.mark.parametrize(("model", "rule"), [(Twice, "answers every request once"), (Unsupervised, "reply is learned")])
def test_a_broken_model_is_caught(model: type[FakeModel], rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_model(model())


def test_the_tiny_bench() -> None:
    bench = tiny_bench()
    assert (len(bench.train), len(bench.dev), len(bench.documents)) == (20, 10, 6)
    assert not {e.source for e in bench.train} & {e.source for e in bench.dev}
    by_source = {d.source: d.text for d in bench.documents}
    for e in (*bench.train, *bench.dev):
        (gold,) = e.gold
        assert by_source[gold.source][gold.start : gold.end] == e.targets[0]
    assert tiny_bench(documents=False).documents == ()
