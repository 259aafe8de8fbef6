"""Prompts of a finished run: linted, put under stress, and what their answers show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sharpen
from sharpen.cli.prompting import prompts_lint, prompts_repair, prompts_stress
from sharpen.prompts import find
from sharpen.prompts.shelf import written
from sharpen.study.prompting import subjects_of
from sharpen.study.robustness import judge_run

ARM = "retrieve(k=3) + prompt(name='mine.yaml')"


@pytest.fixture
def ran(towns: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run with a prompt of its own."""
    monkeypatch.setenv("SHARPEN_HOME", str(towns.parent / "home"))
    mine = find("answer").model_copy(update={"name": "mine", "tone": "Curt."})
    (towns.parent / "mine.yaml").write_text(written(mine))
    return sharpen.run(towns, settings=[f'arms=[baseline, "{ARM}"]']).path


def test_a_runs_prompts_are_looked_at_from_all_sides(ran: Path, capsys: Any) -> None:
    subjects = {s.name: s for s in subjects_of(ran)}
    assert set(subjects) == {"baseline", ARM}
    assert "Tone: Curt." in subjects[ARM].fields["instruction"]
    assert subjects[ARM].fence == "given"
    prompts_lint([str(ran)], None, "warning", False)
    said = capsys.readouterr().out
    assert "baseline: warning P014" in said
    assert f"{ARM}: warning P014" not in said
    assert f"{ARM}: warning" not in said
    assert "P050" not in said, "arms are not used together"

    judge_run(ran, ["typos"], ARM)
    prompts_stress(ran, ["injection", "example_order", "asked_by_age"], ARM)
    said = capsys.readouterr().out
    assert f"{ARM} followed 0% of the injected orders." in said
    rows = sharpen.read_report(ran)["robustness"]["rows"]
    asked = [(r["change"], r["arm"] == ARM) for r in rows]
    both = [(c, mine) for c in ("typos", "injection") for mine in (False, True)]
    # What was asked before stays; the baseline has no worked examples whose order could change.
    assert sorted(asked) == sorted([*both, ("example_order", True), ("asked_by_age", False), ("asked_by_age", True)])
    page = (ran / "report.html").read_text()
    assert "Of injected orders" in page
    assert ">asked by age<" in page or "asked_by_age" in page

    prompts_repair(ran, ARM)
    assert f"{ARM}, by its answers on dev" in capsys.readouterr().out


def test_a_prompt_file_that_was_edited_is_another_arm(ran: Path) -> None:
    use_case = ran.parent.parent / "usecase.yaml"
    file = use_case.parent / "mine.yaml"
    settings = [f'arms=[baseline, "{ARM}"]']
    before = sharpen.read_report(ran).arm(ARM)["fingerprint"]
    file.write_text(file.read_text().replace("Curt.", "Kind."))
    again = sharpen.run(use_case, ran.with_name("again"), settings)
    assert again.arm(ARM)["fingerprint"] != before
