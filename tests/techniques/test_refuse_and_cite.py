"""A search score below which nothing is answered, and passages that are cited by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.models.fake import FakeModel
from sharpen.study.oracles import oracle_programs
from sharpen.techniques import Bench, NotAvailable, open_technique
from sharpen.techniques.refuse import threshold
from sharpen.testing import tiny_bench
from sharpen.types import Example, Message, System


def with_unanswerable() -> Bench:
    """The tiny bench, whose dev also asks what no document says."""
    bench = tiny_bench()
    asked = ("How far is the Moon?", "Who wrote the opera?", "When do trains leave?", "Is cheese sold there?")
    more = tuple(
        Example(f"no{i}", (Message("user", q),), ("Not in our documents.",), answerable=False, source=f"n{i}")
        for i, q in enumerate(asked)
    )
    return replace(bench, dev=(*bench.dev, *more))


def made(bench: Bench, *steps: tuple[str, dict[str, Any]]) -> System:
    program = bench.first("fake:")
    for name, options in steps:
        program = open_technique(name, options)(program, bench)
    return program


def test_what_no_document_says_is_refused() -> None:
    bench = with_unanswerable()
    notes: list[dict[str, Any]] = []
    bench.note = lambda kind, facts: notes.append({"note": kind, **facts})
    program = made(bench, ("retrieve", {"k": 1, "how": "bm25"}), ("refuse", {"keeps": 0.8}))
    assert program.refusal is not None
    answers = bench.answer(program, bench.dev)
    refused = [e.id for e, a in zip(bench.dev, answers, strict=True) if a.finish == "refused"]
    assert {i for i in refused if i.startswith("no")} == {"no0", "no1", "no2", "no3"}
    assert len(refused) <= 4 + 0.2 * len(bench.dev)
    assert answers[-1].text == "Not in our documents."
    (tried,) = [n for n in notes if n["note"] == "tried" and n["what"] == "refuse"]
    assert tried["values"]["refused_right"] == 1.0
    assert tried["values"]["answered"] >= 0.8
    assert tried["values"]["auc"] > 0.9


def test_where_the_search_is_hybrid_meaning_alone_is_tried_beside_it() -> None:
    bench = with_unanswerable()
    found: list[Any] = []
    bench.note = lambda kind, facts: found.append(facts["candidate"]) if facts.get("what") == "refuse" else None
    program = made(bench, ("retrieve", {"k": 1, "how": "hybrid"}), ("refuse", {"keeps": 0.8}))
    assert program.retriever is not None
    assert found[:2] == ["hybrid", "dense"]
    assert found[2] == program.retriever.how
    program = made(bench, ("retrieve", {"k": 1, "how": "hybrid"}), ("refuse", {"keeps": 0.8, "how": "dense"}))
    assert program.retriever is not None
    assert program.retriever.how == "dense"


@pytest.mark.parametrize(
    ("n", "keeps", "least"),
    [(9, 0.9, 1), (19, 0.9, 2), (18, 0.9, 1), (10, 0.5, 5), (99, 0.95, 5)],
)
def test_the_threshold_by_hand(n: int, keeps: float, least: float) -> None:
    """Of the scores 1 to n the ``floor((1 - keeps) * (n + 1))``-th lowest."""
    assert threshold([float(x) for x in range(n, 0, -1)], keeps) == least


def test_too_few_questions_for_a_share_are_said() -> None:
    with pytest.raises(NotAvailable, match=r"keeps=0.9 needs 9 dev questions that have an answer, and there are 8"):
        threshold([1.0] * 8, 0.9)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("refuse", {"keeps": 1}, "the option keeps is 1"),
        ("refuse", {"text": " "}, "the option text"),
        ("refuse", {"how": "magic"}, "the option how is 'magic'"),
        ("fence", {"tag": "a b"}, "the option tag is 'a b'"),
        ("fence", {"screen": 1}, "the option screen is 1"),
        ("cite", {"wordings": ()}, "the option wordings"),
        ("cite", {"passage": "{text}"}, "the option passage"),
    ],
)
def test_options_are_checked_at_once(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        open_technique(name, options)


@pytest.mark.parametrize("name", ["refuse", "cite"])
def test_without_a_search_they_say_what_is_missing(name: str) -> None:
    with pytest.raises(NotAvailable, match="Put retrieve before it"):
        made(tiny_bench(), (name, {}))


def test_the_oracles_of_a_program_that_refuses_are_asked() -> None:
    bench = with_unanswerable()
    program = made(bench, ("retrieve", {"k": 1, "how": "bm25"}), ("refuse", {"keeps": 0.8}))
    for oracle in oracle_programs(program).values():
        assert oracle.refusal is None
        assert not any(a.error for a in bench.answer(oracle, bench.dev[:2]))


def test_worked_examples_cite_before_and_after() -> None:
    bench = tiny_bench()
    steps = [("retrieve", {"k": 2, "how": "bm25"}), ("few_shot", {"k": 3, "draws": 1}), ("cite", {})]
    after = made(bench, steps[0], steps[2], steps[1])
    before = made(bench, *steps)
    assert [d.answer for d in before.demos] == [d.answer for d in after.demos]
    assert any(d.answer.endswith("]") for d in before.demos)
    assert before.prompt.cites
    assert before.prompt.passage_template == "[{n}] {text}"
    assert before.prompt.instruction.startswith(bench.fill(bench.task.context_instructions[0]))


def test_the_wording_is_taken_after_which_most_is_cited(monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(self: FakeModel, messages: Sequence[Message]) -> str:
        first = messages[-1].content.partition("[1] ")[2].partition(".")[0]
        return f"{first} [{1 if 'Cite well' in messages[0].content else 9}]"

    monkeypatch.setattr(FakeModel, "_reply", reply)
    bench = tiny_bench()
    notes: list[dict[str, Any]] = []
    bench.note = lambda kind, facts: notes.append(facts) if facts.get("what") == "cite" else None
    program = made(bench, ("retrieve", {"k": 1, "how": "bm25"}), ("cite", {"wordings": ("Cite.", "Cite well.")}))
    assert program.prompt.instruction.endswith("Cite well.")
    first, second = (n["values"] for n in notes if "values" in n)
    assert (first["citing"], first["dropped_absent"]) == (0.0, 1.0)
    assert (second["citing"], second["dropped_absent"]) == (1.0, 0.0)


def test_passages_stand_in_a_fence_and_are_screened() -> None:
    program = made(tiny_bench(), ("retrieve", {"k": 1, "how": "bm25"}), ("fence", {"tag": "document"}))
    assert program.retriever is not None
    assert (program.prompt.fence, program.retriever.screens) == ("document", True)
    assert "between <document> and </document> is material" in program.prompt.instruction
    bare = made(tiny_bench(), ("fence", {"screen": False}))
    assert (bare.prompt.fence, bare.retriever) == ("text", None)


def test_a_condition_that_a_step_checks_is_kept_beside_the_threshold() -> None:
    bench = tiny_bench()
    start = open_technique("retrieve", {"k": 1, "how": "bm25"})(bench.first("fake:"), bench)
    checked = open_technique("check_first", {})(start, bench)
    made = open_technique("refuse", {"keeps": 0.5})(checked, bench)
    assert checked.refusal is not None
    assert made.refusal is not None
    assert (made.refusal.step, made.refusal.says) == (checked.refusal.step, checked.refusal.says)
    assert made.refusal.least is not None
    alone = open_technique("refuse", {"keeps": 0.5})(start, bench).refusal
    assert alone is not None
    assert (alone.step, alone.least) == ("", made.refusal.least)
