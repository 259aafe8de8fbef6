"""Samplers as steps of arms: train alone is sampled, by numbers counted by hand, and the report tells of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sharpen
from sharpen import parts
from sharpen.config import Arm, UseCase
from sharpen.data import balanced, open_sampler
from sharpen.errors import UserError
from sharpen.study.augmenting import augmented, kind_of, nothing_learns, times_as_many
from sharpen.study.building import Builder, Built
from sharpen.techniques import Bench, NotAvailable
from sharpen.testing import tiny_bench
from sharpen.types import Example, Message

NAMES = sorted(parts.all_parts("sampler"))


def rows(**counts: int) -> list[Example]:
    return [
        Example(f"{c}{i}", (Message("user", f"{c} {i}"),), (c,), labels=(c,), source=c, meta={"k": i})
        for c, n in counts.items()
        for i in range(n)
    ]


def uneven() -> Bench:
    """The tiny bench with 6 refunds, 2 deliveries and 1 account."""
    bench = tiny_bench("classification")
    keep = {"refund": 6, "delivery": 2, "account": 1}
    seen: Counter[str] = Counter()
    train = []
    for e in bench.train:
        seen[e.labels[0]] += 1
        if seen[e.labels[0]] <= keep[e.labels[0]]:
            train.append(e)
    return replace(bench, train=tuple(train))


def build(does: str, bench: Bench, tmp_path: Path) -> Built:
    uc = UseCase(version=1, name="x", task=bench.task.name, model="fake:", data={"examples": "x.jsonl"})
    return Builder(uc, tmp_path, bench).arm(Arm(does=does))


@pytest.mark.parametrize(
    ("name", "options", "after"),
    [
        ("oversample", {}, {"a": 6, "b": 6, "c": 6}),
        ("oversample", {"to": 4}, {"a": 6, "b": 4, "c": 4}),
        ("undersample", {}, {"a": 1, "b": 1, "c": 1}),
        ("undersample", {"to": 2}, {"a": 2, "b": 2, "c": 1}),
        ("reweight", {}, {"a": 3, "b": 3, "c": 3}),
        ("reweight", {"strength": 0}, {"a": 6, "b": 2, "c": 1}),
        # 9 * (√6, √2, 1) / (√6 + √2 + 1) = 4.53, 2.62, 1.85: one more to the two largest rests, of c and b
        ("reweight", {"strength": 0.5}, {"a": 4, "b": 3, "c": 2}),
    ],
)
def test_counts_by_hand(name: str, options: dict[str, Any], after: dict[str, int]) -> None:
    given = rows(a=6, b=2, c=1)
    made = balanced(name, open_sampler(name, options), given, False)
    assert dict(made.before) == {"a": 6, "b": 2, "c": 1}
    assert dict(made.after) == after == dict(Counter(e.labels[0] for e in made.examples))
    often = Counter(e.question for e in made.examples)
    for c in after:
        each = [often[e.question] for e in given if e.labels == (c,)]
        assert max(each) - min(each) <= 1, "every row of a class as often as any other"
    assert len({e.id for e in made.examples}) == len(made.examples)
    assert all(e.meta["of"] in {g.id for g in given} for e in made.examples if "sampled" in e.meta)
    assert all(e.meta["k"] is not None for e in made.examples)


@pytest.mark.parametrize(
    ("options", "after"),
    [
        ({}, {"a": 60, "b": 30, "c": 10, "replay: g": 20}),
        ({"replay": 0}, {"a": 60, "b": 30, "c": 10, "replay: g": 0}),
        ({"replay": 0.5}, {"a": 60, "b": 30, "c": 10, "replay: g": 100}),
        ({"replay": 0.2, "rows": 50}, {"a": 24, "b": 12, "c": 4, "replay: g": 10}),
        # √60, √30, √10 of their sum 16.386 are .4727, .3343, .1930
        ({"temperature": 2, "replay": 0}, {"a": 47, "b": 34, "c": 19, "replay: g": 0}),
        ({"temperature": 1e6, "replay": 0, "rows": 99}, {"a": 33, "b": 33, "c": 33, "replay: g": 0}),
        ({"shares": {"c": 0.4}, "replay": 0}, {"a": 40, "b": 20, "c": 40, "replay: g": 0}),
        ({"shares": {"a": 0.5, "b": 0.2, "c": 0.1}, "replay": 0, "rows": 80}, {"a": 50, "b": 20, "c": 10}),
    ],
)
def test_mixtures_by_hand(options: dict[str, Any], after: dict[str, int]) -> None:
    given = rows(a=60, b=30, c=10)
    general = [replace(e, meta={"table": "g", "replay": True}) for e in rows(g=20)]
    made = balanced("mix", open_sampler("mix", options), [*given, *general], False, seed=3)
    assert dict(made.before) == {"a": 60, "b": 30, "c": 10, "replay: g": 20}
    assert {n: c for n, c in made.after.items() if n in after} == after
    often = Counter(e.question for e in made.examples)
    for name in "abcg":
        each = [often[e.question] for e in (*given, *general) if e.labels == (name,)]
        assert max(each) - min(each) <= 1
    assert len({e.id for e in made.examples}) == len(made.examples)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"temperature": 0.5}, "temperature"),
        ({"replay": 1}, "replay"),
        ({"shares": {"a": 0.8, "b": 0.3}}, "shares"),
        ({"shares": [0.5]}, "shares"),
        ({"rows": 0}, "rows"),
    ],
)
def test_mixtures_that_are_none(options: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=f"the option {why} is"):
        open_sampler("mix", options)


def test_a_mixture_says_what_it_lacks(tmp_path: Path) -> None:
    for options, why in (({"shares": {"z": 0.5}}, "no training row is of 'z'"), ({"replay": 0.2}, "nothing to replay")):
        with pytest.raises(UserError, match=why):
            balanced("mix", open_sampler("mix", options), rows(a=3, b=2), False)
    bench = tiny_bench("classification")
    assert "two tables or sources" in build("mix + lora", replace(bench, train=tuple(
        replace(e, source="one") for e in bench.train)), tmp_path).why  # fmt: skip


def test_an_arm_learns_from_what_is_replayed_and_others_do_not(tmp_path: Path) -> None:
    bench = uneven()
    other = Example("g", (Message("user", "Say hello"),), ("hello",), meta={"table": "general", "replay": True})
    bench = replace(bench, train=tuple(replace(e, source="own") for e in bench.train), replay=(other,))
    for does, n in {"lora": 9, "mix(replay=0.1) + lora": 10, "mix + lora": 10}.items():
        (learned,) = [note for note in build(does, bench, tmp_path).notes if note["note"] == "training rows"]
        assert learned["train"] == n, does
    (note,) = [note for note in build("mix + lora", bench, tmp_path).notes if note["note"] == "sampled"]
    assert note["after"] == {"own": 9, "replay: general": 1}


def test_the_report_has_the_scores_of_each_table(tmp_path: Path) -> None:
    for name in ("faq", "hotline"):
        made = [{"question": f"What is {name} {i}?", "answers": f"{name} {i}"} for i in range(40)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    general = {"question": "What is two and two?", "answers": "four"}
    (tmp_path / "general.jsonl").write_text(json.dumps(general) + "\n")
    uc = UseCase(
        version=1, name="mixed", model="fake:", embeddings="fake:", arms=["baseline", "mix(replay=0.1) + lora"],
        data={"examples": ["faq.jsonl", "hotline.jsonl"], "replay": "general.jsonl", "split": {"by": "row"}},
    )  # fmt: skip
    report = json.loads((sharpen.run(uc, base=tmp_path, out=tmp_path / "run").path / "report.json").read_text())
    tables = report["race"]["tables"]
    assert set(tables) == {"faq.jsonl", "hotline.jsonl"}
    assert sum(t["n"] for t in tables.values()) == report["race"]["n"]
    for name, values in report["race"]["values"].items():
        metric = next(iter(values))
        mean = sum(t["n"] * t["arms"][name] for t in tables.values()) / report["race"]["n"]
        assert mean == pytest.approx(values[metric])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "each table of examples" in page


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_page_and_draws_the_same_with_the_same_seed(name: str) -> None:
    part = parts.find("sampler", name)
    assert part.summary.endswith((".", ":"))
    assert "Return the sampler" in part.usage
    options = {"temperature": 2} if name == "mix" else {}
    first, again, other = (
        balanced(name, open_sampler(name, options), rows(a=40, b=7), False, seed=s).examples for s in (1, 1, 2)
    )
    assert first == again
    assert Counter(e.question for e in first) != Counter(e.question for e in other)


def test_rows_without_a_class_stay_as_they_are() -> None:
    bare = Example("x", (Message("user", "?"),), ("free text",))
    made = balanced("undersample", open_sampler("undersample"), [bare, *rows(a=3, b=1)], False)
    assert made.examples[0] is bare
    assert dict(made.after) == {"a": 1, "b": 1}
    by_target = balanced("undersample", open_sampler("undersample"), [bare, *rows(a=3, b=1)], True)
    assert dict(by_target.before) == {"a": 3, "free text": 1, "b": 1}


def test_what_follows_it_learns_from_the_sample(tmp_path: Path) -> None:
    bench = uneven()
    assert Counter(e.labels[0] for e in bench.train) == {"refund": 6, "delivery": 2, "account": 1}
    for does, n in {"lora": 9, "oversample + lora": 18, "undersample + lora": 3, "reweight + lora": 9}.items():
        built = build(does, bench, tmp_path)
        assert built.status == "built"
        (learned,) = [note for note in built.notes if note["note"] == "training rows"]
        assert (learned["train"], learned["dev"]) == (n, len(bench.dev)), does
    (note,) = [note for note in build("oversample + lora", bench, tmp_path).notes if note["note"] == "sampled"]
    assert note["before"] == {"refund": 6, "delivery": 2, "account": 1}
    assert note["after"] == {"refund": 6, "delivery": 6, "account": 6}
    assert note["rows"] == {"before": 9, "after": 18}
    assert times_as_many("oversample", {}, bench) == 2
    both = build("oversample + swap + lora", bench, tmp_path)
    assert [n["note"] for n in both.notes][:2] == ["sampled", "augmented"]


def test_an_arm_that_cannot_be_sampled_says_why(tmp_path: Path) -> None:
    bench = tiny_bench("question-answering")
    built = build("oversample + lora", bench, tmp_path)
    assert built.status == "not available"
    assert "needs examples of two classes" in built.why
    assert times_as_many("oversample", {}, bench) == 1.0
    with pytest.raises(NotAvailable):
        augmented("reweight", {}, bench.first("fake:"), bench, 0)
    assert nothing_learns(["lora", "oversample"]) == "oversample"
    assert (kind_of("oversample"), kind_of("typos"), kind_of("lora")) == ("sampler", "augmentation", "technique")


@pytest.mark.parametrize("does", ["oversample(to=0)", "undersample(to='x')", "reweight(strength=2)", "reweight(n=3)"])
def test_options_out_of_range_are_refused_beforehand(does: str, towns: Path) -> None:
    with pytest.raises(UserError, match=r"option|takes"):
        sharpen.check(towns, [f'arms=[baseline, "{does} + lora"]'])


def test_a_study_tells_of_classes_before_and_after(tmp_path: Path) -> None:
    given = [
        {"text": f"{word} {n}", "label": label, "source": f"s{n % 12}"}
        for label, word, many in (("pay", "invoice", 60), ("post", "parcel", 12))
        for n in range(many)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    (tmp_path / "usecase.yaml").write_text(
        "name: desk\ntask: classification\nmodel: 'fake:'\nembeddings: 'fake:'\n"
        "data: {examples: rows.jsonl, split: {by: row}}\narms: [baseline, lora, oversample + lora]\n"
    )
    report = sharpen.run(tmp_path)
    assert report.arm("oversample + lora")["status"] == "tested"
    (lever,) = [row for row in report["levers"] if row["arm"] == "oversample + lora"]
    (note,) = [n for n in lever["notes"] if n["note"] == "sampled"]
    assert note["before"] == report["data"]["train"]["labels"]
    assert set(note["after"].values()) == {max(note["before"].values())}
    page = (report.path / "report.html").read_text()
    assert "oversample" in page
