"""Augmentations as steps of arms: what is trained on, what is refused, and that they are made once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import sharpen
from sharpen import parts
from sharpen.config import Arm, UseCase
from sharpen.errors import UserError
from sharpen.study.augmenting import augmented, nothing_learns, read_options
from sharpen.study.building import Builder, Built
from sharpen.study.rows import not_measured
from sharpen.techniques import Bench, NotAvailable
from sharpen.testing import tiny_bench
from sharpen.types import Message

LABEL = "classification"


def build(does: str, bench: Bench, tmp_path: Path) -> Built:
    uc = UseCase(version=1, name="x", task=bench.task.name, model="fake:", data={"examples": "x.jsonl"})
    return Builder(uc, tmp_path, bench).arm(Arm(does=does))


def made_of(bench: Bench, step: str, **options: Any) -> tuple[Bench, dict[str, Any]]:
    return augmented(step, options, bench.first("fake:"), bench, 0)


def test_only_what_follows_it_learns_from_variants(tmp_path: Path) -> None:
    bench = tiny_bench(LABEL)
    plain, more = build("lora", bench, tmp_path), build("swap + lora", bench, tmp_path)
    rows = {built.name: note for built in (plain, more) for note in built.notes if note["note"] == "training rows"}
    assert rows["lora"]["train"] == len(bench.train)
    (kept,) = [note["kept"] for note in more.notes if note["note"] == "augmented"]
    assert kept > 0
    assert rows["swap + lora"]["train"] == len(bench.train) + kept
    assert rows["swap + lora"]["dev"] == len(bench.dev)
    assert plain.program != more.program
    assert build("nearest_shots + swap + lora", bench, tmp_path).status == "built"


def test_it_is_made_once_and_differs_by_seed(tmp_path: Path) -> None:
    bench = tiny_bench(LABEL)
    first, again = (made_of(bench, "typos")[0].train for _ in range(2))
    assert first == again
    assert augmented("typos", {}, bench.first("fake:"), bench, 1)[0].train != first
    assert len(list((bench.store.root / "built").glob("*.json"))) == 2


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("swap", "swap: nothing after it learns from examples"),
        ("lora + typos", "typos: nothing after it learns"),
        ("paraphrase + lora", "no model was named that could write"),
    ],
)
def test_an_arm_that_cannot_be_built_says_why(does: str, why: str, tmp_path: Path) -> None:
    built = build(does, tiny_bench(LABEL), tmp_path)
    assert built.status == "not available"
    assert why in built.why


def test_a_model_that_predicts_is_asked_for_its_mistakes() -> None:
    with pytest.raises(NotAvailable, match="makes no variant of 18 training rows"):  # it gets none of them right
        made_of(tiny_bench(LABEL), "adversarial")
    with pytest.raises(NotAvailable, match="predicts classes"):
        made_of(tiny_bench("question-answering"), "adversarial")


def test_an_operator_without_variants_is_no_arm(tmp_path: Path) -> None:
    """No training question names a person: the arm would be ``lora`` under another name."""
    built = build("counterfactual + lora", tiny_bench(LABEL), tmp_path)
    assert built.status == "not available"
    assert "makes no variant of 18 training rows" in built.why
    assert "Leave counterfactual out" in built.why


def test_next_to_no_variants_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = tiny_bench(LABEL)
    few = replace(
        bench, train=(*bench.train, replace(bench.train[0], id="one", messages=(Message("user", "my wife"),)))
    )
    few = replace(few, train=tuple(replace(e, id=f"{e.id} {k}") for k in range(2) for e in few.train))
    with caplog.at_level("WARNING", "sharpen.study"):
        built = build("counterfactual(alike=0) + lora", few, tmp_path)
    (note,) = [n for n in built.notes if n["note"] == "augmented"]
    assert note["warning"].startswith("counterfactual made 1 variants of 38 training rows")
    assert note["warning"] in caplog.text
    said = not_measured(cast("Any", SimpleNamespace(use_case=SimpleNamespace(seeds=2))), [built])
    assert f"{built.name}: {note['warning']}" in said
    _, facts = made_of(bench, "typos")
    assert "warning" not in facts


def test_a_model_by_reference_writes() -> None:
    bench, facts = made_of(tiny_bench(LABEL), "paraphrase", model="fake:", alike=0)
    assert facts["proposed"] > 0
    written = bench.train[len(tiny_bench(LABEL).train) :]
    assert all(e.meta["synthetic"] == "paraphrase" for e in written)


def test_documents_of_dev_are_not_learned_from() -> None:
    bench = tiny_bench("question-answering")
    bench = replace(
        bench,
        documents=tuple(
            replace(d, text=f"{d.text}\n\n| room | seats |\n|---|---|\n| {d.title} | 12 |\n") for d in bench.documents
        ),
    )
    made, _ = made_of(bench, "facts")
    new = made.train[len(bench.train) :]
    assert new
    assert {e.source for e in new} <= {e.source for e in bench.train}
    assert not {e.source for e in new} & {e.source for e in bench.dev}


@pytest.mark.parametrize("options", [{"n": 0}, {"n": True}, {"share": -1}, {"alike": 2}, {"longest": "x"}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        read_options("typos", options)


def test_what_learns_from_an_augmentation() -> None:
    assert nothing_learns(["typos", "lora"]) is None
    assert nothing_learns(["retrieve", "typos", "swap", "lora"]) is None
    assert nothing_learns(["lora", "typos", "swap"]) == "typos"
    assert nothing_learns([]) is None


def test_a_study_has_arms_with_and_without(towns: Path) -> None:
    """And ``check`` says what cannot be, all at once."""
    report = sharpen.run(towns, settings=["arms=[baseline, lora, 'swap(n=2) + lora']"])
    assert report.arm("swap(n=2) + lora")["status"] == "tested"
    assert "augmented" in json.dumps(report["levers"])
    with pytest.raises(UserError) as wrong:
        sharpen.study.check(towns, ["arms=[baseline, 'lora + swap', 'swap(rte=1) + lora', 'swap(n=0) + lora']"])
    said = str(wrong.value)
    assert "nothing after swap learns" in said
    assert "rte" in said
    assert "the option n of swap is 0" in said


def test_another_model_under_the_same_name_writes_anew() -> None:
    bench = tiny_bench(LABEL)
    built = bench.store.root / "built"
    for content, made in (("a", 1), ("a", 1), ("b", 2)):
        options = {"model": "fake:", "alike": 0}
        augmented("paraphrase", options, bench.first("fake:"), bench, 0, "", {"fake:": content}.__getitem__)
        assert len(list(built.glob("*.json"))) == made


def test_the_model_that_writes_is_looked_at_beforehand(towns: Path) -> None:
    gone = "openai:http://127.0.0.1:9/v1#writer"
    arms = f"arms=[baseline, \"paraphrase(model='{towns.parent}/none') + lora\", \"paraphrase(model='{gone}') + lora\"]"
    with pytest.raises(UserError) as wrong:
        sharpen.check(towns, [arms])
    said = [str(p) for p in wrong.value.problems]
    assert len(said) == 2
    assert any("none" in p and "arms: paraphrase" in p for p in said)
    assert any("arms: paraphrase" in p and "writer: the model's server could not be reached" in p for p in said)


def test_that_no_model_is_named_is_said_beforehand(towns: Path) -> None:
    names = [n for n, p in parts.all_parts("augmentation").items() if "writing import asked" in p.path.read_text()]
    assert sorted(names) == ["back_translation", "paraphrase", "reworded_qa", "synthetic_qa"]
    with pytest.raises(UserError) as wrong:
        sharpen.check(towns, [f"arms=[baseline, lora, {', '.join(f'{n} + lora' for n in names)}]"])
    said = [str(p) for p in wrong.value.problems]
    assert sorted(p.partition(" needs")[0].rpartition(": ")[2] for p in said) == sorted(names)
    assert all("none is named" in p for p in said)


def test_the_model_that_writes_is_part_of_the_study(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharpen.study import preflight
    from sharpen.study.setting import resolve
    from sharpen.types import silent

    setting = resolve(towns, ["arms=[baseline, \"paraphrase(model='fake:coin') + lora\"]"], silent)
    first = preflight.inspect(setting)
    assert "fake:coin" in first.weights
    monkeypatch.setattr(preflight, "weights_of", lambda ref: "other" if ref == "fake:coin" else ref)
    assert preflight.inspect(setting).key != first.key
