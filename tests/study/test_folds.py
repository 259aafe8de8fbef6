"""Studies in folds on the fake model: one verdict over all of them, and no program saw what it is asked."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from test_running import timeless
from towns_data import write_towns

import sharpen
from sharpen import data as data_room
from sharpen.config import read
from sharpen.errors import UserError
from sharpen.evaluation import Rule, compare
from sharpen.metrics import open_metric
from sharpen.study.folds import arm_of, fold_data, named, program_said
from sharpen.study.reading import Report
from sharpen.types import Score

ARMS = "arms=[baseline, few_shot, retrieve + few_shot]"
FOLDS = [ARMS, "data.split={train: 0.6, dev: 0.2, test: 0.2, folds: 3}"]


def store() -> Path:
    return Path(os.environ["SHARPEN_HOME"])


def answers(run: Path, arm: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "arms" / arm / "answers.jsonl").read_text().splitlines()]


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return write_towns(tmp_path / "towns", documents=9)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One study that several tests look at; its store lies beside its use case."""
    return sharpen.run(write_towns(tmp_path_factory.mktemp("folded") / "towns", documents=9), settings=FOLDS)


def test_every_question_is_answered_once_by_a_program_that_had_not_seen_its_source(folded: Report) -> None:
    report, base = folded, folded.path.parents[1]
    rows = answers(report.path, "retrieve+few_shot")
    assert Counter(r["id"] for r in rows) == {f"questions:{n}": 1 for n in range(1, 91)}
    assert (report["n_test"], report["n_clusters"], report["cluster_by"]) == (90, 9, "source")
    uc = read(base / "usecase.yaml", FOLDS)[0]
    for k, data in enumerate(fold_data(uc.data), 1):
        made = data_room.load(data_room.prepare(data, base, base / ".sharpen" / "data"))
        seen, tested = [*made.train, *made.dev], {r["id"] for r in rows if r["fold"] == k}
        assert tested == {f"questions:{n}" for n in range(1, 91)} - {e.id for e in seen}
        sources = {f"town{(int(str(i).partition(':')[2]) - 1) // 10}.md" for i in tested}
        assert not sources & {e.source for e in seen}
        each = report["folds"]["each"][k - 1]
        assert (each["train"], each["dev"], each["test"]) == (len(made.train), len(made.dev), len(tested))
        assert each["n_clusters"] == len(sources)
        shots = json.loads((report.path / f"fold-{k}" / "programs.json").read_text())["few_shot"]
        assert not [i for i in tested if f'"{i}"' in json.dumps(shots)], "nor is one of them a worked example"


