"""Damaged files of a run's folder and of the store: a sentence, or what is a mere cache is made anew."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_running import timeless
from towns_data import write_towns

import sharpen
from sharpen.cli import main
from sharpen.data.dataset import Prepared
from sharpen.data.sealing import seal
from sharpen.errors import Problem, UserError
from sharpen.inputs import Data
from sharpen.store import Store
from sharpen.study.exporting import _data_folder
from sharpen.study.folder import RunFolder
from sharpen.study.setting import resolve
from sharpen.types import silent

ARMS = "arms: [baseline, retrieve + lora]\n"
QUESTION = "What colour is the tower town1 painted?"


def cut_at(data: bytes) -> int:
    """About the middle, before a colon where there is one: half of a YAML file may be one, too."""
    half = len(data) // 2
    colon = data.rfind(b":", 0, half)
    return colon if colon > 0 else half


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: cut_at(data)],
    "empty": lambda data: b"",
    "a list": lambda data: b"[]",
    "an object": lambda data: b"{}",
    "a number": lambda data: b"5",
    "deep": lambda data: b"[" * 100_000,
    "not UTF-8": lambda data: data.replace(b'"', b"\xe9", 1) if b'"' in data else b"\xe9" + data,
    "binary": lambda data: bytes(range(256)),
}
Study = tuple[Path, Path, Path]  # the use case, the folder of its run, the store


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished study, and a copy of all its folders."""
    root = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHARPEN_HOME", str(root / "study" / "store"))
        towns = write_towns(root / "study" / "towns", 8)
        towns.write_text(towns.read_text() + ARMS)
        sharpen.run(towns)
    shutil.copytree(root / "study", root / "copy")
    return root / "study", root / "copy"


def examine(data: Data, base: Path, root: Path, progress: object) -> Prepared:
    """Prepare data in this process: starting another takes longer than all else that is done here."""
    made = seal(data, base, root, lambda *_: None)
    return Prepared(Path(made["folder"]), tuple(Problem(**p) for p in made["problems"]), tuple(made["notes"]))


@pytest.fixture
def study(finished: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Study:
    """The finished study as it was, where it was: runs know their folders."""
    folder, copy = finished
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    monkeypatch.setenv("SHARPEN_HOME", str(folder / "store"))
    monkeypatch.setattr("sharpen.study.preflight.data_room.examine", examine)
    return folder / "towns" / "usecase.yaml", folder / "towns" / "runs" / "towns", folder / "store"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Type a command; get its status and what it said. A traceback fails the test."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sharpen", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.err if stop.value.code else said.out

    return run


Typed = Callable[..., tuple[int, str]]


def damaged(path: Path, how: str) -> None:
    path.write_bytes(DAMAGES[how](path.read_bytes()))


def commands(case: Study) -> dict[str, tuple[object, ...]]:
    towns, run, _ = case
    return {
        "run": ("run", towns),
        "report": ("report", run),
        "ask": ("ask", run, QUESTION, "--arm", "retrieve + lora"),
        "export": ("export", run, "--to", towns.parent / "out", "--arm", "retrieve + lora"),
        "gc": ("store", "gc", towns.parent),
    }


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *(("report.json", command) for command in ("report", "ask", "export", "run")),
        *(("programs.json", command) for command in ("ask", "export", "gc")),
        *(("config.yaml", command) for command in ("ask", "export")),
    ],
)
def test_a_damaged_file_is_said_and_deleting_it_helps(name: str, command: str, study: Study, typed: Typed) -> None:
    towns, run, _ = study
    whole = (run / name).read_bytes()
    for how, damage in DAMAGES.items():
        (run / name).write_bytes(damage(whole))
        status, said = typed(*commands(study)[command])
        assert status == 2, (how, said)
        assert f"{name}: is damaged" in said, (how, said)
        assert "Delete it; the same sharpen run makes it anew." in said
    (run / name).unlink()
    assert typed("run", towns)[0] == 0
    assert (run / name).exists()
    if command != "export":  # the fake model has no weights
        assert typed(*commands(study)[command])[0] == 0


def test_a_program_with_a_field_of_another_type_is_damaged(study: Study, typed: Typed) -> None:
    _, run, _ = study
    programs = json.loads((run / "programs.json").read_text())
    programs["baseline"]["model"] = 5
    (run / "programs.json").write_text(json.dumps(programs))
    status, said = typed("ask", run, QUESTION)
    assert status == 2
    assert "programs.json: is damaged" in said


