"""Passages: each is exactly the text at its span, and together they lose no word."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.retrieval import Chunking, chunk
from sharpen.retrieval.chunking import HEADING, UNIT
from sharpen.types import Document, Passage


def cut(text: str, **options: int) -> list[Passage]:
    return chunk([Document("d.md", text, "Title")], Chunking(**options))


def texts(text: str, **options: int) -> list[str]:
    return [p.text for p in cut(text, **options)]


def check(text: str, passages: list[Passage], options: Chunking) -> None:
    """What holds for every text."""
    at = 0
    for n, p in enumerate(passages):
        assert p.text == text[p.span.start : p.span.end]
        assert p.text.strip(), "no passage is empty"
        assert p.id == f"d.md#{n}"
        assert p.span.source == "d.md"
        assert not text[at : p.span.start].strip(), "nothing lies between passages"
        assert p.span.start >= at, "passages do not overlap"
        body = "\n".join(line for line in p.text.split("\n") if not HEADING.match(line.lstrip()))
        assert len(UNIT.findall(body)) <= max(options.size, options.longest)
        assert len(UNIT.findall(p.text)) <= max(options.size, 99) + options.longest, "headings do not pile up"
        at = p.span.end
    assert not text[at:].strip()


MARKS = ["# Head\n", "## Deeper\n", "#no heading\n", "\n\n", "\n", "\r\n", " ", "\t", ". ", "! ", '." ', "。", "\u2028"]
TEXT = ["word ", "two words ", "A sentence of six words here. ", "x" * 90 + " ", "漢字 ", "ภาษา", "\x0c", "\x00"]
pieces = st.sampled_from(MARKS + TEXT)


@settings(max_examples=200, deadline=None)
@given(st.lists(pieces | st.text(max_size=5), max_size=60), st.integers(1, 12), st.integers(1, 12))
def test_nothing_is_lost_and_limits_hold(parts: list[str], size: int, longest: int) -> None:
    text = "".join(parts)
    options = Chunking(size, longest)
    check(text, chunk([Document("d.md", text)], options), options)


def test_paragraphs_of_a_section_are_joined_up_to_the_size() -> None:
    text = "one two three\n\nfour five\n\nsix seven eight"
    assert texts(text, size=5) == ["one two three\n\nfour five", "six seven eight"]
    assert texts(text, size=4) == ["one two three", "four five", "six seven eight"]
    assert texts(text, size=8) == [text]


def test_a_heading_goes_with_what_follows() -> None:
    text = "Intro words.\n\n# One\n\nFirst text.\n\n## Two\n### Three\nThird text.\n\n# Last"
    passages = cut(text)
    assert [p.text for p in passages] == [
        "Intro words.",
        "# One\n\nFirst text.",
        "## Two\n### Three\nThird text.",
        "# Last",
    ]
    assert [p.meta.get("section") for p in passages] == [None, "One", "Three", "Last"]
    assert all(p.meta["title"] == "Title" for p in passages)


def test_a_section_spans_its_paragraphs() -> None:
    passages = cut("# Pay\n\na b c\n\nd e f\n\n# Leave\n\ng h", size=4)
    assert [(p.text, p.meta["section"]) for p in passages] == [
        ("# Pay\n\na b c", "Pay"),
        ("d e f", "Pay"),
        ("# Leave\n\ng h", "Leave"),
    ]


def test_a_heading_is_not_left_behind_where_the_text_is_long() -> None:
    assert texts("# Head\n\n" + "a b c d e f g h", size=4, longest=8) == ["# Head\n\na b c d e f g h"]


def test_long_paragraphs_are_cut_at_sentence_ends() -> None:
    text = 'One two three. Four five six! "Seven eight." Nine ten eleven twelve?'
    assert texts(text, size=3, longest=6) == ["One two three. Four five six!", '"Seven eight." Nine ten eleven twelve?']


def test_long_sentences_are_cut_between_words() -> None:
    assert texts("a b c d e f g", size=1, longest=3) == ["a b c", "d e f", "g"]
    assert texts("One. a b c d e f g. Two.", size=1, longest=3) == ["One.", "a b c", "d e f", "g.", "Two."]


def test_scripts_without_spaces_are_cut_too() -> None:
    text = "东京是日本的首都。" * 50
    found = texts(text, size=20, longest=30)
    assert "".join(found) == text
    assert all(len(t) <= 30 for t in found)
    assert all(t.endswith("。") for t in found)


def test_one_word_that_never_ends_is_cut() -> None:
    found = texts("x" * 10_000, size=10, longest=20)
    assert "".join(found) == "x" * 10_000
    assert max(map(len, found)) == 800


def test_ids_are_per_document_and_empty_documents_have_none() -> None:
    passages = chunk([Document("a", "one"), Document("b", " \n\n "), Document("c", ""), Document("d", "two\n\nthree")])
    assert [p.id for p in passages] == ["a#0", "d#0"]


def many(what: str, letters: int = 200_000) -> str:
    return what * (letters // len(what))


WORDS = [
    "the",
    "customer",
    "may",
    "return",
    "goods.",
    "within",
    "30",
    "days",
    "if",
    "unused.\n\n",
    "Why?",
    "# Heading\n",
]
TEXTS = {
    "prose": lambda: " ".join(random.Random(0).choices(WORDS, k=900_000)),  # about 5 MB
    "newlines": lambda: many("\n", 1_000_000),
    "one word": lambda: many("x", 1_000_000),
    "spaces": lambda: "a" + many(" ") + "b",
    "blank lines with spaces": lambda: many("\n  \t "),
    "full stops": lambda: many("."),
    "quotes": lambda: "." + many("'"),
    "headings": lambda: many("# a\n"),
    "headings apart": lambda: many("# a\n\n"),
    "a heading that never ends": lambda: "# " + many("word "),
    "sentences": lambda: many("A b. "),
    "one paragraph of lines": lambda: many("some words\n"),
    "hashes": lambda: many("#"),
    "ideographs": lambda: many("漢") + "。" * 1000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_time_is_linear(name: str) -> None:
    text = TEXTS[name]()
    before = time.process_time()
    passages = cut(text)
    seconds = time.process_time() - before
    check(text, passages, Chunking())
    assert seconds < 1.5 * max(1, len(text) / 1e6), f"{seconds:.1f} s"
