"""A split that can prove nothing is said to be one before anything is spent, with one that can."""

from __future__ import annotations

import json
import logging
import math
import shlex
from pathlib import Path

import pytest
from towns_data import write_towns

import sharpen
from sharpen.evaluation import enough, plan
from sharpen.inputs import Split
from sharpen.study.proof import _line, needed, rounded

FEW = ["arms=[baseline, few_shot]", "data.split={train: 0.6, dev: 0.2, test: 0.2}"]


def test_the_fewest_clusters_by_hand() -> None:
    assert [needed(alpha) for alpha in (0.25, 0.05, 0.01)] == [3, 6, 8]  # 2 of 2^3, 2^6, 2^8 flips: .25, .031, .0078


@pytest.mark.parametrize(("sizes", "arms", "gain"), [([6] * 20, 2, 0.1), ([1] * 40, 6, 0.2), ([9, 5, 3, 1], 3, 0.15)])
def test_a_test_of_the_number_that_is_said_shows_the_gain_and_half_of_it_does_not(
    sizes: list[int], arms: int, gain: float
) -> None:
    found = enough(sizes, arms, gain)
    assert found is not None
    n, clusters = found

    def shows(clusters: int) -> float:
        like = [sizes[i % len(sizes)] for i in range(clusters)]
        return plan(like, arms).minimum_detectable_difference or 1.0

    assert shows(clusters) == pytest.approx(gain, rel=0.06)
    assert shows(clusters // 2) > 1.2 * gain
    assert n == sum(sizes[i % len(sizes)] for i in range(clusters))


def test_no_number_is_said_where_none_is_known() -> None:
    assert enough([5] * 9, 2, 0.1, bounds=(0.0, math.inf)) is None
    assert enough([], 2, 0.1) is None
    assert enough([5] * 9, 1, 0.1) is None
    assert enough([1] * 50, 2, 1e-5) is None, "more than a million"
    n = enough([1] * 3, 2, 0.6, alpha=0.01)
    assert n is not None
    assert n[1] >= needed(0.01), "however large the gain: fewer clusters give no such p"


def test_what_would_be_needed_is_said(towns: Path) -> None:
    said = sharpen.check(towns, ["worth=0.1", FEW[0]])["proof"][-1]
    n = sharpen.check(towns, ["worth=0.1", FEW[0]])["data"]["test"]["n"]
    assert f"(it has {n} in 8)" in said
    assert said.startswith("To show 0.1 four times in five, the test would need about")
    assert "questions in about" in said
    assert " for 0.2." in said
    assert " for 0.05" not in said, "less than what would matter"
    assert "To show" not in " ".join(sharpen.check(towns, ["worth=0.6", FEW[0]])["proof"]), "it is enough"
    assert [rounded(n) for n in (7, 61, 104, 12384)] == ["7", "61", "110", "13,000"]


def test_the_split_that_is_proposed_gives_a_verdict(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=18)
    said = sharpen.check(towns, FEW)["proof"]
    assert "No verdict is possible" in said[-3]
    flag, setting, *words = shlex.split(said[-2])
    assert (flag, words[:3]) == ("--set", ["puts", "at", "least"])
    better = sharpen.check(towns, [FEW[0], setting])
    assert not any("No verdict is possible" in s for s in better["proof"])
    assert len(better["data"]["test"]["cluster_sizes"]) >= int(words[3]) >= 6


def test_where_no_split_by_source_helps_rows_may_stand_alone(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=5)
    said = sharpen.check(towns, FEW)["proof"]
    assert said[-2].startswith("5 in all are too few to split by source: bring more of them. If later")
    setting = shlex.split(said[-2][said[-2].index("--set") :])[1]
    assert "by: row" in setting
    assert not any("No verdict is possible" in s for s in sharpen.check(towns, [FEW[0], setting])["proof"])


def test_one_large_source_may_be_the_whole_test() -> None:
    split = Split(train=0.6, dev=0.2, test=0.2, seed=3)
    assert _line([100] + [5] * 10, 6, split, "source") == "", "nothing is promised of .40 to .60 here"
    assert "seed: 3" in _line([5] * 30, 6, split, "source")
    assert _line([5] * 12, 6, Split(train=0.35, dev=0.15, test=0.5), "source").count("test: 0.60") == 1


def test_a_study_that_can_decide_nothing_says_so_before_it_begins(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=18)
    stages: list[str] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            stages.append(record.getMessage())

    log = logging.getLogger("sharpen.study")
    handler = Heard()
    log.addHandler(handler)
    try:
        report = sharpen.run(towns, settings=FEW, progress=lambda stage, done, total: stages.append(stage))
    finally:
        log.removeHandler(handler)
    warned = next(i for i, s in enumerate(stages) if "a look at the test, and decide nothing" in s)
    assert "No verdict is possible" in stages[warned - 1]
    assert "--set 'data.split=" in stages[warned - 1]
    assert warned < min(i for i, s in enumerate(stages) if s.startswith("build "))
    assert report.verdict == "not_decided"


def test_latency_is_told_question_by_question(towns: Path) -> None:
    told: list[tuple[float, float | None]] = []

    def hear(stage: str, done: float, total: float | None) -> None:
        if stage == "measure latency":
            told.append((done, total))

    sharpen.run(towns, settings=["arms=[baseline, few_shot]", "racing=false"], progress=hear)
    assert told == [(n, 64) for n in range(64)]


def test_two_arms_of_one_program_are_clocked_once(towns: Path) -> None:
    """The engine remembers the prompts of the first: the second would be quicker and cheaper than what it equals."""
    told: list[float] = []

    def hear(stage: str, done: float, total: float | None) -> None:
        if stage == "measure latency":
            told.append(done)

    arms = "arms=[baseline, few_shot, {name: again, does: few_shot}]"
    report = sharpen.run(towns, settings=[arms, "racing=false"], progress=hear)
    assert len(told) == 64
    rows = {a["name"]: a for a in report.data["arms"]}
    assert rows["again"]["fingerprint"] == rows["few_shot"]["fingerprint"]
    assert rows["again"]["p50_seconds"] == rows["few_shot"]["p50_seconds"] is not None


def test_who_always_says_the_same_needs_no_model(towns: Path) -> None:
    path = towns.parent / "questions.jsonl"
    rows = [{**json.loads(line), "answers": ["blue"]} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes = sharpen.check(towns)["notes"]
    assert any(note.startswith("every reference of train is the same") for note in notes)