@pytest.mark.parametrize("name", ["config.yaml", "run_id"])
@pytest.mark.parametrize("how", ["cut", "a list", "binary"])
def test_a_run_that_goes_on_says_what_is_damaged(name: str, how: str, study: Study, typed: Typed) -> None:
    towns, run, _ = study
    (run / "done.json").unlink()
    damaged(run / name, how)
    status, said = typed("run", towns)
    assert status == 2
    assert f"{name}: is damaged" in said
    assert "Delete it; the same sharpen run makes" in said
    if how == "cut":
        (run / name).unlink()
        assert typed("run", towns)[0] == 0
        assert sharpen.read_report(run)["looks_at_this_test"] == (2 if name == "run_id" else 1)


@pytest.mark.full
@pytest.mark.parametrize("name", ["plan.json", "key.json", "budget.json", "engine.json"])
def test_what_the_test_was_opened_for_is_not_made_anew(name: str, study: Study, typed: Typed) -> None:
    towns, run, _ = study
    (run / "done.json").unlink()
    whole = (run / name).read_bytes()
    for how, damage in DAMAGES.items():
        (run / name).write_bytes(damage(whole))
        status, said = typed("run", towns)
        assert status == 2, (how, said)
        assert f"{name}: is damaged" in said, (how, said)
        assert "use --out for a new run: it counts as another look" in said
        if how in ("cut", "a number"):  # the folder is not changed
            assert (run / name).read_bytes() == damage(whole)


@pytest.mark.parametrize("name", ["plan.json", "key.json", "budget.json", "engine.json"])
def test_what_was_deleted_after_the_test_was_opened_is_not_made_anew(name: str, study: Study, typed: Typed) -> None:
    towns, run, _ = study
    (run / "done.json").unlink()
    (run / name).unlink()
    status, said = typed("run", towns)
    assert status == 2
    assert "another look" in said
    assert not (run / name).exists()


@pytest.mark.parametrize("name", ["key.json", "budget.json", "engine.json"])
def test_before_the_test_is_opened_it_may_be_made_anew(name: str, study: Study, typed: Typed) -> None:
    towns, run, store = study
    for gone in (run / "done.json", run / "plan.json", run / "report.json", *store.glob("ledger*")):
        gone.unlink()
    damaged(run / name, "a list")
    status, said = typed("run", towns)
    assert status == 2
    assert "Delete it; the same sharpen run makes it anew." in said
    (run / name).unlink()
    assert typed("run", towns)[0] == 0


def same(report: sharpen.Report, before: dict[str, Any]) -> bool:
    return bool(timeless(dict(report.data)) == timeless(before))


@pytest.mark.parametrize("how", DAMAGES)
def test_what_was_measured_is_measured_again(how: str, study: Study) -> None:
    towns, run, _ = study
    before = json.loads((run / "report.json").read_text())
    for name in ("done.json", "latency.json", "report.json", "programs.json"):
        damaged(run / name, how)
    with (run / "events.jsonl").open("ab") as f:
        f.write(b'[]\n5\n{}\n"x"\nnull\n\xff\xfe\n{"event": "spent", "time": 1}\n{"event": 5, "time": 1}\n')
        f.write(b'{"event": "started", "time": "x"}\n{"event": "built"}\n' + b"[" * 100_000 + b"\n")
    assert same(sharpen.run(towns), before)
    assert json.loads((run / "done.json").read_text())["key"]


def test_the_folder_of_the_data_is_found_or_said(study: Study) -> None:
    towns, run, _ = study
    report, setting = sharpen.read_report(run), resolve(towns, (), silent)
    assert _data_folder(report, setting).is_dir()
    whole = (run / "done.json").read_bytes()
    for damage in DAMAGES.values():
        (run / "done.json").write_bytes(damage(whole))
        with pytest.raises(UserError, match=r"done\.json: is damaged"):
            _data_folder(report, setting)
    (run / "done.json").unlink()
    with pytest.raises(UserError, match="the run is not finished"):
        _data_folder(report, setting)


@pytest.mark.parametrize("command", ["ask", "export"])
def test_another_model_under_the_same_name_is_refused(command: str, study: Study, typed: Typed) -> None:
    """Its score would be said of weights that nobody evaluated."""
    _, run, _ = study
    done = json.loads((run / "done.json").read_text())
    assert done["weights"]["fake:"] == "fake:"
    (run / "done.json").write_text(json.dumps({**done, "weights": {**done["weights"], "fake:": "another"}}))
    status, said = typed(*commands(study)[command])
    assert status == 2
    assert "fake: is no longer the model that the run used" in said


STORED = ["data/*/data.json", "data/*/train.jsonl", "data/*/test-questions.txt", "data/*/sealed/test.jsonl"]
STORED += ["built/*.json", "speeds/*.json", "index/*/passages.jsonl", "adapter/*/fake_memory.json"]


