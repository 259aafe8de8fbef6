"""The table of bad inputs: each a sentence with the place and the next step, status 2, and never a traceback."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sharpen
from sharpen.cli import main
from sharpen.errors import Problem, UserError
from sharpen.models import Local


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def append(folder: Path, line: str) -> None:
    with (folder / "questions.jsonl").open("a") as f:
        f.write(line + "\n")


def broken_line(folder: Path) -> None:
    path = folder / "questions.jsonl"
    lines = path.read_text().splitlines()
    filler = [json.dumps({"question": f"Filler {i}?", "answers": ["x"], "source": f"s{i % 9}"}) for i in range(4000)]
    lines = (lines + filler)[:4000]
    lines[3070] = '{"question": "half a row'
    path.write_text("\n".join(lines) + "\n")


def label_only_in_test(folder: Path) -> None:
    for name, labels in (("train", "ab"), ("dev", "ab"), ("test", "abz")):
        rows = [{"text": f"{name} text {i} {x}", "label": x} for i in range(12) for x in labels]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    rewrite(
        folder / "usecase.yaml", "examples: questions.jsonl", "train: train.jsonl\n  dev: dev.jsonl\n  test: test.jsonl"
    )
    rewrite(folder / "usecase.yaml", "documents: documents", "columns: {}")
    rewrite(folder / "usecase.yaml", "version: 1", "version: 1\ntask: classification")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Type a command that is refused; get what it said."""

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["sharpen", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr().err
        assert stop.value.code == 2, said
        return said

    return run


Break = Callable[[Path], object]
TABLE: dict[str, tuple[Break, list[str]]] = {
    "missing file": (lambda d: (d / "questions.jsonl").unlink(), ["questions.jsonl", "no such file"]),
    "folder for a file": (
        lambda d: rewrite(d / "usecase.yaml", "questions.jsonl", "documents"),
        ["documents", "is a folder, not a file of examples"],
    ),
    "empty file": (lambda d: (d / "questions.jsonl").write_text(""), ["questions.jsonl", "empty"]),
    "broken JSON in line 3,071": (broken_line, ["questions.jsonl, line 3071"]),
    "wrong column": (
        lambda d: (d / "questions.jsonl").write_text(json.dumps({"frage": "Was?", "antwort": "Das."}) + "\n"),
        ["frage", "antwort", "columns"],
    ),
    "a name in data.columns that is none": (
        lambda d: rewrite(d / "usecase.yaml", "  documents:", "  columns:\n    wieght: source\n  documents:"),
        ["usecase.yaml, line 9: data.columns: wieght: ", "Did you mean weight?"],
    ),
    "unknown key": (lambda d: rewrite(d / "usecase.yaml", "goal:", "gaol:"), ["line", "gaol", "Did you mean goal?"]),
    "unknown technique": (
        lambda d: rewrite(d / "usecase.yaml", "version: 1", "version: 1\narms: [baseline, retreive + lora]"),
        ["usecase.yaml, line 2: arms: retreive + lora: ", "retrieve"],
    ),
    "unknown option": (
        lambda d: rewrite(d / "usecase.yaml", "version: 1", "version: 1\narms: [baseline, lora(rank=3)]"),
        ["rank"],
    ),
    "unknown task": (
        lambda d: rewrite(d / "usecase.yaml", "version: 1", "version: 1\ntask: poetry"),
        ["usecase.yaml, line 2: task: ", "poetry"],
    ),
    "unknown metric": (
        lambda d: rewrite(d / "usecase.yaml", "version: 1", "version: 1\nmetrics: [exactmatch]"),
        ["usecase.yaml, line 2: metrics: exactmatch: ", "exact_match"],
    ),
    "model that is not there": (
        lambda d: rewrite(d / "usecase.yaml", 'model: "fake:"', "model: ./no/such/model"),
        ["no/such/model"],
    ),
    "too few examples": (
        lambda d: (d / "questions.jsonl").write_text(json.dumps({"question": "One?", "answers": ["1"]}) + "\n"),
        ["example"],
    ),
    "no documents to retrieve from": (
        lambda d: (
            rewrite(d / "usecase.yaml", "  documents: documents\n", ""),
            rewrite(d / "usecase.yaml", "version: 1", "version: 1\narms: [baseline, retrieve]"),
        ),
        ["documents", "retrieve"],
    ),
    "a label in test that train lacks": (label_only_in_test, ["label", "z"]),
    "not YAML": (lambda d: (d / "usecase.yaml").write_text("name: [unclosed"), ["usecase.yaml", "line"]),
    "a folder instead of a study": (lambda d: (d / "usecase.yaml").unlink(), ["usecase.yaml"]),
}


def problems_of(towns: Path) -> tuple[Problem, ...]:
    """Why a check refuses; nothing where a study could live with it."""
    try:
        sharpen.check(towns)
    except UserError as e:
        return e.problems
    return ()


@pytest.mark.parametrize("case", TABLE)
def test_bad_input_ends_in_a_sentence(
    case: str, towns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_, expected = TABLE[case]
    break_(towns.parent)
    monkeypatch.setattr(sys, "argv", ["sharpen", "check", str(towns)])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr().err
    assert stop.value.code == 2, said
    assert "Traceback" not in said
    for words in expected:
        assert words.lower() in said.lower(), said
    for sentence in said.strip().splitlines():
        assert sentence.startswith("sharpen: "), said
    for problem in problems_of(towns):
        assert problem.what, problem
        assert problem.where, problem
        assert problem.do, problem


def test_all_problems_are_said_at_once(
    towns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(towns, "version: 1", "version: 1\narms: [baseline, retreive, lora(rank=3), {answers: today.jsonl}]")
    append(towns.parent, '{"question": "half')
    rewrite(towns, 'model: "fake:"', "model: ./no/model")
    monkeypatch.setattr(sys, "argv", ["sharpen", "check", str(towns)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    for words in ("retreive", "rank", "today.jsonl", "no/model", "line 201"):
        assert words in said, said


def test_a_document_that_cannot_be_read_is_said_and_the_rest_is_used(
    towns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (towns.parent / "documents" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    monkeypatch.setattr(sys, "argv", ["sharpen", "check", str(towns)])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    assert stop.value.code == 2
    assert "broken.pdf" in said.err
    assert "documents 20" in said.out


def test_a_model_that_is_not_there_is_placed_where_it_is_named(towns: Path) -> None:
    rewrite(towns, 'embeddings: "fake:"', "embeddings: ./no/embedder")
    rewrite(towns, "version: 1", "version: 1\narms: [baseline, retrieve, {name: other, model: ./no/other}]")
    assert {p.where.partition(": ")[2] for p in problems_of(towns)} == {"embeddings", "arms: other"}
    assert all(p.where.startswith(f"{towns}, line ") for p in problems_of(towns))


def test_a_model_of_the_wrong_kind_is_said_before_anything_is_built(
    towns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found out when it was opened: after hours, where a floor or the last arm was the first to ask it."""
    kinds = {"answers": "causal", "embeds": "embedding"}
    found = {name: Local(f"./{name}", tmp_path, "0" * 64, kind) for name, kind in kinds.items()}
    monkeypatch.setattr("sharpen.study.preflight.pull", lambda ref, told=None: found[Path(ref).name])
    rewrite(towns, 'embeddings: "fake:"', "embeddings: ./answers")
    rewrite(towns, "version: 1", "version: 1\narms: [baseline, retrieve, {name: other, model: ./embeds}]")
    said = {p.where.partition(": ")[2]: p.what for p in problems_of(towns)}
    assert said["embeddings"] == "./answers does not make embeddings."
    assert said["arms: other"] == "./embeds makes embeddings and cannot answer."


def test_too_little_memory_ends_a_check(
    towns: Path, typed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
    from tiny_model import write

    from sharpen.study import preflight

    rewrite(towns, 'model: "fake:"', f"model: {write(towns.parent / 'tiny')}")
    monkeypatch.setattr(preflight, "available_gb", lambda: 1e-6)
    said = typed("check", towns)
    assert "of memory and 0.0 GB are free" in said
    assert "Use a smaller model" in said
    assert "Traceback" not in said


def test_too_little_memory_is_said_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sharpen.models import Local
    from sharpen.study import preflight

    (tmp_path / "model.safetensors").write_bytes(b"x" * 4_000_000)
    local = Local("here", tmp_path, "0", files={"model.safetensors": "0"})
    assert preflight.memory_problems(local) == []
    monkeypatch.setattr(preflight, "available_gb", lambda: 0.0049)
    (problem,) = preflight.memory_problems(local)
    assert "needs about 0.0 GB" in problem.what
    assert "smaller model" in problem.do


def too_long(d: Path) -> None:
    """Make some answers longer than the fake model reads."""
    rows = [json.loads(line) for line in (d / "questions.jsonl").read_text().splitlines()]
    for row in rows[::9]:
        row["answers"] = [row["answers"][0] + " very" * 9000]
    (d / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def test_what_is_too_long_is_said_with_what_makes_a_study_impossible(towns: Path) -> None:
    too_long(towns.parent)
    rewrite(towns, "version: 1", "version: 1\narms: [baseline, retreive]")
    said = " ".join(map(str, problems_of(towns)))
    assert "retreive" in said
    assert said.count("longer than the 8192 tokens") == 2, "train and dev"


def test_every_dropped_row_can_be_looked_up(
    towns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    append(towns.parent, '{"question": "half')
    monkeypatch.chdir(towns.parent)
    monkeypatch.setattr(sys, "argv", ["sharpen", "check", "usecase.yaml"])
    with pytest.raises(SystemExit):
        main()
    place = capsys.readouterr().out.partition("every dropped row with its place and reason: ")[2].splitlines()[0]
    (row,) = map(json.loads, Path(place).read_text().splitlines())
    assert (row["file"], row["place"]) == ("questions.jsonl", "line 201")
    assert row["reason"]
    report = sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    assert (report.path / "dropped.jsonl").read_text() == Path(place).read_text()
    assert "dropped.jsonl" in (report.path / "report.html").read_text()


def test_a_check_tells_once_what_gives_the_test_away(
    towns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (towns.parent / "questions.jsonl").read_text().splitlines()[:20]:
        append(towns.parent, json.dumps({**json.loads(line), "source": "", "id": ""}))
    monkeypatch.setattr(sys, "argv", ["sharpen", "check", str(towns)])
    with pytest.raises(SystemExit):
        main()
    told = [line for line in capsys.readouterr().out.splitlines() if "leak" in line]
    assert told
    assert all(re.fullmatch(r"  dropped \d+: leak, (train|dev) like (dev|test)", line) for line in told)
    assert len(set(told)) == len(told)


def test_a_check_tells_kept_rows_from_removed_ones(
    towns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"question": "Who is the mayor?", "answers": [f"M. {i}"], "source": f"town{i}.md"} for i in range(20)]
    for row in [*rows, rows[0]]:
        append(towns.parent, json.dumps(row))
    monkeypatch.setattr(sys, "argv", ["sharpen", "check", str(towns)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out.splitlines()
    assert "  dropped 1: is the same as an earlier row" in said
    assert "  no leak was found" in said
    kept = [line for line in said if "alike and kept" in line]
    assert kept == [
        "  alike and kept 4: dev like test, of another source and with another answer",
        "  alike and kept 8: train like test or dev, of another source and with another answer",
    ]


def test_an_example_longer_than_the_context_is_said(
    towns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    too_long(towns.parent)
    monkeypatch.setattr(sys, "argv", ["sharpen", "check", str(towns)])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert "longer than the 8192 tokens" in said
    assert "Traceback" not in said


def test_an_answer_longer_than_the_context_is_counted_not_raised(towns: Path) -> None:
    import sharpen

    for document in (towns.parent / "documents").iterdir():
        document.write_text(document.read_text().replace("\n", " ") + " word" * 2_800)
    report = sharpen.run(towns, settings=["arms=[baseline, 'retrieve(k=3, longest=4000, size=4000)']"])
    assert report.arm("retrieve(k=3, longest=4000, size=4000)")["n_unjudged"] > 0


@pytest.mark.parametrize("what", ["a pipe", "a device", "a link to a device", "a folder"])
def test_given_answers_that_are_no_file_are_said(what: str, towns: Path, typed: Callable[..., str]) -> None:
    place = towns.parent / "today.jsonl"
    if what == "a pipe":
        os.mkfifo(place)
    elif what == "a folder":
        place.mkdir()
    elif what == "a link to a device":
        place.symlink_to("/dev/zero")
    name = "/dev/zero" if what == "a device" else "today.jsonl"
    rewrite(towns, "version: 1", f"version: 1\narms: [baseline, {{name: today, answers: {name}}}]")
    assert "is not a regular file" in typed("check", towns)


@pytest.mark.parametrize(
    "line", ['arms: [baseline, {name: today, answers: "a\\0.jsonl"}]', 'task: "a\\0.py"', 'metrics: ["a\\0.py"]']
)
def test_a_path_with_a_nul_character_is_said(line: str, towns: Path, typed: Callable[..., str]) -> None:
    rewrite(towns, "version: 1", f"version: 1\n{line}")
    assert "NUL character, which no path can" in typed("check", towns)


def test_given_answers_are_read_from_paths_alone(tmp_path: Path) -> None:
    from sharpen.study.given import read_given

    assert "cannot be read" in str(read_given(tmp_path / "a\0.jsonl", "a\0.jsonl")[1][0])
