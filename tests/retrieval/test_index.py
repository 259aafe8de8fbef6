"""Finding passages: BM25 against its formula, meaning, both, gold passages, and what is kept on disk."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import UserError
from sharpen.models.fake import FakeModel
from sharpen.retrieval import Chunking, Index, Wording, build, build_passages, load_index
from sharpen.retrieval.index import words
from sharpen.store import Store
from sharpen.types import Document, Passage, Span

EMBED = FakeModel().embed


def passages(*texts: str) -> list[Passage]:
    return [Passage(f"p{i}", t, Span(f"d{i}", 0, len(t))) for i, t in enumerate(texts)]


def ids(found: Sequence[Passage]) -> list[str]:
    return [p.id for p in found]


def bm25(corpus: list[list[str]], query: list[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    """Robertson's formula as Lucene writes it (Kamphuis et al. 2020, "Which BM25 do you mean?")."""
    n, mean = len(corpus), sum(map(len, corpus)) / len(corpus)
    held = Counter(w for text in corpus for w in set(text))
    scores = []
    for text in corpus:
        counts = Counter(text)
        total = 0.0
        for w in query:
            if not held[w]:
                continue
            idf = math.log(1 + (n - held[w] + 0.5) / (held[w] + 0.5))
            total += idf * counts[w] / (counts[w] + k1 * (1 - b + b * len(text) / mean))
        scores.append(total)
    return scores


TOY = passages(
    "the cat sat", "the dog sat on the mat", "a bird", "cat and cat and dog", "fish swim far away from every cat"
)


def test_words_are_as_they_were_asked_for(tmp_path: Path) -> None:
    """By hand: plain, "running" is no "run"; stems make it one; stop words no longer count as common words."""
    texts = passages("He is running to the school", "The runner of the bank", "what is it", "Runs are long")
    plain = Index(texts).search(["run"], 4, "bm25")[0]
    assert [p.id for p in plain if p.score] == ["p3"]
    stems = Index(texts, wording=Wording(stems=True)).search(["run"], 4, "bm25")[0]
    assert {p.id for p in stems if p.score} == {"p0", "p3"}
    query = "What is the run of it"
    assert ids(Index(texts).search([query], 1, "bm25")[0]) == ["p2"]
    both = Wording("en", stems=True)
    corpus = [["run", "school"], ["runner", "bank"], ["what", "is", "it"], ["run", "long"]]  # p2 is nothing else
    assert [both.words(p.text) for p in texts] == corpus
    found = {p.id: p.score for p in Index(texts, wording=both).search([query], 4, "bm25")[0]}
    assert [found[p.id] for p in texts] == pytest.approx(bm25(corpus, ["run"]), abs=1e-5)
    rest = Index(texts, wording=both).without(lambda p: p.id == "p1")
    assert rest.wording == both
    assert {p.id for p in rest.search(["runs"], 4, "bm25")[0] if p.score} == {"p0", "p3"}
    store = Store(tmp_path)
    refs = [build_passages(texts, store, None, w) for w in (None, Wording(), both)]
    assert refs[0] == refs[1] != refs[2]
    assert load_index(store.path(refs[2])).wording == both
    assert load_index(store.path(refs[0])).wording == Wording()
    with pytest.raises(UserError, match="no stop words are known of 'xx'"):
        Wording("xx")


def test_a_ranking_worked_out_by_hand() -> None:
    """ "cat": df 3 of 5, idf ln(1 + 2.5/3.5) = .5390; lengths 3, 6, 2, 5, 7, mean 4.6.

    p0: .5390 / (1 + 1.5 (.25 + .75 * 3/4.6)) = .2556; p3: .5390 * 2 / (2 + 1.5 (.25 + .75 * 5/4.6)) = .2996;
    p4: .5390 / (1 + 1.5 (.25 + .75 * 7/4.6)) = .1746.
    """
    found = Index(TOY).search(["cat"], 3, "bm25")[0]
    assert ids(found) == ["p3", "p0", "p4"]
    assert [p.score for p in found] == pytest.approx([0.2996, 0.2556, 0.1746], abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=6), min_size=1, max_size=8),
    st.lists(st.sampled_from("abcdefgxyz"), max_size=4),
)
def test_bm25_agrees_with_the_formula(corpus: list[list[str]], query: list[str]) -> None:
    index = Index(passages(*(" ".join(t) for t in corpus)))
    found = index.search([" ".join(query)], len(corpus), "bm25")[0]
    want = bm25(corpus, query)
    assert {p.id: p.score for p in found} == pytest.approx({f"p{i}": v for i, v in enumerate(want)}, abs=1e-4)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_a_plural_is_its_singular_and_case_does_not_count() -> None:
    assert words("Returns, a RETURN! Glass bus is 3's") == ["return", "a", "return", "glass", "bus", "is", "3", "s"]
    assert ids(Index(TOY).search(["CATS"], 1, "bm25")[0]) == ["p3"]


