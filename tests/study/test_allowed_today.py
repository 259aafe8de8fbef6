"""A finished run is asked by what data.sources allows on that day, and what may not be kept can be purged."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import sharpen
from sharpen.cli import store as gc
from sharpen.errors import UserError
from sharpen.store import Store
from sharpen.study.asking import program_of
from sharpen.study.purging import to_purge

ARMS = ["arms=[baseline, retrieve(k=3), few_shot(k=3)]"]


@pytest.fixture
def ran(towns: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run."""
    monkeypatch.setenv("SHARPEN_HOME", str(towns.parent / "home"))
    return sharpen.run(towns, settings=ARMS).path


def withdraw(towns: Path, entry: str) -> None:
    towns.write_text(towns.read_text() + f"  sources: [{{match: town3.md, {entry}}}]\n")


def cited(ran: Path, arm: str = "retrieve(k=3)") -> set[str]:
    return {p.span.source for p in sharpen.ask(ran, "What colour is the lamp town3 painted?", arm).passages}


@pytest.mark.parametrize("entry", ["keep_until: 2001-01-01", "consent: false", "allowed: [train]"])
def test_what_is_no_longer_allowed_is_not_searched(ran: Path, towns: Path, caplog: Any, entry: str) -> None:
    assert "town3.md" in cited(ran)
    withdraw(towns, entry)
    with caplog.at_level(logging.WARNING):
        assert "town3.md" not in cited(ran)
    (said,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    setting, program = program_of(ran, "retrieve(k=3)")
    assert program.retriever is not None
    lines = (setting.store.path(program.retriever.index) / "passages.jsonl").read_text().splitlines()
    n = sum(json.loads(x)["span"][0] == "town3.md" for x in lines)
    assert f"data.sources: {n} passages of town3.md are not searched. Answers may be others" in said


def test_a_day_that_has_not_passed_and_another_source_change_nothing(ran: Path, towns: Path, caplog: Any) -> None:
    withdraw(towns, "keep_until: 2999-01-01")
    assert "town3.md" in cited(ran)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_worked_examples_of_such_a_source_are_not_shown(ran: Path, towns: Path, caplog: Any) -> None:
    _, before = program_of(ran, "few_shot(k=3)")
    assert len(before.demos) == 3
    train = [json.loads(x) for p in (towns.parent / "home" / "data").glob("*/train.jsonl") for x in p.open()]
    source = next(e["source"] for e in train if e["id"] == before.demos[0].example_id)
    towns.write_text(towns.read_text() + f"  sources: [{{match: {source}, keep_until: 2001-01-01}}]\n")
    _, after = program_of(ran, "few_shot(k=3)")
    gone = {e["id"] for e in train if e["source"] == source}
    assert after.demos == tuple(d for d in before.demos if d.example_id not in gone)
    assert "worked examples are not shown" in caplog.text


@pytest.fixture
def in_two(towns: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same rows in two tables."""
    monkeypatch.setenv("SHARPEN_HOME", str(towns.parent / "home"))
    rows = (towns.parent / "questions.jsonl").read_text().splitlines(keepends=True)
    for name, some in (("old.jsonl", rows[: len(rows) // 2]), ("new.jsonl", rows[len(rows) // 2 :])):
        (towns.parent / name).write_text("".join(some))
    towns.write_text(towns.read_text().replace("questions.jsonl", "[old.jsonl, {file: new.jsonl}]"))
    return towns


@pytest.mark.parametrize("arm", ["few_shot(k=8)", "nearest_shots(k=40)"])
def test_of_several_tables_only_those_rows_are_left_out_whose_own_it_is(in_two: Path, arm: str, caplog: Any) -> None:
    ran = sharpen.run(in_two, settings=[f"arms=[baseline, {arm}]"]).path
    in_two.write_text(in_two.read_text() + "  sources: [{match: old.jsonl, consent: false}]\n")
    setting, program = program_of(ran, arm)
    (lineage,) = setting.store.root.glob("data/*/sealed/lineage.jsonl")
    of = {line["id"]: line["file"] for line in map(json.loads, lineage.open())}
    kept = [d.example_id for d in program.demos]
    if program.shots:
        kept = [p.id for p in setting.engines().index(program.shots.index).search(["What colour?"], 40, "bm25")[0]]
    assert {of[i] for i in kept} == {"new.jsonl"}, "and the baseline has neither"
    assert "worked examples" in caplog.text


def test_rows_of_a_table_among_several_are_purged(in_two: Path) -> None:
    ran = sharpen.run(in_two, settings=["arms=[baseline]"]).path
    store = Store(in_two.parent / "home")
    in_two.write_text(in_two.read_text() + "  sources: [{match: other.jsonl, consent: false}]\n")
    assert not to_purge(store, [ran])
    in_two.write_text(in_two.read_text().replace("other.jsonl", "old.jsonl"))
    assert len(to_purge(store, [ran]).data) == 1


def test_expired_texts_are_purged_and_what_that_costs_is_said(ran: Path, towns: Path, capsys: Any) -> None:
    home = towns.parent / "home"
    gc.purge(towns.parent, yes=True)
    assert capsys.readouterr().out == (
        "Of sources that data.sources no longer allows: prepared data 0, indexes 0, answers 0.\n"
    )
    withdraw(towns, "keep_until: 2001-01-01")
    gc.purge(towns.parent, yes=False)
    assert "prepared data 1, indexes " in capsys.readouterr().out
    assert cited(ran) == cited(ran) != set(), "nothing was deleted yet"
    gc.purge(towns.parent, yes=True)
    assert "cannot be recomputed as it was" in capsys.readouterr().out
    left = [p for p in home.rglob("*") if p.is_file() and b"town3 is painted" in p.read_bytes()]
    assert left == []
    assert (towns.parent / "documents" / "town3.md").exists(), "the files are their owner's"
    with pytest.raises(UserError, match="the store has no index"):
        cited(ran)
    again = sharpen.run(towns, out=towns.parent / "again", settings=ARMS)
    assert "town3.md" not in cited(again.path)
