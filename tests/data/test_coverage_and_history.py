"""Gaps, criteria of sources, the gate, and the three questions: computed by hand on a few rows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sharpen.data.examples import Dropped
from sharpen.data.page.coverage import bucket, coverage, criteria, dialogue, evenness
from sharpen.data.page.gate import gate, standing
from sharpen.data.page.history import history, places
from sharpen.types import Document, Example, Message


def row(i: int, label: str = "", text: str = "What is it?", source: str = "", **meta: Any) -> Example:
    labels = (label,) if label else ()
    return Example(str(i), (Message("user", text),), labels or ("x",), labels=labels, source=source, meta=meta)


def test_evenness_by_hand() -> None:
    assert evenness({"a": 5, "b": 5}) == pytest.approx(1)
    assert evenness({"a": 3, "b": 1}) == pytest.approx(-(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)))
    assert evenness({"a": 9}) == 1


def test_gaps_are_values_that_are_thin_or_in_dev_alone() -> None:
    train = [row(i, "a" if i < 8 else "b", segment="b2b") for i in range(10)]
    dev = [row(20, "a", segment="b2b"), row(21, "c", segment="b2c")]
    found = {line["facet"]: line for line in coverage({"train": train, "dev": dev})}
    assert found["class"]["gaps"] == ["b: 2", "c: 0, and dev has 1"]
    assert found["class"]["n_gaps"] == 2
    assert (found["class"]["largest"], found["class"]["largest_share"]) == ("a", 0.75)
    assert found["segment"]["gaps"] == ["b2c: 0, and dev has 1"]
    assert "way of asking" not in found, "one value is no facet"


@pytest.mark.parametrize(("n", "said"), [(1, "1 to 5 words"), (6, "6 to 10 words"), (81, "over 80 words")])
def test_lengths_as_ranges(n: int, said: str) -> None:
    assert bucket(n) == said


def test_too_much_dialogue_is_said() -> None:
    talk = Example("t", (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "Pay")), ("x",))
    assert dialogue([talk, row(1)])["too_much"] is False
    found = dialogue([talk, talk, row(1)])
    assert (found["n"], found["share"], found["too_much"]) == (2, 0.6667, True)


def test_each_source_is_scored_by_three_criteria_and_one_of_something_else_stands_out() -> None:
    texts = {f"fees{i}.md": f"The fee of account {i} is charged monthly to every customer." for i in range(6)}
    texts["cake.md"] = "Butter, sugar and flour are stirred until smooth and baked."
    rows = [row(i, text="Which fee is charged monthly to a customer?", source=f"fees{i}.md") for i in range(6)]
    found = criteria(rows, [Document(s, t) for s, t in texts.items()], ["fees of accounts"], {"scan.pdf": "no text"})
    by = {line["source"]: line for line in found}
    assert by["scan.pdf"]["verdict"] == "dropped"
    assert by["scan.pdf"]["against"] == ["no text"]
    assert by["cake.md"]["relevance"] == 0
    assert by["cake.md"]["against"]
    assert by["fees1.md"]["rows"] == 1
    assert by["fees1.md"]["characters"] == len(texts["fees1.md"])
    assert by["fees1.md"]["quality"] == 1
    assert [line["source"] for line in found][:2] == ["scan.pdf", "cake.md"]


def test_what_is_asked_of_a_source_itself_does_not_make_it_relevant() -> None:
    documents = [Document("a", "zebra stripes everywhere"), Document("b", "lion manes"), Document("c", "lion cubs")]
    asked = [row(1, text="zebra stripes?", source="a"), row(2, text="a lion?", source="b")]
    found = {line["source"]: line["relevance"] for line in criteria(asked, documents, [])}
    assert found["a"] == 0
    assert criteria(asked, documents[:1], [])[0]["source"] in ("a", "b")


def quality(**shares: tuple[int, int]) -> dict[str, Any]:
    return {"quality": {k: {"n": n, "of": of, "share": n / of if of else None} for k, (n, of) in shares.items()}}


def test_the_gate_is_closed_by_what_is_below_its_threshold() -> None:
    found = quality(completeness=(95, 100), consistency=(0, 0), accuracy=(89, 100))
    assert gate(found, {}) == []
    assert gate(found, {"completeness": 0.95, "consistency": 1.0}) == []
    (problem,) = gate(found, {"completeness": 0.95, "accuracy": 0.9})
    assert problem.where == "data.quality: accuracy"
    assert "89.0%" in problem.what
    assert "(89 of 100)" in problem.what
    assert "is no measure" in gate(found, {"beauty": 1})[0].what
    assert standing(found, {"completeness": 0.95, "accuracy": 0.9}) == [
        {"name": "completeness", "least": 0.95, "kept": True},
        {"name": "accuracy", "least": 0.9, "kept": False},
    ]


def line(i: int, source: str, kept: bool, *steps: tuple[str, str, str]) -> dict[str, Any]:
    read = {"by": "reader csv", "rule": "", "did": "read"}
    done = [{"by": by, "rule": rule, "did": did} for by, rule, did in steps]
    made = {"id": str(i), "kind": "example", "file": "a.csv", "source": source}
    return {**made, "content": "c" if kept else "", "split": "train" if kept else "", "steps": [read, *done]}


def test_the_three_questions_by_hand() -> None:
    lines = [line(i, "good" if i < 40 else "hit", i < 40 or i % 2 == 0) for i in range(80)]
    lines += [line(90, "", False, ("reader csv", "is the same as line 3", "dropped"))]
    lines += [line(91, "other", True, ("privacy", "EMAIL", "masked"))]
    seen = [row(i, "a", source="good", confirmed_by=["ada"]) for i in range(10)]
    seen += [row(20 + i, "a" if i < 5 else "b", source="hit", confirmed_by="ben") for i in range(10)]
    found = history(lines, seen)
    assert found
    assert found["files"]["examples"] == [{"name": "a.csv", "reader": "csv", "read": 82, "kept": 61}]
    assert {(s["by"], s["rule"], s["n"]) for s in found["steps"]} == {
        ("reader csv", "is the same as an earlier row", 1),
        ("privacy", "EMAIL", 1),
    }
    assert found["people"] == [
        {"who": "ada", "rows": 10, "distance": 0.5},
        {"who": "ben", "rows": 10, "distance": 0.5},
    ]
    assert (found["read"], found["dropped"], found["dropped_share"]) == (82, 21, 0.2561)
    assert found["lost"] == []
    assert {(u["source"], u["share"]) for u in found["uneven"]} == {("hit", 0.5), ("good", 0.0)}
    assert found["unknown"] == 1
    assert history([], seen) is None


def test_a_source_that_is_gone_is_seen_and_one_that_only_the_test_has_is_not_named() -> None:
    lines = [line(i, "kept", True) for i in range(30)]
    lines += [line(40 + i, "lost", False, ("sources", "there is no consent", "dropped")) for i in range(27)]
    lines += [{**line(80 + i, "sealed", i > 5), "split": "test" if i > 5 else ""} for i in range(12)]
    found = history(lines, [row(i, "a", source="kept") for i in range(30)])
    assert found
    assert found["lost"] == [{"source": "lost", "read": 27}]
    assert (found["dropped"], found["unknown"], found["n_lost"]) == (33, 0, 1)
    assert {u["source"] for u in found["uneven"]} == {"kept", "lost"}
    assert "sealed" not in str(found)
    assert history([line(1, "a", False)], [])["dropped"] == 1  # type: ignore[index]


def test_places_of_what_was_dropped() -> None:
    dropped = [Dropped("a.csv", f"line {i}", "text", "is empty") for i in range(5)]
    dropped += [Dropped("a.csv", "line 9", "", "is the same as line 2")]
    dropped += [Dropped("b.csv", "line 3", "", "cleaner quality, questions.few_words: 2 words, and 5 are the least")]
    assert places(dropped) == {
        "text is empty": ["a.csv, line 0", "a.csv, line 1", "a.csv, line 2"],
        "is the same as an earlier row": ["a.csv, line 9"],
        "cleaner quality, questions.few_words": ["b.csv, line 3"],
    }