def test_scripts_without_spaces_are_found() -> None:
    index = Index(passages("东京是日本的首都。", "巴黎是法国的首都。", "柏林在德国。"))
    assert ids(index.search(["法国的首都是哪里?"], 1, "bm25")[0]) == ["p1"]


def test_the_title_and_section_are_searched_too() -> None:
    named = [
        Passage("a", "It takes ten days.", Span("a", 0, 18), meta={"title": "Refunds"}),
        Passage("b", "It takes ten days.", Span("b", 0, 18), meta={"title": "Delivery", "section": "Islands"}),
    ]
    index = Index(named)
    assert ids(index.search(["how long do refunds take"], 1, "bm25")[0]) == ["a"]
    assert ids(index.search(["islands"], 1, "bm25")[0]) == ["b"]


def test_ties_go_to_the_earlier_passage() -> None:
    index = Index(passages("same words", "same words", "other", "same words"), EMBED(["x"] * 4), EMBED)
    assert ids(index.search(["same"], 2, "bm25")[0]) == ["p0", "p1"]
    assert ids(index.search(["nothing known"], 3, "bm25")[0]) == ["p0", "p1", "p2"]
    for how in ("dense", "hybrid"):
        assert ids(index.search(["q q q"], 4, how)[0]) == ["p0", "p1", "p2", "p3"]


def test_more_than_there_are() -> None:
    assert len(Index(TOY).search(["cat"], 99, "bm25")[0]) == 5
    assert Index(TOY).search(["cat", "dog"], 0, "bm25") == [(), ()]
    assert Index(TOY).search([], 3, "bm25") == []


@pytest.mark.parametrize("how", ["bm25", "dense", "hybrid"])
def test_nothing_to_search(how: str) -> None:
    assert Index([]).search(["cat"], 3, how) == [()]


@pytest.mark.parametrize("text", ["", "?!", "☃", "cat"])
def test_strange_queries_and_passages(text: str) -> None:
    index = Index(passages("...", "!!"), EMBED(["...", "!!"]), EMBED)
    for how in ("bm25", "dense", "hybrid"):
        assert ids(index.search([text], 2, how)[0]) == ["p0", "p1"]
        assert len(Index(TOY, EMBED([p.text for p in TOY]), EMBED).search([text], 2, how)[0]) == 2


def test_a_way_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"cannot be searched by 'dense'\. It can be by: bm25\."):
        Index(TOY).search(["cat"], 1, "dense")
    with pytest.raises(UserError, match="cannot be searched by 'magic'"):
        Index(TOY, EMBED(["x"] * 5), EMBED).search(["cat"], 1, "magic")


def test_meaning_is_the_cosine() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)

    def embed(texts: Sequence[str], query: bool = False) -> Any:
        assert query, "queries are told apart from passages"
        return np.array([[0, 1]] * len(texts), np.float32)

    found = Index(passages("a", "b", "c"), vectors, embed).search(["q"], 3, "dense")[0]
    assert [(p.id, p.score) for p in found] == [("p2", 1.0), ("p1", pytest.approx(0.8)), ("p0", 0.0)]


def test_both_is_the_mean_of_scaled_scores() -> None:
    """The words put p1 first (scaled 1, 0, 0), meaning puts p2 first (0, .8, 1): p1 has .9, p2 .5, p0 0."""
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    index = Index(passages("a", "word", "c"), vectors, lambda texts, query=False: np.array([[0, 1]], np.float32))
    found = index.search(["word"], 3, "hybrid")[0]
    assert [(p.id, p.score) for p in found] == [
        ("p1", pytest.approx(0.9, abs=1e-5)),
        ("p2", pytest.approx(0.5)),
        ("p0", 0.0),
    ]


