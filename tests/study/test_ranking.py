"""The rule that turns likelihoods of labels into a label, chosen on dev."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sharpen.runtime import Answers
from sharpen.study.ranking import settle
from sharpen.techniques import Bench, open_technique
from sharpen.testing import tiny_bench
from sharpen.types import Answer, Completion, Decoding, Example, Message, System

LABELS = ("a", "b")


@dataclass
class Said(Bench):
    """A bench whose model's sums are given, in the order of dev."""

    def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
        return [said(self.sums[i], self.tokens) for i, _ in enumerate(examples)]


def said(sums: Sequence[float], tokens: tuple[int, int] = (1, 1)) -> Answer:
    completion = Completion("", logprobs=tuple(sums), tokens=tokens, ranked=True)
    text = LABELS[sums[1] > sums[0]]
    return Answer(text, text, label_scores=dict(zip(LABELS, sums, strict=True)), completions=(completion,))


def settled(rows: Sequence[tuple[str, tuple[float, float]]], tokens: tuple[int, int] = (1, 1)) -> Decoding:
    dev = tuple(Example(f"q{i}", (Message("user", "?"),), labels=(t,), targets=(t,)) for i, (t, _) in enumerate(rows))
    bench = replace(tiny_bench("classification"), dev=dev, labels=LABELS, answers=None)
    made: Any = Said(**{f: getattr(bench, f) for f in bench.__dataclass_fields__})
    made.sums = [sums for _, sums in rows]
    made.tokens = tokens
    return settle(System("fake:", decoding=Decoding(choices=LABELS)), made).decoding


def test_a_liking_for_a_label_is_taken_away() -> None:
    rows = [("a" if i % 2 else "b", (-1.0, -1.9 if i % 2 else -1.4)) for i in range(20)]
    found = settled(rows)
    assert found.prior_weight > 0
    assert found.priors == pytest.approx((-1.0, -1.65))


def test_one_question_is_no_prior_of_itself() -> None:
    """Its scores without its own mean are what rounding leaves, and named the right label here."""
    assert settled([("b", (-1.0000004, -2.0000001))]).prior_weight == 0


def test_a_long_label_is_judged_by_its_mean_where_dev_says_so() -> None:
    """Sums name the short label always, most surely where the long one is right; means name the right one."""
    rows = [("b", (-1.0, -3.1)) if i % 2 else ("a", (-0.5, -2.5)) for i in range(20)]
    assert settled(rows, (1, 4)).per_token
    assert not settled([("a", (-1.0, -3.0)), ("b", (-3.0, -1.0))] * 10, (1, 4)).per_token, "sums say it as well"


def test_what_was_settled_is_not_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The answers of the settled rule follow from what the model said; also where questions are embedded for shots."""
    bench = replace(tiny_bench("classification", folder=tmp_path), answers=Answers(tmp_path / "answers.sqlite"))
    program = open_technique("nearest_shots", {"k": 3})(bench.first("fake:"), bench)
    assert program.shots is not None
    assert program.shots.how == "dense"
    made = settle(program, bench)
    monkeypatch.setattr("sharpen.runtime.cache.batch", None)
    assert len(bench.answer(made, bench.dev)) == len(bench.dev)


@dataclass
class SaidByInstruction(Bench):
    """A bench whose model's sums are given by instruction, in the order of questions."""

    def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
        return [said(self.sums[program.prompt.instruction][int(e.id[1:])]) for e in examples]


def test_candidates_are_compared_by_the_rule_that_each_would_take() -> None:
    """By bare likelihoods "one" has 12 of 20 and "two" 10, since "two" likes a too much; less its liking it has all."""
    right = ["a" if i % 2 else "b" for i in range(20)]
    dev = tuple(Example(f"q{i}", (Message("user", "?"),), labels=(t,), targets=(t,)) for i, t in enumerate(right))
    bench = replace(tiny_bench("classification"), dev=dev, labels=LABELS, answers=None)
    made: Any = SaidByInstruction(**{f: getattr(bench, f) for f in bench.__dataclass_fields__})
    flat = [(-1.0, -1.5) if (t == "a") == (i % 5 < 3) else (-1.5, -1.0) for i, t in enumerate(right)]
    made.sums = {"one": flat, "two": [(-1.0, -3.0) if t == "a" else (-1.0, -1.5) for t in right]}
    one, two = (System("fake:", prompt=replace(bench.first("fake:").prompt, instruction=i)) for i in made.sums)
    one, two = (replace(p, decoding=Decoding(choices=LABELS)) for p in (one, two))
    bare = [sum(a.text == t for a, t in zip(made.answer(p, dev), right, strict=True)) for p in (one, two)]
    assert bare == [12, 10]
    assert made.score(two).values[0] == 1.0
    assert made.best([("one", one), ("two", two)], "instruction") is two
