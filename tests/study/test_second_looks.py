"""What counts as the same study, what as another look at its test, and what a report does with what is missing."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from towns_data import write_towns

import sharpen
from sharpen.cli.main import main
from sharpen.errors import UserError
from sharpen.models.fake import FakeModel
from sharpen.study.folder import arm_folder
from sharpen.study.setting import store_root
from sharpen.types import Completion

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

OWN = '''"""Two passages."""

from dataclasses import replace

from sharpen.types import Task


def own():
    def improve(program, bench):
        return replace(program, prompt=replace(program.prompt, instruction="{words}"))

    return improve
'''


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """A hosted model that is well for so many calls and then refuses."""
    from contextlib import ExitStack

    from servers import Hosted, serving

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ExitStack() as stack:

        def serve(well: int = 0) -> str:
            moods: list[Any] = ["well"] * well + [(400, "no")] * 10_000 if well else []
            return f"openai:{stack.enter_context(serving(Hosted(moods=moods).handler()))}/v1#m"

        yield serve


def test_documents_that_changed_after_the_test_was_opened_are_another_look(towns: Path, tmp_path: Path) -> None:
    arms = ["arms=[baseline, retrieve]"]
    assert sharpen.run(towns, settings=arms)["looks_at_this_test"] == 1
    document = towns.parent / "documents" / "town0.md"
    document.write_text(document.read_text() + "\nMore is known now.\n")
    with pytest.raises(UserError, match=r"changed after its test had been opened.*--out"):
        sharpen.run(towns, settings=arms)
    again = sharpen.run(towns, tmp_path / "again", arms)
    assert again["looks_at_this_test"] == 2
    assert "second look" in again["verdict_text"]


def test_an_edited_part_of_ones_own_is_another_study(towns: Path, tmp_path: Path) -> None:
    own = towns.parent / "own.py"
    own.write_text(OWN.replace("{words}", "Answer."))
    arms = ["arms=[baseline, ./own.py]"]
    first = sharpen.run(towns, settings=arms)
    own.write_text(OWN.replace("{words}", "Answer in a word."))
    with pytest.raises(UserError, match="its own parts were changed"):
        sharpen.run(towns, settings=arms)
    second = sharpen.run(towns, tmp_path / "again", arms)
    assert second.arm("./own.py")["fingerprint"] != first.arm("./own.py")["fingerprint"]


def test_before_the_test_is_opened_a_study_may_change(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharpen.study import running

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "measure_all", stopped)
    with pytest.raises(KeyboardInterrupt):
        sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    monkeypatch.undo()
    (towns.parent / "documents" / "more.md").write_text("# More\n\nThe moon is round.\n")
    assert sharpen.run(towns, settings=["arms=[baseline, retrieve]"])["looks_at_this_test"] == 1


def test_arms_that_were_not_planned_are_not_tested(towns: Path) -> None:
    arms = ["arms=[baseline, retrieve]"]
    run = sharpen.run(towns, settings=arms).path
    (run / "done.json").unlink()
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "arms": ["baseline"]}))
    with pytest.raises(UserError, match="is not what was planned"):
        sharpen.run(towns, settings=arms)


@pytest.mark.parametrize("what", ["code", "program", "budget"])
def test_other_programs_than_were_planned_are_not_tested(
    what: str, towns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of the arms may be the same: what was built under them, or the code that runs it, may not be."""
    arms = ["arms=[baseline, retrieve]"]
    run = sharpen.run(towns, settings=arms).path
    (run / "done.json").unlink()
    assert sharpen.run(towns, settings=arms)["looks_at_this_test"] == 1, "the same ones are"
    (run / "done.json").unlink()
    if what == "code":
        monkeypatch.setattr("sharpen.study.sealing.code_hash", lambda: "newer")
        monkeypatch.setattr("sharpen.study.running.build_all", None)  # nothing is built for hours first
        says = "sharpen itself was changed"
    elif what == "program":
        plan = json.loads((run / "plan.json").read_text())
        plan["programs"]["retrieve"] = "0" * 64
        (run / "plan.json").write_text(json.dumps(plan))
        says = "what was built now is not what was planned: retrieve"
    else:
        (run / "budget.json").unlink()
        says = "is gone"
    with pytest.raises(UserError, match=rf"{says}.*--out"):
        sharpen.run(towns, settings=arms)


