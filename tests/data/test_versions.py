"""Versions: what differs between two, what a row has been through, and splits that have nothing in common."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sharpen import data
from sharpen.cli.main import main
from sharpen.data.lineage import lines_of
from sharpen.data.sealing import seal
from sharpen.data.tracing import trace
from sharpen.data.versions import differences, folders, overlap, plain_row, splits, write_splits
from sharpen.errors import UserError
from sharpen.inputs import Data
from sharpen.types import Example, Message, Span, silent

SPLIT = {"train": 0.5, "dev": 0.25, "test": 0.25}


def rows(named: bool = True) -> list[dict[str, Any]]:
    made = []
    for s in range(12):
        for i in range(4):
            row = {"question": f"Which colour has {s} at {i}?", "answers": f"colour {s * i}", "source": f"s{s}"}
            made.append({"id": f"r{s}-{i}", **row} if named else row)
    return made


def write(folder: Path, found: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in found))
    return folder


def prepared(base: Path, store: Path, **more: Any) -> Path:
    """In this process: what the other one would do."""
    settings = Data(**{"examples": "q.jsonl", "split": SPLIT, "near_duplicates": 1.0, **more})
    return Path(seal(settings, base, store, silent)["folder"])


def test_rows_that_were_added_removed_and_changed_are_told(tmp_path: Path) -> None:
    base, store = write(tmp_path / "case", rows()), tmp_path / "store"
    one = prepared(base, store)
    new = rows()
    new[5]["answers"] = "another"
    del new[9]
    new.append({"id": "new", "question": "Which is new?", "answers": "this", "source": "s3"})
    other = prepared(write(base, new), store)
    found = differences(one, other)
    assert found["files"] == {"added": [], "removed": [], "changed": ["examples/q.jsonl"]}
    assert found["settings"] == {}
    assert found["rows"]["added"] == {"n": 1, "first": ["new"]}
    assert found["rows"]["removed"] == {"n": 1, "first": ["r2-1"]}
    assert found["rows"]["changed"] == {"n": 1, "first": ["r1-1"]}
    assert found["rows"]["same"] == 46
    moved = sum(m["n"] for m in found["rows"]["moved"].values())
    of = [{line["id"]: line["split"] for line in lines_of(f)} for f in (one, other)]
    assert moved == sum(of[0][i] != of[1][i] for i in of[0].keys() & of[1].keys())
    assert differences(one, one)["rows"]["same"] == 48


def test_rows_that_are_called_by_their_line_are_the_same_when_one_is_put_above_them(tmp_path: Path) -> None:
    base, store = write(tmp_path / "case", rows(named=False)), tmp_path / "store"
    one = prepared(base, store)
    more = [{"question": "Which is first?", "answers": "this", "source": "s0"}, *rows(named=False)]
    found = differences(one, prepared(write(base, more), store))["rows"]
    assert (found["same"], found["added"]["n"], found["removed"]["n"], found["changed"]["n"]) == (48, 1, 0, 0)


def _into_test(way: str) -> bool:
    return way.endswith(" to test")


def _out_of_test(way: str) -> bool:
    return way.startswith("test to ")


def test_another_seed_moves_rows_and_changes_none(tmp_path: Path) -> None:
    base, store = write(tmp_path / "case", rows()), tmp_path / "store"
    found = differences(prepared(base, store), prepared(base, store, split={**SPLIT, "seed": 3}))
    assert found["settings"] == {"data.split.seed": [0, 3]}
    assert found["rows"]["same"] == 48
    moved = {way: held["n"] for way, held in found["rows"]["moved"].items()}
    into, out = (sum(n for way, n in moved.items() if at(way)) for at in (_into_test, _out_of_test))
    assert min(into, out) > 0
    first, second = found["remarks"]
    assert first.startswith(f"{into} rows of the second version's test were learned from or chosen on in the first")
    assert second.startswith(f"{out} rows of the first version's test are learned from or chosen on in the second")
    assert differences(*[prepared(base, store)] * 2)["remarks"] == []
    assert len(folders(store)) == 2


def test_what_a_rule_did_is_counted(tmp_path: Path) -> None:
    found = rows()
    found[0]["question"] = "Which colour has me@example.org?"
    base, store = write(tmp_path / "case", found), tmp_path / "store"
    made = differences(prepared(base, store), prepared(base, store, privacy={"how": "mask"}))
    assert made["settings"] == {"data.privacy.how": ["off", "mask"]}
    assert made["rules"] == {"privacy EMAIL masked": [0, 1]}
    assert made["rows"]["changed"] == {"n": 1, "first": ["r0-0"]}


def test_a_row_is_traced_with_its_text_and_a_test_row_without(tmp_path: Path) -> None:
    base, store = write(tmp_path / "case", rows()), tmp_path / "store"
    folder = prepared(base, store)
    prepared(base, store, split={**SPLIT, "seed": 3})
    made = data.load(folder)
    (one,) = trace(folder, made.train[0].id, base)
    assert one["text"]["question"] == made.train[0].question
    assert one["as_read"] == one["text"]
    assert [v["same"] for v in one["versions"]] == [True, True]
    sealed = data.load_sealed(made.seal)[0]
    (told,) = trace(folder, sealed.id, base)
    assert told["text"] is None
    assert sealed.question not in json.dumps(told)
    assert "sealed" in told["said"]
    line = int(told["place"].removeprefix("line "))
    for way in (f"q.jsonl, line {line}", f"q.jsonl:{line}", f"q.jsonl line {line}"):
        assert trace(folder, way)[0]["id"] == sealed.id
    with pytest.raises(UserError, match=f"Did you mean .*{made.train[0].id}"):
        trace(folder, f"{made.train[0].id}x")


def test_text_as_it_was_read_is_shown_where_it_may_be(tmp_path: Path) -> None:
    found = [{**r, "question": f"{r['question']} I am me@example.org."} for r in rows()]
    base, store = write(tmp_path / "case", found), tmp_path / "store"
    folder = prepared(base, store, privacy={"how": "mask"})
    name = data.load(folder).train[0].id
    (one,) = trace(folder, name, base)
    assert "example.org" not in json.dumps(one)
    assert "--raw" in one["said"]
    assert "me@example.org" in trace(folder, name, base, raw=True)[0]["as_read"]["question"]
    assert "--data USECASE" in trace(folder, name)[0]["said"]
    write(base, rows())
    assert trace(folder, name, base, raw=True)[0]["said"] == "Its file was changed since."


def test_splits_have_nothing_in_common_and_where_they_do_it_is_counted(tmp_path: Path) -> None:
    base, store = write(tmp_path / "case", rows()), tmp_path / "store"
    folder = prepared(base, store)
    found = splits(folder)
    assert sum(s["n"] for s in found["splits"].values()) == 48
    assert {n for pair in found["common"].values() for n in pair.values()} == {0}
    assert found["splits"]["test"]["labels"] is None
    made = data.load(folder)
    lines = [{**line, "source": "s1"} for line in lines_of(folder)]
    again = data.Dataset(**{**made.__dict__, "dev": (*made.dev[:-1], made.train[0])})
    assert overlap(again, lines)["train and dev"] == {"ids": 1, "questions": 1, "sources": 1, "groups": 0}
    assert overlap(again, lines)["train and test"] == {"ids": 0, "questions": 0, "sources": 1, "groups": 0}


def test_splits_are_written_as_files_that_are_read_as_the_same_rows(tmp_path: Path) -> None:
    base, store = write(tmp_path / "case", [{**r, "kind": "b"} for r in rows()]), tmp_path / "store"
    made = data.load(prepared(base, store))
    write_splits(made, tmp_path / "out")
    read = {name: data.read_examples(tmp_path / "out" / f"{name}.jsonl", name) for name in ("train", "dev", "test")}
    assert [d.example for d in read["train"].drafts] == list(made.train)
    assert [d.example for d in read["dev"].drafts] == list(made.dev)
    assert [d.example for d in read["test"].drafts] == data.load_sealed(made.seal)


def test_a_row_is_written_with_all_that_it_has() -> None:
    turns = (Message("system", "s"), Message("user", "a"))
    e = Example("1", turns, ("x",), ("y",), ("l",), (Span("d", 1, 2),), False, "s", "g", 2.0, {"k": 1, "id": "no"})
    assert plain_row(e) == {
        "k": 1,
        "id": "1",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}],
        "answers": ["x"],
        "labels": ["l"],
        "rejected": ["y"],
        "gold": [{"source": "d", "start": 1, "end": 2}],
        "answerable": False,
        "source": "s",
        "group": "g",
        "weight": 2.0,
    }


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sharpen", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("SHARPEN_HOME", raising=False)
    base = write(tmp_path / "case", rows())
    text = "name: c\ntask: question-answering\nmodel: 'fake:'\n"
    text += "data: {examples: q.jsonl, split: {train: 0.5, dev: 0.25, test: 0.25}}\n"
    (base / "usecase.yaml").write_text(text)
    monkeypatch.chdir(base)
    assert run(monkeypatch, "data", "split", ".", "--out", "out") == 0
    said = capsys.readouterr().out
    assert "train and test have in common: 0 ids, 0 questions, 0 sources" in said
    assert "counted as look 1 at these questions" in said
    assert len((base / "out" / "test.jsonl").read_text().splitlines()) == 12
    assert run(monkeypatch, "data", "split", ".", "--out", "out") == 2
    assert "holds files already" in capsys.readouterr().err
    assert run(monkeypatch, "data", "split", ".", "--out", "again") == 0
    assert "counted as look 2" in capsys.readouterr().out
    (folder,) = folders(base / ".sharpen" / "data")
    test = json.loads((base / "out" / "test.jsonl").read_text().split("\n")[0])
    for where in (str(folder), folder.name[:8]):
        assert run(monkeypatch, "data", "trace", test["id"], "--data", where) == 0
        said = capsys.readouterr().out
        assert "its text stays sealed" in said
        assert test["question"] not in said
        assert "by     reader jsonl: read" in said
    (base / "usecase.yaml").write_text(text.replace("0.25}}", "0.25, seed: 5}}"))
    assert run(monkeypatch, "data", "diff", folder.name[:8], ".") == 0
    assert "setting data.split.seed: 0 -> 5" in capsys.readouterr().out
    assert run(monkeypatch, "data", "diff", "nothing", ".") == 2
    assert "is no version of any data" in capsys.readouterr().err
    assert run(monkeypatch, "data", "diff", str(folder), folder.name[:8], "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"]["same"] == 48
