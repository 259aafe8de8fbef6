"""Doubtful labels reach a person: on the page with their place, and in a sheet; embedded once."""

from __future__ import annotations

import csv
import json
import random
import sys
from pathlib import Path

import pytest

from sharpen.cli.main import main
from sharpen.errors import UserError
from sharpen.models.fake import FakeModel

WORDS = {"bill": ["invoice", "price", "pay", "fee"], "post": ["parcel", "courier", "box", "late"]}
FLIPPED = {7, 23, 51, 80, 111, 134}


def write(folder: Path) -> None:
    rng = random.Random(1)
    rows = []
    for i in range(150):
        right = list(WORDS)[i % 2]
        label = next(x for x in WORDS if x != right) if i in FLIPPED else right
        said = " ".join(rng.choices(WORDS[right], k=5)) + f" number {i}"
        rows.append({"id": f"r{i}", "text": said, "label": label})
    rows += [{"id": f"c{i}", "text": "Ask ann.smith@example.com about box", "label": w} for i, w in enumerate(WORDS)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "name: desk\ntask: classification\nmodel: 'fake:'\nembeddings: 'fake:'\n"
    (folder / "usecase.yaml").write_text(
        text + "data: {examples: rows.jsonl, split: {by: row, train: 0.8, dev: 0.1, test: 0.1}}\n"
    )


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sharpen", "data", "report", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)  # type: ignore[arg-type]


def test_flipped_labels_are_on_the_page_and_in_the_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    monkeypatch.setenv("SHARPEN_HOME", str(tmp_path / "home"))
    embedded = []
    embed = FakeModel.embed

    def counted(self: FakeModel, texts: list[str], query: bool = False, told: object = None) -> object:
        embedded.append(len(texts))
        return embed(self, texts, query, told)

    monkeypatch.setattr(FakeModel, "embed", counted)
    assert command(monkeypatch, str(tmp_path), "--suspects", str(tmp_path / "s.csv")) == 0
    assert len(embedded) == 1, "the learning curve has these embeddings already"
    with (tmp_path / "s.csv").open() as f:
        rows = list(csv.DictReader(f))
    wrong = [r for r in rows if r["what"] == "likely wrong"]
    (folder,) = (tmp_path / "home" / "data").glob("*/train.jsonl")
    seen = {json.loads(x)["id"] for part in ("train", "dev") for x in (folder.parent / f"{part}.jsonl").open()}
    planted = {f"r{i}" for i in FLIPPED} & seen
    found = {r["id"] for r in wrong}
    assert len(planted & found) >= len(planted) - 1 > 2
    assert len(found) <= len(planted) + 3
    assert all(r["label"] != r["likely"] and "trained without it" in r["why"] for r in wrong)
    assert all(r["split"] in ("train", "dev") and r["verdict"] == "" for r in rows)
    assert {r["id"] for r in rows} <= seen, "no row of the test"
    page = (tmp_path / "data.html").read_text()
    assert "Labels to look at again" in page
    assert f"rows.jsonl, {wrong[0]['place']}" in page
    assert wrong[0]["place"].startswith("line ")
    clashing = [r for r in rows if r["what"] == "inconsistent"]
    if {"c0", "c1"} <= seen:
        assert {r["id"] for r in clashing} == {"c0", "c1"}
        assert "1 text stands under more than one label" in page
    assert "ann.smith@example.com" not in page, "personal data stay out of a page"
    assert "labels that are likely wrong" in capsys.readouterr().out


def test_a_task_without_classes_has_no_suspects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    words = ("--suspects", str(tmp_path / "s.csv"), "--set", "task=generation")
    assert command(monkeypatch, str(tmp_path), *words) == 2
    assert "this task has no classes" in capsys.readouterr().err
    assert not (tmp_path / "s.csv").exists()


def test_what_could_not_be_looked_at_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    monkeypatch.setenv("SHARPEN_HOME", str(tmp_path / "home"))
    embed = FakeModel.embed

    def away(self: FakeModel, texts: list[str], query: bool = False, told: object = None) -> object:
        raise UserError("is away.", "the model")

    monkeypatch.setattr(FakeModel, "embed", away)
    assert command(monkeypatch, str(tmp_path)) == 0
    assert "Likely label errors were not looked for: " in (tmp_path / "data.html").read_text()
    monkeypatch.setattr(FakeModel, "embed", embed)
    assert command(monkeypatch, str(tmp_path)) == 0
    assert "labels that were looked at are likely wrong" in (tmp_path / "data.html").read_text()
    capsys.readouterr()
