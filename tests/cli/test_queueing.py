"""Rows to label, by the commands alone: a queue of them, guesses, order, rules, agreement, and what is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sharpen.data import read_examples
from sharpen.data.labels.queue import Queue

Command = Callable[..., tuple[int, str]]
TEXTS = {
    "refund": ["I want my money back", "refund me please", "a refund for the broken lamp", "give the money back now"],
    "parcel": ["where is my parcel", "the parcel is late", "track the parcel of mine", "my parcel never came"],
}


@pytest.fixture
def data(sharpen: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return partial(sharpen, "data")


def rows(name: str, *, labelled: bool = False, more: int = 0) -> Path:
    """A file of rows of both classes, in turns, with a column of its own."""
    made: list[dict[str, Any]] = []
    for n in range(more or 4):
        for label, texts in TEXTS.items():
            made.append({"text": texts[n % 4] + (f" {n}" if more else ""), "channel": "mail"})
            made[-1] |= {"label": label} if labelled else {}
    Path(name).write_text("".join(json.dumps(r) + "\n" for r in made))
    return Path(name)


def test_rows_become_labels_that_people_stand_behind(data: Command) -> None:
    file = rows("rows.jsonl")
    status, said = data("queue", file, "--labels", "refund,parcel")
    assert (status, "8 rows added" in said) == (0, True), said
    assert "0 rows added, 8 in all" in data("queue", file)[1], "each once, and the classes are kept"
    status, said = data("label", "labels.sqlite", "--write", "out.jsonl")
    assert (status, "nobody stands behind" in said) == (2, True)

    held = Queue(Path("labels.sqlite"))
    first, second, third, *_ = held.items()
    assert first.proposal is None
    held.decide(first.id, "ines", "edit", "refund")
    held.decide(second.id, "ines", "refuse")
    held.decide(third.id, "ines", "skip")
    status, said = data("label", "labels.sqlite", "--write", "out.jsonl")
    assert "1 are left out" in said
    (row,) = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert (row["text"], row["label"], row["channel"]) == ("I want my money back", "refund", "mail")
    assert (row["confirmed_by"], row["settled"], row["edited"], row["origin"]) == (
        ["ines"],
        "one person",
        True,
        "no guess",
    )
    assert row["confirmed_at"][:2] == "20"
    (made,) = read_examples(Path("out.jsonl"), "out.jsonl").drafts
    assert (made.example.labels, made.example.meta["confirmed"]) == (("refund",), True)


def test_a_label_that_a_row_brings_is_proposed_and_acceptance_is_counted(data: Command) -> None:
    said = data("queue", rows("rows.jsonl", labelled=True))[1]
    assert "8 bring a label" in said
    held = Queue(Path("labels.sqlite"))
    assert held.classes == ["parcel", "refund"]
    for n, item in enumerate(held.items()):
        held.decide(item.id, "ines", *(("accept",) if n else ("edit", "parcel")))
    made = json.loads(data("agreement", "labels.sqlite", "--json")[1])["acceptance"]
    assert (made["all"]["accepted"], made["all"]["shown"], made["all"]["share"]) == (7, 8, 0.875)
    # Wilson by hand, z = 1.96: (.875 + .240) / 1.480 -+ 1.96 * sqrt(.875 * .125 / 8 + .0150) / 1.480.
    assert made["all"]["interval"] == pytest.approx([0.529, 0.978], abs=1e-3)
    assert [(r["name"], r["accepted"], r["shown"]) for r in made["classes"]] == [("parcel", 4, 4), ("refund", 3, 4)]
    assert [(r["name"], r["shown"]) for r in made["origins"]] == [("column label", 8)]
    assert sum(r["shown"] for r in made["over_time"]) == 8
    assert "7 of     8" in data("agreement", "labels.sqlite")[1]


def test_several_people_agree_or_not_and_what_is_divided_is_settled_and_said(data: Command) -> None:
    data("queue", rows("rows.jsonl"), "--labels", "refund,parcel")
    held = Queue(Path("labels.sqlite"), 2)
    held.group({"ann": "clinic", "bob": "desk", "cat": "desk"})
    right = ["refund", "parcel"] * 4
    for n, item in enumerate(held.items()):
        held.decide(item.id, "ann", "edit", right[n])
        held.decide(item.id, "bob", "edit", "refund" if n == 3 else right[n])
    split = held.items()[3].id
    assert held.next("cat") == held.items()[3], "the divided one, and nothing else is left"
    assert (held.progress("cat").left, held.progress("ann").left) == (1, 0)
    made = json.loads(data("agreement", "labels.sqlite", "--json")[1])["agreement"]
    # 8 items, 7 alike; ann says 4 and 4, bob 5 and 3: expected .5 * 5/8 + .5 * 3/8 = .5, kappa (.875 - .5) / .5.
    assert made["pairs"] == [["ann", "bob", 8, 0.75]]
    assert made["confusion"] == [["ann", "parcel", "bob", "refund", 1]]
    assert made["divided"] == [[split, {"ann": "parcel", "bob": "refund"}]]
    assert made["between"] == [["clinic", "desk", 8, 0.75]]
    said = data("agreement", "labels.sqlite")[1]
    assert "Cohen's kappa 0.750" in said
    assert "clinic against desk" in said
    held.decide(split, "cat", "edit", "parcel")
    assert held.next("cat") is None
    assert data("label", "labels.sqlite", "--write", "out.jsonl")[0] == 0
    found = {r["id"]: r for r in map(json.loads, Path("out.jsonl").read_text().splitlines())}
    assert found[split]["label"] == "parcel"
    assert found[split]["settled"] == "Dawid-Skene"
    assert found[split]["said"] == {"ann": "parcel", "bob": "refund", "cat": "parcel"}
    assert 0.5 < found[split]["probability"] < 1
    assert {r["settled"] for i, r in found.items() if i != split} == {"all agree"}
    made = json.loads(data("agreement", "labels.sqlite", "--json")[1])["agreement"]
    assert (made["divided"], made["reliability"]) == ([], {"ann": [8, 8], "bob": [7, 8], "cat": [1, 1]})


def test_rules_label_rows_and_the_rest_goes_to_people(data: Command) -> None:
    file = rows("rows.jsonl", labelled=True)
    Path("mine.py").write_text("def lamp(text: str) -> str | None:\n    return 'refund' if 'lamp' in text else None\n")
    Path("rules.yaml").write_text(
        "- {label: refund, keywords: [money back, refund], name: money}\n"
        "- {label: parcel, pattern: '(where|track).*parcel', name: tracking}\n"
        "- {python: mine.py}\n"
    )
    status, said = data(
        "rules", file, "--rules", "rules.yaml", "--write", "o.jsonl", "--queue", "q.sqlite", "--sure", "0.5"
    )
    assert status == 0, said
    assert "6 of 8 rows are covered" in said
    assert "6 agree" in said or "6 bring a label, which 6 agree with" in said
    lines = {line.split()[-1]: line.split() for line in said.splitlines() if line.startswith("   0.")}
    assert lines["money"][:3] == ["0.500", "0.125", "0.000"]
    assert lines["tracking"][:3] == ["0.250", "0.000", "0.000"]
    assert lines["lamp"][:3] == ["0.125", "0.125", "0.000"]
    assert lines["tracking"][3].endswith("*"), "nothing else votes there"
    found = list(map(json.loads, Path("o.jsonl").read_text().splitlines()))
    assert [(r["label"], r["confirmed"], r["rules"]) for r in found][-2:] == [
        ("parcel", False, ["tracking"]),
        ("refund", False, ["money"]),
    ]
    assert all(0.5 <= r["probability"] <= 1 for r in found)
    rest = Queue(Path("q.sqlite"))
    assert [i.text for i in rest.items()] == ["the parcel is late", "my parcel never came"]
    assert {i.proposal for i in rest.items()} == {None}, "what a row brought is not shown"


def test_rules_that_make_no_sense_are_all_named(data: Command) -> None:
    file = rows("rows.jsonl")
    Path("rules.yaml").write_text(
        "- {label: a, pattern: '('}\n- {label: a}\n- {label: a, keywords: [x], color: red}\n- 7\n"
        "- {python: none.py}\n- {label: a, words: {least: 3, most: 1}}\n- {label: a, keywords: ['!']}\n"
    )
    status, said = data("rules", file, "--rules", "rules.yaml")
    assert status == 2
    assert [f"rule {n}:" in said for n in range(1, 8)] == [True] * 7, said
    Path("broken.py").write_text("def bad(text):\n    return 1 // 0\n")
    Path("rules.yaml").write_text("- {python: broken.py}\n")
    status, said = data("rules", file, "--rules", "rules.yaml")
    assert (status, "'bad'" in said, "Traceback" in said) == (2, True, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("label", "rows.jsonl"), "Make a queue of it: sharpen data queue rows.jsonl"),
        (("queue", "none.jsonl"), "no such file"),
        (("draft", "rows.jsonl", "--queue", "d.sqlite"), "sharpen data queue rows.jsonl"),
        (("queue", "rows.jsonl"), "no class is known"),
        (("queue", "rows.jsonl", "--labels", "one"), "1 classes"),
        (("queue", "rows.jsonl", "--labels", "a,a"), "named twice"),
        (("queue", "rows.jsonl", "--labels", "none.txt"), "cannot be read as classes"),
        (("queue", "rows.jsonl", "--labels", "a,b", "--column", "body"), "no column 'body'"),
        (("queue", "labelled.jsonl", "--labels", "refund,other"), "'parcel' is no class"),
        (("queue", "rows.jsonl", "--known", "rows.jsonl"), "no row of it has a label"),
        (("agreement", "none.sqlite"), "no such queue"),
        (("rules", "rows.jsonl", "--rules", "none.yaml"), "no such file"),
    ],
)
def test_mistakes_are_sentences_and_leave_nothing_behind(words: tuple[str, ...], says: str, data: Command) -> None:
    rows("rows.jsonl")
    rows("labelled.jsonl", labelled=True)
    status, said = data(*words)
    assert (status, says in said, "Traceback" in said) == (2, True, False), said
    assert not list(Path().glob("labels.sqlite*"))


@pytest.mark.full
def test_the_page_is_served_with_guesses_in_the_order_of_doubt(data: Command) -> None:
    data("queue", rows("rows.jsonl", more=20), "--known", rows("known.jsonl", labelled=True, more=6))
    words = [sys.executable, "-m", "sharpen", "data", "label", "labels.sqlite", "--who", "ines:desk", "--next", "3"]
    done = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert done.stdout is not None
    assert "12 labels are known, 28 rows have a guess" in done.stdout.readline()
    assert done.stdout.readline().startswith("ines: http")
    done.send_signal(signal.SIGINT)
    assert "nothing decided; 28 left" in done.communicate(timeout=30)[0]
    held = Queue(Path("labels.sqlite"))
    assert held.groups() == {"ines": "desk"}
    first = held.next("ines")
    assert first is not None
    assert first.proposal in TEXTS
    assert first.origin == "guess of TF-IDF, 12 labels"
