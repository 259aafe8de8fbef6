"""Alike below and across whole texts: repeated sentences, repeated runs of words, and what gives a test away."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data.alike import (
    Contamination,
    Overlap,
    RepeatedSentences,
    Span,
    contaminated,
    covered,
    repeated_spans,
    sentences,
)
from sharpen.data.wording import words
from sharpen.errors import UserError

VOCABULARY = [f"w{i}" for i in range(2_000)]


def prose(draw: random.Random, size: int) -> str:
    return " ".join(draw.choices(VOCABULARY, k=size))


# Sentences.


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One two. Three? Four!", ["One two. ", "Three? ", "Four!"]),
        ("Costs 3.50 at a.b today.  Next", ["Costs 3.50 at a.b today.  ", "Next"]),
        ("Line\n\nNext line\n", ["Line\n\n", "Next line\n"]),
        ("Well... yes", ["Well... ", "yes"]),
        ("日本語。次の文！End", ["日本語。", "次の文！", "End"]),
        ("", []),
        (" ", [" "]),
    ],
)
def test_sentences_by_hand(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@given(st.text("ab .!?\n。\t", max_size=80) | st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_splitting_takes_linear_time() -> None:
    assert len(sentences("." * 200_000)) == 1
    assert len(sentences("a. " * 100_000)) == 100_000
    assert len(sentences("\n" * 200_000)) == 1


def repeated(folder: Path, texts: list[str], documents: int, threshold: float = 0.8) -> tuple[list[str], int, int]:
    search = RepeatedSentences(folder, documents, threshold)
    for at in range(0, len(texts), 3):
        search.add(texts[at : at + 3])
    found = search.find()
    return found.strip(texts), found.exact, found.near


def test_boilerplate_goes_from_all_but_the_first_document(tmp_path: Path) -> None:
    line = "Subscribe to our newsletter now and never miss a thing"
    near = "Subscribe to our newsletter now and never miss a thing ever"
    texts = [f"Text number {i} is about {i} things here.\n{line}\nYes. Thank you." for i in range(6)]
    texts += [f"Another one of other kinds.\n{near}\nYes. Thank you.", "Only a short one here.\nOnly a short one here."]
    texts[1] = f"{line.upper()}!\nIts own words stay here."
    made, exact, close = repeated(tmp_path, texts, 7)
    assert made[0] == texts[0]
    assert made[1] == "Its own words stay here."
    assert made[2] == "Text number 2 is about 2 things here.\nYes. Thank you."
    assert made[6] == "Another one of other kinds.\nYes. Thank you."
    assert made[7] == texts[7], "twice in one document is one document"
    assert (exact, close) == (5, 1)
    assert repeated(tmp_path / "more", texts, 8)[0] == texts
    assert repeated(tmp_path / "exact", texts, 6, 1.0)[1:] == (5, 0)


@given(st.lists(st.lists(st.integers(0, 5), max_size=5), max_size=8), st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_exact_sentences_as_by_force(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[list[int]], least: int
) -> None:
    lines = [f"Sentence {'abcdef'[k]} has {'uvwxyz'[k]} many words.\n" for k in range(6)]
    texts = ["".join(lines[k] for k in each) for each in kinds]
    made, exact, near = repeated(tmp_path_factory.mktemp("s"), texts, least, 1.0)
    count = Counter(k for each in kinds for k in set(each))
    first = {k: next(i for i, each in enumerate(kinds) if k in each) for k in count}
    want = [[k for k in each if count[k] < least or first[k] == i] for i, each in enumerate(kinds)]
    assert [m.strip() for m in made] == ["".join(lines[k] for k in each).strip() for each in want]
    assert exact == sum(map(len, kinds)) - sum(map(len, want))
    assert near == 0


def test_sentences_are_taken_up_again(tmp_path: Path) -> None:
    texts = [f"Own {i} words of {i * 7} here.\nThe same line stands in every text.\n" for i in range(12)]
    whole = repeated(tmp_path / "whole", texts, 5)
    RepeatedSentences(tmp_path / "cut", 5).add(texts[:5])
    with (tmp_path / "cut" / "sentences").open("ab") as f:  # killed between the one file and the others
        f.write(b"\x02\x00\x00\x00" * 3)
    again = RepeatedSentences(tmp_path / "cut", 5)
    assert again.rows == 5
    again.add(texts[5:])
    assert again.find().strip(texts) == whole[0]


# Spans.


def spans_by_force(texts: list[str], length: int) -> list[set[int]]:
    seen: set[tuple[str, ...]] = set()
    marked: list[set[int]] = []
    for text in texts:
        tokens, own = words(text), set()
        for at in range(len(tokens) - length + 1):
            gram = tokens[at : at + length]
            if gram in seen:
                own.update(range(at, at + length))
            seen.add(gram)
        marked.append(own)
    return marked


def as_sets(spans: list[Span], n: int) -> list[set[int]]:
    made: list[set[int]] = [set() for _ in range(n)]
    for s in spans:
        made[s.row].update(range(s.start, s.end))
    return made


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=40).map(" ".join), max_size=6), st.integers(4, 9))
@settings(max_examples=150, deadline=None)
def test_spans_as_by_force(tmp_path_factory: pytest.TempPathFactory, texts: list[str], length: int) -> None:
    found = repeated_spans(texts, tmp_path_factory.mktemp("spans"), length)
    assert as_sets(found, len(texts)) == spans_by_force(texts, length)


def test_planted_spans_are_found_to_the_word(tmp_path: Path) -> None:
    draw = random.Random(0)
    texts = [prose(draw, 300).split() for _ in range(200)]
    planted = defaultdict(set)
    for n in range(60):
        a, b, size = n, 100 + n, draw.randint(45, 90)
        at, to = draw.randrange(200), draw.randrange(200)
        texts[b][to : to + size] = texts[a][at : at + size]
        if size >= 50:
            planted[b] |= set(range(to, to + size))
    rows = [" ".join(t) for t in texts]
    found = repeated_spans(rows, tmp_path)
    assert as_sets(found, 200) == spans_by_force(rows, 50)
    assert sum(len(planted[s.row]) == s.end - s.start for s in found) >= 0.9 * len(planted)
    assert covered(found, rows)[found[0].row] == pytest.approx((found[0].end - found[0].start) / len(texts[0]), rel=0.2)


def test_spans_of_little_text(tmp_path: Path) -> None:
    assert repeated_spans([], tmp_path) == []
    assert repeated_spans(["", "a b c"], tmp_path) == []
    with pytest.raises(UserError, match="says nothing"):
        repeated_spans([], tmp_path, 3)


# What gives a test away.


def overlaps_by_force(texts: list[str], judged: list[str]) -> set[tuple[int, int, float]]:
    found = set()
    for j, other in enumerate(judged):
        tokens = words(other)
        n = 13 if len(tokens) >= 13 else 8
        grams = {tokens[k : k + n] for k in range(len(tokens) - n + 1)}
        for i, text in enumerate(texts):
            own = words(text)
            shared = grams & {own[k : k + n] for k in range(len(own) - n + 1)}
            if shared:
                found.add((i, j, round(len(shared) / len(grams), 4)))
    return found


LETTERS = st.lists(st.sampled_from("ab"), max_size=24).map(" ".join)


@given(st.lists(LETTERS, max_size=5), st.lists(LETTERS, max_size=5))
@settings(max_examples=150, deadline=None)
def test_overlaps_as_by_force(texts: list[str], judged: list[str]) -> None:
    found = contaminated(texts, judged)
    assert {(o.row, o.other, o.shared) for o in found} == overlaps_by_force(texts, judged)
    for o in found:
        assert o.excerpt in " ".join(words(texts[o.row]))
        assert o.excerpt in " ".join(words(judged[o.other]))


def test_overlaps_by_hand() -> None:
    asked = "How many days after delivery can a customer in another country send an item back for a refund?"
    short = "What is the capital of the largest region?"
    texts = [
        "Nothing of that kind stands here.",
        f"FAQ: {asked.upper()} Thirty days.",
        "They asked what is the capital of the largest region of Spain.",
        "How many days after delivery can a customer send it?",
    ]
    found = contaminated(texts, {"dev": [short], "test": ["Why?", asked]})
    assert found == [
        Overlap(1, "test", 1, 1.0, "how many days after delivery can a customer in another country send an"),
        Overlap(2, "dev", 0, 1.0, "what is the capital of the largest region"),
    ]
    assert Contamination({"test": ["Why?", asked]}).too_short == 1


def test_planted_leaks_are_found_among_many() -> None:
    draw = random.Random(1)
    judged = [prose(draw, 40) for _ in range(200)]
    texts = [prose(draw, 100) for _ in range(1_000)]
    for n in range(0, 200, 2):
        part = judged[n].split()[5 : 5 + draw.randint(13, 30)]
        texts[n * 3] = " ".join([*texts[n * 3].split()[:20], *part, *texts[n * 3].split()[20:]])
    found = contaminated(texts, {"test": judged})
    assert [(o.row, o.other) for o in found] == [(n * 3, n) for n in range(0, 200, 2)]
