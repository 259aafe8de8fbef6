"""The commands as a user types them, on the fake model."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.cli.demo import example_folder
from sharpen.store import STALE_SECONDS

Typed = Callable[..., tuple[int, str, str]]
FAKE = ["--set", "model=fake:", "--set", "embeddings=fake:"]


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
    status, _, said = typed("ask", "mine", "How long can I return goods?")
    assert (status, "Name the run: mine/runs/mine" in said) == (2, True)
    status, out, _ = typed("ask", "mine/runs/mine", "How long can I return goods?", "--json", "--arm", "retrieve")
    assert json.loads(out)["passages"][0]["span"]["source"]
    status, out, said = typed("ask", "mine/runs/mine", "How long? " * 9000, "--json", "--arm", "baseline")
    assert (status, out, said.endswith(" Ask a shorter question, or another arm.\n")) == (2, "", True)


def test_whatever_a_folder_is_called_its_use_case_can_be_checked(typed: Typed) -> None:
    for name in ("naïve name 😀", "_mine", "数据"):
        assert typed("init", name)[0] == 0
        assert typed("check", name, *FAKE)[0] == 0


def test_a_folder_whose_name_is_no_text_holds_a_whole_study(typed: Typed, tmp_path: Path) -> None:
    """Latin-1 names come out of old archives."""
    name, out = (os.fsdecode(latin) for latin in (b"caf\xe9", b"r\xe9sultats"))
    typed("init", name)
    small = [*FAKE, "--set", "arms=[baseline, retrieve]"]
    status, said, err = typed("run", name, *small)
    assert status == 0, err
    assert f"Report: {tmp_path}/caf\\udce9/runs/caf/report.html" in said  # as a terminal can show it
    assert typed("run", name, *small, "--out", out)[0] == 0
    status, said, _ = typed("report", out)
    assert (status, f"Report: {tmp_path}/r\\udce9sultats/report.html" in said) == (0, True)
    assert typed("ask", f"{name}/runs/caf", "When can I call?")[0] == 0
    status, said, _ = typed("store", "gc", name)
    assert (status, "(2 runs)" in said) == (0, True)


def test_what_a_terminal_would_obey_is_shown_and_not_sent(typed: Typed, tmp_path: Path) -> None:
    """Whoever wrote a document, a label or a reply does not clear the screen of who reads it."""
    evil, seen = "\x1b[2J", "\\x1b[2J"
    typed("init", "mine")
    documents = tmp_path / "mine" / "documents"
    (documents / f"{evil}x.xyz").touch()
    returns = documents / "returns.md"
    returns.write_text(returns.read_text().replace("30 days", f"30 {evil}days"))
    status, out, _ = typed("check", "mine", *FAKE)
    assert (status, f"note: {seen}x.xyz: left out" in out, evil in out) == (0, True, False)
    assert typed("run", "mine", *FAKE, "--set", "arms=[baseline, retrieve]")[0] == 0
    question = ("ask", "mine/runs/mine", "How long can I return goods?", "--arm", "retrieve")
    status, out, _ = typed(*question)
    assert (status, f"within 30 {seen}days. The refund" in out, evil in out) == (0, True, False)
    assert f"30 {evil}days" in json.loads(typed(*question, "--json")[1])["passages"][0]["text"]


def test_names_of_classes_are_no_orders_to_a_terminal(typed: Typed, tmp_path: Path) -> None:
    evil, seen = "Order\x1b[2J", "Order\\x1b[2J"
    rows = [{"text": f"{label} {i * 17} {chr(97 + i) * 5}", "label": label} for i in range(24) for label in (evil, "b")]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = "{examples: q.jsonl, split: {train: 0.4, dev: 0.2, test: 0.4, by: label}}"
    arms = f"[baseline, {{name: {json.dumps(evil)}, does: few_shot}}]"
    text = f"name: cls\ntask: classification\nmodel: 'fake:'\nembeddings: 'fake:'\ndata: {data}\narms: {arms}\n"
    (tmp_path / "usecase.yaml").write_text(text)
    for words in (["check", "usecase.yaml"], ["run", "usecase.yaml"], ["report", "runs/cls"]):
        status, out, err = typed(*words)
        assert (status, seen in out, "\x1b" in out + err) == (0, True, False), words
    status, out, err = typed("ask", "runs/cls", "Order 4")
    assert (status, "\x1b" in out + err) == (0, False)
    assert seen in out + err


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
    assert typed("ask", "mine/runs/mine", "When can I call?", "--arm", "retrieve + lora")[0] == 2, "it is not finished"
    assert typed("run", "mine", *FAKE)[0] == 0
    assert typed("ask", "mine/runs/mine", "When can I call?", "--arm", "retrieve + lora")[0] == 0


def test_runs_whose_folder_is_gone_are_forgotten(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARPEN_HOME")
    status, _, said = typed("store", "gc", "my towns")
    assert (status, said) == (
        2,
        f"sharpen: {tmp_path}/my towns/.sharpen: there is no store here. "
        "Name a use case's folder: sharpen store gc DIR\n",
    )
    typed("init", "my towns")
    for out in ("one", "two"):
        assert typed("run", "my towns", *FAKE, "--set", "arms=[baseline]", "--out", out)[0] == 0
    shutil.rmtree(tmp_path / "one")
    status, _, said = typed("store", "gc", "my towns", "--yes")
    advice = "Move it back, or forget all of these: sharpen store gc 'my towns' --forget\n"
    assert (status, said.endswith(advice)) == (2, True), said
    for _ in range(2):
        status, said, _ = typed("store", "gc", "my towns", "--forget")
        assert (status, "Runs whose folder is gone: 1; --yes forgets them." in said) == (0, True), said
    status, said, _ = typed("store", "gc", "my towns", "--forget", "--yes")
    assert (status, "(1 runs)" in said, "Runs whose folder is gone: 1 (forgotten)." in said) == (0, True, True), said
    status, said, _ = typed("store", "gc", "my towns")
    assert (status, "(1 runs)" in said, "gone" in said) == (0, True, False), said


def test_what_a_kill_left_among_the_runs_is_none_of_them(typed: Typed, tmp_path: Path, home: Path) -> None:
    typed("init", "mine")
    typed("run", "mine", *FAKE, "--set", "arms=[baseline]")
    (entry,) = (home / "runs").iterdir()
    left = entry.with_name(f".{entry.name}.0123abcd")
    left.touch()
    status, said, err = typed("store", "gc", "mine", "--yes")
    assert (status, "(1 runs)" in said) == (0, True), err
    assert left.exists(), "another process may be writing it"
    old = time.time() - STALE_SECONDS - 1
    os.utime(left, (old, old))
    typed("store", "gc", "mine")
    assert left.exists(), "nothing is deleted without --yes"
    typed("store", "gc", "mine", "--yes")
    assert list((home / "runs").iterdir()) == [entry]


def test_a_parts_page_says_how_it_is_called(typed: Typed) -> None:
    status, out, _ = typed("parts", "show", "retrieve")
    assert status == 0
    assert "retrieve(k: int | Sequence[int]=(1, 2, 3)" in out
    assert "longer paragraphs are cut" in out
    _, out, _ = typed("parts", "show", "lora")
    assert "learning_rate: float = 0.001" in out
    assert "share of the steps in which the learning rate rises" in out
    status, _, said = typed("parts", "technique", "--to", "x.py")
    assert (status, "parts copy NAME --to FILE" in said) == (2, True)


def test_models_are_listed_and_shown(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARPEN_MODELS", str(tmp_path / "cache"))
    assert "No models are here yet" in typed("models", "list")[1]
    pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
    from tiny_model import write

    write(tmp_path / "tiny")
    status, out, _ = typed("models", "pull", str(tmp_path / "tiny"))
    assert (status, "is here" in out) == (0, True)
    status, out, _ = typed("models", "show", str(tmp_path / "tiny"))
    assert (status, json.loads(out)["changed"]) == (0, [])


def test_weights_are_kept_in_no_folder_whose_name_is_no_text(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads them opens no such file, and a study would end there after hours."""
    pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
    from tiny_model import write

    write(tmp_path / "tiny")
    name = os.fsdecode(b"caf\xe9")
    typed("init", name)
    monkeypatch.setenv("SHARPEN_HOME", str(tmp_path / name / ".sharpen"))
    status, _, err = typed("run", name, "--set", f"model={tmp_path / 'tiny'}", "--set", "embeddings=fake:")
    assert (status, "tuned weights can be read from no such folder. Move the use case" in err) == (2, True), err
    status, _, err = typed("export", "any", "--to", f"{name}/out")
    assert (status, "weights can be written to no such folder. Name another folder." in err) == (2, True), err


