"""The page of a data set: its numbers are counted by hand on a few rows, and the page shows them and nothing else."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sharpen.cli.main import main
from sharpen.data import Dataset, Seal
from sharpen.data.page import profile, render
from sharpen.data.page.lengths import histogram
from sharpen.data.page.rendering import remarks
from sharpen.types import Document, Example, Message, Span


def row(name: str, text: str, answer: str, source: str, **more: object) -> Example:
    return replace(Example(name, (Message("user", text),), (answer,) if answer else (), source=source), **more)


TRAIN = (
    row("1", "What does he pay?", "9 EUR", "a.md", gold=(Span("a.md", 8, 13),), meta={"segment": "b2b"}),
    row("2", "What does he pay", "10 EUR", "a.md", meta={"segment": "b2c"}),
    row("3", "Where is it?", "in Bonn", "b.md", gold=(Span("a.md", 0, 3),), meta={"segment": "b2c"}),
    row("4", "When does her parcel come <script>?", "", "a.md"),
)
DEV = (row("5", "Who pays his rent?", "she", "c.md"),)


def dataset(train: tuple[Example, ...] = TRAIN) -> Dataset:
    size = {"n": 4, "cluster_sizes": [3, 1], "n_unanswerable": 0, "n_with_gold": 2}
    facts = {
        "cluster_by": "source",
        **dict.fromkeys(("train", "dev", "test"), size),
        "dropped": {"leak: the same words as a test question": 2},
        "leaks": {"train like test": 2},
        "alike": {},
    }
    seal = Seal(Path("sealed"), 4, (3, 1), "c", "q", 0, 2)
    documents = (Document("a.md", "It costs 9 EUR a month."),)
    return Dataset(train, DEV, documents, seal, (), (), ("a note",), facts, Path("0123456789abcdef"))


def test_numbers_counted_by_hand() -> None:
    found = profile(dataset())
    assert found["sources"]["rows"][0] == {"name": "a.md", "train": 3, "dev": 0}
    assert found["sources"]["largest_share"] == 0.6
    assert found["sources"]["one_source"]
    quality = found["quality"]
    assert quality["completeness"] == {"n": 3, "of": 5, "share": 0.6}, "most rows have a segment, two lack one"
    assert quality["missing"] == {"segment": 2, "answer": 1}
    assert quality["consistency"] == {"n": 0, "of": 1, "share": 0.0}, "one question twice, answered otherwise"
    assert quality["accuracy"] == {"n": 0, "of": 2, "share": 0.0}
    assert found["repeated"]["n"] == 2
    assert found["facets"]["segment"]["rows"] == [
        {"name": "b2c", "train": 2, "dev": 0},
        {"name": "b2b", "train": 1, "dev": 0},
    ]
    assert (found["bias"]["masculine"], found["bias"]["feminine"]) == (3, 2)
    assert found["labels"] is None
    assert found["languages"] is None


def test_accuracy_is_that_of_rules() -> None:
    text = "It costs 9 EUR a month."
    at = text.index("9 EUR")
    good = row("1", "What?", "9 EUR", "a.md", gold=(Span("a.md", at, at + 5),))
    bad = row("2", "Why?", "10 EUR", "a.md", gold=(Span("a.md", at, at + 5),))
    assert profile(dataset((good, bad)))["quality"]["accuracy"] == {"n": 1, "of": 2, "share": 0.5}


def test_classes_and_what_is_far_more_frequent_in_one() -> None:
    many = tuple(row(f"m{i}", "where is his card", "card", "a", labels=("card",)) for i in range(12))
    few = (row("f", "close it", "close", "b", labels=("close",)),)
    found = profile(dataset((*many, *few)))
    assert found["labels"]["imbalance"] == 12.0
    assert found["labels"]["imbalanced"]
    assert found["bias"]["skewed"] == [{"label": "card", "masculine": 12, "feminine": 0}]
    assert len(remarks(found)) >= 3


def test_lengths_against_the_context() -> None:
    found = profile(dataset(), tokens=len, context=20)
    assert found["lengths"]["unit"] == "tokens"
    assert found["lengths"]["too_long"] == sum(
        len(e.question) + len(e.targets[0] if e.targets else "") > 20 for e in (*TRAIN, *DEV)
    )


@pytest.mark.parametrize("values", [[], [0], [3, 3, 3], list(range(1000)), [1] * 99 + [10_000]])
def test_a_histogram_counts_everything_once(values: list[int]) -> None:
    found = histogram(values)
    assert sum(found["counts"]) == found["n"] == len(values)
    assert len(found["counts"]) <= 17


class Page(HTMLParser):
    """Collects texts and tags."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_one_file_that_asks_for_nothing_and_escapes_what_it_shows() -> None:
    strange = row("9", "ok?", "yes", "<script>x()</script>", meta={"segment": "<b>x</b>"})
    html = render(profile(dataset((*TRAIN, strange))), "towns & co", "A <goal>.")
    page = Page()
    page.feed(html)
    assert "script" not in page.tags
    assert page.addresses == []
    assert not re.search(r"https?://(?!www\.w3\.org)", html)
    said = " ".join(page.texts)
    assert "towns & co" in said
    assert "<script>x()</script>" in said
    assert "Look at this first" in said
    assert page.tags.count("svg") >= 4
    listed = {TRAIN[0].question, TRAIN[1].question}  # they are nearly the same
    for question in {e.question for e in TRAIN} - listed:
        assert question not in said, "a page that is shown around holds no rows but those to look at"
    assert all(question in said for question in listed)


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sharpen", "init", str(tmp_path / "new")])
    with pytest.raises(SystemExit):
        main()
    rows = [f'{{"question": "What is {i} plus {i}?", "answers": "{2 * i}", "source": "s{i % 9}"}}' for i in range(90)]
    (tmp_path / "new" / "questions.jsonl").write_text("\n".join(rows))
    monkeypatch.setattr(sys, "argv", ["sharpen", "data", "report", str(tmp_path / "new"), "--set", "model=fake:"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "<svg" in (tmp_path / "new" / "data.html").read_text()


def test_the_page_says_what_probes_gates_and_people_found() -> None:
    rows = tuple(
        row(
            f"r{i}",
            f"{'She' if i % 2 else 'He'} asks {i}. The nurse said {'she' if i % 2 else 'he'} came.",
            label := "no" if i % 2 and i % 10 else "yes",
            f"s{i % 5}",
            labels=(label,),
        )
        for i in range(120)
    )
    found = profile(dataset(rows), goal="Decide.")
    beside = {
        "gate": [
            {"name": "completeness", "least": 0.95, "kept": True},
            {"name": "accuracy", "least": 0.9, "kept": False},
        ],
        "review": {
            "rows": 5,
            "verdicts": {"right": 3, "wrong": 1, "unclear": 1},
            "right": 0.75,
            "interval": [0.3, 0.95],
            "reviewers": {"<kim>": 5},
        },
        "sample": {"n": 5, "of": 121, "distances": {"classes": 0.125}},
    }
    page = Page()
    page.feed(render(found, "x", beside=beside))
    said = re.sub(r"\s+", " ", " ".join(page.texts))
    assert "break the 0.8 rule between groups of people: no (rarest in men" in said
    assert "The gate is closed." in said
    assert "accuracy is below its threshold of 90.0%" in said
    assert "75.0% of those that were decided are right (95% interval 30.0% to 95.0%)" in said
    assert "<kim> (5)" in said
    assert "0.125" in said
    assert "They do not see other languages" in said
    assert "Sources by three criteria" in said
    assert "The gate is open." in " ".join(
        re.sub(r"<[^>]*>", "", render(found, "x", beside={"gate": beside["gate"][:1]})).split()
    )


@pytest.mark.parametrize("by", ["source", "label", "row", "similar", "group", "time"])
def test_one_source_is_told_of_the_source_whatever_rows_are_split_by(by: str) -> None:
    """By label the larger of two classes was called a source; by row nothing was said."""
    labels = ("yes", "no")
    some = tuple(row(f"{i}", f"Q{i}?", "x", f"s{i % 12}.md", labels=(labels[i % 2],), group="g") for i in range(48))
    one = tuple(replace(e, source="only.md") for e in some)
    for rows, prevails in ((some, False), (one, True)):
        data = dataset(rows)
        found = profile(replace(data, dev=(), facts={**data.facts, "cluster_by": by}))
        assert found["sources"]["one_source"] is prevails
        assert any("one source, only.md" in r for r in remarks(found)) is prevails
    assert found["sources"]["rows"] == [{"name": "only.md", "train": 48, "dev": 0}]


def test_too_much_dialogue_is_the_first_thing_to_look_at() -> None:
    talk = (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "What is the fee?"))
    rows = tuple(Example(f"d{i}", talk, ("9",), source="a") for i in range(9))
    assert any("are conversations" in r for r in remarks(profile(dataset(rows))))
    assert not any("are conversations" in r for r in remarks(profile(dataset())))


def test_the_command_writes_features_and_a_sheet_and_stops_at_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = tmp_path / "case"
    case.mkdir()
    rows = [f'{{"question": "What is {i} plus {i}?", "answers": "{2 * i}", "source": "s{i % 9}"}}' for i in range(90)]
    rows += [f'{{"question": "Why {i}?", "answers": "{i}", "source": "s{i % 9}"}}' for i in (1, 1, 2)]
    rows += [f'{{"question": "Why is it {i % 2}?", "answers": "{i}", "source": "s1"}}' for i in range(4)]
    (case / "q.jsonl").write_text("\n".join(rows))
    (case / "usecase.yaml").write_text(
        "name: c\nmodel: 'fake:'\ndata: {examples: q.jsonl, quality: {consistency: 0.9}}\n"
    )
    table, review, words = tmp_path / "f.csv", tmp_path / "r.csv", ["sharpen", "data", "report", str(case)]
    monkeypatch.setattr(sys, "argv", [*words, "--features", str(table), "--sample", "20", "--review", str(review)])
    with pytest.raises(SystemExit) as ended:
        main()
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert "data.quality: consistency: 0.0% of the questions that are asked more than once" in err
    assert "The gate is closed." in (case / "data.html").read_text(), "the page is there to see why"
    assert table.read_text().startswith("id,split,source,labels,language,kind")
    assert len(review.read_text().splitlines()) == 1 + 20 + 4, "a fifth more are edge cases"
    monkeypatch.setattr(sys, "argv", ["sharpen", "run", str(case), "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:  # nothing is spent on data that are not good enough
        main()
    assert ended.value.code == 2
    assert "data.quality: consistency" in capsys.readouterr().err
