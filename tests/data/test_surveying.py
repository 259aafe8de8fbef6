"""What a folder holds is told file by file, and no file stops another."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sharpen.cli.main import main
from sharpen.data import survey
from sharpen.data.bulk import clean_files
from sharpen.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "all"
    (here / "deep").mkdir(parents=True)
    (here / "a.md").write_text("# A\n\nSome text.\n")
    (here / "deep" / "rows.jsonl").write_text('{"question": "q?", "answers": "a"}\n{"question": "q?", "ans\n')
    (here / "empty.txt").write_text("")
    (here / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    (here / "strange.xyz").write_bytes(b"\x00\x01")
    return here


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_what_is_passed_over_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.md").write_text("# B\n\nSome text.\n")
    (folder / "linked").symlink_to("../elsewhere")
    (folder / "gone.md").symlink_to("/nowhere/at/all")
    os.mkfifo(folder / "pipe")
    left = survey(folder).left_out
    assert [said.partition(":")[0] for said in left] == ["linked", "gone.md", "pipe"]
    assert all(said in str(survey(folder)) for said in left)
    facts = clean_files([folder], tmp_path / "out").facts
    assert [p for p in facts["problems"] if "left out" in p] == list(left)
    assert facts["documents"]["kept"] == 1
    (tmp_path / "none").mkdir()
    assert "no file lies there" in str(survey(tmp_path / "none"))


def test_every_file_is_read_or_refused_with_a_reason(folder: Path) -> None:
    found = {f.name: f for f in survey(folder).files}
    assert set(found) == {"a.md", "deep/rows.jsonl", "empty.txt", "broken.pdf", "strange.xyz"}
    assert (found["a.md"].kind, found["a.md"].n, found["a.md"].characters) == (
        "documents",
        1,
        len("# A\n\nSome text.\n"),
    )
    rows = found["deep/rows.jsonl"]
    assert (rows.kind, rows.n, len(rows.problems)) == ("rows", 1, 1)
    assert "line 2" in rows.problems[0].where
    refused = str(survey(folder))
    for name in ("empty.txt", "broken.pdf", "strange.xyz"):
        assert found[name].refused
        assert f"refused: {name}: " in refused
        assert "nothing was found" not in refused
    assert "2 of 5 files read" in refused


def test_one_file_and_none(folder: Path) -> None:
    assert [f.name for f in survey(folder / "a.md").files] == ["a.md"]
    with pytest.raises(UserError, match="no such folder or file"):
        survey(folder / "missing")


def test_the_command_tells_and_gives_json(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sharpen", "data", "read", str(folder), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    (one,) = json.loads(capsys.readouterr().out)
    assert len(one["files"]) == 5
    monkeypatch.setattr(sys, "argv", ["sharpen", "data", "read", str(folder / "none")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
