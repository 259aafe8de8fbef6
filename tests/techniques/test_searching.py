"""What improves a search that is there: reranking, more queries, order; and ways to cut that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.retrieval import Chunking, Index
from sharpen.runtime import answer_all
from sharpen.techniques import Bench, NotAvailable, open_technique
from sharpen.techniques._cutting import held
from sharpen.techniques._finding import passages
from sharpen.testing import tiny_bench
from sharpen.types import Document, Example, Message, Passage, Retriever, Span, Step, System


def improved(bench: Bench, *steps: tuple[str, dict[str, Any]]) -> System:
    program = bench.first("fake:")
    for name, options in steps:
        program = open_technique(name, options)(program, bench)
    return program


def noted(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    notes: list[tuple[str, dict[str, Any]]] = []
    bench.note = lambda kind, facts: notes.append((kind, facts))
    return notes


def retriever(program: System) -> Retriever:
    assert program.retriever is not None
    return program.retriever


FOUND = ("retrieve", {"k": 2, "how": "bm25"})


@pytest.mark.parametrize("name", ["rerank", "expand", "order"])
def test_without_a_search_it_says_what_to_put_before_it(name: str) -> None:
    with pytest.raises(NotAvailable) as e:
        improved(tiny_bench(), (name, {}))
    assert f"retrieve + {name}" in e.value.problems[0].do


WRONG = [
    ("rerank", {"k": 0}), ("rerank", {"fetch": "all"}), ("rerank", {"model": 3}), ("expand", {"how": "guess"}),
    ("expand", {"tokens": 0}), ("order", {"how": []}), ("order", {"words": -1}), ("order", {"where": {"a": 1}}),
    ("retrieve", {"chunk": "pages"}), ("retrieve", {"parent": -1}), ("retrieve", {"size": (0, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), WRONG)
def test_options_are_checked_at_once(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        open_technique(name, options)


def test_what_was_found_is_read_and_put_in_order() -> None:
    bench = tiny_bench()
    notes = noted(bench)
    made = improved(bench, FOUND, ("rerank", {"model": "fake:", "fetch": (3, 6), "k": 1}))
    r = retriever(made)
    assert (r.reranker, r.k) == ("fake:", 1)
    shares = {f["how"]: f["at_1"] for kind, f in notes if kind == "recall" and f.get("what") == "rerank"}
    assert set(shares) == {"fetch=3", "fetch=6"}
    assert r.fetch == (6 if shares["fetch=6"] > shares["fetch=3"] else 3)
    judge = bench.engines.reranker("fake:")
    for example, given in zip(bench.dev, passages(made, bench.dev, bench), strict=True):
        first = bench.engines.index(r.index).search([example.question], r.fetch, r.how)[0]
        scores = judge.judge([(example.question, first)])[0]
        best = max(range(len(first)), key=lambda i: (scores[i], -i))
        assert [p.id for p in given] == [first[best].id]
        assert given[0].score == pytest.approx(scores[best], abs=1e-6)


def test_a_reranked_program_is_another_one_to_the_cache() -> None:
    bench = tiny_bench()
    plain = improved(bench, FOUND)
    read = replace(plain, retriever=replace(retriever(plain), reranker="fake:", fetch=5))
    assert bench.engines.identity_of(plain) != bench.engines.identity_of(read)


def test_worked_examples_are_shown_with_what_the_whole_search_gives() -> None:
    bench = tiny_bench()
    made = improved(
        bench, FOUND, ("rerank", {"model": "fake:", "fetch": 6, "k": 1}), ("few_shot", {"k": 2, "draws": 1})
    )
    asked = {e.id: e for e in bench.train}
    for demo in made.demos:
        assert demo.passages == passages(replace(made, demos=()), [asked[demo.example_id]], bench)[0]


def test_nothing_is_answered_to_see_what_is_found() -> None:
    bench = tiny_bench()
    made = improved(bench, FOUND)
    given = passages(made, bench.dev, bench)
    assert given == [a.passages for a in answer_all(made, bench.dev, bench.engines, None)]
    assert passages(replace(made, retriever=None), bench.dev, bench) == [() for _ in bench.dev]


def test_earlier_turns_are_searched_for_where_they_say_what_is_meant() -> None:
    bench = tiny_bench()

    def talking(e: Example) -> Example:
        about, _, _ = e.id.partition("-")
        turns = (Message("user", f"I ask about the {about} room."), Message("assistant", "Please do."))
        return replace(e, messages=(*turns, Message("user", f"What is its {e.id.partition('-')[2]}?")))

    bench.train, bench.dev = (tuple(map(talking, part)) for part in (bench.train, bench.dev))
    notes = noted(bench)
    made = improved(bench, FOUND, ("expand", {"how": ["history", "rewrite"]}))
    shares = {f["how"]: f["at_2"] for kind, f in notes if kind == "recall" and f.get("what") == "expand"}
    assert set(shares) == {"as asked", "history", "rewrite"}
    assert shares["history"] > shares["as asked"]
    assert retriever(made).query == "{question}\n{history} {question}"
    assert made.steps == ()


def test_the_question_as_it_was_asked_stays_where_nothing_is_better() -> None:
    bench = tiny_bench()
    plain = improved(bench, FOUND)
    assert improved(bench, FOUND, ("expand", {"how": "answer"})) == plain
    with pytest.raises(NotAvailable, match="no question has earlier turns"):
        improved(bench, FOUND, ("expand", {"how": "history"}))
    early = replace(plain, steps=(Step("facts", "Facts in {context}"),))
    with pytest.raises(NotAvailable, match="right after retrieve"):
        open_technique("expand", {})(early, bench)


def test_order_and_words_are_chosen_and_a_filter_holds() -> None:
    bench = tiny_bench()
    notes = noted(bench)
    made = improved(bench, ("retrieve", {"k": 3, "how": "bm25"}), ("order", {"words": (8, 0)}))
    tried = [f["candidate"] for kind, f in notes if kind == "tried" and f["what"] == "order" and not f["round"]]
    assert (
        tried == [f"{h}{w}" for w in (" words=8", "") for h in ("best_first", "best_last", "ends")] or len(tried) == 6
    )
    assert retriever(made).order in ("best_first", "best_last", "ends")
    source = bench.documents[0].source
    only = improved(bench, FOUND, ("order", {"how": "best_first", "where": {"source": source}}))
    assert {p.span.source for row in passages(only, bench.dev, bench) for p in row} == {source}
    with pytest.raises(NotAvailable, match="no passage has"):
        improved(bench, FOUND, ("order", {"where": {"source": "nowhere"}}))


def test_how_documents_are_cut_is_chosen_by_gold_spans_within_the_same_number_of_words() -> None:
    bench = tiny_bench()
    notes = noted(bench)
    ways = {"chunk": ["paragraphs", "sentences"], "size": (100, 8), "parent": (0, 60)}
    made = improved(bench, ("retrieve", {"k": 1, "how": "bm25", **ways}))
    rounds = [f for kind, f in notes if kind == "tried" and f["what"] == "chunking"]
    first, second = ([f for f in rounds if f["round"] == n] for n in (0, 1))
    assert (len(first), len(second)) == (8, 4)
    asked = len([e for e in (*bench.train, *bench.dev) if e.gold])
    assert {f["n"] for f in second} == {asked}
    best = max(second, key=lambda f: next(iter(f["values"].values())))
    chose = next(f["candidate"] for kind, f in notes if kind == "chose" and f["what"] == "chunking")
    assert chose == best["candidate"]
    assert (
        retriever(made).index == retriever(improved(bench, ("retrieve", {"k": 1, "how": "bm25", **_one(chose)}))).index
    )


def _one(chose: str) -> dict[str, Any]:
    way, *rest = chose.split()
    return {"chunk": way, **{k: int(v) for k, v in (r.split("=") for r in rest)}}


def test_without_gold_spans_the_answers_choose() -> None:
    bench = tiny_bench()
    bench.train, bench.dev = (tuple(replace(e, gold=()) for e in part) for part in (bench.train, bench.dev))
    notes = noted(bench)
    improved(bench, ("retrieve", {"k": 1, "how": "bm25", "size": (100, 8)}))
    tried = [f for kind, f in notes if kind == "tried" and f["what"] == "chunking"]
    assert [f["candidate"] for f in tried] == ["paragraphs size=100 longest=180", "paragraphs size=8 longest=180"]
    assert "token_f1" in tried[0]["values"]


def test_ways_are_compared_on_documents_of_train_and_dev_alone() -> None:
    bench = tiny_bench()
    secret = Document("secret.md", "The capacity of the Alder room is secret.")
    bench = replace(bench, documents=(*bench.documents, secret))
    seen: list[Sequence[Passage]] = []
    found = bench.engines.index

    def listening(ref: str) -> Index:
        seen.append(found(ref).passages)
        return found(ref)

    bench.engines.index = listening  # type: ignore[method-assign]
    improved(bench, ("retrieve", {"k": 1, "how": "bm25", "size": (100, 8)}))
    assert ["secret.md" in {p.span.source for p in some} for some in seen[:4]] == [False] * 4
    assert "secret.md" in {p.span.source for p in seen[-1]}


def test_held_counts_whole_gold_spans_within_the_words() -> None:
    texts = ["alder one two three", "alder four five", "birch six"]
    starts = [0, 20, 36]
    made = [
        Passage(f"p{i}", t, Span("s", at, at + len(t))) for i, (t, at) in enumerate(zip(texts, starts, strict=True))
    ]
    index = Index(made)

    def asks(start: int, end: int) -> list[Example]:
        return [Example("q", (Message("user", "alder"),), gold=(Span("s", start, end),))]

    first, second = (p.span for p in index.search(["alder"], 2, "bm25")[0])
    assert held(index, asks(first.start, first.end), "bm25", 1) == 1  # the first counts whole
    assert held(index, asks(second.start, second.end), "bm25", 4) == 0
    assert held(index, asks(second.start, second.end), "bm25", 7) == 1
    assert held(index, asks(0, 35), "bm25", 7) == 1  # one span over two passages
    assert held(index, asks(36, 45), "bm25", 7) == 0
    assert Chunking() == Chunking(100, 180, "paragraphs", 0, False)
