"""Many tables become one schema: whichever way they are given, with every contradiction told by its place."""

from __future__ import annotations

import csv
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sharpen import data
from sharpen.data.gathering import TABLE, Gathered, gather, own_splits
from sharpen.data.naming import split_of
from sharpen.data.page import profile, render
from sharpen.data.tracing import trace
from sharpen.inputs import Data, Given

SPLIT = {"train": 0.5, "dev": 0.2, "test": 0.3, "by": "row"}


def table(path: Path, header: list[str], *rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def got(given: Given | dict[str, Any] | list[Any], base: Path, **columns: str) -> Gathered:
    made = Data(examples=given)
    assert made.examples is not None
    return gather(made.examples, base, columns)


def said(made: Gathered) -> list[str]:
    return [str(p) for p in made.problems]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    table(tmp_path / "faq" / "a.csv", ["id", "question", "answers", "price"], ["1", "How long?", "14 days", 2.5])
    table(tmp_path / "faq" / "b.csv", ["ask", "reply"], ["Is it open?", "Yes"], ["Where?", "Here"])
    (tmp_path / "faq" / "about.md").write_text("# About\n\nA text.\n", encoding="utf-8")
    return tmp_path


OTHER = {"file": "faq/b.csv", "name": "hotline", "columns": {"question": "ask", "answers": "reply"}}


def test_tables_with_other_columns_become_one_schema(base: Path) -> None:
    made = got(["faq/a.csv", OTHER], base)
    assert not made.problems
    rows = {d.example.id: (d.example.question, d.example.targets, d.example.meta[TABLE]) for d in made.drafts}
    assert rows == {
        "1": ("How long?", ("14 days",), "faq/a.csv"),
        "b:2": ("Is it open?", ("Yes",), "hotline"),
        "b:3": ("Where?", ("Here",), "hotline"),
    }
    assert made.facts("examples") == [
        {"table": "faq/a.csv", "for": "examples", "called": "faq/a.csv", "rows": 1, "used": 1, "dropped": 0,
         "columns": {}},
        {"table": "faq/b.csv", "for": "examples", "called": "hotline", "rows": 2, "used": 2, "dropped": 0,
         "columns": {"question": "ask", "answers": "reply"}},
    ]  # fmt: skip


def test_a_folder_a_pattern_and_a_list_are_the_same(base: Path) -> None:
    ways: list[Any] = [["faq", OTHER], ["faq/*.csv", OTHER], [OTHER, "faq/a.csv"], [OTHER, "faq/*"]]
    found = [sorted(d.example.id for d in got(way, base).drafts) for way in ways[:3]]
    assert found == [["1", "b:2", "b:3"]] * 3
    assert got("faq", base).notes == ["faq: 1 files that hold no rows are left out (first: about.md)."]
    assert "about.md: .md files hold documents, not examples." in " ".join(said(got(ways[3], base)))


def test_sheets_of_a_workbook_are_tables(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Calls"
    for row in [[], ["question", "answers", "n"], ["May I?", 7, 0.5], [], ["Shall I?", "Yes"], ["A", "B", 1, "over"]]:
        book.active.append(row)
    notes = book.create_sheet("Notes")
    notes.append(["written by hand"])
    notes.append(["yesterday"])
    hidden = book.create_sheet("Hidden")
    hidden.append(["question", "answers"])
    hidden.append(["Secret?", "No"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "book.xlsx")
    made = got("book.xlsx", tmp_path)
    assert [(d.example.question, d.example.targets, d.file, d.place) for d in made.drafts] == [
        ("May I?", ("7",), "book.xlsx/Calls", "row 2"),
        ("Shall I?", ("Yes",), "book.xlsx/Calls", "row 4"),
    ] or [d.place for d in made.drafts] == ["row 3", "row 5"]
    assert any("book.xlsx/Calls, row" in p and "column without a name" in p for p in said(made))
    assert any(p.startswith("book.xlsx/Notes: is left out: its columns (written by hand)") for p in said(made))
    assert [d.example.question for d in got("book.xlsx/Calls", tmp_path).drafts] == ["May I?", "Shall I?"]
    assert said(got("book.xlsx/Prices", tmp_path)) == ["book.xlsx: has no sheet 'Prices'. It has Calls, Notes."]


def test_tables_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as made:
        made.writestr("x/faq.csv", "question,answers\nWhat now?,Wait\n")
        made.writestr("../../out.jsonl", '{"question": "Why?", "answers": "Because"}\n')
        made.writestr("read.md", "a text")
    rows = got("all.zip", tmp_path)
    assert {(d.file, d.example.question) for d in rows.drafts} == {
        ("all.zip/x/faq.csv", "What now?"),
        ("all.zip/out.jsonl", "Why?"),
    }
    assert [d.example.question for d in got("all.zip/x/faq.csv", tmp_path).drafts] == ["What now?"]
    assert not list(tmp_path.parent.glob("out.jsonl"))
    (tmp_path / "torn.zip").write_bytes((tmp_path / "all.zip").read_bytes()[:60])
    with zipfile.ZipFile(tmp_path / "spoilt.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("faq.csv", "question,answers\nWhat now?,Wait\n" * 9)
    packed = bytearray((tmp_path / "spoilt.zip").read_bytes())
    packed[37:50] = b"\xff" * 13  # behind the header of 30 bytes and the name of 7
    (tmp_path / "spoilt.zip").write_bytes(packed)
    assert "spoilt.zip: is not a zip archive" in said(got("spoilt.zip", tmp_path))[0]
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("big.csv", b"0" * 80_000_000)
    both = got(["torn.zip", "bomb.zip"], tmp_path)
    assert not both.drafts
    assert "torn.zip: is not a zip archive" in said(both)[0]
    assert "bomb.zip: unpacks to 1 files of 80 MB." in said(both)[1]


def test_conflicts_are_told_by_place_and_never_by_what_rows_say(tmp_path: Path) -> None:
    table(
        tmp_path / "a.csv", ["id", "question", "answers", "price"], [1, "How long?", "14 days", 2], [2, "Who?", "I", 3]
    )
    table(tmp_path / "b.csv", ["id", "question", "answers", "price"], [1, "What?", "That", "free"],
          [3, "How long?", "30 days", 1], [2, "Who?", "I", 3])  # fmt: skip
    made = got(["b.csv", "a.csv"], tmp_path)
    assert said(made) == [
        "b.csv, line 2: has the id '1' of a.csv, line 2, and is another row. Give one of them another id; here it got "
        "the name of its table.",
        "b.csv, line 3: asks the same as a.csv, line 2, and is answered otherwise. Mend or remove one of the two.",
        "b.csv, line 2: the column 'price' holds text, and number in a.csv, line 2. Write them alike, or name one of "
        "them anew.",
    ]
    assert [(d.file, d.place, d.reason) for d in made.dropped] == [("b.csv", "line 4", "is the same as a.csv, line 3")]
    assert sorted(d.example.id for d in made.drafts) == ["1", "2", "3", "b.csv:1"]


def test_everything_that_is_missing_is_said_at_once(base: Path) -> None:
    made = got(["faq/c.csv", "more/*.csv", "faq/a.csv", "faq/about.md", "hf:no/such"], base)
    assert not made.drafts, "another data set than was asked for is none"
    assert [p.partition(". ")[0] for p in said(made)] == [
        "faq/c.csv: there is no such file",
        "more/*.csv: no file fits this pattern",
        "faq/about.md: .md files hold documents, not examples",
        "hf:no/such: is not in the caches of this machine (hub and datasets of Hugging Face)",
    ]
    wrong = got(["faq/a.csv", OTHER], base, source="nobody")
    assert said(wrong) == [
        "data.columns: source: no table has a column 'nobody'. Mend the name, or give the table that has it columns of "
        "its own."
    ]


def test_the_order_of_tables_is_no_other_split(tmp_path: Path) -> None:
    for name in "abc":
        rows = [[f"What is {name}{i}?", f"answer {name}{i}"] for i in range(20)]
        table(tmp_path / f"{name}.csv", ["question", "answers"], *rows)
    splits = []
    for given in (["a.csv", "b.csv", "c.csv"], ["c.csv", "a.csv", "b.csv"], "*.csv"):
        folder = data.prepare(Data(examples=given, split=SPLIT), tmp_path, tmp_path / "store")
        made = data.load(folder)
        splits.append(({e.question for e in made.train}, {e.question for e in made.dev}, made.seal.questions))
        assert Counter(t["used"] for t in made.facts["tables"]) == {20: 3}
    assert splits[0] == splits[1] == splits[2]
    again = data.prepare(Data(examples="*.csv", split=SPLIT), tmp_path, tmp_path / "store")
    assert again == folder
    page = render(profile(made), "x", "", {})
    assert "<h2>Tables</h2>" in page
    assert "<td>b.csv</td><td>examples</td><td>20</td><td>20</td><td>0</td>" in page
    (found,) = trace(folder, made.train[0].id, tmp_path)
    assert found["as_read"] == found["text"]
    table(tmp_path / "d.csv", ["question", "answers"], ["New?", "yes"])
    assert data.prepare(Data(examples="*.csv", split=SPLIT), tmp_path, tmp_path / "store") != folder


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("oos_val", "dev"), ("train-00000-of-00002", "train"), ("Validation", "dev"), ("contest", ""),
     ("train_test", ""), ("test2024", ""), ("test_2024", "test"), ("", "")],
)  # fmt: skip
def test_names_of_splits(name: str, split: str) -> None:
    assert split_of(name) == split


def test_splits_that_a_data_set_brings_are_kept(tmp_path: Path) -> None:
    lists = {s: [[f"{s} text {i}", f"c{i % 2}"] for i in range(20)] for s in ("train", "val", "oos_test")}
    (tmp_path / "full.json").write_text(json.dumps(lists), encoding="utf-8")
    given = Data(examples="full.json")
    made = data.load(data.prepare(given, tmp_path, tmp_path / "store"))
    assert (len(made.train), len(made.dev), made.seal.n) == (20, 20, 20)
    assert {e.question.split()[0] for e in made.dev} == {"val"}
    assert any("train 20, dev 20, test 20" in n and "own: false" in n for n in made.notes)
    anew = data.load(data.prepare(Data(examples="full.json", split={"own": False}), tmp_path, tmp_path / "store"))
    assert anew.seal.n == 9
    alone = got("full.json/val", tmp_path)
    assert [d.example.meta["split"] for d in alone.drafts] == ["val"] * 20
    assert said(got("full.json/eval", tmp_path)) == ["full.json: holds no rows of 'eval'. It has oos_test, train, val."]


def test_lists_of_objects_by_split(tmp_path: Path) -> None:
    lists = {s: [{"question": f"{s} {i}?", "answers": "x"} for i in range(2)] for s in ("train", "test")}
    (tmp_path / "q.json").write_text(json.dumps(lists), encoding="utf-8")
    own = own_splits(got("q.json", tmp_path))
    assert own is not None
    assert {k: [d.example.question for d in v] for k, v in own.items()} == {
        "train": ["train 0?", "train 1?"], "dev": [], "test": ["test 0?", "test 1?"]}  # fmt: skip


def test_a_set_without_dev_has_it_cut_from_train(tmp_path: Path) -> None:
    for split, n in (("train", 40), ("test", 10)):
        rows = [[f"{split} asks for {i}", f"c{i % 2}"] for i in range(n)]
        table(tmp_path / "set" / f"{split}.csv", ["text", "label"], *rows)
    made = data.load(data.prepare(Data(examples="set", split={"by": "row"}), tmp_path, tmp_path / "store"))
    assert (len(made.train), len(made.dev), made.seal.n) == (33, 7, 10)  # 40 * .70 / .85 = 32.9


def test_saved_splits_and_the_layout_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    def rows(split: str, n: int = 2) -> Any:
        return pyarrow.Table.from_pylist([{"question": f"{split} {i}?", "answers": ["x"]} for i in range(n)])

    hub = tmp_path / "cache" / "hub" / "datasets--org--faq" / "snapshots" / "1"
    (hub / "data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        pyarrow.parquet.write_table(rows(split), hub / "data" / f"{split}-00000-of-00001.parquet")
        folder = tmp_path / "saved" / split
        folder.mkdir(parents=True)
        with pyarrow.OSFile(str(folder / "data-0.arrow"), "wb") as out, pyarrow.ipc.new_stream(
                out, rows(split).schema) as stream:  # fmt: skip
            stream.write_table(rows(split))
        (folder / "state.json").write_text('{"_data_files": [{"filename": "data-0.arrow"}]}')
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train", "validation", "test"]}')
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    for given in ("saved", str(hub), "hf:org/faq"):
        own = own_splits(got(given, tmp_path))
        assert own is not None, given
        assert {k: [d.example.question.split()[0] for d in v] for k, v in own.items()} == {
            "train": ["train"] * 2, "dev": ["validation"] * 2, "test": ["test"] * 2}  # fmt: skip
    assert [d.example.question for d in got("hf:org/faq/validation", tmp_path).drafts] == [
        "validation 0?",
        "validation 1?",
    ]
    card = "---\nconfigs:\n- config_name: default\n"
    card += "  data_files:\n  - split: train\n    path: data/t*.parquet\n---\n# Faq\n"
    (hub / "README.md").write_text(card)
    assert len(got(str(hub), tmp_path).drafts) == 4, "the card says which files there are, and of which split"
    (hub / "README.md").write_text(card.replace("data/t*", "../../x"))
    assert "its card names files outside of it." in said(got(str(hub), tmp_path))[0]


@pytest.mark.parametrize(
    ("given", "why"),
    [([], "the list is empty"), (3, "write a file, or a list of files"), ([{"path": "x"}], "a table has no key 'path'"),
     ([{"columns": {}}], "each of the list is a file"), ([["x"]], "each of the list is a file")],
)  # fmt: skip
def test_what_is_no_list_of_tables(given: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Data(examples=given)


def test_rows_of_other_jobs_are_kept_apart_and_held_against_the_test(tmp_path: Path) -> None:
    rows = [[f"What is number {i}?", f"answer {i}"] for i in range(40)]
    table(tmp_path / "q.csv", ["question", "answers"], *rows)
    general = [[f"Tell me about topic {i} please", "text"] for i in range(10)]
    table(tmp_path / "general.csv", ["question", "answers"], *general, *rows)
    given = Data(examples="q.csv", replay="general.csv", split=SPLIT)
    made = data.load(data.prepare(given, tmp_path, tmp_path / "store"))
    assert {e.question for e in made.replay} >= {g[0] for g in general}
    judged = {e.question for e in (*made.dev, *data.load_sealed(made.seal))}
    assert not judged & {e.question for e in made.replay}
    assert not any(e.meta.get("replay") for e in (*made.train, *made.dev))
    assert made.facts["replay"] == {"general.csv": len(made.replay)}
