"""A split that can prove nothing is said to be one before anything is spent, with one that can."""

from __future__ import annotations

import json
import logging
import shlex
from pathlib import Path

from towns_data import write_towns

import sharpen
from sharpen.inputs import Split
from sharpen.study.proof import _line, needed

FEW = ["arms=[baseline, few_shot]", "data.split={train: 0.6, dev: 0.2, test: 0.2}"]


def test_the_fewest_clusters_by_hand() -> None:
    assert [needed(alpha) for alpha in (0.25, 0.05, 0.01)] == [3, 6, 8]  # 2 of 2^3, 2^6, 2^8 flips: .25, .031, .0078


def test_the_split_that_is_proposed_gives_a_verdict(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=18)
    said = sharpen.check(towns, FEW)["proof"]
    assert "No verdict is possible" in said[-2]
    flag, setting, *words = shlex.split(said[-1])
    assert (flag, words[:3]) == ("--set", ["puts", "at", "least"])
    better = sharpen.check(towns, [FEW[0], setting])
    assert not any("No verdict is possible" in s for s in better["proof"])
    assert len(better["data"]["test"]["cluster_sizes"]) >= int(words[3]) >= 6


def test_where_no_split_by_source_helps_rows_may_stand_alone(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=5)
    said = sharpen.check(towns, FEW)["proof"]
    assert said[-1].startswith("5 in all are too few to split by source: bring more of them. If later")
    setting = shlex.split(said[-1][said[-1].index("--set") :])[1]
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
