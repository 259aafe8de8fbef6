"""What is said of costs and limits that nobody measured, and of a metric that does not say the same thing twice."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import sharpen
from sharpen.config import Arm
from sharpen.errors import UserError
from sharpen.study.assembling import _remarks
from sharpen.study.estimates import _said as said_of_counts  # its words stand in every report
from sharpen.study.folder import arm_folder
from sharpen.study.preflight import tight_problems
from sharpen.study.rows import _floor_row
from sharpen.techniques import Counts

LOTS = '''"""Draws lots."""

import random

from sharpen.metrics.judging import Judge
from sharpen.types import Score


def lots():
    return Judge("lots", lambda example, answer: Score(random.random()))
'''


def test_a_limit_that_was_not_measured_is_not_said_to_be_kept(towns: Path) -> None:
    path = towns.parent / "questions.jsonl"
    rows = [{**json.loads(line), "id": f"q{n}"} for n, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    today = [{"id": row["id"], "answer": "blue"} for row in rows]
    (towns.parent / "today.jsonl").write_text("".join(json.dumps(row) + "\n" for row in today))
    arms = "arms=[baseline, {name: today, answers: today.jsonl}]"
    report = sharpen.run(towns, settings=[arms, "constraints={p95_seconds: 60, cost_per_answer: 1}"])
    given, baseline = report.arm("today"), report.arm("baseline")
    assert given["unmeasured_constraints"] == ["p95_seconds", "cost_per_answer"]
    assert given["cost_build"] is None, "nobody told what it cost to build"
    assert baseline["unmeasured_constraints"] == []
    assert (given["meets_constraints"], baseline["meets_constraints"]) == (None, True)
    page = (report.path / "report.html").read_text()
    assert "not measured: " in page
    assert "kept" in page


def test_a_chosen_arm_whose_limits_were_not_measured_is_said_to_be_one(towns: Path) -> None:
    path = towns.parent / "questions.jsonl"
    rows = [{**json.loads(line), "id": f"q{n}"} for n, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    today = [{"id": row["id"], "answer": row["answers"][0]} for row in rows]
    (towns.parent / "today.jsonl").write_text("".join(json.dumps(row) + "\n" for row in today))
    arms, limits = "arms=[baseline, {name: today, answers: today.jsonl}]", "p95_seconds: 0.0000001, cost_per_answer: 1"
    report = sharpen.run(towns, settings=[arms, f"constraints={{{limits}}}"])
    assert report.winner == "today"
    said = "Whether today keeps the limit of its p95_seconds and its cost_per_answer was not measured."
    assert said in report["verdict_text"]
    page = (report.path / "report.html").read_text()
    assert said in page
    assert "Chosen is the cheapest that breaks no constraint, as far as it was measured, and is shown" in page
    free = sharpen.run(towns, settings=[arms], out=towns.parent / "free")
    assert (free.winner, "not measured" in free["verdict_text"]) == ("today", False)


def test_what_cannot_be_read_as_an_answer_is_counted_apart(towns: Path) -> None:
    path = towns.parent / "questions.jsonl"
    rows = [{**json.loads(line), "id": f"q{n}"} for n, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = [{"id": row["id"], "answer": "<think>what could it be" if n % 2 else "blue"} for n, row in enumerate(rows)]
    (towns.parent / "today.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said))
    report = sharpen.run(towns, settings=["arms=[baseline, {name: today, answers: today.jsonl}]"])
    lines = (report.path / "arms" / "today" / "answers.jsonl").read_text().splitlines()
    empty = [row for row in map(json.loads, lines) if not row["answer"]]
    assert report.arm("today")["n_unparsed"] == len(empty) > 0
    assert report.arm("baseline")["n_unparsed"] == 0


def test_a_report_and_a_check_show_themselves_in_a_notebook(towns: Path) -> None:
    settings = ["arms=[baseline, {name: 'a <b>', does: retrieve}]", "budget.minutes=5"]
    report = sharpen.run(towns, settings=settings)
    shown = report._repr_html_()
    assert "a &lt;b&gt;" in shown
    assert report["verdict_text"].split(" ")[0] in shown
    assert shown.count("<tr>") == shown.count("</tr>") == 1 + len(report["arms"]) + 4, "floors and oracles, too"
    found = sharpen.check(towns, settings)
    assert "a &lt;b&gt;" in found._repr_html_()
    assert f"<li>{found['proof'][0]}" in found._repr_html_()
    assert "fits 5 minutes" in str(found)
    assert "fits 5 minutes" in (report.path / "report.html").read_text()


def test_an_arm_of_another_model_is_estimated_too(towns: Path) -> None:
    found = sharpen.check(towns, ["arms=[baseline, {name: other, model: 'fake:coin', does: retrieve}]"])
    base, other = found["estimates"]
    assert (base["arm"], other["arm"]) == ("baseline", "other")
    assert other["seconds"] > 0
    assert other["memory_gb"] > 0
    assert other["why"].startswith("retrieve")


def test_what_a_technique_of_ones_own_takes_is_said_to_be_unknown(towns: Path) -> None:
    """Its arm's seconds are those of what is known, so the least."""
    (towns.parent / "mine.py").write_text("def mine():\n    return lambda program, bench: program\n")
    found = sharpen.check(towns, ["arms=[baseline, ./mine.py]"])
    row = next(r for r in found["estimates"] if r["arm"] == "./mine.py")
    assert "./mine.py (not known, so this is the least)" in row["why"]
    assert row["seconds"] > 0