def test_the_demo_is_copied_whole_and_run_there(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Path] = []
    monkeypatch.setattr("sharpen.cli.run.run", lambda file, *_: ran.append(file))
    assert typed("demo")[0] == 0
    assert ran == [Path("anyorganization") / "usecase.yaml"]
    copied = {p.relative_to(tmp_path / "anyorganization") for p in (tmp_path / "anyorganization").rglob("*")}
    source = example_folder()
    assert copied == {p.relative_to(source) for p in source.rglob("*") if not {"runs", ".sharpen"} & set(p.parts)}
    (tmp_path / "anyorganization" / "mine.txt").write_text("kept")
    assert typed("demo")[0] == 0
    assert (tmp_path / "anyorganization" / "mine.txt").exists(), "what is there is not written over"


@pytest.mark.full
def test_an_export_that_is_broken_off_leaves_nothing_in_its_way(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
    from tiny_model import write

    monkeypatch.setenv("SHARPEN_MODELS", str(tmp_path / "cache"))
    write(tmp_path / "tiny")
    typed("init", "mine")
    own = ["--set", f"model={tmp_path / 'tiny'}", "--set", "embeddings=fake:", "--set", "engine=transformers"]
    assert typed("run", "mine", *own, "--set", "arms=[baseline]", "--set", "max_new_tokens=2")[0] == 0

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    command = ("export", "mine/runs/mine", "--to", "out", "--arm", "baseline")
    with monkeypatch.context() as patch:
        patch.setattr("sharpen.study.exporting.describe", stopped)
        assert typed(*command)[0] == 130
    assert not [p for p in tmp_path.iterdir() if "out" in p.name]
    status, out, said = typed(*command)
    assert status == 0, said
    assert "are exactly those of the run" in out
