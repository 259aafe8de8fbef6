"""Scores on changed questions beside those on the same questions as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sharpen.study.robustness import robustness
from sharpen.testing import tiny_bench
from sharpen.types import Answer


def test_a_program_that_reads_capitals_as_nothing(monkeypatch: Any) -> None:
    """Answers are right where the question is written as it was, and empty otherwise."""
    bench = tiny_bench("classification")
    known = {e.question: e.labels[0] for e in bench.dev}
    asked: list[str] = []

    def answer(self: Any, program: Any, examples: Any, stage: str = "") -> list[Answer]:
        asked.extend(e.question for e in examples)
        return [Answer(known.get(e.question, "")) for e in examples]

    monkeypatch.setattr(type(bench), "answer", answer)
    (found,) = robustness(bench.first("fake:"), bench, bench.dev, "row", ["letter_case"])
    assert (found.change, found.n, found.as_it_is, found.changed, found.kept) == (
        "letter_case",
        len(bench.dev),
        1.0,
        0.0,
        0.0,
    )
    assert found.delta == -1.0
    assert found.p < 0.01
    assert found.plain["n"] == len(bench.dev)
    assert not set(asked) & {e.question for e in bench.train}


def test_the_fake_model_is_asked_and_dev_is_not_changed() -> None:
    bench = tiny_bench("question-answering")
    before = bench.dev
    rows = robustness(bench.first("fake:"), bench, bench.dev, "source", ["typos", "truncation"])
    assert [r.change for r in rows] == ["typos", "truncation"]
    assert all(r.n == len(bench.dev) and 0 <= r.kept <= 1 for r in rows)
    assert bench.dev == before
    short = [replace(e, messages=(replace(e.messages[-1], content="So?"),)) for e in bench.dev]
    assert robustness(bench.first("fake:"), bench, short, "source", ["typos"]) == [], "nothing to mistype"
