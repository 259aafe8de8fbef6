"""Which engine a study takes, and the reason that it writes down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.models import open_model, pull
from sharpen.models._agreement import Agreement
from sharpen.study import engine
from sharpen.study.setting import Setting, resolve
from sharpen.types import silent

pytest.importorskip("torch")
USE_CASE = """version: 1
name: choice
model: ./model
task: {task}
engine: {engine}
data: {{examples: rows.jsonl}}
"""


@pytest.fixture
def choose(tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Setting]:
    """Choose for a use case, on a machine and with a comparison of engines as told."""

    def made(
        equal: int = 40, right: int = 12, cuda: bool = False, task: str = "question-answering", asked: str = "auto"
    ) -> Setting:
        monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
        monkeypatch.setattr(engine, "agreement", lambda local: Agreement(equal, 40, (), right, 12))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
        (tmp_path / "model").exists() or (tmp_path / "model").symlink_to(tiny_model_folder)
        (tmp_path / "usecase.yaml").write_text(USE_CASE.format(task=task, engine=asked))
        setting = resolve(tmp_path / "usecase.yaml", (), silent)
        engine.choose_engine(setting)
        return setting

    return made


@pytest.fixture
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_model import write

    return write(tmp_path_factory.mktemp("tiny"))


def test_the_fast_engine_is_taken_where_its_answers_are_the_same(choose: Callable[..., Setting]) -> None:
    found = choose()
    assert found.engine == "openvino"
    assert "40 of 40" in found.engine_why
    assert choose(equal=38).engine == "openvino", "95% are enough"


@pytest.mark.parametrize(("equal", "right"), [(37, 12), (40, 11)])
def test_it_is_left_out_where_they_are_not(equal: int, right: int, choose: Callable[..., Setting]) -> None:
    found = choose(equal, right)
    assert found.engine == "transformers"
    assert "OpenVINO was left out" in found.engine_why


def test_other_reasons_are_said(choose: Callable[..., Setting], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "CUDA" in choose(cuda=True).engine_why
    assert "likelihood" in choose(task="classification").engine_why
    assert choose(asked="transformers").engine_why == "asked for"
    monkeypatch.setattr(engine, "openvino_refuses", lambda local: "its attention is of another kind")
    assert (choose().engine, choose().engine_why) == ("transformers", "its attention is of another kind")


def test_what_was_chosen_opens(choose: Callable[..., Setting]) -> None:
    setting = choose(asked="transformers")
    assert pull(setting.use_case.model).digest
    assert open_model(setting.use_case.model, engine=setting.engine).can >= {"generate", "score"}
