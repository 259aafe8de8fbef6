"""What is asked of a finished run: robustness of its arms, data to ask for next, and what those gained."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sharpen
from sharpen.cli import after
from sharpen.errors import UserError
from sharpen.study.reading import Report
from sharpen.study.requesting import Gain, gains
from sharpen.study.robustness import _holm, judge_run

KEYS = ("change", "arm", "n", "as_it_is", "changed", "delta", "low", "high", "p", "kept")


@pytest.fixture
def ran(towns: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run."""
    monkeypatch.setenv("SHARPEN_HOME", str(towns.parent / "home"))
    return sharpen.run(towns, settings=["arms=[baseline, retrieve(k=3)]"]).path


def test_robustness_of_a_run_stands_in_its_report_and_page_and_opens_no_test(ran: Path, capsys: Any) -> None:
    before, plan = sharpen.read_report(ran), (ran / "plan.json").read_bytes()
    after.robustness(ran, ["typos", "truncation"], "retrieve(k=3)")
    out = capsys.readouterr().out
    found = sharpen.read_report(ran)
    rows = found["robustness"]["rows"]
    assert [(r["change"], r["arm"]) for r in rows] == [
        (c, a) for c in ("typos", "truncation") for a in ("baseline", "retrieve(k=3)")
    ]
    assert all(set(r) == set(KEYS) and r["n"] == found["robustness"]["n"] > 0 for r in rows)
    assert all(r["delta"] == pytest.approx(r["changed"] - r["as_it_is"]) for r in rows)
    assert (before["looks_at_this_test"], plan) == (found["looks_at_this_test"], (ran / "plan.json").read_bytes())
    assert "Bias and safety of the answers." in found["not_measured"]
    assert "the test stayed closed" in out
    assert re.search(r"truncation +retrieve\(k=3\)", out)
    page = (ran / "report.html").read_text()
    assert 'id="robustness"' in page
    assert 'data-path="/robustness/rows/3/changed"' in page
    assert (
        sharpen.run(ran.parent.parent / "usecase.yaml", settings=["arms=[baseline, retrieve(k=3)]"]).data == found.data
    )


def test_answers_to_changed_questions_are_kept_by_content(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = judge_run(ran, ["typos"])
    from sharpen.runtime import cache

    def nobody(*_: Any) -> Any:
        raise AssertionError("it was answered before")

    monkeypatch.setattr(cache, "batch", nobody)
    assert judge_run(ran, ["typos"])["robustness"] == first["robustness"]


def test_what_cannot_be_judged_is_said(ran: Path, towns: Path) -> None:
    with pytest.raises(UserError, match="there is no change 'nonsense'"):
        judge_run(ran, ["nonsense"])
    for folder in (towns.parent / "home" / "data").iterdir():
        folder.rename(folder.with_name(f".{folder.name}"))
    with pytest.raises(UserError, match="prepared data is gone"):
        judge_run(ran)


def test_holm_by_hand() -> None:
    assert _holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert _holm([0.6, 0.5]) == [1.0, 1.0]


def test_the_weak_slice_is_asked_for(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions about what things are built of have no evidence among the passages: all of them are wrong."""
    monkeypatch.setenv("SHARPEN_HOME", str(towns.parent / "home"))
    for path in (towns.parent / "documents").iterdir():
        path.write_text(re.sub(r"The .* was built from .*\n", "", path.read_text()))
    rows = [json.loads(x) for x in (towns.parent / "questions.jsonl").read_text().splitlines()]
    for row in rows:
        row["department"] = "building" if "built" in row["question"] else "paint"
    (towns.parent / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    report = sharpen.run(towns, settings=["arms=[baseline, {name: found, does: retrieve(k=3) + few_shot(k=3)}]"])
    asked = report["requests"]
    (weak,) = [r for r in asked["weak"] if r["facet"] == "department"]
    assert (weak["value"], weak["wrong"]) == ("building", weak["n"])
    assert weak["elsewhere"] < 0.5
    train = [r for p in (towns.parent / "home" / "data").glob("*/train.jsonl") for r in map(json.loads, p.open())]
    assert weak["there"] == sum(r["meta"]["department"] == "building" for r in train)
    assert "Data to ask for next, by what found gets wrong on dev: department building (" in str(report)
    page = (report.path / "report.html").read_text()
    assert "Which data to ask for next" in page
    assert 'data-path="/requests/weak/0/wrong"' in page


def slice_of(n: int, wrong: int, there: int) -> dict[str, Any]:
    return {"facet": "class", "value": "b", "n": n, "wrong": wrong, "elsewhere": 0.1, "there": there}


def report_of(dev: str, row: dict[str, Any], weak: bool) -> Report:
    asked = {"metric": "exact_match", "dev": dev, "slices": [row], "weak": [row] if weak else []}
    return Report(Path(dev), {"requests": asked})


def test_what_more_rows_gained_by_hand() -> None:
    """Newcombe 1998, table II: 56 of 70 and 48 of 80 differ by 0.2, from 0.0524 to 0.3339 by method 10."""
    made, said = gains(report_of("a", slice_of(70, 56, 10), True), report_of("a", slice_of(80, 48, 30), False))
    assert said == []
    (found,) = made
    assert (found.gain, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert str(found) == (
        "class b: 20 more rows of train; wrong 80% of 70, then 60% of 80: gained +20 points (+5 to +33)."
    )
    assert str(replace(found, rows=(3, 3))).startswith("class b: as many rows; ")
    assert isinstance(found, Gain)


def test_what_two_runs_cannot_say_is_said() -> None:
    weak = report_of("a", slice_of(70, 56, 10), True)
    _, said = gains(weak, report_of("b", {**slice_of(70, 56, 10), "value": "c"}, False))
    assert said[0] == "class b: the later run has fewer than 10 dev questions of it."
    assert "dev questions are not the same" in said[1]
    assert "has no slices of dev" in gains(weak, Report(Path("old"), {}))[1][0]
