"""A file that a user names is written over only where the same command wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sharpen.cli.data import Extras, report
from sharpen.cli.saving import free, write_named
from sharpen.errors import UserError


def test_what_was_written_so_before_is_written_over_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    write_named(file, '{"id": "1", "confirmed": true}\n', '"confirmed": ')
    write_named(file, '{"id": "2", "confirmed": true}\n', '"confirmed": ')
    assert json.loads(file.read_text())["id"] == "2"
    own = tmp_path / "questions.jsonl"
    own.write_text('{"question": "Which?"}\n')
    with pytest.raises(UserError, match="would be lost"):
        write_named(own, "{}", '"confirmed": ')
    assert own.read_text() == '{"question": "Which?"}\n'
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text('{"id": "1", "confirmed": true}\n' * 200 + '{"question": "Which?"}\n')
    with pytest.raises(UserError, match="would be lost"):
        free(mixed, '"confirmed": ')
    with pytest.raises(UserError, match="is a folder"):
        free(tmp_path, "")
    (tmp_path / "empty").touch()
    free(tmp_path / "empty", "mark")


def test_a_report_takes_the_place_of_no_input(tmp_path: Path) -> None:
    rows = [{"question": f"What is item {i}?", "answers": f"thing {i}", "source": f"s{i}"} for i in range(12)]
    examples, use_case = tmp_path / "questions.jsonl", tmp_path / "usecase.yaml"
    examples.write_text("".join(json.dumps(r) + "\n" for r in rows))
    use_case.write_text("name: shop\ngoal: Answer.\nmodel: fake:echo\ndata: {examples: questions.jsonl}\n")
    before = examples.read_text(), use_case.read_text()
    with pytest.raises(UserError, match="would be lost"):
        report(tmp_path, [], use_case)
    with pytest.raises(UserError, match="would be lost"):
        report(tmp_path, [], None, Extras(features=examples))
    assert (examples.read_text(), use_case.read_text()) == before
    report(tmp_path, [], None, Extras(features=tmp_path / "features.csv"))
    report(tmp_path, [], None, Extras(features=tmp_path / "features.csv"))
