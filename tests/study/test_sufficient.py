"""Whether more examples would help is said in the data report, with a curve or with why there is none."""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

import pytest

import sharpen
from sharpen import config, data
from sharpen.cli.main import main
from sharpen.study import sufficient
from sharpen.study.sufficient import ASK, sufficiency

WORDS = {"bill": ["invoice", "price", "pay", "fee"], "post": ["parcel", "courier", "box", "late"]}


def write(folder: Path, n: int = 120, task: str = "classification", embeddings: str = "fake:") -> Path:
    rng = random.Random(0)
    folder.mkdir(exist_ok=True)
    rows = []
    for i in range(n):
        label = "bill" if i % 3 else "post"
        shown = label if rng.random() < 0.8 else rng.choice(list(WORDS))
        said = " ".join(rng.choices(WORDS[shown], k=3)) + f" number {i}"
        rows.append({"text": said, "label": label})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = f"name: desk\ntask: {task}\nmodel: 'fake:'\nembeddings: '{embeddings}'\n"
    (folder / "usecase.yaml").write_text(text + "data: {examples: rows.jsonl, split: {by: row}}\nworth: 0.05\n")
    return folder / "usecase.yaml"


def measured(file: Path) -> dict[str, object] | None:
    uc = config.load(file)
    made = data.load(data.prepare(uc.data, file.parent, file.parent / ".sharpen" / "data"))
    held = sufficient.embedded(uc, file.parent, made)
    return sufficiency(held, uc) if held else None


def test_the_report_shows_the_curve_and_check_names_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path)
    found = measured(file)
    assert found is not None
    assert len(found["sizes"]) == len(found["accuracy"]) == 5  # type: ignore[arg-type]
    assert found["low"] <= found["gain"] <= found["high"]  # type: ignore[operator]
    assert found["helps"] in ("yes", "no", "not known")
    assert re.search(r"\(0\.\d+ to 0\.\d+, of which 0\.05 would matter; 5 repeats\)", str(found["why"]))
    assert "'post', has " in str(found["why"])
    assert ASK in sharpen.check(file)["notes"]

    monkeypatch.setattr(sys, "argv", ["sharpen", "data", "report", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert str(found["why"]) in capsys.readouterr().out
    page = (tmp_path / "data.html").read_text()
    assert "Are there enough?" in page
    assert all(f"<tr><td>{n}</td><td>" in page for n in found["sizes"])  # type: ignore[attr-defined]


def test_what_chooses_among_no_labels_has_no_curve(tmp_path: Path) -> None:
    file = write(tmp_path, task="generation")
    assert measured(file) is None
    assert ASK not in sharpen.check(file)["notes"]


def test_why_there_is_no_curve_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = measured(write(tmp_path / "few", n=18))
    assert few is not None
    assert set(few) == {"why"}
    assert "was not measured" in str(few["why"])
    assert "Label at least 20" in str(few["why"])
    gone = measured(write(tmp_path / "gone", embeddings=str(tmp_path / "none")))
    assert gone is not None
    assert set(gone) == {"why"}
    assert str(gone["why"]).startswith("Whether more data would help was not measured: ")
    monkeypatch.setattr(sufficient.importlib.util, "find_spec", lambda name: None)
    lacking = measured(write(tmp_path / "lacking"))
    assert lacking is not None
    assert "sharpen[floors]" in str(lacking["why"])


def test_a_part_of_many_promises_nothing_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sufficient, "MOST", 50)
    found = measured(write(tmp_path, n=240))
    assert found is not None
    assert re.search(r"measured on \d\d of the \d{3}: of all of them twice gives less", str(found["why"]))
    assert found["helps"] != "yes"
