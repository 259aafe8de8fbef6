"""Answers that were given elsewhere: how they are read, what is said of them, and what cannot be had from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import sharpen
from sharpen import config
from sharpen.errors import UserError
from sharpen.metrics import open_metric
from sharpen.study import preflight
from sharpen.study.given import as_answers, n_cut, read_given
from sharpen.study.results import contains_of
from sharpen.study.setting import resolve
from sharpen.tasks import open_task
from sharpen.types import Answer, Example, Message, silent

ARMS = "arms=[baseline, {name: today, answers: today.jsonl}]"


def give(towns: Path, answer: Callable[[int, str], str]) -> None:
    """Number the questions, and write an answer to each: what ``answer`` makes of its number and its reference."""
    path = towns.parent / "questions.jsonl"
    rows = [{**json.loads(line), "id": f"q{n}"} for n, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = [{"id": row["id"], "answer": answer(n, row["answers"][0])} for n, row in enumerate(rows)]
    (towns.parent / "today.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))


@pytest.mark.parametrize(
    "labels",
    [
        ("> 5 years", "< 5 years", "- unknown"),
        ("class: A", "class: B", "category: A"),
        ('"a"', "a", "*a*"),
        ("A", "a: x", "x"),
    ],
)
def test_an_answer_that_is_a_class_is_that_class(labels: tuple[str, ...]) -> None:
    asked = [Example(c, (Message("user", "Which?"),), targets=(c,), labels=(c,)) for c in labels]
    answers = as_answers({c: c for c in labels}, labels, open_task("classification"), labels)
    assert [a.text for a in answers] == list(labels)
    assert [s.value for s in open_metric("accuracy").score(asked, answers)] == [1.0] * len(labels)


def test_that_one_line_of_an_answer_is_judged_is_said(towns: Path, caplog: pytest.LogCaptureFixture) -> None:
    give(towns, lambda n, reference: f"Thank you for your question!\n\n{reference}")
    with caplog.at_level("WARNING", "sharpen.study"):
        n = sharpen.check(towns, [ARMS])["data"]["test"]["n"]
    assert f"{n} of {n} answers of today have more than one line; only the first is judged. Put " in caplog.text
    report = sharpen.run(towns, settings=[ARMS])
    assert (report.arm("today")["n_cut"], report.arm("baseline")["n_cut"]) == (n, 0)
    assert report.arm("today")["mean"] == 0.0, "the same reading for every arm"
    page = (report.path / "report.html").read_text()
    assert "Of answers that have more than one line only the first is judged" in page


def test_nothing_is_said_of_lines_where_none_is_lost(towns: Path, caplog: pytest.LogCaptureFixture) -> None:
    give(towns, lambda n, reference: f"<think>It is\none of two.</think>\n**Answer:**\n\n```\n{reference}\n```\n")
    with caplog.at_level("WARNING", "sharpen.study"):
        report = sharpen.run(towns, settings=[ARMS])
    assert "line" not in caplog.text
    assert (report.arm("today")["n_cut"], report.arm("today")["mean"]) == (0, 1.0)
    assert "more than one line" not in (report.path / "report.html").read_text()


def test_a_task_that_keeps_lines_cuts_none() -> None:
    given = {"1": "Dear customer,\n\nit weighs 3 kilos."}
    assert n_cut(as_answers(given, given, open_task("question-answering"), ())) == 1
    assert n_cut(as_answers(given, given, open_task("generation"), ())) == 0
    assert n_cut([Answer("two\nlines", "two\nlines"), Answer("", error="no answer was given")]) == 0


@pytest.mark.parametrize(
    ("raw", "text", "held"),
    [
        ("<think>could it be 3 kilos ? no</think>\nunknown", "unknown", 0.0),
        ("<think>hmm</think>3 kilos", "3 kilos", 1.0),
        ("<think>hmm</think>Thank you!\n\nIt is 3 kilos.", "Thank you!", 1.0),
        ("<think>3 kilos", "", 0.0),
        ("", "3 kilos", 1.0),
    ],
)
def test_an_answer_holds_what_was_said_and_not_what_was_thought(raw: str, text: str, held: float) -> None:
    asked = [Example("1", (Message("user", "What does it weigh?"),), targets=("3 kilos",))]
    assert contains_of(asked, [Answer(text, raw)]) == [held]


def test_who_would_ask_or_export_given_answers_is_told_what_they_are(towns: Path, tmp_path: Path) -> None:
    give(towns, lambda n, reference: reference)
    report = sharpen.run(towns, settings=[ARMS])
    assert report.winner == "today"
    page = (report.path / "report.html").read_text()
    assert "sharpen ask" not in page
    assert "sharpen export" not in page
    says = "today: its answers were given, so there is no program to ask or to export. There are: baseline."
    with pytest.raises(UserError, match=says):
        sharpen.ask(report.path, "What colour is it?")
    with pytest.raises(UserError, match=says):
        sharpen.export(report.path, tmp_path / "out", arm="today")
    with pytest.raises(UserError, match="the run has no program called 'nobody'. There are: baseline."):
        sharpen.ask(report.path, "What colour is it?", "nobody")


def test_answers_under_another_key_are_said_with_the_keys_and_not_for_every_row(towns: Path) -> None:
    give(towns, lambda n, reference: reference)
    path = towns.parent / "today.jsonl"
    path.write_text(path.read_text().replace('"answer"', '"output"'))
    with pytest.raises(UserError) as caught:
        sharpen.check(towns, [ARMS])
    said = [str(p) for p in caught.value.problems]
    what = "is not an object with an id and a whole text as answer; it has keys id, output."
    assert said[0] == f'today.jsonl, line 1: {what} Write: {{"id": "…", "answer": "…"}}'
    assert said[20] == "today.jsonl: 180 more rows have problems. Mend these first; the same command says the next."
    assert len(said) == 21


@pytest.mark.parametrize(
    ("row", "keys"),
    [("{}", "; it has no keys"), ('{"id": "q1", "answer": 3}', ""), ("[1]", ""), ('{"id": ', "")],
)
def test_keys_are_named_where_they_are_what_is_wrong(tmp_path: Path, row: str, keys: str) -> None:
    (tmp_path / "a.jsonl").write_text(row)
    (problem,) = read_given(tmp_path / "a.jsonl", "a.jsonl")[1]
    assert problem.what == f"is not an object with an id and a whole text as answer{keys}."


def test_a_file_that_is_not_there_is_not_said_to_answer_nothing(towns: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "sharpen.study"), pytest.raises(UserError, match="there is no file nope.jsonl"):
        sharpen.check(towns, ["arms=[baseline, {name: today, answers: nope.jsonl}]"])
    assert caplog.text == ""


def test_what_given_answers_make_idle_is_refused(towns: Path) -> None:
    give(towns, lambda n, reference: reference)
    arm = "{name: x, does: retrieve, model: 'fake:coin?p=0.9', answers: today.jsonl}"
    towns.write_text(towns.read_text() + f"arms: [baseline, {arm}]\n")
    with pytest.raises(UserError) as caught:
        sharpen.check(towns)
    (problem,) = caught.value.problems
    assert problem.where == f"{towns}, line 10: arms: x"
    assert problem.what == "its answers are given, so does and model would say nothing."
    assert problem.do == "Leave does and model out, or answers; what a model does is an arm of its own."
    whole = config.load(towns, [ARMS])
    assert preflight.arm_problems(resolve(whole, ["seed=1"], silent, towns.parent)) == [], "its defaults are not said"
