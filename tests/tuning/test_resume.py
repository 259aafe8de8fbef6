"""Kills, full disks, and folders of other trainings."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import tiny

from sharpen.errors import UserError
from sharpen.tuning import TrainOptions, train
from sharpen.types import Rendered

torch = pytest.importorskip("torch")
HERE = Path(__file__).parent

OPTIONS = TrainOptions(
    r=4,
    learning_rate=1e-2,
    num_train_epochs=4,
    per_device_train_batch_size=4,
    lora_dropout=0.1,
    checkpoint_steps=3,
    eval_steps=2,
    early_stopping_patience=50,
)

KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from tiny_llama import passages, tiny
from dataclasses import replace
from test_resume import OPTIONS
from sharpen.tuning import train, state
import safetensors.torch as written
from transformers import LlamaConfig, LlamaForCausalLM

root = Path(sys.argv[1])
rows, dev = passages(), passages(seed=7)

def run(folder, at=None, writes=None):
    def tell(stage, done, total):
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)
    save, count = written.save_file, [0]
    def cut(tensors, path, **more):
        count[0] += 1
        if count[0] == writes:
            Path(path).write_bytes(b"half of a")
            os.kill(os.getpid(), signal.SIGKILL)
        save(tensors, path, **more)
    written.save_file = cut
    train(tiny(), rows, dev, OPTIONS, folder, tell)

def child(*args):
    # A fork before the first use of torch: each child has threads of its own.
    pid = os.fork()
    if pid == 0:
        run(*args)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(pid, 0)[1])

assert child(root / "whole") == 0
for step in (1, 3, 4, 8, 11):
    assert child(root / str(step), step) == signal.SIGKILL
    assert child(root / str(step), step + 1) in (0, signal.SIGKILL)
    assert child(root / str(step)) == 0
for write in (1, 2, 3):
    folder = root / f"write{{write}}"
    assert child(folder, None, write) == signal.SIGKILL
    assert child(folder) == 0
"""


@pytest.mark.full
def test_kill_9_at_any_step_gives_the_same_adapter(tmp_path: Path) -> None:
    script = textwrap.dedent(KILLED).format(here=str(HERE))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    name = "adapter/adapter_model.safetensors"
    whole = (tmp_path / "whole" / name).read_bytes()
    folders = [p for p in tmp_path.iterdir() if p.name != "whole"]
    assert len(folders) == 8
    for folder in folders:
        assert (folder / name).read_bytes() == whole, folder.name
        assert not [p.name for p in folder.iterdir() if p.name.startswith("checkpoint")]


def test_a_finished_folder_is_not_trained_again(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    trained = train(module, rows, rows[:3], OPTIONS, tmp_path)
    told: list[Any] = []
    assert train(module, rows, rows[:3], OPTIONS, tmp_path, lambda *a: told.append(a)) == trained
    assert not told


@pytest.mark.parametrize("change", ["rows", "options", "weights"])
def test_another_trainings_folder_is_refused(rows: list[Rendered], tmp_path: Path, change: str) -> None:
    train(tiny(), rows, [], OPTIONS, tmp_path)
    module, options = tiny(), OPTIONS
    if change == "rows":
        rows = rows[1:]
    elif change == "options":
        options = replace(options, learning_rate=2e-2)
    else:
        with torch.no_grad():
            module.model.norm.weight.mul_(1.1)
    with pytest.raises(UserError, match="other rows, options or weights.*Choose another folder"):
        train(module, rows, [], options, tmp_path)


class Stop(Exception):
    pass


def interrupted(rows: list[Rendered], folder: Path, at: int) -> None:
    def tell(stage: str, done: float, total: float | None) -> None:
        if done == at:
            raise Stop

    with pytest.raises(Stop):
        train(tiny(), rows, [], OPTIONS, folder, tell)


def test_a_full_disk_is_a_sentence_and_harms_nothing(
    rows: list[Rendered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file-size limit below a checkpoint's size stands in for a disk that is full in the middle of a file."""
    import resource

    whole = train(tiny(), rows, [], OPTIONS, tmp_path / "whole")
    folder = tmp_path / "full"
    interrupted(rows, folder, 4)
    before = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert before
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(UserError, match=r"checkpoint of step 6 could not be written.*Make room"):
            train(tiny(), rows, [], OPTIONS, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    again = train(tiny(), rows, [], OPTIONS, folder)
    name = "adapter_model.safetensors"
    assert (again.adapter / name).read_bytes() == (whole.adapter / name).read_bytes()


def test_a_broken_checkpoint_is_a_sentence(rows: list[Rendered], tmp_path: Path) -> None:
    interrupted(rows, tmp_path, 4)
    (tmp_path / "checkpoint-3" / "state.safetensors").write_bytes(b"xx")
    with pytest.raises(UserError, match=r"checkpoint-3: the checkpoint cannot be read.*Delete the folder"):
        train(tiny(), rows, [], OPTIONS, tmp_path)


def test_nothing_is_pickled(rows: list[Rendered], tmp_path: Path) -> None:
    interrupted(rows, tmp_path, 4)
    assert {p.suffix for p in tmp_path.rglob("*") if p.is_file()} == {".safetensors", ".json"}
