"""The scripts in benchmarks/: what they judge, on made-up results, and the study script on the fake model."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import end_to_end
import honesty
import retrieval
import study
import summary
import training


def result(mean: float = 0.45, winner: str | None = "retrieve + lora", **more: Any) -> dict[str, Any]:
    arms = [
        {"name": "baseline", "does": "baseline", "mean": 0.0, "p_adjusted": None},
        {"name": "retrieve + lora", "does": "retrieve + lora", "mean": mean, "p_adjusted": 0.0001},
    ]
    verdict = "better" if winner else "not_decided"
    found = {"verdict": verdict, "winner": winner, "baseline": "baseline", "arms": arms, "metric": "exact_match"}
    found |= {"plan": {"counts": {"trials": 3}}, "race": {"saved_dev": 0, "saved_test": 0}}
    return {**found, "cold": True, "wall_minutes": 35.0, "code": "1234", **more}


def results(**changed: Any) -> dict[str, Any]:
    names = [f"seed-{n}{end}" for n in (0, 1, 2) for end in ("", "-without-racing")]
    return {**{name: result() for name in names}, **changed}


def met(found: dict[str, Any]) -> dict[str, bool | None]:
    return {name: ok for name, (ok, _) in summary.judge(found).items()}


def test_the_demands_on_xquad() -> None:
    assert all(met(results()).values())
    assert set(met({k: v for k, v in results().items() if k != "seed-1"}).values()) == {None}


def test_a_race_that_dropped_nothing_is_said() -> None:
    assert summary.judge(results())["racing"][1] == "3 compared; racing dropped nothing, so they could not differ"
    some = {"race": {"saved_dev": 3, "saved_test": 5}}
    assert summary.judge(results(**{"seed-1": result(**some)}))["racing"][1] == "3 compared; racing saved 8 answers"


def test_questions_that_an_earlier_study_opened_are_counted() -> None:
    def opened(day: int, *ids: str) -> dict[str, Any]:
        return {"test_opened_at": f"2026-11-0{day}", "questions": {"ids": list(ids)}}

    studies = {
        "a/seed-1": opened(2, "1", "2", "3"),
        "a/seed-0": opened(1, "1"),
        "a-more/seed-0": opened(3, "2", "1", "9"),
    }
    assert summary.seen_before(studies | {"b/seed-0": opened(4, "1")}) == {
        "a/seed-0": 0,
        "a/seed-1": 1,
        "a-more/seed-0": 2,
        "b/seed-0": 0,
    }


def test_what_no_estimate_foresees_is_named() -> None:
    arms = [("baseline", 0.1, "x"), ("lora", None, "y"), ("instruct", 0.1, "x")]
    one = {"arms": [{"name": n, "mean": m, "fingerprint": f} for n, m, f in arms], "cold": True}
    one["plan"] = {"estimates": [{"arm": n, "seconds": 100.0} for n, _, _ in arms]}
    one["spent_seconds"] = {n: 10.0 for n, _, _ in arms}
    assert summary.not_held(one) == [
        "lora (left the race): 10 s of 100",
        "instruct (the program of another arm): 10 s of 100",
    ]
    assert summary.not_held({**one, "cold": False}) == []


def test_a_seed_without_a_winner_counts_with_its_baseline() -> None:
    found = met(results(**{"seed-2": result(winner=None)}))
    assert [name for name, ok in found.items() if ok is False] == ["verdict", "mix", "p", "mean", "racing"]


def test_demands_of_one_seed_each() -> None:
    assert met(results(**{"seed-2-without-racing": result(winner=None)}))["racing"] is False
    assert met({k: v for k, v in results().items() if k != "seed-2-without-racing"})["racing"] is None
    assert met(results(**{"seed-2": result(plan={"counts": {"trials": 6}})}))["settings"] is False
    assert met(results(**{"seed-2": result(cold=False)}))["time"] is None
    assert met(results(**{"seed-2": result(wall_minutes=41.0)}))["time"] is False
    assert met(results(**{"seed-2": result(mean=0.41)}))["mean"] is False
    assert met(results(**{"seed-2-without-racing": result(code="5678")}))["code"] is False


def test_estimates_that_are_far_off_are_marked() -> None:
    assert summary.beside(2.6, 3.9, "GB").endswith("(1.50)")
    assert summary.beside(2.6, 3.92, "GB").endswith("(1.51 !)")
    assert summary.beside(260, 152, "s").endswith("(0.58 !)")
    assert summary.beside(0.0, 10, "s") == "s not estimated"


def test_every_committed_result_can_be_told(capsys: pytest.CaptureFixture) -> None:
    files = sorted(summary.RESULTS.glob("*/seed-*.json"))
    assert files
    for file in files:
        said = "\n".join(summary.lines(file.stem, summary.read(file)))
        assert "estimated (" in said
        assert " !)" not in said, "an estimate is off by more than half"


POINT = {"studies": 300, "clusters": 14, "null_better": 9, "null_covered": 285, "spread_covered": 280, "race_lost": 0}
POINT |= {"name": "F1", "race_lost_null": 0, "race_lost_far": 0, "race_lost_chosen": 0, "spread_better": 0}
POINT |= {"spread_wrong": 0, "lead_wrong": 0, "spread_claims": 0, "lead_claims": 0, "power_better": None}
POINT |= {"race_dropped": 0, "race_dropped_far": 40, "race_dropped_chosen": 0}


def test_what_could_not_be_missed_is_not_called_met() -> None:
    assert honesty.judge(POINT) == {"a": True, "b": True, "c": None, "d": True, "e": None}
    assert honesty.judge({**POINT, "lead_claims": 16, "spread_claims": 3, "lead_wrong": 2})["c"] is None, "19 claims"
    assert honesty.judge({**POINT, "lead_claims": 16, "spread_claims": 4, "lead_wrong": 2})["c"] is True
    assert honesty.judge({**POINT, "lead_claims": 29, "lead_wrong": 16})["c"] is False
    assert honesty.judge({**POINT, "power_better": 225})["e"] is True
    assert honesty.judge({**POINT, "power_better": 224})["e"] is False
    assert honesty.judge({**POINT, "race_dropped_far": 0})["d"] is None, "nobody was dropped"
    assert honesty.judge({**POINT, "race_lost_null": 7})["d"] is False
    assert honesty.judge({**POINT, "race_lost_far": 7})["d"] is False
    assert honesty.judge({**POINT, "race_lost_chosen": 7})["d"] is False
    assert honesty.judge({**POINT, "spread_better": 20})["a"] is False
    counts = honesty.summarise([POINT, {**POINT, "null_better": 20}])
    assert counts["a"] == {"met": 1, "not_met": 1, "nothing_to_hold_against": 0, "not_reached": 214}
    assert (counts["c"]["nothing_to_hold_against"], counts["c"]["not_reached"]) == (2, 214)


def test_the_race_with_far_ones_drops_them() -> None:
    point, rng = honesty.Point(40, 0.1, "exact match 0.5", 6), np.random.default_rng(0)
    found = honesty._far(point, point.world, honesty.Rule(flips=500), 10, rng)
    assert found["race_dropped_far"] >= 20, "four of five others are far behind"
    assert found["race_lost_far"] == 0


def test_the_race_with_chosen_ones_has_as_many_arms_as_the_point() -> None:
    point, rng = honesty.Point(40, 0.1, "exact match 0.5", 6), np.random.default_rng(0)
    raced, race = [], honesty.Study.raced
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(honesty.Study, "raced", lambda study: raced.append(study) or race(study))
        found = honesty._chosen(point, point.world, honesty.Rule(flips=500, worth=0.3), 10, rng)
    assert [list(s.arms) for s in raced] == [[f"a{i}" for i in range(6)]] * 10
    means = np.mean([[np.mean([s.value for s in study.arms[a]]) for a in study.arms] for study in raced], axis=0)
    assert means[1] > 0.7
    assert means[2:].min() > means[0] + 0.02, "the best of six looks better than it is"
    assert found["race_lost_chosen"] == 0


def test_a_half_written_line_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "done.jsonl").write_text('{"kind": "null"}\n{"kind": "he\n{"kind": "helps"}')
    assert [d["kind"] for d in end_to_end.read(tmp_path / "done.jsonl")] == ["null", "helps"]


def test_how_alike_arms_score() -> None:
    scores = {"a": [0.0, 1.0, 0.0, 1.0], "b": [0.0, 1.0, 1.0, 0.0], "c": [0.0, 1.0, 0.0, 1.0], "d": [0.0] * 4}
    assert summary.alike(scores) == pytest.approx([0.0, 0.0, 1.0]), "who always scores the same is like nobody"


def test_power_near_a_perfect_score_is_measured_below_it() -> None:
    """The baseline has .97, so a gain of the stated difference would be more than everything."""
    found = honesty.measure(honesty.Point(14, 0.0, "exact match 0.97", 2), 6)
    assert found["mdd"] > 0.03
    assert found["power_better"] is not None
    assert found["power_base"] + found["power_gain"] == pytest.approx(0.97, abs=1e-3)


def test_points_of_another_metric_are_other_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = honesty.code_hash()
    room = tmp_path / "metrics"
    shutil.copytree(Path(str(honesty.sharpen.metrics.__file__)).parent, room)
    monkeypatch.setattr(honesty.sharpen.metrics, "__file__", str(room / "__init__.py"))
    assert honesty.code_hash() == before
    (room / "exact_match.py").write_text("changed")
    assert honesty.code_hash() != before


def test_points_of_other_code_count_where_it_says_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(honesty, "POINTS", tmp_path / "points.jsonl")
    monkeypatch.setattr(honesty, "CODE", tmp_path / "code.json")
    rows = [{"key": f"{code} {n}", "code": f"{code}-{n}"} for code in ("old", "same", "now") for n in (100, 1000)]
    honesty.POINTS.write_text("\n".join(map(json.dumps, rows)) + '\n{"key": "half of a li')
    honesty.CODE.write_text('{"old": "1", "same": "2", "now": "2"}')
    assert sorted(honesty.done("now", 1000)) == ["now 1000", "same 1000"]
    monkeypatch.setattr(honesty, "PROBES", (honesty.Point(40, 0.1, "exact match 0.5", 2),))
    monkeypatch.setattr(honesty, "PROBED", 2)
    assert honesty.done("newer", 1000) == {}
    said = json.loads(honesty.CODE.read_text())["newer"]
    assert honesty.numbers_of("again")["again"] == said, "the same draws, the same numbers"
    monkeypatch.setattr(honesty, "FLIPS", 200)
    assert honesty.numbers_of("other")["other"] != said


def test_whole_studies_are_judged() -> None:
    def many(kind: str, verdicts: str, mdd: float = 0.2) -> list[dict[str, Any]]:
        verdict = {"b": "better", ".": "not_decided"}
        return [{"kind": kind, "verdict": verdict[v], "right": v == "b", "mdd": mdd} for v in verdicts]

    good = end_to_end.judge(many("null", "b" * 17 + "." * 183) + many("helps", "b" * 150 + "." * 50))
    assert all(d["met"] for d in good.values())
    more = end_to_end.GAIN + 0.01
    bad = end_to_end.judge(many("null", "b" * 18 + "." * 182) + many("helps", "b" * 149 + "." * 51, more))
    assert not any(d["met"] for d in bad.values())


def runs(ours: float, loss: float) -> list[dict[str, Any]]:
    sides = {"ours": (ours, loss, 3e9), "trl": (100.0, 1.2, 4e9)}
    return [
        {"side": side, "rows": rows, "validation_loss": at + 0.01 * seed, "peak_memory": memory}
        | {"tokens_per_second": speed, "tokens_per_cpu_second": speed}
        for side, (speed, at, memory) in sides.items()
        for rows in training.SETS
        for seed in range(3)
    ]


def test_training_is_held_against_speed_memory_and_loss() -> None:
    assert all(all(c["met"].values()) for c in training.compared(runs(200, 1.21)).values())
    found = training.compared(runs(199, 1.23))
    assert list(found["shared"]["met"].values()) == [False, True, False], "loss, memory, speed"
    assert list(found["single"]["met"].values()) == [False, True], "no ratio is demanded of rows that share nothing"
    assert found["single"]["ours_over_trl"]["tokens_per_second"] == 1.99


def test_the_fastest_settings_are_those_of_the_clock_on_the_wall() -> None:
    tried = {"a": {"tokens_per_second": 9, "tokens_per_cpu_second": 4}, "c": {"error": "no such option"}}
    tried["b"] = {"tokens_per_second": 8, "tokens_per_cpu_second": 5}
    assert training.fastest(tried) == "a"
    with pytest.raises(SystemExit, match="no such option"):
        training.fastest({"c": {"error": "no such option"}})


def test_a_run_of_other_code_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.json").write_text("{}")
    job = {"rows": str(tmp_path / "rows.json")}
    before = [training.name_of(side, job) for side in ("ours", "trl")]
    monkeypatch.setattr("sharpen.study.environment.code_hash", lambda: "changed")
    after = [training.name_of(side, job) for side in ("ours", "trl")]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_training_without_a_folder_or_a_set_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.py"])
    with pytest.raises(SystemExit):
        training.main()
    assert "--work DIR" in capsys.readouterr().err
    monkeypatch.delenv("SHARPEN_DATA", raising=False)
    with pytest.raises(SystemExit, match="Set SHARPEN_DATA"):
        training.make_rows(tmp_path / "rows.json")


STUDY = """version: 1
name: tiny
model: "fake:coin?p=0.5"
embeddings: "fake:"
data: {examples: questions.jsonl, split: {train: 0.2, dev: 0.2, test: 0.6, by: source}}
metrics: [exact_match]
arms: [baseline, instruct]
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of benchmarks with one study on the fake model."""
    here = tmp_path / "benchmarks"
    (here / "studies").mkdir(parents=True)
    (here / "studies" / "tiny.yaml").write_text(STUDY)

    def write(out: Path) -> None:
        rows = [{"question": f"say w{i}", "answers": [f"w{i}"], "source": f"s{i % 20}"} for i in range(160)]
        (out / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    monkeypatch.setattr(study, "HERE", here)
    monkeypatch.setattr(study, "NAMES", ["tiny"])
    monkeypatch.setitem(study.SETS, "tiny", write)
    monkeypatch.setenv("SHARPEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("SHARPEN_HOME", "")  # so that what a command sets is taken back afterwards
    return here


def told(bench: Path, monkeypatch: pytest.MonkeyPatch, *words: str, of: str = "seed-0") -> dict[str, Any]:
    """Run the script as a command would, without the store that an earlier command of this process named."""
    monkeypatch.delenv("SHARPEN_HOME", raising=False)
    monkeypatch.setattr(sys, "argv", ["study.py", "tiny", "--work", str(bench.parent / "work"), *words])
    study.main()
    found: dict[str, Any] = json.loads((bench / "results" / "tiny" / f"{of}.json").read_text())
    return found


def test_a_study_says_whether_it_began_cold_and_how_long_it_took(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = told(bench, monkeypatch)
    assert first["cold"]
    assert first["cold_models"]
    assert first["wall_minutes"] is not None
    assert first["counts"] == first["plan"]["counts"]
    assert first["code"] == "uncommitted"
    assert told(bench, monkeypatch) == first, "reading a finished study changes nothing"
    assert told(bench, monkeypatch, "--seed", "1", of="seed-1")["cold"], "each seed has a store of its own"
    plain = told(bench, monkeypatch, "--without-racing", of="seed-0-without-racing")
    assert not plain["cold"], "its answers are those of the study with racing"
    assert plain["looks_at_this_test"] == 3, "seeds of one public set share a ledger, and here these questions"


def test_a_part_that_ctrl_c_ended_counts_and_a_killed_one_leaves_the_time_open(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.sharpen, "run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        told(bench, monkeypatch)
    monkeypatch.undo()
    out = bench.parent / "work" / "tiny" / "runs" / "seed-0"
    found = study.clock(out)
    assert found["cold"]
    assert found["wall_minutes"] >= 0
    killed = study.clocked(out, bench.parent)
    killed.__enter__()
    assert study.clock(out) == {"cold": True, "cold_models": True, "wall_minutes": None}


def test_a_second_run_and_a_recomputed_arm_stay_with_the_result(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="holds no scores of 'instruct'"):
        told(bench, monkeypatch, "--recompute", "instruct")
    monkeypatch.setattr(study, "MOST", 1e9)  # a study of a second is not run again in a fiftieth of it
    assert told(bench, monkeypatch, "--again")["second_run"]["share"] > 0
    monkeypatch.setattr(study, "MOST", 0.0)
    with pytest.raises(SystemExit):
        told(bench, monkeypatch, "--again")
    found = told(bench, monkeypatch, "--recompute", "instruct")["recomputed"]
    assert found["same_scores"] == found["n"]
    assert found["same_answers"]
    assert found["look"] == 2, "the ledger of the study counts it"
    assert {"second_run", "recomputed"} <= set(told(bench, monkeypatch))


def test_the_example_needs_no_converting(tmp_path: Path) -> None:
    file = study.prepare("anyorganization", tmp_path)
    assert file.read_text() == (study.EXAMPLE / "usecase.yaml").read_text()
    assert (tmp_path / "documents").is_dir()


def test_the_tree_is_named_only_where_it_is_what_ran() -> None:
    assert study.committed_code("other code") == "uncommitted"


def test_the_recall_of_every_way_and_kind_of_passages(tmp_path: Path) -> None:
    rows = retrieval.measure("anyorganization", tmp_path, "fake:")
    assert {r["way"] for r in rows} == set(retrieval.WAYS)
    assert all(0 < r["at_1"] <= r["at_3"] <= 1 for r in rows)
