"""Variants of training rows by the command, and where each of them comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sharpen import data
from sharpen.cli.offspring import arms_of
from sharpen.data import read_examples
from sharpen.inputs import Data
from sharpen.store import Store
from sharpen.study.variants import replaced

THINGS = ("card", "transfer", "account", "limit", "password", "statement")
ASKS = ("My {} was lost yesterday evening", "Please explain the {} to my husband", "Where can I change the {} of mine")
USE_CASE = """\
version: 1
name: bank
task: classification
model: "fake:"
embeddings: "fake:"
data: {examples: rows.jsonl, split: {by: row, train: 0.5, dev: 0.2, test: 0.3}}
"""


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SHARPEN_HOME", raising=False)
    folder = tmp_path / "bank"
    folder.mkdir()
    rows = [(ask.format(t) + f" number {n}", t) for n in range(3) for t in THINGS for ask in ASKS]
    text = "".join(json.dumps({"text": q, "label": a}) + "\n" for q, a in rows)
    (folder / "rows.jsonl").write_text(text)
    (folder / "usecase.yaml").write_text(USE_CASE)
    return folder


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def prepared(folder: Path) -> data.Dataset:
    given = Data(examples="rows.jsonl", split={"by": "row", "train": 0.5, "dev": 0.2, "test": 0.3})
    return data.load(data.prepare(given, folder, Store(folder / ".sharpen").root / "data"))


def test_variants_stand_beside_their_originals(bank: Path, sharpen: Callable[..., tuple[int, str]]) -> None:
    out = bank / "v.jsonl"
    words = ("data", "augment", bank, "--with", "typos", "--with", "swap(n=2)", "--with", "replacement", "--out", out)
    status, said = sharpen(*words)
    assert status == 0, said
    first, rows = out.read_bytes(), rows_of(out)
    train = {e.id: e for e in prepared(bank).train}
    assert 0 < len(rows) <= len(train), "together no more than there are training rows"
    for row in rows:
        parent = train[row["of"]]
        assert row["synthetic"] is True
        assert (row["original"], row["labels"]) == (parent.question, list(parent.labels))
        assert row["question"] != parent.question
        now = parent.question
        for change in reversed(row["replaced"]):
            assert now[change["start"] : change["end"]] == change["was"]
            now = now[: change["start"]] + change["now"] + now[change["end"] :]
        assert now == row["question"], "what was replaced makes the variant of its original"
    taken = [row for row in rows if row["operator"] == "replacement"]
    assert taken
    assert all(train[row["from"]].labels == train[row["of"]].labels for row in taken), "the source of what was put in"
    assert "more than all may be together" in said
    assert "before  " in said
    assert "after   " in said
    assert sharpen(*words)[0] == 0
    assert out.read_bytes() == first, "the same command, the same bytes"
    made = read_examples(out, "v.jsonl")
    assert len(made.drafts) == len(rows)
    assert {d.example.labels for d in made.drafts} <= {(t,) for t in THINGS}


def test_caps_and_seeds(bank: Path, sharpen: Callable[..., tuple[int, str]]) -> None:
    files = [bank / f"{n}.jsonl" for n in range(4)]
    words = ("data", "augment", bank, "--with", "typos", "--out")
    sharpen(*words, files[0], "--most", 5)
    sharpen(*words, files[1], "--share", 0.5)
    sharpen(*words, files[2])
    assert sharpen(*words, files[3], "--seed", 1, "--json")[0] == 0
    assert len(rows_of(files[0])) == 5
    assert len(rows_of(files[1])) == len(prepared(bank).train) // 2
    assert files[2].read_bytes() != files[3].read_bytes()


def test_shares_and_weights_are_said(bank: Path, sharpen: Callable[..., tuple[int, str]]) -> None:
    out = bank / "v.jsonl"
    status, said = sharpen("data", "augment", bank, "--with", "adaptive(pilot=8)", "--out", out, "--json")
    assert status == 0, said
    (told,) = json.loads(said[said.index("{") :])["operators"].values()
    assert sum(told["shares"].values()) == told["kept"] == len(rows_of(out))
    assert sum(told["weights"].values()) == pytest.approx(1, abs=0.01)
    assert set(told["shares"]) <= set(told["weights"])
    assert all(row["weights"] == told["weights"] for row in rows_of(out))


def test_what_cannot_be_is_said_and_nothing_is_written(bank: Path, sharpen: Callable[..., tuple[int, str]]) -> None:
    out = bank / "v.jsonl"
    words = ("data", "augment", bank, "--out", out, "--with")
    status, said = sharpen(*words, "tpyos", "--with", "paraphrase", "--with", "swap(rte=1)", "--with", "lora")
    assert status == 2
    assert "no augmentation 'tpyos'" in said
    assert "paraphrase needs a model that writes" in said
    assert "rte" in said
    assert "4 problems" in said
    status, said = sharpen(*words, "facts")
    assert status == 2
    assert "facts: it makes no variant of" in said
    assert sharpen(*words, "swap", "--with", "swap(n=2)")[1].count("stands there twice") == 1
    assert sharpen("data", "augment", bank, "--with", "swap", "--out", bank / "v.csv")[0] == 2
    before = (bank / "rows.jsonl").read_bytes()
    status, said = sharpen("data", "augment", bank, "--with", "swap", "--out", bank / "rows.jsonl")
    assert (status, (bank / "rows.jsonl").read_bytes()) == (2, before), "people's own rows are not written over"
    assert "holds something else, which would be lost" in said
    assert not out.exists()
    assert [p.name for p in bank.iterdir() if p.name.startswith(".v")] == []


def test_a_variant_says_where_it_is_from(bank: Path, sharpen: Callable[..., tuple[int, str]]) -> None:
    out = bank / "v.jsonl"
    assert sharpen("data", "augment", bank, "--with", "typos(rate=0.2)", "--out", out)[0] == 0
    row = rows_of(out)[3]
    status, said = sharpen("data", "trace", row["id"], "--data", bank)
    assert status == 0, said
    assert f"{row['id']} is made of row {row['of']} by typos(rate=0.2), seed 0: {row['how']}" in said
    assert f"from   rows.jsonl, line {row['of'].partition(':')[2]}" in said
    made, original = json.loads(sharpen("data", "trace", row["id"], "--data", bank, "--json")[1])
    assert made["made"][0]["text"]["question"] == row["question"]
    assert original["id"] == row["of"]
    status, said = sharpen("data", "trace", f"{row['of']}~typos999", "--data", bank)
    assert status == 2
    assert "no row or document is called" in said
    lines = (bank / "rows.jsonl").read_text().splitlines()
    (bank / "rows.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    assert sharpen("data", "trace", row["id"], "--data", bank)[0] == 2, "a row of that id is another one now"


def test_facts_keep_their_triple_and_their_document(bank: Path, sharpen: Callable[..., tuple[int, str]]) -> None:
    (bank / "docs").mkdir()
    rows = rows_of(bank / "rows.jsonl")
    for n, thing in enumerate(THINGS):
        (bank / "docs" / f"{thing}.md").write_text(f"# {thing}\n\n| plan | fee |\n|---|---|\n| Basic{n} | {n} EUR |\n")
    lines = [{"question": r["text"], "answers": r["label"], "source": f"{r['label']}.md"} for r in rows]
    (bank / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    case = USE_CASE.replace("rows.jsonl", "rows.jsonl, documents: docs").replace("by: row", "by: source")
    (bank / "usecase.yaml").write_text(case.replace("classification", "question-answering"))
    out = bank / "v.jsonl"
    status, said = sharpen("data", "augment", bank, "--with", "facts", "--out", out)
    assert status == 0, said
    row = rows_of(out)[0]
    (gold,) = row["gold"]
    text = (bank / "docs" / row["source"]).read_text()
    assert text[gold["start"] : gold["end"]] == row["answers"][0] == row["triple"]["of"][2]
    assert row["triple"]["id"] == f"{row['source']}#{gold['start']}-{gold['end']}"
    status, said = sharpen("data", "trace", row["id"], "--data", bank)
    assert status == 0, said
    assert f"{row['id']} is made of document {row['source']} by facts, seed 0" in said
    assert f"of the fact {row['triple']['id']}" in said
    assert f"document {row['source']}: in use" in said


def test_rows_that_were_given_back_say_where_they_are_from(bank: Path, sharpen: Callable[..., tuple[int, str]]) -> None:
    """In another file, where their originals have other ids, and none of them is tested on."""
    out = bank / "v.jsonl"
    assert sharpen("data", "augment", bank, "--with", "typos", "--out", out)[0] == 0
    both = [*rows_of(out), *rows_of(bank / "rows.jsonl")]
    both = [{**row, "question": row.pop("text"), "answers": row.pop("label")} if "text" in row else row for row in both]
    (bank / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in both))
    (bank / "usecase.yaml").write_text(USE_CASE.replace("rows.jsonl", "all.jsonl"))
    status, said = sharpen("data", "split", bank)
    assert status == 0, said
    given = Data(examples="all.jsonl", split={"by": "row", "train": 0.5, "dev": 0.2, "test": 0.3})
    made = data.load(data.prepare(given, bank, bank / ".sharpen" / "data"))
    kept = [e for e in made.train if e.meta.get("synthetic")]
    real = {e.question: e.id for e in made.train if not e.meta.get("synthetic")}
    assert kept
    assert all(e.meta["original"] in real for e in kept)
    assert not any(e.meta.get("synthetic") for e in (*made.dev, *data.load_sealed(made.seal)))
    status, said = sharpen("data", "trace", kept[0].id, "--data", bank)
    assert status == 0, said
    origin = real[kept[0].meta["original"]]
    assert f"{kept[0].id} is made of row {origin} by typos: {kept[0].meta['how']}" in said
    assert f"example {origin}: train" in said
    again = bank / "again.jsonl"
    assert sharpen("data", "augment", bank, "--with", "swap", "--out", again)[0] == 0
    assert {row["of"] for row in rows_of(again)} <= set(real.values()), "no variant of a variant"


def test_arms_that_learned_from_it_are_named(tmp_path: Path) -> None:
    levers = [
        {"arm": "a", "does": "typos(n=2) + swap + lora", "notes": [{"note": "augmented"}] * 2},
        {"arm": "b", "does": "swap + lora", "notes": [{"note": "augmented"}]},
        {"arm": "c", "does": "typos(n=2) + swap + lora", "notes": []},
    ]
    (tmp_path / "report.json").write_text(json.dumps({"levers": levers}))
    runs = [{"run": str(tmp_path), "version": "v"}, {"run": str(tmp_path / "gone"), "version": "v"}]
    chain = [{"by": "swap", "options": {}}, {"by": "typos", "options": {"n": 2}}]
    assert arms_of(chain, "v", runs) == [f"arm a of run {tmp_path}"], "c could not be built"
    assert len(arms_of(chain[:1], "v", runs)) == 2
    assert arms_of(chain, "w", runs) == []


def test_places_that_differ() -> None:
    assert replaced("pay the bill", "pay this bill now") == [
        {"start": 4, "end": 7, "was": "the", "now": "this"},
        {"start": 12, "end": 12, "was": "", "now": " now"},
    ]
    assert replaced("a", "a") == []
