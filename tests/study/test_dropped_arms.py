"""A study in which dev shows that an arm cannot win: it is dropped, said to be, and does not see the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sharpen

HARM = '''"""Make answers worse."""

from dataclasses import replace

TRAINS = True


def harm(help=-0.6):
    def improve(program, bench):
        return replace(program, prompt=replace(program.prompt, instruction=f"help={help} salt=s{bench.seed}"))

    return improve
'''
USE_CASE = """version: 1
name: race
model: "fake:coin?p=0.8"
embeddings: "fake:"
data: {examples: rows.jsonl, split: {train: 0.1, dev: 0.4, test: 0.5, by: row}}
metrics: [exact_match]
arms: [baseline, {name: worse, does: ./harm.py}]
seeds: 2
"""


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    rows = [{"question": f"say w{i * 7919} x{i}", "answers": [f"x{i}"]} for i in range(600)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (tmp_path / "harm.py").write_text(HARM)
    (tmp_path / "usecase.yaml").write_text(USE_CASE)
    return tmp_path / "usecase.yaml"


def test_what_racing_saves(use_case: Path) -> None:
    report = sharpen.run(use_case)
    worse, race = report.arm("worse"), report["race"]
    assert worse["status"] == "dropped"
    assert worse["why"]
    assert worse["mean"] is None
    assert race["left"] == ["baseline"]
    assert race["saved_test"] == report["n_test"]
    assert 0 < race["saved_dev"] < race["n"]
    assert report["seeds"] == [], "other seeds of it do not see the test either"
    assert not [p for p in (report.path / "arms").iterdir() if "worse" in p.name]
    assert "dropped" in str(report)
    assert "dropped" in (report.path / "report.html").read_text()


def test_without_racing_it_is_tested(use_case: Path) -> None:
    report = sharpen.run(use_case, settings=["racing=false"])
    assert report.arm("worse")["status"] == "tested"
    assert report.arm("worse")["mean"] < 0.4 < report.arm("baseline")["mean"]
    assert (report.verdict, report.winner) == ("keep_baseline", "baseline")
    assert [s["name"] for s in report["seeds"]] == ["worse (seed 1)"]