def test_gold_passages_hold_the_span() -> None:
    text = "aaaa bbbb\n\ncccc dddd\n\neeee ffff"
    store_passages = [
        Passage(f"d#{i}", text[s:e], Span("d", s, e)) for i, (s, e) in enumerate([(0, 9), (11, 20), (22, 31)])
    ]
    index = Index([*store_passages, Passage("other", text, Span("e", 0, 31))])
    assert ids(index.covering([Span("d", 12, 15)], 3)) == ["d#1"]
    assert ids(index.covering([Span("d", 7, 16)], 3)) == ["d#1"], "the one that holds most of it"
    assert ids(index.covering([Span("d", 22, 24), Span("d", 0, 2), Span("d", 23, 25)], 3)) == ["d#2", "d#0"]
    assert ids(index.covering([Span("d", 22, 24), Span("d", 0, 2)], 1)) == ["d#2"]
    assert index.covering([Span("d", 9, 11)], 3) == (), "between passages there is none"
    assert index.covering([Span("unknown", 0, 3), Span("d", 5, 5)], 3) == ()
    assert index.covering([], 3) == ()


DOCUMENTS = [
    Document("a.md", "# Pay\n\nPay day is the 25th.\n\n# Leave\n\nThere are 28 days.", "Handbook"),
    Document("b.md", "Ünïcode 漢字 \u2028 and more.", "Odd"),
]


def test_what_is_kept_answers_the_same(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ref = build(DOCUMENTS, store, EMBED, Chunking(20, 40))
    assert ref == build(DOCUMENTS, store, EMBED, Chunking(20, 40))
    assert store.verify(ref)
    index = load_index(store.path(ref), EMBED)
    assert index.can == {"bm25", "dense", "hybrid"}
    assert [p.text for p in index.passages] == [
        "# Pay\n\nPay day is the 25th.",
        "# Leave\n\nThere are 28 days.",
        DOCUMENTS[1].text,
    ]
    by_source = {d.source: d.text for d in DOCUMENTS}
    assert all(p.text == by_source[p.span.source][p.span.start : p.span.end] for p in index.passages)
    for how in ("bm25", "dense", "hybrid"):
        assert ids(index.search(["when is pay day"], 1, how)[0]) == ["a.md#0"]
    assert {p.suffix for p in store.path(ref).iterdir()} == {".jsonl", ".npy"}


def test_without_an_embedding_model_words_are_searched(tmp_path: Path) -> None:
    store = Store(tmp_path)
    index = load_index(store.path(build(DOCUMENTS, store, None)), EMBED)
    assert index.can == {"bm25"}
    assert build(DOCUMENTS, store, None) != build(DOCUMENTS, store, EMBED)


def test_half_a_character_and_meta_survive(tmp_path: Path) -> None:
    store = Store(tmp_path)
    odd = [Passage("1", "half \ud83d here", Span("s", 0, 11), meta={"answer": "ä", "noun": "x"})]
    index = load_index(store.path(build_passages(odd, store, EMBED)), EMBED)
    assert index.passages == odd
    assert index.search(["half"], 1)[0][0].meta == {"answer": "ä", "noun": "x"}


def test_an_empty_collection_can_be_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert load_index(store.path(build([], store, EMBED)), EMBED).search(["x"], 3, "hybrid") == [()]


def test_the_same_index_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys; from sharpen.retrieval import build; from sharpen.store import Store\n"
        "from sharpen.models.fake import FakeModel; from sharpen.types import Document\n"
        "documents = [Document('a', 'One two. Three four.'), Document('b', 'Five')]\n"
        "made = build(documents, Store(sys.argv[1]), FakeModel().embed)\n"
        "print(made)"
    )
    refs = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(refs) == 1


def test_identical_passages_are_embedded_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str], query: bool = False) -> Any:
        asked.extend(texts)
        return EMBED(texts)

    build_passages(passages("a b", "c d", "a b"), Store(tmp_path), embed)
    assert sorted(asked) == ["a b", "c d"]


def test_threads_may_search_a_fresh_index_at_once() -> None:
    index = Index(TOY * 200)
    wrong: list[Any] = []

    def search() -> None:
        try:
            if ids(index.search(["cat"], 1, "bm25")[0]) != ["p3"]:
                wrong.append("another passage")
        except Exception as e:
            wrong.append(e)

    threads = [threading.Thread(target=search) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_ten_thousand_passages_and_two_hundred_queries_take_seconds() -> None:
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"w{i}" for i in range(5000)])
    many = passages(*(" ".join(rng.choice(vocabulary, 80)) for _ in range(10_000)))
    vectors = rng.standard_normal((10_000, 256)).astype(np.float32)
    queries = [" ".join(rng.choice(vocabulary, 8)) for _ in range(200)]
    index = Index(many, vectors, EMBED)
    before = time.process_time()
    found = index.search(queries, 5, "hybrid")
    assert time.process_time() - before < 8
    assert all(len(f) == 5 for f in found)
    before = time.process_time()
    index.search(queries, 5, "bm25")
    assert time.process_time() - before < 2
