"""Other ways to cut: sentences, sections, changes of meaning, tables, and larger passages around what is found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import UserError
from sharpen.models import open_model
from sharpen.retrieval import Chunking, build, chunk, load_index
from sharpen.retrieval.chunking import parents, tables
from sharpen.store import Store
from sharpen.types import Document, Passage, Span


def cut(text: str, **options: Any) -> list[Passage]:
    return chunk([Document("d.md", text, "Title")], Chunking(**options), open_model("fake:").embed)  # type: ignore[attr-defined]


def texts(text: str, **options: Any) -> list[str]:
    return [p.text for p in cut(text, **options)]


TABLE = "| Name | Rent |\n|------|-----:|\n| Alder | 40 |\n| Birch | 55 |\n| Cedar | 70 |\n"
HTML = (
    "<table><tr><th>Name</th><th>Rent</th></tr>\n\n"
    "<tr><td>Alder</td><td>40</td></tr><tr><td>Elm</td><td>9</td></tr></table>"
)


def test_sentences_are_joined_across_paragraphs_but_not_across_headings() -> None:
    text = "One two. Three four.\n\nFive six.\n\n# Head\n\nSeven eight."
    assert texts(text, size=4, by="sentences") == ["One two. Three four.", "Five six.", "# Head\n\nSeven eight."]
    assert texts(text, size=6, by="sentences") == ["One two. Three four.\n\nFive six.", "# Head\n\nSeven eight."]
    assert texts("a b c d e f. g", size=2, longest=4, by="sentences") == ["a b c d", "e f.", "g"]


def test_a_section_is_one_passage_as_far_as_it_may() -> None:
    text = "# A\n\none two\n\nthree four\n\n# B\n\nfive"
    assert texts(text, size=1, longest=50, by="headings") == ["# A\n\none two\n\nthree four", "# B\n\nfive"]
    assert texts(text, size=1, longest=5, by="headings") == ["# A\n\none two", "three four", "# B\n\nfive"]


def test_passages_end_where_the_meaning_changes() -> None:
    text = "Cats purr. Cats sleep. Cats purr softly. Rent is due. Rent is high. Rent is due monthly."
    first, second = texts(text, size=100, by="meaning")
    assert first.startswith("Cats purr.")
    assert second.endswith("Rent is due monthly.")
    assert "Cats" not in second.partition(" ")[2]


def test_to_cut_by_meaning_needs_a_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cut by meaning with an embedding model"):
        build([Document("d", "text")], Store(tmp_path), None, Chunking(by="meaning"))


def test_a_section_may_be_named_with_those_it_lies_in() -> None:
    text = "# One\n\na\n\n## Two\n\nb\n\n### Three\n\nc\n\n## Four\n\nd\n\n# Five\n\ne"
    found = [p.meta["section"] for p in cut(text, size=1, path=True)]
    assert found == ["One", "One > Two", "One > Two > Three", "One > Four", "Five"]


def test_a_table_stays_whole_where_there_is_room() -> None:
    text = f"Our rooms are these and no others.\n{TABLE}\nAsk at the desk."
    assert TABLE.strip() in texts(text, size=1, longest=40)
    assert HTML in texts(f"Before.\n\n{HTML}\n\nAfter.", size=1, longest=40)


@pytest.mark.parametrize(("table", "longest"), [(TABLE, 9), (HTML, 2)])
def test_later_rows_of_a_long_table_know_its_header_and_do_not_say_it(table: str, longest: int) -> None:
    passages = cut(table, size=1, longest=longest)
    assert len(passages) > 1
    assert "table" not in passages[0].meta
    assert all(p.meta["table"] == "Name Rent" for p in passages[1:])
    assert all(p.text == table[p.span.start : p.span.end] for p in passages)
    assert "Name" not in passages[-1].text
    assert passages[-1].headed.startswith("Title\nName Rent\n")


def test_bars_that_are_no_table() -> None:
    assert list(tables("| one bar\n\n|x\n|y\n")) == []
    assert list(tables("<table> that never ends <table>")) == []
    assert list(tables(TABLE)) == [(0, len(TABLE))]
    assert list(tables(f"{HTML} {HTML}")) == [(0, len(HTML)), (len(HTML) + 1, 2 * len(HTML) + 1)]


MARKS = [
    "# Head\n",
    "## Deeper\n",
    "\n\n",
    "\n",
    " ",
    ". ",
    "| a | b |\n",
    "|---|---|\n",
    "<table>",
    "</table>",
    "</tr>",
]
pieces = st.sampled_from([*MARKS, "word ", "A sentence of six words here. ", "x" * 90 + " ", "漢字。"])
WAYS = st.sampled_from(["paragraphs", "sentences", "headings", "meaning"])


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=50), st.integers(1, 12), st.integers(1, 12), WAYS, st.integers(1, 40))
def test_nothing_is_lost_whatever_the_way(parts: list[str], size: int, longest: int, by: str, words: int) -> None:
    text = "".join(parts)
    document = Document("d.md", text)
    passages = cut(text, size=size, longest=longest, by=by)
    larger, of = parents(passages, [document], words)
    assert [n for some in of for n in some] == list(range(len(passages)))
    for made in (passages, larger):
        at = 0
        for p in made:
            assert p.text == text[p.span.start : p.span.end]
            assert p.text.strip()
            assert not text[at : p.span.start].strip()
            assert p.span.start >= at
            at = p.span.end
        assert not text[at:].strip()


def test_small_passages_are_searched_and_larger_ones_given(tmp_path: Path) -> None:
    text = "The alder stands here.\n\nThe birch is white.\n\nThe cedar is red.\n\nThe elm is tall."
    documents = [Document("a.md", text), Document("b.md", "Nothing of that.")]
    embed = open_model("fake:").embed  # type: ignore[attr-defined]
    store = Store(tmp_path)
    index = load_index(store.path(build(documents, store, embed, Chunking(3, 4, parent=8))), embed)
    assert [p.span for p in index.passages] == [Span("a.md", 0, 43), Span("a.md", 45, len(text)), Span("b.md", 0, 16)]
    assert len(index.searched) == 5
    for how in ("bm25", "dense", "hybrid"):
        best = index.search(["Where is the cedar?"], 2, how)[0]
        assert best[0].text == "The cedar is red.\n\nThe elm is tall."
        assert text[best[0].span.start : best[0].span.end] == best[0].text
        assert len({p.id for p in best}) == 2
    alone = index.without(lambda p: p.span.source == "a.md" and p.span.start == 0)
    assert len(alone.searched) == 3
    assert alone.search(["Where is the cedar?"], 1, "hybrid")[0][0].span.start == 45
    assert "birch" not in str(alone.search(["birch white"], 3, "hybrid"))
    only = index.search(["cedar"], 3, "hybrid", {"source": "b.md"})[0]
    assert [p.span.source for p in only] == ["b.md"]
    assert index.covering([Span("a.md", 50, 60)], 1)[0].span.start == 45


def fusion(lists: Sequence[Any], candidates: int = 50) -> Any:
    """What the index says of itself: scores scaled to 0..1 over the best candidates, and averaged."""
    total = 0
    for scores in lists:
        c = min(candidates, len(scores))
        floor, top = np.sort(scores)[-c], scores.max()
        total = total + np.clip((scores - floor) / max(top - floor, 1e-9), 0, 1) / len(lists)
    return total


def test_a_hybrid_search_is_the_mean_of_scaled_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(60)]
    passages = [Passage(f"p{i}", " ".join(rng.choice(words, 8)), Span("s", i, i + 1)) for i in range(300)]
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    asked = rng.normal(size=(1, 16)).astype(np.float32)
    from sharpen.retrieval import Index

    index = Index(passages, vectors, lambda texts, query=False: asked)
    lexical = np.zeros(300)
    for p in index.search(["w1 w2 w3"], 300, "bm25")[0]:
        lexical[int(p.id[1:])] = p.score
    expected = fusion([lexical, (asked @ vectors.T)[0]])
    order = sorted(range(300), key=lambda i: (-round(expected[i], 5), i))
    found = index.search(["w1 w2 w3"], 300, "hybrid")[0]
    assert [round(p.score, 4) for p in found] == pytest.approx([expected[i] for i in order], abs=1e-4)
    assert [p.id for p in found[:10]] == [f"p{i}" for i in order[:10]]