def test_a_race_is_run_once(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that a server could not give then and gives now must not change which arms are tested."""
    from sharpen.study import dev

    first = sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    (first.path / "done.json").unlink()
    monkeypatch.setattr(dev, "race", None)
    again = sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    assert again["race"] == first["race"]


def test_a_mended_use_case_is_not_another_study(towns: Path) -> None:
    good = towns.read_text()
    towns.write_text(good + "arms: [baseline, retreive]\n")
    with pytest.raises(UserError, match="retreive"):
        sharpen.run(towns)
    towns.write_text(good + "arms: [baseline, retrieve]\n")
    assert sharpen.run(towns).arm("retrieve")["status"] == "tested"


@pytest.mark.parametrize("arm", ["{name: baseline, does: few_shot}", "{name: baseline, answers: today.jsonl}"])
def test_no_other_arm_is_called_baseline(towns: Path, arm: str) -> None:
    (towns.parent / "today.jsonl").write_text('{"id": "1", "answer": "red"}\n')
    with pytest.raises(UserError, match="is called baseline and is not the plain model"):
        sharpen.run(towns, settings=[f"arms=[{arm}, retrieve]"])


def test_an_arm_of_another_model_has_its_model_in_its_name(towns: Path) -> None:
    report = sharpen.run(towns, settings=["arms=[baseline, {model: 'fake:coin?p=0.3'}]"])
    assert [a["name"] for a in report["arms"]] == ["baseline", "baseline (fake:coin?p=0.3)"]


def test_given_answers_have_neither_seconds_nor_tokens(towns: Path) -> None:
    rows = [json.loads(line) for line in (towns.parent / "questions.jsonl").read_text().splitlines()]
    rows = [{**r, "id": f"q{i}"} for i, r in enumerate(rows)]
    (towns.parent / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    given = [{"id": r["id"], "answer": f"Answer: {r['answers'][0]}"} for r in rows]
    (towns.parent / "today.jsonl").write_text("\n".join(json.dumps(g) for g in given))
    settings = ["arms=[baseline, {answers: today.jsonl}]", "metrics=[exact_match, seconds, tokens]"]
    report = sharpen.run(towns, settings=settings)
    assert report.arm("today")["scores"] == {"exact_match": 1.0, "seconds": None, "tokens": None}
    assert report.arm("baseline")["scores"]["tokens"] > 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"id": "q1"}\n', "today.jsonl, line 1"),
        ('{"id": "q1", "answer": null}\n', "today.jsonl, line 1"),
        ('{"id": "q1", "answer": "a"}\n\n{"id": "q1", "answer": "b"}\n', "today.jsonl, line 3"),
        ("", "holds no answer"),
    ],
)
def test_given_answers_that_cannot_be_read_are_said_before_anything_is_built(towns: Path, text: str, says: str) -> None:
    (towns.parent / "today.jsonl").write_text(text)
    with pytest.raises(UserError, match=says):
        sharpen.run(towns, settings=["arms=[baseline, {answers: today.jsonl}]"])
    assert not (towns.parent / "runs").exists() or not list((towns.parent / "runs").glob("*/plan.json"))


def test_a_hosted_model_that_does_not_answer_is_said_before_anything_is_built(towns: Path, hosted: Any) -> None:
    dead = hosted(0).replace("/v1#", "/elsewhere#")
    with pytest.raises(UserError, match="status 404"):
        sharpen.run(towns, settings=[f"arms=[baseline, {{name: big, model: '{dead}'}}]"])


def test_a_hosted_model_that_dies_later_counts_as_wrong_and_ends_nothing(towns: Path, hosted: Any) -> None:
    report = sharpen.run(towns, settings=[f"arms=[baseline, {{name: big, model: '{hosted(well=100)}'}}]"])
    big = report.arm("big")
    assert big["n_unjudged"] == report["n_test"]
    assert big["mean"] == 0
    assert big["scores"]["exact_match"] is None
    assert str(report)


def test_a_changed_margin_builds_nothing_again(towns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = ["arms=[baseline, retrieve + lora]"]
    sharpen.run(towns, settings=arms)

    def learn(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(FakeModel, "learn", learn)
    report = sharpen.run(towns, tmp_path / "again", [*arms, "worth=0.05", "racing=false"])
    assert report["worth"] == 0.05


def test_an_arms_own_prices_leave_the_others_as_they_are(towns: Path) -> None:
    arm = "{name: dear, does: few_shot, costs: {input_million: 1000}}"
    report = sharpen.run(towns, settings=[f"arms=[baseline, {arm}]", "costs={answers: 10, machine_hour: 0}"])
    dear = report.arm("dear")
    assert dear["cost_total"] == pytest.approx(10 * dear["cost_per_answer"])
    assert report.arm("baseline")["cost_total"] == 0


def test_ask_works_within_an_event_loop(towns: Path) -> None:
    run = sharpen.run(towns, settings=["arms=[baseline, retrieve]"]).path

    async def notebook() -> str:
        return sharpen.ask(run, "What colour is the tower town1 painted?", "retrieve").text

    assert asyncio.run(notebook())


def test_asking_without_an_answer_is_an_error_and_says_what_to_do(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = sharpen.run(towns, settings=["arms=[baseline, retrieve]"]).path
    with pytest.raises(UserError) as caught:
        sharpen.ask(run, "word " * 9000, "baseline")
    (problem,) = caught.value.problems
    tokens = "tokens and this model reads 8192; shorten the question, its passages or its shots."
    assert re.fullmatch(rf"no answer: the prompt has 9\d{{3}} {re.escape(tokens)}", problem.what)
    assert problem.do == "Ask a shorter question, or another arm."
    down = Completion("", finish="error", error="the model's server broke off (ReadError).")
    monkeypatch.setattr(FakeModel, "generate", lambda self, requests: iter([(0, down)]))
    with pytest.raises(UserError) as caught:
        sharpen.ask(run, "What colour is the tower town1 painted?", "baseline")
    (problem,) = caught.value.problems
    assert problem.what == "no answer: the model's server broke off (ReadError)."
    assert problem.do == "Ask again; where it stays so, see whether the model is there."


def test_rows_that_bring_their_context_are_documents(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns")
    rows = [json.loads(line) for line in (towns.parent / "questions.jsonl").read_text().splitlines()]
    texts = {p.name: p.read_text() for p in (towns.parent / "documents").iterdir()}
    rows = [{"context": texts[r["source"]], **{k: v for k, v in r.items() if k != "evidence"}} for r in rows]
    (towns.parent / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    towns.write_text(towns.read_text().replace("  documents: documents\n", ""))
    report = sharpen.run(towns, settings=["racing=false"])
    assert report.arm("retrieve + lora")["status"] == "tested"
    assert report.arm("retrieve + lora")["mean"] > report.arm("baseline")["mean"]


def test_macro_f1_may_decide(tmp_path: Path) -> None:
    words = {f"class{i}": f"word{i} " * 3 for i in range(12)}
    rows = [
        {"text": f"{text} customer {n} asks", "label": label, "source": f"customer {n}"}
        for n in range(24)
        for label, text in words.items()
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (tmp_path / "usecase.yaml").write_text(
        "version: 1\nname: f1\ntask: classification\nmodel: 'fake:'\nembeddings: 'fake:'\n"
        "data: {examples: rows.jsonl}\nmetrics: [macro_f1, accuracy]\narms: [baseline, lora]\n"
    )
    report = sharpen.run(tmp_path / "usecase.yaml")
    assert report["metric"] == "macro_f1"
    assert report.arm("lora")["mean"] == pytest.approx(report.arm("lora")["scores"]["macro_f1"])


def test_weights_count_for_floors_as_for_arms(towns: Path) -> None:
    rows = [json.loads(line) for line in (towns.parent / "questions.jsonl").read_text().splitlines()]
    rows = [{**r, "weight": 1 + 9 * (i % 2)} for i, r in enumerate(rows)]
    (towns.parent / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    report = sharpen.run(towns, settings=["arms=[baseline, retrieve]"])
    arm, floor = report.arm("retrieve"), report["floors"][0]
    assert arm["mean"] == pytest.approx(arm["scores"]["exact_match"])
    assert floor["leader"] == report["leader"]
    assert floor["lead"] == pytest.approx(report.arm(floor["leader"])["mean"] - floor["mean"])
    assert floor["lead_ci_low"] <= floor["lead"] <= floor["lead_ci_high"]


def test_a_metric_of_ones_own_is_found_from_anywhere(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(sharpen.__file__).parent / "metrics" / "exact_match.py"
    (towns.parent / "own.py").write_text(source.read_text().replace("def exact_match(", "def own("))
    monkeypatch.chdir("/")
    report = sharpen.run(towns, settings=["metrics=[./own.py]", "arms=[baseline, retrieve + lora]"])
    assert report.arm("retrieve + lora")["mean"] > 0


def test_gc_keeps_data_and_what_runs_elsewhere_use(
    towns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = sharpen.run(towns, tmp_path / "elsewhere", ["arms=[baseline, retrieve + lora]"]).path
    monkeypatch.setattr(sys, "argv", ["sharpen", "store", "gc", str(towns.parent), "--yes"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert "(1 runs)" in capsys.readouterr().out
    assert sharpen.ask(run, "What colour is the tower town1 painted?", "retrieve + lora").text
    (run / "done.json").unlink()
    assert sharpen.run(towns, run, ["arms=[baseline, retrieve + lora]"])["looks_at_this_test"] == 1


def test_arms_with_long_or_odd_names_have_folders_of_their_own() -> None:
    names = ["a" * 100, "a" * 101, "x/y", "x_y", "retrieve + lora", "retrieve+lora", "𠀀" * 70, "𠀀" * 71]
    assert len({arm_folder(n) for n in names}) >= len(names) - 1
    assert arm_folder("retrieve + lora") == "retrieve+lora"
    assert all("/" not in arm_folder(n) and len(arm_folder(n).encode()) <= 80 for n in names)


def test_a_wrong_metric_does_not_hide_the_other_mistakes(towns: Path) -> None:
    (towns.parent / "questions.jsonl").write_text("")
    with pytest.raises(UserError) as e:
        sharpen.run(towns, settings=["metrics=[exactmatch, f2]", "arms=[baseline, retreive]"])
    said = str(e.value)
    assert all(word in said for word in ("exactmatch", "f2", "retreive", "questions.jsonl"))


def test_macro_f1_may_decide_where_no_classes_are_chosen_from(towns: Path) -> None:
    """Its classes are settled before the race: scores of two rounds would not fit together otherwise."""
    report = sharpen.run(towns, settings=["metrics=[macro_f1, exact_match]", "arms=[baseline, retrieve + lora]"])
    assert report.arm("retrieve + lora")["mean"] > report.arm("baseline")["mean"]
    assert report["plan"]["seconds"] > 0


def test_an_edited_metric_of_ones_own_builds_anew(towns: Path, tmp_path: Path) -> None:
    """What it chose on dev (how many passages, which checkpoint) was chosen by the old one."""
    source = (Path(sharpen.__file__).parent / "metrics" / "exact_match.py").read_text()
    own, settings = towns.parent / "own.py", ["metrics=[./own.py]", "arms=[baseline, retrieve]"]
    own.write_text(source.replace("def exact_match(", "def own("))
    sharpen.run(towns, settings=settings)
    folder = store_root(towns.parent) / "built"
    built = set(folder.iterdir())
    own.write_text(own.read_text() + "\n# another text\n")
    sharpen.run(towns, tmp_path / "again", settings)
    assert len(set(folder.iterdir()) - built) == len(built)


def test_building_says_how_many_answers_were_known_already(towns: Path, tmp_path: Path) -> None:
    settings = ["metrics=[exact_match, token_f1]", "arms=[baseline, retrieve]"]
    first = sharpen.run(towns, settings=settings)
    assert "reused" not in json.dumps(first["levers"])
    second = sharpen.run(towns, tmp_path / "again", ["metrics=[token_f1]", "arms=[baseline, retrieve]"])
    notes = [n for lever in second["levers"] for n in lever["notes"] if n["note"] == "reused"]
    assert notes
    assert all(n["answers that were known already"] > 0 for n in notes)


def test_a_test_that_shares_questions_with_another_is_another_look(towns: Path, tmp_path: Path) -> None:
    """One mended word, or another seed of the split, does not make questions fresh."""
    arms = ["arms=[baseline, retrieve]"]
    first = sharpen.run(towns, settings=arms)
    assert (first["looks_at_this_test"], first["seen_before"]) == (1, 0.0)
    again = sharpen.run(towns, tmp_path / "again", [*arms, "data.split.seed=1"])
    assert again["looks_at_this_test"] == 2
    assert 0.1 < again["seen_before"] < 0.9
    assert (
        f"second look at some of these questions ({again['seen_before']:.0%} were seen before)" in again["verdict_text"]
    )


def test_a_seed_of_ones_own_is_refused_where_several_are_asked_for(towns: Path) -> None:
    with pytest.raises(UserError, match="so all 3 seeds would build the same"):
        sharpen.run(towns, settings=["seeds=3", 'arms=[baseline, "lora(seed=1)"]'])


def test_refusals_are_neither_quick_nor_cheap(hosted: Any) -> None:
    from sharpen.models import open_model
    from sharpen.study.latency import measure
    from sharpen.testing import tiny_bench

    bench = tiny_bench("question-answering")
    program, questions = bench.first("fake:"), [*bench.train, *bench.dev][:8]
    assert measure(program, questions, bench.engines)["failed"] == 0
    ref = hosted(4)
    program = replace(program, model=ref)
    bench.engines._opener = lambda name, adapters: open_model(name)
    found = measure(program, questions, bench.engines)
    assert (found["n"], found["failed"]) == (2, len(questions) - 4)
    assert found["p95_seconds"] is not None
    assert measure(program, questions, bench.engines)["mean_seconds"] is None


def test_given_answers_to_no_question_are_a_mistake(towns: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They were scored, 0 everywhere, as if the present system knew nothing."""
    given = towns.parent / "today.jsonl"
    given.write_text('{"id": "zzz", "answer": "x"}\n')
    arms = ["arms=[baseline, {name: today, answers: today.jsonl}]"]
    said = r"none of its 1 ids \(first: 'zzz'\) is one of the \d+ test questions.*questions:N, N its line or row\."
    with pytest.raises(UserError, match=said):
        sharpen.run(towns, settings=arms)
    lines = range(1, 201, 2)
    given.write_text("".join(json.dumps({"id": f"questions:{n}", "answer": "red"}) + "\n" for n in lines))
    with caplog.at_level("WARNING", "sharpen.study"):
        sharpen.run(towns, settings=arms)
    assert "the others count as wrong" in caplog.text
