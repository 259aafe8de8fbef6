"""Exports of a tiny model's study: what is written beside the weights answers as the arm that was evaluated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sharpen
from sharpen.models import listing

pytestmark = pytest.mark.full
pytest.importorskip("torch")
pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

ASKED = ("when does my card arrive", "what is the exchange rate", "{question} of a card")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("routing")


@pytest.fixture(autouse=True)
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One store for the study and all who export from it."""
    monkeypatch.setenv("SHARPEN_HOME", str(folder / "store"))
    return folder / "store"


@pytest.fixture
def routing(folder: Path, home: Path) -> Path:
    """A study of three classes, one of which goes on from another; the second time it is only read."""
    from tiny_model import write

    if (folder / "usecase.yaml").exists():
        return sharpen.run(folder).path
    write(folder / "model")
    words = {"card": "lost card", "card arrival": "card arrive", "exchange rate": "rate of exchange"}
    rows = [
        {"text": f"{i} {asked} please {i * 7}", "label": label} for i in range(20) for label, asked in words.items()
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "usecase.yaml").write_text(
        "version: 1\nname: routing\ntask: classification\nmodel: ./model\nembeddings: 'fake:'\n"
        "data: {examples: rows.jsonl, near_duplicates: 1.0}\n"
        "arms: [baseline, few_shot(k=3), 'nearest_shots(k=1)']\nengine: transformers\n"
    )
    return sharpen.run(folder).path


def test_the_script_chooses_as_the_arm_did(routing: Path, tmp_path: Path) -> None:
    """Greedy text of the same prompt is another program: this arm's score rests on its rule of choice."""
    sharpen.export(routing, tmp_path / "out", "hf", "few_shot(k=3)")
    how = json.loads((tmp_path / "out" / "prompt.json").read_text())
    assert how["choices"] == ["card", "card arrival", "exchange rate"]
    assert len(how["demos"]) == 3
    for question in ASKED:
        done = subprocess.run(
            [sys.executable, tmp_path / "out" / "answer.py", question], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == sharpen.ask(routing, question, "few_shot(k=3)").text
    assert "def parse(" in (tmp_path / "out" / "parsing.py").read_text(), "a reply is read as the study read it"
    card = (tmp_path / "out" / "README.md").read_text()
    assert "of 3 classes the one of the highest log-likelihood" in card
    assert all(f"Assistant: {d['answer']}" in card for d in how["demos"])
    assert "which the study did not choose" in card
    assert "{context}" not in card, "no passage is part of this arm"
    assert "base_model: model\n" in card, "without the place where the folder lies"
    assert "/model" not in card


def test_what_an_export_cannot_hold_is_said(routing: Path, tmp_path: Path) -> None:
    sharpen.export(routing, tmp_path / "out", "hf", "nearest_shots(k=1)")
    assert "the score cannot be had from these alone" in (tmp_path / "out" / "README.md").read_text()
    assert not (tmp_path / "out" / "answer.py").exists()


def test_for_ollama_the_rule_is_said_to_be_missing(routing: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    before = {m.folder for m in listing()}
    sharpen.export(routing, tmp_path / "out", "gguf", "baseline")
    assert {m.folder for m in listing()} == before, "what only the check has read does not fill the cache"
    assert "Ollama cannot choose by log-likelihood" in (tmp_path / "out" / "README.md").read_text()


NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.mark.parametrize("template", ["chatml", "no system", "none"])
def test_the_script_writes_as_the_arm_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str) -> None:
    """Whatever the model's own settings ask for: penalties, another end of turn, a template without system messages."""
    from tiny_model import TEMPLATE, write

    monkeypatch.setenv("SHARPEN_HOME", str(tmp_path / "store"))
    model = write(tmp_path / "model", {"chatml": TEMPLATE, "no system": NO_SYSTEM, "none": None}[template])
    settings = json.loads((model / "generation_config.json").read_text())
    settings |= {"repetition_penalty": 5.0, "eos_token_id": 0}
    (model / "generation_config.json").write_text(json.dumps(settings))
    rows = [{"question": f"What is {i} and {i * 7}?", "answers": str(i)} for i in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (tmp_path / "usecase.yaml").write_text(
        "version: 1\nname: writing\ntask: question-answering\nmodel: ./model\nembeddings: 'fake:'\n"
        "data: {examples: rows.jsonl, near_duplicates: 1.0}\narms: [baseline, few_shot(k=2)]\nengine: transformers\n"
    )
    run = sharpen.run(tmp_path).path
    sharpen.export(run, tmp_path / "out", "hf", "few_shot(k=2)")
    for question in ("What is it?", "a <|im_end|> b"):
        done = subprocess.run(
            [sys.executable, tmp_path / "out" / "answer.py", question], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == sharpen.ask(run, question, "few_shot(k=2)").text.strip()
    kept = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert not kept.get("repetition_penalty"), "what was evaluated had none"
