"""The study of augmentations: cells that survive a kill, statistics, and its parts on made-up data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import augmentation

from sharpen.config import parse_sum
from sharpen.types import Example, Message


def cell(*scores: float, **facts: Any) -> dict[str, Any]:
    return {"scores": list(scores), "clusters": [f"c{i}" for i in range(len(scores))], "facts": facts}


def test_holm_by_hand() -> None:
    assert augmentation.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert augmentation.holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}
    assert augmentation.holm({}) == {}


def test_a_cell_is_measured_once_and_a_cut_line_counts_as_none(tmp_path: Path) -> None:
    path, calls = tmp_path / "cells.jsonl", list[int]()

    def measure() -> dict[str, Any]:
        calls.append(1)
        return cell(1.0, 0.0)

    first = augmentation.Cells(path).of({"arm": "a"}, measure)
    with path.open("a") as f:
        f.write('{"key": "half of a li')
    cells = augmentation.Cells(path)
    assert cells.of({"arm": "a"}, measure) == first
    cells.of({"arm": "b"}, measure)
    assert len(calls) == 2
    assert len(augmentation.Cells(path).held) == 2, "the cut line did not take the next one with it"


def test_cells_of_other_code_are_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = augmentation.Cells(tmp_path / "cells.jsonl")
    cells.of({"arm": "a"}, lambda: cell(1.0))
    monkeypatch.setattr(augmentation, "code_hash", lambda: "other")
    assert cells.of({"arm": "a"}, lambda: cell(0.0))["scores"] == [0.0]


def test_a_table_takes_seeds_together_and_keeps_what_is_shown() -> None:
    plain = [0.0] * 60
    cells = {
        "without": [cell(*plain)],
        "good": [cell(*([1.0] * 40 + [0.0] * 20)), cell(*([1.0] * 20 + [0.0] * 40))],
        "bad": [cell(*plain)],
        "none": [{"facts": {"why_not": "makes no variant"}}],
    }
    good, bad, none = augmentation.table(cells, flips=2000)
    assert good["gain"] == pytest.approx(0.5, abs=1e-4)
    assert 0 < good["low"] < 0.5 < good["high"]
    assert good["p_holm"] == pytest.approx(2 * good["p"], abs=1e-3), "two were compared"
    assert (bad["gain"], bad["p_holm"]) == (0.0, 1.0)
    assert none == {"operator": "none", "why_not": "makes no variant"}
    assert augmentation.kept([good, bad, none]) == ["good"]
    assert augmentation.kept([{**good, "gain": -0.5}]) == []


def test_clusters_count_and_not_questions() -> None:
    """Forty questions of two clusters prove nothing."""
    found = augmentation.against([0.0] * 40, [1.0] * 30 + [0.0] * 10, ["a"] * 20 + ["b"] * 20, 1000)
    assert (found["clusters"], found["n"], found["fixed"]) == (2, 40, 30)
    assert found["p"] >= 0.5


def test_every_arm_of_a_part_takes_the_same_steps() -> None:
    for plan in augmentation.PLANS.values():
        sums = [parse_sum(plan.arm(name)) for name in ("without", "typos")]
        assert sums[0][-1] == sums[1][-1]
        assert sums[0][-1][1]["max_steps"] == plan.steps
        assert [name for name, _ in sums[1]][-2:] == ["typos", "lora"]
        assert [name for name, _ in sums[0]] == [name for name, _ in sums[1] if name != "typos"]


def test_some_rows_are_the_same_ones_and_of_all_labels() -> None:
    rows = [Example(f"{i}", (Message("user", "q"),), labels=(f"l{i % 5}",)) for i in range(50)]
    chosen = augmentation.some(rows, 10, True)
    assert sorted(e.labels[0] for e in chosen) == sorted(f"l{i % 5}" for i in range(10))
    assert chosen == augmentation.some(rows[::-1], 10, True)
    assert len(augmentation.some(rows, 7, False)) == 7


def test_parts_are_written_one_beside_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "RESULT", tmp_path / "a.json")
    cells = augmentation.Cells(tmp_path / "cells.jsonl")
    for i, part in enumerate(("head", "xquad", "xquad")):
        cells.of({"part": part, "arm": i}, lambda: cell(1.0))
    for c in cells.held.values():
        c["seconds"] = 90.0
    augmentation.written({"head": {"kept": ["x"]}}, cells)
    augmentation.written({"xquad": {"kept": []}}, cells)
    found = json.loads((tmp_path / "a.json").read_text())
    assert {name: part["minutes"] for name, part in found["parts"].items()} == {"head": 1.5, "xquad": 3.0}
    assert set(found["not_measured"]) == set(augmentation.WRITERS)
    assert not set(augmentation.operators()) & set(augmentation.WRITERS)


STUDY = """version: 1
name: tiny
task: classification
model: "fake:"
embeddings: "fake:"
data: {examples: q.jsonl, split: {train: 0.4, dev: 0.3, test: 0.3, by: row}}
metrics: [accuracy]
arms: [baseline, lora]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study on the fake model in place of a real one."""
    import study

    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "tiny.yaml").write_text(STUDY)

    def write(out: Path) -> None:
        things = {"refund": "money back for", "parcel": "where is my parcel with", "login": "cannot log in to buy"}
        rows = [
            {"question": f"{text} the {thing} number {i}", "label": label}
            for label, text in things.items()
            for i, thing in enumerate(["lamp", "chair", "desk", "bed", "shelf", "rug", "sofa", "stool"] * 3)
        ]
        (out / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    monkeypatch.setattr(study, "HERE", tmp_path)
    monkeypatch.setitem(study.SETS, "tiny", write)
    monkeypatch.setattr(augmentation, "RESULT", tmp_path / "result.json")
    monkeypatch.setitem(augmentation.PLANS, "xquad", augmentation.Plan("tiny", "", 3, 12))
    monkeypatch.setenv("SHARPEN_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("SHARPEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(augmentation, "Engine", lambda name, why: augmentation_engine)
    return tmp_path


from sharpen.study.setting import Engine  # noqa: E402

augmentation_engine = Engine()


def test_a_part_runs_and_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = augmentation.Cells(here / "cells.jsonl")
    found = augmentation.study_part("xquad", here / "work", cells, ["swap", "facts"], None)
    swap, facts = found["on_dev"]
    assert (swap["n"], swap["facts"][0]["kept"] > 0) == (12, True)
    assert facts["why_not"] == "makes no variant of these examples"
    monkeypatch.setattr(augmentation, "kept", lambda rows: ["swap"] if rows[0]["operator"] == "swap" else [])
    found = augmentation.study_part("xquad", here / "work", cells, ["swap"], None)
    (tested,) = found["on_test"]
    assert (tested["operator"], tested["n"]) == ("swap", 21)
    plan = json.loads((here / "work" / "opened-xquad" / "plan.json").read_text())
    assert plan["arms"] == ["without", "swap"]
    monkeypatch.setattr(augmentation, "Arms", None)  # all is there already
    again = augmentation.study_part("xquad", here / "work", augmentation.Cells(here / "cells.jsonl"), ["swap"], None)
    assert again["on_dev"][0]["gain"] == swap["gain"]