@pytest.mark.parametrize("pattern", STORED)
@pytest.mark.parametrize("how", ["cut", "an object", "gone"])
def test_what_the_store_holds_is_made_anew(pattern: str, how: str, study: Study) -> None:
    towns, run, store = study
    before = json.loads((run / "report.json").read_text())
    paths = sorted(store.glob(pattern))
    assert paths
    for path in paths:
        path.unlink() if how == "gone" else damaged(path, how)
    (run / "done.json").unlink()
    if pattern.startswith("speeds"):  # they are measured for a budget, which stays once the test was opened
        for gone in (run / "budget.json", run / "plan.json", *store.glob("ledger*")):
            gone.unlink()
    assert same(sharpen.run(towns), before)
    kept = Store(store)
    assert all(kept.verify(ref) for ref in kept.refs())
    assert all(path.exists() for path in paths)
    assert not list(store.glob("*/.new-*"))


@pytest.mark.parametrize("pattern", ["index/*/passages.jsonl", "adapter/*/fake_memory.json"])
def test_an_artefact_that_is_not_what_its_name_says_is_said(pattern: str, study: Study, typed: Typed) -> None:
    towns, run, store = study
    for path in store.glob(pattern):
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    status, said = typed(*commands(study)["ask"])
    assert status == 2
    assert "is damaged: its content is not what its name says" in said
    assert "without done.json" in said
    (run / "done.json").unlink()
    assert typed("run", towns)[0] == 0
    assert typed(*commands(study)["ask"])[0] == 0


def test_a_changed_sharpen_rebuilds_what_is_missing_in_a_new_run_only(
    study: Study, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    towns, run, store = study
    for folder in store.glob("index/*"):
        shutil.rmtree(folder)
    status, said = typed(*commands(study)["ask"])
    advice = "Where sharpen was changed since its test was opened this takes --out"
    assert (status, "the store has no index:" in said, advice in said) == (2, True, True), said
    monkeypatch.setattr("sharpen.study.sealing.code_hash", lambda: "newer")
    (run / "done.json").unlink()
    status, said = typed("run", towns)
    assert (status, "sharpen itself was changed" in said) == (2, True), said
    assert typed("run", towns, "--out", tmp_path / "new")[0] == 0
    assert typed("ask", tmp_path / "new", QUESTION, "--arm", "retrieve + lora")[0] == 0


ROWS = ["5", "{}", "[]", "{", "null", '{"noun": "Prompt"}', '{"noun": "Answer", "text": 5}', "[" * 100_000]


def test_a_damaged_answer_is_computed_again(study: Study) -> None:
    towns, run, store = study
    before = json.loads((run / "report.json").read_text())
    with sqlite3.connect(store / "answers.sqlite") as db:
        whole = dict(db.execute("SELECT key, answer FROM answers"))
        rows = [(ROWS[i % len(ROWS)], key) for i, key in enumerate(whole)]
        db.executemany("UPDATE answers SET answer = ? WHERE key = ?", rows)
    (run / "done.json").unlink()
    assert same(sharpen.run(towns), before)
    with sqlite3.connect(store / "answers.sqlite") as db:
        again = dict(db.execute("SELECT key, answer FROM answers"))
    mended = {key: answer for key, answer in again.items() if answer not in ROWS}  # what building asked stays
    assert len(mended) > len(ROWS)
    assert {k: json.loads(v)["text"] for k, v in mended.items()} == {k: json.loads(whole[k])["text"] for k in mended}


@pytest.mark.parametrize("how", ["cut", "empty", "binary"])
def test_nothing_is_collected_while_a_run_is_not_known(how: str, study: Study, typed: Typed) -> None:
    _, run, store = study
    (entry,) = (store / "runs").iterdir()
    for path in (store / "built").iterdir():
        damaged(path, how)
    assert typed(*commands(study)["gc"])[0] == 0
    damaged(entry, how)
    status, said = typed(*commands(study)["gc"], "--yes")
    assert status == 2
    assert f"{entry}: is damaged" in said
    entry.unlink()
    assert typed(*commands(study)["gc"])[0] == 0
    assert RunFolder(run).programs()


def test_a_pipe_in_place_of_a_file_is_not_waited_for(study: Study, typed: Typed) -> None:
    towns, run, store = study
    (built, *_) = (store / "built").iterdir()
    for path in (run / "latency.json", built):
        path.unlink()
        os.mkfifo(path)
    (run / "done.json").unlink()
    assert typed("run", towns)[0] == 0
    (run / "config.yaml").unlink()
    os.mkfifo(run / "config.yaml")
    assert "config.yaml: is damaged" in typed("run", towns)[1]
