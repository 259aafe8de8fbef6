"""Near-duplicates against comparing everything with everything, and what counts as a leak."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data import near_duplicates
from sharpen.data.leaks import leaks, shingles, words
from sharpen.types import Example, Message


def brute_force(a: list[str], b: list[str], threshold: float) -> list[tuple[int, int]]:
    found = []
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            s, t = shingles(words(x)), shingles(words(y))
            if (s | t and len(s & t) / len(s | t) >= threshold) or (not s | t and x.strip() == y.strip()):
                found.append((i, j))
    return found


TEXTS = st.lists(
    st.lists(
        st.sampled_from(["how", "do", "I", "pay", "the", "fee", "of", "my", "card", "now", "?", "42"]), max_size=12
    ).map(" ".join)
)


@given(TEXTS, TEXTS, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
@settings(max_examples=300, deadline=None)
def test_agrees_with_comparing_everything(a: list[str], b: list[str], threshold: float) -> None:
    assert [(i, j) for i, j, _ in near_duplicates(a, b, threshold)] == brute_force(a, b, threshold)


def test_case_punctuation_and_width_do_not_count() -> None:
    assert near_duplicates(["How do I pay?"], ["how do i PAY", "ＨＯＷ do I pay!!", "How do I pay now"]) == [
        (0, 0, 1.0),
        (0, 1, 1.0),
    ]
    assert near_duplicates(["?!", "x"], ["?!", "?", "X"]) == [(0, 0, 1.0), (1, 2, 1.0)]


def test_one_changed_word_in_a_long_question_is_found() -> None:
    text = " ".join(f"word{i}" for i in range(40))
    ((_, _, similarity),) = near_duplicates([text], [text.replace("word39", "other")])
    assert similarity == pytest.approx(37 / 39)


def test_tens_of_thousands_of_questions_take_seconds() -> None:
    rng = random.Random(0)
    some = [f"w{int(rng.paretovariate(0.7)) % 20_000}" for _ in range(200_000)]
    texts = [" ".join(rng.choices(some, k=rng.randrange(5, 20))) for _ in range(30_000)]
    frames = [f"Where is the order with the number {i} that I made last week in your shop?" for i in range(3_000)]
    begin = time.process_time()
    found = near_duplicates(texts[:20_000] + frames[:1500], texts[15_000:] + frames[1500:])
    assert {(i, j) for i, j, _ in found} >= {(15_000 + n, n) for n in range(5000)}
    assert time.process_time() - begin < 15


def ask(question: str, answer: str, source: str = "", label: str = "") -> Example:
    return Example(
        question + source, (Message("user", question),), (answer,), source=source, labels=(label,) * bool(label)
    )


def outcome(learned: Example, judged: Example) -> str:
    gone, alike = leaks([learned], [judged])
    return "gone" if gone else "alike" if alike else "kept"


LONG = "When I return a bicycle that I bought in your shop in May, and the frame has a scratch that was there from the "
LONG += "start, who pays for the parcel, and how long do I have?"


@pytest.mark.parametrize(
    ("learned", "judged", "wanted"),
    [
        (ask("What is the fee?", "5", "a"), ask("what is the fee", "9", "b"), "alike"),
        (ask("What is the fee?", "5", "a"), ask("what is the fee", "5", "b"), "gone"),
        (ask("What is the fee?", "5", "a"), ask("what is the fee", "9", "a"), "gone"),
        (ask("What is the fee?", "5"), ask("what is the fee", "9", "b"), "gone"),
        (ask(LONG, "5", "a"), ask(LONG, "9", "b"), "gone"),
        (ask("What is the fee?", "x", "a", "x"), ask("what is the fee", "y", "b", "y"), "gone"),
        (ask("What is the fee?", "5"), ask("Who are you?", "5"), "kept"),
    ],
)
def test_what_is_a_leak(learned: Example, judged: Example, wanted: str) -> None:
    assert outcome(learned, judged) == wanted


def test_a_system_message_that_all_share_is_not_compared() -> None:
    system = Message("system", " ".join(["You are the kind assistant of our shop."] * 9))
    a, b = (Example(q, (system, Message("user", q)), ("x",)) for q in ("What is the fee?", "Who are you?"))
    assert outcome(a, b) == "kept"


def slow_leaks(learned: list[Example], judged: list[Example]) -> tuple[dict, dict]:
    """The definition, pair by pair: for each learned row its likest judged row, of those that it gives away first."""
    gone: dict[int, tuple[float, int]] = {}
    alike: dict[int, tuple[float, int]] = {}
    for i, j, s in near_duplicates([e.question for e in learned], [e.question for e in judged], 0.8):
        a, b = learned[i], judged[j]
        other = a.source and b.source and a.source != b.source and not a.labels and not b.labels
        other = other and max(len(words(a.question)), len(words(b.question))) <= 25
        other = other and not {words(t) for t in a.targets} & {words(t) for t in b.targets}
        held = alike if other else gone
        held[i] = min(held.get(i, (0.0, 0)), (-s, j))
    return gone, {i: v for i, v in alike.items() if i not in gone}


ROWS = st.lists(
    st.builds(
        ask,
        st.sampled_from(["What is the fee?", "what is the fee", "What is the fee now, in May, for me?", LONG, "!"]),
        st.sampled_from(["5", "9", "none"]),
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["", "", "", "x"]),
    ),
    max_size=12,
)


@given(ROWS, ROWS)
def test_leaks_are_those_of_all_pairs(learned: list[Example], judged: list[Example]) -> None:
    gone, alike = leaks(learned, judged)
    slow_gone, slow_alike = slow_leaks(learned, judged)
    assert {k.row: (-k.similarity, k.other) for k in gone} == slow_gone
    assert {k.row: (-k.similarity, k.other) for k in alike} == slow_alike


def test_one_question_of_many_documents_fills_no_memory() -> None:
    rows = [ask("Is there a notice period?", f"{i} days", f"contract {i}") for i in range(20_000)]
    begin = time.process_time()
    gone, alike = leaks(rows[:14_000], rows[14_000:])
    assert (len(gone), len(alike)) == (0, 14_000)
    assert time.process_time() - begin < 10
