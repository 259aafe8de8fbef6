"""A study in folds as a user types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.cli import main

SET = ["--set", "model=fake:", "--set", "embeddings=fake:", "--set", "arms=[baseline, retrieve, retrieve + few_shot]"]
FOLDS = [*SET, "--set", "data.split.folds=3"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., tuple]:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sharpen", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return run


@pytest.mark.full
def test_from_check_to_an_answer(typed: Callable[..., tuple], tmp_path: Path) -> None:
    typed("init", "mine")
    status, out, err = typed("check", "mine", *FOLDS)
    assert (status, err) == (0, "")
    assert "  fold  1: train" in out
    assert "  test       24 questions from 6 clusters (source)" in out
    assert "The test holds 24 questions in 6 clusters" in out
    assert (
        "3 folds: every arm is built 3 times, once for each fold, and asked every question once. Together about" in out
    )
    status, out, err = typed("run", "mine", *FOLDS)
    assert status == 0, err
    assert "exact_match on 24 test questions from 6 clusters (source), in 3 folds" in out
    shown = typed("report", "mine/runs/mine")[1]
    assert shown.split("\nReport")[0].strip() in out
    status, out, err = typed("ask", "mine/runs/mine", "How long can I return goods?", "--arm", "retrieve + few_shot")
    assert (status, "30 days" in out) == (0, True)
    assert "Of 3 programs of this arm, one a fold, this is the one of fold 1;" in err
    status, out, err = typed("ask", "mine/runs/mine", "How long can I return goods?", "--arm", "retrieve (fold 3)")
    assert (status, "this is the one of fold 3;" in err) == (0, True)
    status, _, err = typed("ask", "mine/runs/mine", "How long?", "--arm", "retrieve (fold 4)")
    assert (status, "no program called 'retrieve (fold 4)'" in err) == (2, True)
    status, out, err = typed("run", "mine", *FOLDS)
    assert (status, "finished" in err) == (0, True)
    assert typed("store", "gc", "mine")[0] == 0
    assert typed("data", "report", "mine", *FOLDS)[0] == 0
    assert "what is shown is the first of 3 folds" in (tmp_path / "mine" / "data.html").read_text()
    rows = [json.loads(x) for x in (tmp_path / "mine/runs/mine/arms/retrieve/answers.jsonl").read_text().splitlines()]
    assert sorted({r["fold"] for r in rows}) == [1, 2, 3]