def test_an_arm_that_needs_more_memory_than_there_is() -> None:
    rows = [{"arm": "a", "memory_gb": 2.0}, {"arm": "b", "memory_gb": 9.5}, {"arm": "c", "memory_gb": 8.0}]
    (problem,) = tight_problems(rows, 8.0)
    assert "b: about 9.5 GB of memory are needed and 8.0 GB can be had." in str(problem)
    assert tight_problems(rows, None) == []


def test_a_tuned_arm_that_no_floor_loses_to_is_named(towns: Path) -> None:
    """The leader is held against every floor; so is whatever was tuned."""
    report = sharpen.run(towns, settings=["arms=[baseline, lora, retrieve + few_shot]"])
    assert report["leader"] == "retrieve + few_shot"
    unbeaten = {f["name"] for f in report["floors"] if "lora" in f["unbeaten_by_tuned"]}
    assert unbeaten
    (said,) = re.findall(r"Tuned and not shown to beat the floors? ([^:]*): lora\.", report["verdict_text"])
    assert set(re.findall(r"(\w+) \(0\.\d{3}", said)) == unbeaten


@pytest.mark.parametrize(
    ("lead", "says"),
    [
        ((-0.09, -0.02), "The floor cheap (0.846) is shown to be better than best"),
        ((-0.09, 0.01), "best is not shown to beat the floor cheap (0.846, which scores better)."),
        ((0.02, 0.09), ""),
    ],
)
def test_a_floor_that_is_shown_to_be_better_is_said_to_be(lead: tuple[float, float], says: str) -> None:
    """Whoever has that should not ship a language model."""
    from types import SimpleNamespace as Made

    low, high = lead
    pair: Any = Made(difference=-(low + high) / 2, ci_low=-high, ci_high=-low)
    metric = Made(higher_is_better=True)
    test: Any = Made(examples=[], looks=1, seen=0.0)
    made: Any = Made(setting=Made(metrics=[metric]), test=test, answered={"floors": {"cheap": []}}, leader="best")
    row = {**_floor_row(made, "cheap", 0.846, pair), "unbeaten_by_tuned": []}
    assert " ".join(_remarks([row], "best", test)).startswith(says)
    assert bool(says) == bool(_remarks([row], "best", test))


def test_a_metric_that_draws_lots_says_one_thing(towns: Path) -> None:
    (towns.parent / "lots.py").write_text(LOTS)
    report = sharpen.run(towns, settings=["arms=[baseline, few_shot]", "metrics=[./lots.py]"])
    for row in report["arms"]:
        assert row["scores"]["lots"] == pytest.approx(row["mean"])


def test_an_arm_has_no_number_of_answers_of_its_own() -> None:
    with pytest.raises(ValueError, match="answers"):
        Arm.model_validate({"does": "baseline", "costs": {"answers": 5}})


@pytest.mark.parametrize(
    "arms",
    [
        "[baseline, retrieve + lora, {name: retrieve+lora, does: retrieve}]",
        "[baseline, {name: Short, does: few_shot}, {name: short, does: retrieve}]",
        "[baseline, {name: lora (seed 1), does: retrieve}, lora]",
    ],
)
def test_arms_whose_folders_would_be_one_are_refused(towns: Path, arms: str) -> None:
    with pytest.raises(UserError, match="name"):
        sharpen.run(towns, settings=[f"arms={arms}", "seeds=2"])
    assert not arm_folder("..").startswith(".")


def test_a_budget_is_said_in_words() -> None:
    assert said_of_counts(Counts()) == "nothing left out"
    assert said_of_counts(Counts(3, 0.5, 32)) == "at most 3 trials a step, 32 dev questions a trial, 0.5 of the epochs"
