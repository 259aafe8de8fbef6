"""The commands as a user types them, on the fake model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.cli import main

Typed = Callable[..., tuple[int, str, str]]
FAKE = ["--set", "model=fake:", "--set", "embeddings=fake:"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Typed:
    """Type a command; get its status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sharpen", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        code = stop.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run


def test_from_init_to_an_answer(typed: Typed, tmp_path: Path) -> None:
    assert typed("init", "mine")[0] == 0
    assert typed("init", "mine")[0] == 2  # never overwrites
    status, out, err = typed("check", "mine", *FAKE)
    assert (status, err) == (0, "")
    assert "smallest p" in out
    status, out, _ = typed("run", "mine", *FAKE)
    assert status == 0
    assert "report.html" in out
    assert (tmp_path / "mine" / "runs" / "mine" / "report.html").exists()
    status, out, _ = typed("report", "mine/runs/mine")
    assert "baseline" in out
    status, out, _ = typed("ask", "mine/runs/mine", "How long can I return goods?", "--arm", "retrieve + few_shot")
    assert status == 0
    assert "30 days" in out
    assert "returns.md, characters" in out
    status, out, _ = typed("ask", "mine/runs/mine", "How long can I return goods?", "--json", "--arm", "retrieve")
    assert json.loads(out)["passages"][0]["span"]["source"]


def test_a_dry_run_builds_nothing(typed: Typed, tmp_path: Path) -> None:
    typed("init", "mine")
    status, out, _ = typed("run", "mine", "--dry-run", *FAKE)
    assert status == 0
    assert "nothing was built" in out
    assert not (tmp_path / "mine" / "runs").exists()


def test_settings_of_the_command_line_are_kept_with_the_run(typed: Typed, tmp_path: Path) -> None:
    typed("init", "mine")
    typed("run", "mine", *FAKE, "--set", "arms=[baseline]", "--out", "here")
    assert "arms" in (tmp_path / "here" / "config.yaml").read_text()
    status, _, err = typed("run", "mine", *FAKE, "--out", "here")
    assert status == 2
    assert "other settings (arms)" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ask", "nowhere", "why?"], "holds no report"),
        (["report", "nowhere"], "holds no report"),
        (["export", "nowhere", "--to", "x"], "holds no report"),
        (["check", "nowhere.yaml"], "no such file"),
        (["parts", "nonsense"], "no kind"),
        (["parts", "copy", "nonsense"], "no part"),
        (["models", "show", "pypi:not-here-at-all"], "not on this machine"),
        (["run", "x.yaml", "--set", "nonsense"], "no such file"),
    ],
)
def test_mistakes_are_sentences(typed: Typed, words: list[str], said: str) -> None:
    status, _, err = typed(*words)
    assert status == 2
    assert said in err
    assert "Traceback" not in err


def test_a_part_is_handed_over_and_works_from_its_new_place(typed: Typed, tmp_path: Path) -> None:
    typed("init", "mine")
    status, out, _ = typed("parts", "copy", "instruct", "--to", "mine/own.py")
    assert status == 0
    status, out, _ = typed("run", "mine", *FAKE, "--set", "arms=[baseline, ./own.py]")
    assert status == 0
    assert "./own.py" in out


def test_the_schema_is_json(typed: Typed) -> None:
    _, out, _ = typed("schema")
    assert json.loads(out)["properties"]["arms"]


def test_loose_artefacts_are_collected_and_used_ones_stay(typed: Typed, tmp_path: Path) -> None:
    typed("init", "mine")
    typed("run", "mine", *FAKE)
    (tmp_path / "mine" / "runs" / "mine" / "done.json").unlink()
    status, out, _ = typed("store", "gc", "mine", "--yes")
    assert status == 0
    assert "deleted" in out
    (tmp_path / "mine" / "runs" / "mine").rename(tmp_path / "elsewhere")
    status, _, said = typed("store", "gc", "mine", "--yes")
    assert (status, "was not found: deleted, or moved" in said) == (2, True), "what a moved run uses is not thrown away"
    (tmp_path / "elsewhere").rename(tmp_path / "mine" / "runs" / "mine")
    assert typed("ask", "mine/runs/mine", "When can I call?", "--arm", "retrieve + lora")[0] == 0
