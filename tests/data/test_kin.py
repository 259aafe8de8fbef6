"""Sources in two splits, copies of documents, and questions that stand within longer texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sharpen import data
from sharpen.data.kin import Relatives, copies, holding, said_of, sentences, torn
from sharpen.inputs import Data
from sharpen.types import Document, Example, Message

PAPER = "The basic plan costs nine euros a month, and can be cancelled at any time by the customer in writing."
OTHER = "Whoever buys a lamp may give it back within thirty days, if it was neither used nor taken apart before that."


def row(name: str, question: str = "What is it?", source: str = "", group: str = "", target: str = "x") -> Example:
    return Example(name, (Message("user", question),), (target,), source=source, group=group)


def splits(train: str = "", dev: str = "", test: str = "") -> dict[str, list[Example]]:
    """One row a letter, whose source (and group) it is."""
    given = {"train": train, "dev": dev, "test": test}
    return {s: [row(f"{s}{i}", source=c, group=c.upper()) for i, c in enumerate(text)] for s, text in given.items()}


def test_copies_say_the_same_but_for_case_punctuation_and_space() -> None:
    papers = [Document("a", PAPER), Document("b", OTHER), Document("c", PAPER.upper().replace(" ", "\n"))]
    stubs = [Document("d", "To do."), Document("e", "to do"), Document("f", ""), Document("g", "")]
    assert copies([*papers, *stubs]) == {"c": "a"}


def test_relatives_are_nearly_the_same() -> None:
    papers = [Document("stub", "To do."), Document("a", f"{PAPER} {OTHER}"), Document("b", OTHER)]
    near = Document("c", f"{PAPER} {OTHER}".replace("writing", "person"))  # 3 of 38 word 3-grams: 35 / 41
    assert Relatives([*papers, near], 0.8).group == {"a": "a", "c": "a"}
    assert Relatives([*papers, near], 0.9).group == {}


def test_two_ends_of_a_chain_are_no_relatives() -> None:
    """b is like a and like c, and a is not like c."""
    texts = [f"{PAPER} {OTHER}", f"{PAPER} {OTHER}".replace("writing", "person")]
    texts.append(texts[1].replace("basic plan", "large plan"))  # against the first 31 / 45, against the second 35 / 41
    near = Relatives([Document(n, t) for n, t in zip("abc", texts, strict=True)], 0.8)
    assert near.group == dict.fromkeys("abc", "a")
    assert near.alike("c", ["a"]) == ""
    assert near.alike("c", ["a", "b"]) == "b"
    assert [(t.name, t.other) for t in torn(splits("c", "b", "a"), "source", {}, near)] == [("c", "b"), ("b", "a")]


def test_a_source_in_two_splits_is_found_once_for_each_two() -> None:
    found = torn(splits("aab", "bc", "ad"), "source", {})
    assert [(t.split, t.judge, t.name, t.rows) for t in found] == [("train", "test", "a", 2), ("train", "dev", "b", 1)]
    assert [t.name for t in torn(splits("a", "a", "a"), "source", {})] == ["a"] * 3
    assert [t.name for t in torn(splits("a", "b", "a"), "group", {})] == ["A"]
    assert torn(splits("ab", "c", "ab"), "row", {}) == []
    assert torn(splits("ab", "c", "ab"), "label", {}) == []


def like(*names: str) -> Relatives:
    """Documents that are nearly the same."""
    return Relatives([Document(name, f"{PAPER} {OTHER} {name}") for name in names], 0.8)


def test_a_copy_under_another_name_is_found_and_a_near_one_marked() -> None:
    """Which of the two names comes first is all the same."""
    for same in ({"b": "a"}, {"a": "b"}):
        (found,) = torn(splits("bb", "", "a"), "source", same, like("a", "b"))
        assert (found.name, found.other, found.rows, found.near) == ("b", "a", 2, False)
    (found,) = torn(splits("bb", "", "a"), "source", {}, like("a", "b"))
    assert (found.name, found.other, found.near) == ("b", "a", True)
    both = torn(splits("bc", "", "a"), "source", {"b": "a"}, like("a", "b", "c"))
    assert [(t.name, t.near) for t in both] == [("b", False), ("c", True)]
    assert torn(splits("b", "", "a"), "group", {}) == []


def test_it_is_said_in_a_sentence() -> None:
    (said,) = sentences(torn(splits("abcdefg", "", "abcdefg"), "source", {}), "source")
    assert said.startswith("7 sources stand in train and in test (a, b, c, d, e …), 7 rows of train: ")
    (said,) = sentences(torn(splits("b", "", "a"), "source", {}, like("a", "b")), "source")
    assert said.startswith("1 source of train is nearly the same as one of test (b as a), 1 rows of train: ")


def test_a_longer_text_that_holds_a_question_is_found() -> None:
    asked = "May the customer give back the lamp that he bought on Monday in Bern without paying for the parcel?"
    rows = {
        "train": [row("t0", PAPER), row("t1", f"Hello. {OTHER} {asked} {PAPER}"), row("t2", target=f"{asked} {OTHER}")],
        "dev": [row("d", "Who has the key to the cellar of the old house in the lane?")],
        "test": [row("e", asked), row("f", "Is it?")],
    }
    found = holding(rows, 0.8)
    assert [(h.row, h.judge, h.other, h.share) for h in found] == [(1, "test", 0, 1.0), (2, "test", 0, 1.0)]
    notes, facts = said_of(rows, [], "source", 0.8, {"t1": ("t.jsonl", "line 2"), "t2": ("t.jsonl", "line 3")})
    assert "2 training rows hold" in notes[0]
    assert facts == {"torn": [], "copies": 0, "holding": ["t.jsonl:line 2", "t.jsonl:line 3"]}


def test_a_form_that_all_questions_have_is_none_of_their_words() -> None:
    form = "Read the letter of the customer below and say in one short sentence what the office should do next: "

    def letter(n: int) -> str:
        return form + " ".join(f"w{n}x{k}" for k in range(12))

    judged = [row(f"e{i}", letter(i)) for i in range(300)]
    train = [row(f"t{i}", letter(1000 + i)) for i in range(300)]
    assert holding({"train": train, "dev": [], "test": judged}, 0.8) == []
    train.append(row("leak", f"{OTHER} {letter(7)} {PAPER}"))
    assert [(h.row, h.other) for h in holding({"train": train, "dev": [], "test": judged}, 0.8)] == [(300, 7)]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def asked_of(source: str, n: int = 5) -> list[dict[str, Any]]:
    name = Path(source).stem
    return [{"question": f"What is {i} of {name}, then?", "answers": f"{i}{name}", "source": source} for i in range(n)]


def test_given_files_that_tear_a_source_are_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in {"one": PAPER, "two": OTHER, "again": PAPER + "\n", "last": "Short."}.items():
        (tmp_path / "docs" / f"{name}.md").write_text(text, encoding="utf-8")
    write(tmp_path / "train.jsonl", asked_of("again.md", 9) + asked_of("two.md"))
    write(tmp_path / "dev.jsonl", asked_of("last.md"))
    two = [{**r, "question": r["question"].replace("What is", "Who had ever named")} for r in asked_of("two.md", 7)]
    write(tmp_path / "test.jsonl", asked_of("one.md", 3) + two)
    given = Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl", documents="docs")
    made = data.load(data.prepare(given, tmp_path, tmp_path / "store"))
    (said,) = [n for n in made.notes if "stand in train and in test" in n]
    assert "2 sources" in said
    assert "again.md as one.md" in said
    assert len(made.train) == 14, "told, and not dropped"
    assert [t["rows"] for t in made.facts["kin"]["torn"]] == [9, 5]


def test_one_file_keeps_copies_together(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for i in range(12):
        for name in ("a", "b"):
            (tmp_path / "docs" / f"{name}{i}.md").write_text(f"{PAPER} {OTHER[i:]} {i}", encoding="utf-8")
    rows = [r for i in range(12) for name in ("a", "b") for r in asked_of(f"{name}{i}.md", 4)]
    write(tmp_path / "q.jsonl", rows)
    for seed in range(3):
        given = Data(examples="q.jsonl", documents="docs", split={"seed": seed}, near_duplicates=1.0)
        made = data.load(data.prepare(given, tmp_path, tmp_path / "store"))
        known = {e.source[1:] for e in made.train}
        assert not known & {e.source[1:] for e in (*made.dev, *data.load_sealed(made.seal))}
        assert made.facts["kin"]["torn"] == []
        assert made.facts["kin"]["copies"] == 12
        assert set(made.seal.cluster_sizes) == {8}, "a document under two names is one cluster"
        assert len({data.cluster(e, "source") for e in made.train}) == len(known)
