"""The scripts of scale and of duplicates beside others, on a few rows."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import alike
import scale

from sharpen.data.leaks import near_duplicates


def test_what_is_planted_is_what_is_said(tmp_path: Path) -> None:
    """The similarity that is written beside a copy is that of the house's exact comparison."""
    rows = list(islice(scale.Maker(400).all(), 400))
    copies = [(i, o, s) for i, (_, o, s) in enumerate(rows) if o != i]
    assert len(copies) > 20
    for i, origin, similarity in copies:
        ((_, _, truth),) = near_duplicates([rows[i][0]], [rows[origin][0]], 0.01)
        assert truth == similarity or abs(truth - similarity) < 1e-9
    assert 0.04 < sum(0.8 <= s < 1 for _, _, s in copies) / len(rows) < 0.12


def test_all_steps_on_a_few_rows(tmp_path: Path) -> None:
    scale.make(1_200, tmp_path)
    found = scale.measure(1_200, tmp_path, with_apart=True)
    assert found["found"]["recall"] == found["found"]["recall_exact"] == 1.0
    assert found["found"]["false_merges"] == 0
    assert found["found"]["planted_near"] > 40
    kept = found["steps"]["documents"]["kept"]
    assert sum(found["steps"]["split"][s] for s in ("train", "dev", "test")) == kept
    assert found["steps"]["documents"]["rows"] < 1_200, "what is no prose was dropped before"
    assert found["steps"]["repeated spans (apart)"]["spans"] >= found["found"]["planted_exact"]
    masked = found["steps"]["masking (apart)"]
    assert (masked["rows"], masked["planted"], masked["left"]) == (found["steps"]["documents"]["rows"], 4 * 60, 0)


def test_a_stopped_measurement_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scale.make(1_200, tmp_path)
    whole = scale.measure(1_200, tmp_path, with_apart=True, every=3)
    assert whole["steps"]["masking (apart)"]["rows"] == -(-whole["steps"]["documents"]["rows"] // 3)
    called: list[str] = []

    def stops(*args: object) -> dict[str, object]:
        called.append("sentences")
        raise KeyboardInterrupt

    (tmp_path / "steps-1200.json").unlink()
    monkeypatch.setattr(scale, "repeated", stops)
    with pytest.raises(KeyboardInterrupt):
        scale.measure(1_200, tmp_path, with_apart=True)
    monkeypatch.undo()
    monkeypatch.setattr(scale, "cleaned", stops)
    again = scale.measure(1_200, tmp_path, with_apart=True, every=3)
    assert called == ["sentences"], "what was done before is not done again"
    times = ("seconds", "cpu_seconds", "peak_gib")
    for name, step in whole["steps"].items():
        assert {k: v for k, v in again["steps"][name].items() if k not in times} == {
            k: v for k, v in step.items() if k not in times
        }


def test_a_false_merge_and_a_miss_are_counted(tmp_path: Path) -> None:
    np.save(tmp_path / "origins-6.npy", np.asarray([0, 0, 2, 2, 4, 4]))
    np.save(tmp_path / "similarities-6.npy", np.asarray([0, 0.9, 0, 1.0, 0, 0.5]))
    judged = scale.judged(tmp_path, 6, np.arange(6), np.asarray([0, 1, 0, 0, 4, 4]))
    assert (judged["recall"], judged["missed"], judged["recall_exact"]) == (0.0, 1, 1.0)
    assert judged["false_merges"] == 2
    assert judged["joined_below_the_threshold"] == 1
    beside = alike.judged([1, 4], np.asarray([0, 0, 2, 2, 4]), np.asarray([0, 0.9, 0, 1.0, 0]), np.zeros(5, bool))
    assert beside == {"dropped": 2, "found": 0.5, "dropped_wrongly": 1}
