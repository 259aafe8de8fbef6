"""The converters of the public sets, and readers on real files; skipped where SHARPEN_DATA does not name them."""

from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from sharpen import data
from sharpen.data import near_duplicates, read_documents
from sharpen.data.readers import _ocr
from sharpen.inputs import Data

ROOT = Path(__file__).resolve().parents[2]
SETS = Path(os.environ.get("SHARPEN_DATA", "/nowhere"))


def need(name: str) -> Path:
    if not (SETS / name).exists():
        pytest.skip(f"{name} is not in SHARPEN_DATA")
    return SETS / name


@pytest.fixture(scope="module")
def convert() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert", ROOT / "benchmarks" / "convert.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_xquad_has_all_questions_with_their_gold_spans(convert: ModuleType, tmp_path: Path) -> None:
    need("xquad_en")
    convert.xquad(tmp_path)
    shares = {"train": 0.55, "dev": 0.15, "test": 0.30}
    for seed in (0, 1, 2):
        settings = Data(examples="questions.jsonl", documents="documents", split={**shares, "seed": seed})
        made = data.load(data.prepare(settings, tmp_path, tmp_path / "store"))
        test = data.load_sealed(made.seal)
        every = [*made.train, *made.dev, *test]
        assert len(every) + len(made.dropped) == 1190
        assert len(made.documents) == 48
        assert 13 <= made.seal.n_clusters <= 17
        for split, share in zip((made.train, made.dev, test), shares.values(), strict=True):
            assert len(split) / len(every) == pytest.approx(share, abs=0.01)
        texts = {d.source: d.text for d in made.documents}
        for e in every:
            assert next(texts[s.source][s.start : s.end].strip() for s in e.gold) == e.targets[0]
        assert not made.problems
        assert not made.notes


def test_policyqa_asks_each_question_once_a_website(convert: ModuleType, tmp_path: Path) -> None:
    need("policyqa")
    convert.policyqa(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_text(encoding="utf-8").split("\n") if line]
    assert len({(r["question"], r["source"]) for r in rows}) == len(rows)
    texts = {p.name: p.read_text(encoding="utf-8") for p in (tmp_path / "documents").iterdir()}
    assert len(texts) == 20
    for row in rows:
        assert {texts[g["source"]][g["start"] : g["end"]].strip() for g in row["gold"]} == set(row["answers"])


def test_banking77_has_ten_training_rows_an_intent_and_no_leaks(convert: ModuleType, tmp_path: Path) -> None:
    need("banking77")
    convert.banking77(tmp_path)
    made = data.load(
        data.prepare(Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl"), tmp_path, tmp_path / "store")
    )
    test = data.load_sealed(made.seal)
    assert Counter(Counter(e.labels[0] for e in made.train).values()) == {10: 77}
    assert Counter(Counter(e.labels[0] for e in made.dev).values()) == {5: 77}
    assert len(test) == 1001
    assert not made.dropped
    asked = [[e.question for e in split] for split in (made.train, made.dev, test)]
    assert not near_duplicates(asked[0], asked[2]) + near_duplicates(asked[0], asked[1]) + near_duplicates(*asked[1:])


@pytest.mark.parametrize(
    ("name", "documents", "problems"), [("ingest_samples", 34, 1), ("18f_handbook/docs", 246, 0)], ids=str
)
def test_folders_of_real_files_are_read_and_every_failure_is_a_sentence(
    name: str, documents: int, problems: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ocr, "missing", lambda: "install Tesseract")
    found = read_documents(need(name))
    assert len(found.documents) >= documents
    assert len(found.problems) <= problems
    assert all("(" not in p.what or "Error" not in p.what for p in found.problems)  # none by the last resort
    assert all(d.text.strip() and d.title for d in found.documents)


def test_a_scanned_pdf_is_said_to_need_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ocr, "missing", lambda: "install Tesseract")
    found = read_documents(need("ingest_samples/markitdown/MEDRPT-2024-PAT-3847_medical_report_scan.pdf"))
    assert "scanned" in found.problems[0].what
    assert "install Tesseract" in found.problems[0].do


def test_the_running_heads_and_broken_lines_of_a_report_are_mended() -> None:
    found = read_documents(need("ingest_samples/us_gov_pdf/EPA2022.pdf"))
    (document,) = found.documents
    assert document.text.count("Page 1 of") == 0
    paragraphs = document.text.split("\n\n")
    long = [p for p in paragraphs if len(p) > 300]
    assert len(long) > 100  # sentences are together, not one line each
    assert sum(p.endswith("-") for p in paragraphs) < 0.02 * len(paragraphs)
