"""Training the search: what is learned from, what is kept, and when it is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.models import open_embedder
from sharpen.retrieval import OWN_EMBEDDER, Chunking, Index, build, chunk
from sharpen.runtime import Engines
from sharpen.techniques import Bench, NotAvailable, open_technique
from sharpen.techniques.tune_retriever import _chosen, firsts, mined, one_query
from sharpen.testing import tiny_bench
from sharpen.types import Document, Example, Message, Retriever, Span, System

COLOURS = ("red", "blue", "green", "grey")


def town(n: int) -> Document:
    return Document(f"t{n}.md", "\n\n".join(f"Gate {n}{i} is painted {c} today." for i, c in enumerate(COLOURS)))


def asked(n: int, i: int) -> Example:
    text = town(n).text
    start = text.index(COLOURS[i])
    gold = (Span(f"t{n}.md", start, start + len(COLOURS[i])),)
    return Example(
        f"q{n}{i}", (Message("user", f"What colour has gate {n}{i}?"),), (COLOURS[i],), source=f"t{n}.md", gold=gold
    )


def bench(**changes: Any) -> Bench:
    """Ten towns to learn from, two to choose on, eight more that nobody asks about."""
    train, dev = ([asked(n, i) for n in towns for i in range(4)] for towns in (range(10), range(10, 12)))
    documents = tuple(town(n) for n in range(20))
    notes: list[tuple[str, dict[str, Any]]] = []
    changes = {"train": tuple(train), "dev": tuple(dev), "documents": documents, **changes}
    made = replace(tiny_bench(), note=lambda kind, facts: notes.append((kind, facts)), **changes)
    made.notes = notes  # type: ignore[attr-defined]
    return made


def index_of(b: Bench) -> Index:
    return Index(chunk(b.documents, Chunking(5, 20)))


def test_wrong_passages_are_of_training_documents_and_hold_no_answer() -> None:
    b = bench()
    pairs = mined(index_of(b), "{question}", b.train, 3)
    assert len(pairs) == 40
    for pair, e in zip(pairs, b.train, strict=True):
        assert pair.query == e.question
        assert f"painted {e.targets[0]}" in pair.passage
        assert pair.wrong
        for text in pair.wrong:
            assert e.targets[0] not in text
            gate = int(text.split()[1]) // 10
            assert gate < 10, "of a town in train"
    assert mined(index_of(b), "{question}", [replace(e, gold=()) for e in b.train], 3) == []


def test_what_is_searched_for_is_the_conversation_where_it_says_so() -> None:
    turns = (Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "Which gate?"))
    e = Example("q", turns)
    assert one_query("{question}", e) == "Which gate?"
    assert one_query("{conversation}", e) == "Which gate? Hi Hello"
    assert one_query("{rewritten}", e) == "Which gate?", "which only a step could write"
    assert one_query("{question}\n{conversation}", e) == "Which gate?", "two queries are not one"


def test_the_trained_search_is_taken_where_it_finds_more(tmp_path: Path) -> None:
    b = bench()
    documents = list(b.documents)
    worse = build(documents[:3], b.store, b.engines.embed, Chunking(5, 20))
    better = build(documents, b.store, b.engines.embed, Chunking(5, 20))
    program = System("fake:", retriever=Retriever(worse, 2, "bm25"))
    made = _chosen(program, program.retriever, b.engines.index(worse), better, "hybrid", b)  # type: ignore[arg-type]
    ((_, said),) = b.notes  # type: ignore[attr-defined]
    assert made.retriever == Retriever(better, 2, "hybrid")
    assert (said["before"], said["kept"], said["n"]) == (0.0, True, 8)
    assert said["gain"] == sum(firsts(b.engines.index(better), "{question}", b.dev, "hybrid")) / 8
    back = System("fake:", retriever=Retriever(better, 2, "bm25"))
    assert _chosen(back, back.retriever, b.engines.index(better), worse, "auto", b) == back  # type: ignore[arg-type]


def test_a_trained_model_is_kept_with_its_index_and_searches_it(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tiny_bert import write_bert

    folder = write_bert(tmp_path / "base")
    b = bench(work=tmp_path / "work")
    engines = Engines(b.store, b.engines._opener, lambda: open_embedder(str(folder)))
    notes: list[str] = []
    b = replace(b, engines=engines, note=lambda kind, facts: notes.append(kind))
    program = open_technique("retrieve", {"k": 1, "how": "dense", "size": 5})(b.first("fake:"), b)
    options = {"epochs": 0.5, "learning_rate": 1e-3, "how": "dense"}
    open_technique("tune_retriever", options)(program, b)
    (kept,) = [ref for ref in b.store.refs() if (b.store.path(ref) / OWN_EMBEDDER).is_dir()]
    index = Engines(b.store, b.engines._opener).index(kept)  # no other embedding model is needed
    assert index.can == {"bm25", "dense", "hybrid"}
    (found,) = index.search(["Gate 31 is painted blue today."], 1, "dense")
    assert found[0].text == "Gate 31 is painted blue today."
    assert {*notes} >= {"trained retriever", "recall of the trained retriever"}
    base, own = open_embedder(str(folder)), open_embedder(str(b.store.path(kept) / OWN_EMBEDDER))
    assert abs(base.embed(["gate"]) - own.embed(["gate"])).max() > 1e-4, "it has learned"


@pytest.mark.parametrize(
    "options", [{"epochs": 0}, {"epochs": True}, {"learning_rate": 2}, {"how": "bm25"}, {"batch": 1}]
)
def test_wrong_options_are_said_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="the option"):
        open_technique("tune_retriever", options)


def test_where_nothing_can_be_learned_it_is_not_available() -> None:
    b = bench()
    tune = open_technique("tune_retriever", {})
    with pytest.raises(NotAvailable, match="improves a search, and the program has none"):
        tune(b.first("fake:"), b)
    program = open_technique("retrieve", {"k": 1})(b.first("fake:"), b)
    with pytest.raises(NotAvailable, match="8 training questions have a known passage"):
        tune(program, replace(b, train=b.train[:8]))
    with pytest.raises(NotAvailable, match="cannot be trained"):
        tune(program, b)