def test_the_verdict_is_one_comparison_over_all_folds(folded: Report) -> None:
    report = folded
    arms = ["baseline", "few_shot", "retrieve + few_shot"]
    rows = {name: answers(report.path, name.replace(" ", "")) for name in arms}
    scores = {name: [Score(float(r["scores"]["exact_match"])) for r in some] for name, some in rows.items()}  # type: ignore[index, call-overload]
    clusters = [str((int(str(r["id"]).partition(":")[2]) - 1) // 10) for r in rows["baseline"]]
    alone = compare(scores, clusters=clusters, metric=open_metric("exact_match"), baseline="baseline", rule=Rule())
    for name in arms:
        row, mine = report.arm(name), alone.arm(name)
        assert (row["mean"], row["delta"], row["p_adjusted"]) == (mine.mean, mine.delta, mine.p_adjusted)
        assert (row["ci_low"], row["delta_ci_high"]) == (mine.ci_low, mine.delta_ci_high)
    assert (report.verdict, report.winner) == (alone.verdict, alone.winner) == ("better", "retrieve + few_shot")
    assert "Every arm was built 3 times" in report["verdict_text"]
    per_fold = report["folds"]["each"]
    for name in arms:
        pooled = sum(f["scores"][name] * f["test"] for f in per_fold) / 90
        assert pooled == pytest.approx(report.arm(name)["mean"])
    assert not report["race"]["on"]
    assert report.arm("few_shot")["status"] == "tested", "nothing is dropped"


WATCH = """
import sys, pathlib, sharpen
out, opened = pathlib.Path(sys.argv[2]), []
def hook(event, args):
    if event == "open" and str(args[0]).endswith("sealed/test.jsonl"):
        plans = [(out / name / "plan.json").exists() for name in ("", "fold-1", "fold-2", "fold-3")]
        opened.append((str(args[0]), plans))
    if event == "open" and str(args[0]).endswith("questions.jsonl"):
        opened.append("the raw rows")
sys.addaudithook(hook)
sharpen.check(sys.argv[1], sys.argv[3:])
assert not opened, opened
sharpen.run(sys.argv[1], out, sys.argv[3:])
print(len({place for place, _ in opened}), [plans for _, plans in opened])
"""


@pytest.mark.full
def test_each_test_is_opened_once_and_only_when_all_folds_are_built_and_planned(few: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WATCH, str(few), str(tmp_path / "out"), *FOLDS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    written = [[True, True, False, False], [True, True, True, False], [True, True, True, True]]
    assert done.stdout.strip() == f"3 {written}"
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert (plan["questions"], len(plan["cluster_sizes"])) == (90, 9)
    assert "few_shot (fold 3)" in plan["programs"]


@pytest.mark.full
def test_looks_are_counted_and_questions_in_the_same_words_are_not_looked_at_twice_by_one_run(
    few: Path, tmp_path: Path
) -> None:
    file = few.parent / "questions.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows += [{"question": "Who built it?", "answers": [f"a{d}"], "source": f"town{d}.md"} for d in range(9)]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    settings = ["arms=[baseline, few_shot]", FOLDS[1]]
    first = sharpen.run(few, settings=settings)
    assert (first["n_test"], first["looks_at_this_test"], first["seen_before"]) == (99, 1, 0.0)
    again = sharpen.run(few, tmp_path / "again", settings=settings)
    assert (again["looks_at_this_test"], again["seen_before"]) == (2, 1.0)
    other = [settings[0], "data.split={train: 0.6, dev: 0.2, test: 0.2, folds: 4, seed: 7}"]
    third = sharpen.run(few, tmp_path / "third", settings=other)
    assert (third["looks_at_this_test"], third["seen_before"]) == (3, 1.0)
    plain = sharpen.run(few, tmp_path / "plain", settings=[settings[0]])
    assert plain["looks_at_this_test"] == 4
    assert "folds" not in plain.data


COMMAND = [sys.executable, "-m", "sharpen", "run"]


def events(folder: Path) -> list[str]:
    path = folder / "events.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["event"] for line in lines if line.endswith("}")]


def killed_when(command: list[str], ready: Callable[[], bool]) -> bool:
    """Start a study, kill -9 it and its children as soon as ``ready``; whether it was still running then."""
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None and not ready():
        time.sleep(0.002)
    alive = run.poll() is None
    if alive:
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return alive


@pytest.mark.full
def test_after_kills_the_same_command_gives_the_same_report(few: Path, tmp_path: Path) -> None:
    whole = sharpen.run(few, tmp_path / "whole", settings=FOLDS)
    for path in store().iterdir():
        if not path.name.startswith("ledger"):
            subprocess.run(["rm", "-rf", str(path)], check=True)
    out = tmp_path / "killed"
    command = [*COMMAND, str(few), "--out", str(out), *(word for s in FOLDS for word in ("--set", s))]
    points: list[Callable[[], bool]] = [
        lambda: events(out / "fold-2").count("built") >= 2,
        lambda: "test opened" in events(out / "fold-1"),
    ]
    killed = [killed_when(command, ready) for ready in points]
    assert killed[-1], "with one test opened and two not"
    assert not (out / "report.json").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = sharpen.read_report(out)
    assert timeless(dict(again.data)) == timeless(dict(whole.data))
    assert again["looks_at_this_test"] == 2  # the whole run looked first; kills added no look


@pytest.mark.full
def test_a_finished_study_in_folds_is_read_and_one_that_lost_its_report_asks_nothing(
    few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sharpen.run(few, settings=FOLDS)
    monkeypatch.setattr("sharpen.models.fake.FakeModel.generate", lambda *_: pytest.fail("a model was asked"))
    assert sharpen.run(few, settings=FOLDS).data == first.data
    for name in ("report.json", "done.json"):
        (first.path / name).unlink()
    again = sharpen.run(few, settings=FOLDS)
    assert timeless(dict(again.data)) == timeless(dict(first.data))
    assert again["looks_at_this_test"] == 1
    with pytest.raises(UserError, match="other settings"):
        sharpen.run(few, settings=[ARMS])


def test_check_says_beforehand_what_folds_cost_and_what_they_show(few: Path) -> None:
    found = sharpen.check(few, [*FOLDS, "costs.machine_hour=3600", "seeds=2"])
    plain = sharpen.check(few, [ARMS, "costs.machine_hour=3600", "seeds=2"])
    assert found["proof"][0].startswith("The test holds 90 questions in 9 clusters")
    assert "every arm is built 3 times, trained ones 6 times (2 seeds), once for each fold" in found["folds"]
    money = re.search(r"and about (\d+\.\d\d) for the machine", found["folds"])
    assert money
    assert float(money[1]) == pytest.approx(found["seconds"], abs=0.01)  # 3600 an hour are 1 a second
    assert plain["folds"] == ""
    assert [r["why"].startswith("3 times: ") for r in found["estimates"]] == [True] * 3
    assert [f["test"] for f in found["data"]["folds"]] == [30, 30, 30]


def test_an_arm_that_one_fold_cannot_build_is_in_none(few: Path) -> None:
    """Its answers are to a part of the questions, which no comparison can use."""
    (few.parent / "picky.py").write_text(
        "from sharpen.techniques import NotAvailable\n\n"
        "def picky():\n"
        "    def improve(program, bench):\n"
        "        if not any(e.source == 'town0.md' for e in (*bench.train, *bench.dev)):\n"
        "            raise NotAvailable('town0 is what it needs.')\n"
        "        return program\n"
        "    return improve\n"
    )
    report = sharpen.run(few, settings=["arms=[baseline, few_shot, ./picky.py]", FOLDS[1]])
    row = next(a for a in report["arms"] if "picky" in a["name"])
    assert row["status"] == "not available"
    assert re.match(r"in fold \d: .*town0 is what it needs", row["why"])
    assert [p["first"] for p in report["pairs"]] == ["baseline"]


def test_files_of_their_own_cannot_be_dealt(few: Path) -> None:
    files = "data={train: questions.jsonl, dev: questions.jsonl, test: questions.jsonl, split: {folds: 3}}"
    with pytest.raises(UserError, match=r"data\.split: folds: train, dev and test are files of their own"):
        sharpen.check(few, [ARMS, files])


@pytest.mark.full
def test_folds_that_ask_the_same_words_of_other_sources_are_tests_of_their_own(few: Path) -> None:
    """As of contracts, each of which is asked the same: the ledger took the second fold for the first, replanned."""
    file = few.parent / "questions.jsonl"
    asked = ["Who signed it?", "When does it end at the latest?", "What is the fee a month?"]
    rows = [{"question": q, "answers": [f"a{d}"], "source": f"town{d}.md"} for d in range(9) for q in asked]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    report = sharpen.run(few, settings=["arms=[baseline, few_shot]", FOLDS[1]])
    assert (report["n_test"], report["n_clusters"]) == (27, 9)
    assert (report["looks_at_this_test"], report["seen_before"]) == (1, 0.0)
    again = sharpen.run(few, few.parent / "again", settings=["arms=[baseline, few_shot]", FOLDS[1]])
    assert (again["looks_at_this_test"], again["seen_before"]) == (2, 1.0)


@pytest.mark.full
def test_given_answers_are_held_against_all_folds(few: Path) -> None:
    rows = [json.loads(line) for line in (few.parent / "questions.jsonl").read_text().splitlines()]
    given = [{"id": f"questions:{n}", "answer": r["answers"][0]} for n, r in enumerate(rows, 1)]
    (few.parent / "today.jsonl").write_text("".join(json.dumps(g) + "\n" for g in given))
    report = sharpen.run(few, settings=["arms=[baseline, {name: today, answers: today.jsonl}]", FOLDS[1]])
    assert (report.arm("today")["mean"], report.winner) == (1.0, "today")


def test_where_no_split_can_show_anything_folds_are_proposed(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=9)
    settings = [ARMS, "data.split={train: 0.6, dev: 0.2, test: 0.2}"]
    said = sharpen.check(towns, settings)["proof"]
    assert any(s.startswith("--set data.split.folds=3 lets all 9 clusters count") for s in said)
    better = sharpen.check(towns, [*settings, "data.split.folds=3"])
    assert not any("No verdict is possible" in s for s in better["proof"])


@pytest.mark.full
def test_without_sources_the_groups_are_clusters_and_the_report_says_so(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=9)
    file = towns.parent / "questions.jsonl"
    rows = [{k: v for k, v in json.loads(line).items() if k in ("question", "answers")} for line in file.open()]
    polite = [{**r, "question": "Could you please be so kind as to answer this: " + r["question"]} for r in rows]
    again = [{**r, "question": r["question"] + " Thank you."} for r in polite]
    file.write_text("".join(json.dumps(r) + "\n" for r in [*polite, *again]))
    report = sharpen.run(towns, settings=["arms=[baseline, few_shot]", FOLDS[1]])
    assert (report["n_test"], report["n_clusters"], report["cluster_by"]) == (180, 90, "similar")
    assert any("no row has a source, and 180 of 180 rows" in n for n in report["data"]["notes"])
    assert "seen a group of questions that it was tested on" in report["verdict_text"]


def test_the_page_shows_the_folds(folded: Report) -> None:
    page = re.sub("<.*?>", "", (folded.path / "report.html").read_text())
    assert "in 3 folds: every arm was built so many times" in page
    assert "The folds" in page
    assert "The verdict rests on all folds together" in page


def test_names_of_programs() -> None:
    assert (named("lora", 1), named("lora", 3)) == ("lora", "lora (fold 3)")
    assert [arm_of(n) for n in ("lora", "lora (fold 3)", "a (fold x)")] == ["lora", "lora", "a (fold x)"]
    folds = {"n": 5, "program_of": 1}
    assert "the one of fold 1;" in program_said(folds, "lora")
    assert "the one of fold 4;" in program_said(folds, "lora (fold 4)")
