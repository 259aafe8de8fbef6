"""``sharpen run`` writes the data page beside its report, and ``check`` prints what one pass over the rows tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sharpen
from sharpen.study import looking


def write(folder: Path, n: int = 90) -> Path:
    rows = [
        {"text": f"{'invoice' if i % 15 else 'parcel'} {i} {'price' if i % 15 else 'late'}?", "source": "only.md"}
        | {"label": "bill" if i % 15 else "post"}
        for i in range(n)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "name: desk\ntask: classification\nmodel: 'fake:'\nembeddings: 'fake:'\narms: [baseline]\n"
    split = "split: {by: row, train: 0.4, dev: 0.3, test: 0.3}"
    (folder / "usecase.yaml").write_text(text + f"data: {{examples: rows.jsonl, {split}}}\n")
    return folder / "usecase.yaml"


def test_a_run_writes_the_page_of_its_data_and_a_second_one_makes_it_of_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path)
    monkeypatch.setenv("SHARPEN_HOME", str(tmp_path / "home"))

    def nothing(*given: object) -> None:
        raise AssertionError("a run embeds nothing for the page")

    monkeypatch.setattr(looking, "embedded", nothing)
    report = sharpen.run(file, tmp_path / "one")
    page = (report.path / "data.html").read_text()
    assert "come from one source, only.md" in page
    assert "Words for men stand" in page, "the bias check ran"
    assert '<a href="data.html">' in (report.path / "report.html").read_text()

    monkeypatch.setattr(looking, "profile", nothing)
    again = sharpen.run(file, tmp_path / "two")
    assert (again.path / "data.html").read_text() == page, "kept by content"


def test_check_says_in_a_line_each_what_to_look_at(tmp_path: Path) -> None:
    found = sharpen.check(write(tmp_path))
    assert any("come from one source, only.md" in r for r in found["remarks"])
    assert any("Classes are far from balanced" in r for r in found["remarks"])
    assert all("\n" not in r for r in found["remarks"])
