"""How documents are searched is chosen by what is found; how many passages are given, by the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sharpen.errors import UserError
from sharpen.models import open_model
from sharpen.retrieval import build
from sharpen.runtime import Engines
from sharpen.techniques import Bench, NotAvailable, open_technique
from sharpen.techniques.retrieve import recall
from sharpen.testing import tiny_bench
from sharpen.types import Document, Example, Message, Span, System

NAMES = ("alder", "birch", "cedar", "dogwood", "elm", "fir")
TEXTS = tuple(f"The {name} stands here." for name in NAMES)


def bench(said: Sequence[int], meant: Sequence[int], gold: bool = True) -> Bench:
    """A document a tree; question i is about tree i, names tree ``said[i]``, and is embedded as tree ``meant[i]``."""
    documents = tuple(Document(f"{name}.md", text) for name, text in zip(NAMES, TEXTS, strict=True))
    asked = [f"Where is the {NAMES[n]}? {i}" for i, n in enumerate(said)]

    def place(text: str) -> int:
        return meant[int(text[-1])] if text in asked else next(i for i, t in enumerate(TEXTS) if t in text)

    class Embedder:
        def embed(self, texts: Sequence[str], query: bool = False, told: Any = None) -> Any:
            return np.eye(len(NAMES), dtype=np.float32)[[place(t) for t in texts]]

    examples = [
        Example(f"q{i}", (Message("user", q),), ("here",), gold=(Span(f"{NAMES[i]}.md", 0, 9),) if gold else ())
        for i, q in enumerate(asked)
    ]
    made = tiny_bench()
    engines = Engines(made.store, lambda ref, adapters: open_model(ref, adapters=adapters), Embedder)
    return replace(made, train=tuple(examples[:3]), dev=tuple(examples[3:]), documents=documents, engines=engines)


def retrieve(bench: Bench, **options: Any) -> System:
    return open_technique("retrieve", options)(bench.first("fake:"), bench)


RIGHT, WRONG = (0, 1, 2, 3, 4, 5), (5, 0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("said", "meant", "way"),
    [
        (RIGHT, WRONG, "bm25"),
        (WRONG, RIGHT, "dense"),
        (RIGHT, RIGHT, "hybrid"),  # of equals the first
        ((0, 1, 2, 3, 4, 4), (5, 0, 1, 2, 3, 4), "bm25"),
    ],
)
def test_the_way_that_finds_the_gold_passage_is_taken(said: tuple[int, ...], meant: tuple[int, ...], way: str) -> None:
    made = bench(said, meant)
    notes: list[dict[str, Any]] = []
    made.note = lambda kind, facts: notes.append(facts) if kind == "recall" else None
    program = retrieve(made, k=1)
    assert program.retriever is not None
    assert program.retriever.how == way
    shares = {n["how"]: n["at_1"] for n in notes}
    assert shares["bm25"] == pytest.approx(sum(a == b for a, b in zip(said, RIGHT, strict=True)) / 6)
    assert shares["dense"] == pytest.approx(sum(a == b for a, b in zip(meant, RIGHT, strict=True)) / 6)
    assert all(n["n"] == 6 for n in notes)


def test_a_way_that_was_asked_for_is_taken_and_nothing_is_measured() -> None:
    made = bench(RIGHT, WRONG)
    notes: list[str] = []
    made.note = lambda kind, facts: notes.append(kind)
    program = retrieve(made, k=1, how="dense")
    assert program.retriever is not None
    assert program.retriever.how == "dense"
    assert "recall" not in notes


def test_without_gold_passages_both_are_searched() -> None:
    program = retrieve(bench(RIGHT, WRONG, gold=False), k=1)
    assert program.retriever is not None
    assert program.retriever.how == "hybrid"


def test_recall_is_the_share_of_known_gold_passages_among_the_first() -> None:
    made = bench((0, 1, 2, 0, 0, 0), RIGHT)
    index = made.engines.index(build(made.documents, made.store, made.engines.embed))
    examples = [*made.train, *made.dev, replace(made.train[0], gold=())]
    assert recall(index, examples, (1, 6), "bm25") == ([0.5, 1.0], 6)
    assert recall(index, examples[-1:], (1,), "bm25") == ([0.0], 0)


def test_how_many_passages_is_chosen_by_the_answers() -> None:
    made = tiny_bench()
    program = open_technique("retrieve", {"k": (1, 3)})(made.first("fake:"), made)
    assert program.retriever is not None
    values = {k: made.score(replace(program, retriever=replace(program.retriever, k=k))).values for k in (1, 3)}
    assert program.retriever.k == max(values, key=lambda k: (values[k], -k))


def test_without_documents_it_is_not_the_baseline_under_another_name() -> None:
    made = tiny_bench(documents=False)
    with pytest.raises(NotAvailable, match="there are none"):
        retrieve(made)


def test_words_are_an_option_and_another_arm() -> None:
    made = bench(RIGHT, RIGHT)
    plain, stems = (retrieve(made, how="bm25", **more) for more in ({}, {"stems": True, "stop_words": "en"}))
    assert plain.retriever is not None
    assert stems.retriever is not None
    assert plain.retriever.index != stems.retriever.index
    assert plain.prompt == stems.prompt
    for wrong in ({"stems": 1}, {"stop_words": ["the"]}, {"stop_words": "klingon"}):
        with pytest.raises(UserError):
            open_technique("retrieve", wrong)


def test_a_search_by_words_embeds_nothing() -> None:
    made = bench(RIGHT, RIGHT)
    engines = Engines(made.store, lambda ref, adapters: open_model(ref, adapters=adapters))
    found = retrieve(replace(made, engines=engines), how="bm25", k=1).retriever
    assert found is not None
    assert found.how == "bm25"
