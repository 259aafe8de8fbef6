"""What makes a study another one, and what a run keeps of what it was given."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import sharpen
from sharpen.config import Arm
from sharpen.errors import UserError
from sharpen.study import preflight
from sharpen.study.folder import RunFolder
from sharpen.study.given import read_given
from sharpen.study.latency import spread
from sharpen.study.setting import resolve
from sharpen.types import silent


def test_a_model_that_was_replaced_under_its_name_is_another_study(
    towns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharpen.run(towns)
    asked = []

    def replaced(ref: str) -> str:
        asked.append(ref)
        return f"{ref} with other weights"

    monkeypatch.setattr(preflight, "weights_of", replaced)
    with pytest.raises(UserError, match="were changed after its test"):
        sharpen.run(towns)
    assert "fake:" in asked


def test_metrics_that_a_task_of_ones_own_names_belong_to_the_study(towns: Path) -> None:
    made = resolve(towns, (), silent)
    (towns.parent / "m.py").write_text("def m():\n    return 1\n")
    made.use_case = made.use_case.model_copy(update={"metrics": []})
    made.task = replace(made.task, metrics=("./m.py",))
    before = preflight.own_parts(made)
    (towns.parent / "m.py").write_text("def m():\n    return 2\n")
    assert preflight.own_parts(made) != before


def test_an_event_after_a_cut_line_is_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.event("spent", arm="one\u2028two", on="dev", seconds=1.0)
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes() + b'{"time": 1, "eve')
    folder.event("spent", arm="b", on="dev", seconds=2.0)
    folder.event("spent", arm="b", on="test", seconds=3.0)
    assert folder.spent() == {"one\u2028two": 1.0, "b": 5.0}


def test_half_a_character_in_given_answers_is_said_before_the_test_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id": "q1", "answer": "\\ud83d red"}\n{"id": "q2", "answer": "\\ud83d\\ude00"}\n'
    )
    given, (problem,) = read_given(tmp_path / "a.jsonl", "a.jsonl")
    assert given == {"q2": "😀"}
    assert problem.where == "a.jsonl, line 1"


def test_a_question_with_half_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="half a character"):
        sharpen.ask(tmp_path, "caf\udce9?")


def test_given_answers_are_read_once(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may be gone when the test is opened: the answers are those that were checked."""
    from sharpen.study import running

    report = sharpen.run(towns)
    assert report["n_test"] > 0
    rows = [json.loads(x) for x in (report.path / "arms" / "baseline" / "answers.jsonl").read_text().splitlines()]
    given = towns.parent / "today.jsonl"
    given.write_text("".join(json.dumps({"id": r["id"], "answer": "yes"}) + "\n" for r in rows))
    towns.write_text(towns.read_text() + "arms:\n  - baseline\n  - {name: today, answers: today.jsonl}\n")
    built = running.build_all

    def moved(*args: object) -> object:
        given.unlink(missing_ok=True)
        return built(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "build_all", moved)
    again = sharpen.run(towns, out=towns.parent / "again")
    (row,) = [a for a in again["arms"] if a["name"] == "today"]
    assert row["n_unjudged"] == 0


def test_questions_from_all_over() -> None:
    numbers = list(range(63))
    assert spread(numbers, 32)[-1] >= 60  # type: ignore[arg-type, comparison-overlap]
    assert spread(numbers[:3], 32) == [0, 1, 2]  # type: ignore[arg-type, comparison-overlap]


def test_who_asks_an_arm_may_embed_whatever_the_use_case_names(towns: Path) -> None:
    """Which arms a use case without any has depends on its documents, which nobody reads to answer a question."""
    made = resolve(towns, (), silent)
    made.arms = [Arm(does="baseline")]
    assert made.embedder().can
    made.folder = RunFolder(towns.parent / "run")
    with pytest.raises(UserError, match="none of this study says so"):
        made.embedder()
