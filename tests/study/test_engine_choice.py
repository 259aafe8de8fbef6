"""Which engine a study takes, and the reason that it writes down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.models import open_model, pull
from sharpen.models._agreement import Agreement
from sharpen.study import engine
from sharpen.study.environment import environment
from sharpen.study.setting import Setting, resolve
from sharpen.types import silent

pytest.importorskip("torch")


class Named:
    """Engines of which only the identity is asked."""

    def identity(self, ref: str) -> str:
        return "x"


USE_CASE = """version: 1
name: choice
model: ./model
task: {task}
engine: {engine}
data: {{examples: rows.jsonl}}
"""


@pytest.fixture
def choose(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Setting]:
    """Choose for a use case, on a machine and with a comparison of engines as told."""

    def made(
        equal: int = 40, right: int = 12, cuda: bool = False, task: str = "question-answering", asked: str = "auto"
    ) -> Setting:
        monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
        monkeypatch.setattr(engine, "agreement", lambda local: Agreement(equal, 40, (), right, 12))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        (tmp_path / "model").exists() or (tmp_path / "model").symlink_to(tiny_folder)
        (tmp_path / "usecase.yaml").write_text(USE_CASE.format(task=task, engine=asked))
        setting = resolve(tmp_path / "usecase.yaml", (), silent)
        engine.choose_engines(setting)
        return setting

    return made


def test_the_fast_engine_is_taken_where_its_answers_are_the_same(choose: Callable[..., Setting]) -> None:
    found = choose()
    assert found.engine.name == "openvino"
    assert "40 of 40" in found.engine.why
    assert choose(equal=38).engine.name == "openvino", "95% are enough"


@pytest.mark.parametrize(("equal", "right"), [(37, 12), (40, 11)])
def test_it_is_left_out_where_they_are_not(equal: int, right: int, choose: Callable[..., Setting]) -> None:
    found = choose(equal, right)
    assert found.engine.name == "transformers"
    assert "OpenVINO was left out" in found.engine.why


def test_other_reasons_are_said(choose: Callable[..., Setting], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "CUDA" in choose(cuda=True).engine.why
    assert "likelihood" in choose(task="classification").engine.why
    assert choose(asked="transformers").engine.why == "asked for"
    monkeypatch.setattr(engine, "openvino_refuses", lambda local: "its attention is of another kind")
    assert (choose().engine.name, choose().engine.why) == ("transformers", "its attention is of another kind")


def test_every_local_model_gets_the_engine_that_suits_it(
    choose: Callable[..., Setting], tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others ran on transformers whatever was asked for, and were timed there beside a base on OpenVINO."""
    arms = "arms: [baseline, {name: other, model: ./other}, {name: far, model: 'openai:http://127.0.0.1:9/v1#m'}]\n"
    monkeypatch.setattr("test_engine_choice.USE_CASE", USE_CASE + arms.replace("{", "{{").replace("}", "}}"))
    (tmp_path / "other").symlink_to(tiny_folder)
    setting = choose()
    other = str(setting.base / "other")
    assert {Path(ref).name: e.name for ref, e in setting.engines_of.items()} == {
        "model": "openvino",
        "other": "openvino",
        "v1#m": "openai",
    }
    assert choose(asked="transformers").engines_of[other].why == "asked for"
    opened: list[str] = []
    monkeypatch.setattr("sharpen.study.setting.open_model", lambda ref, adapters, engine: opened.append(engine))
    setting.opener(other, ())
    assert opened == ["openvino"]
    named = [row["engine"] for row in environment(setting, Named())["other_models"]]  # type: ignore[arg-type]
    assert named == ["openvino", "openai"]


def test_what_was_chosen_opens(choose: Callable[..., Setting]) -> None:
    setting = choose(asked="transformers")
    assert pull(setting.use_case.model).digest
    assert open_model(setting.use_case.model, engine=setting.engine.name).can >= {"generate", "score"}
