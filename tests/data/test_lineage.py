"""Lineage: each row and document says where it comes from and what was done to it, and none of them its text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sharpen import data
from sharpen.data.lineage import LINEAGE, Lineage, file_of, lines_of
from sharpen.data.sealing import seal
from sharpen.errors import UserError
from sharpen.inputs import Data
from sharpen.types import silent

SPLIT = {"train": 0.5, "dev": 0.25, "test": 0.25}
ANSWERS = ("under a blue moon", "by the old mill", "with a brass key")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """12 sources with 3 questions each, one row that is broken, one that stands there twice, one of a person."""
    folder = tmp_path / "case"
    (folder / "docs").mkdir(parents=True)
    rows: list[str] = []
    for s in range(12):
        text = "\n\n".join(f"Thing {s}{i} is found {ANSWERS[i]}." for i in range(3))
        (folder / "docs" / f"s{s}.md").write_text(f"# Of {s}\n\n{text}\n\nAsk help@example.com.\n")
        for i in range(3):
            row = {
                "id": f"q{s}-{i}",
                "question": f"Where is thing {s}{i}?",
                "answers": ANSWERS[i],
                "source": f"s{s}.md",
            }
            row |= {"evidence": ANSWERS[i]} if i == 0 else {}
            row |= {"confirmed_by": ["ada"], "confirmed_at": "2026-01-02"} if i == 1 else {}
            row |= {"question": f"Where is thing {s}{i}, asks me@example.org of you@example.org?"} if i == 2 else {}
            rows.append(json.dumps(row))
    rows.insert(3, '{"question": "cut sh')
    rows.append(rows[0])
    (folder / "q.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def settings(**more: Any) -> Data:
    return Data(**{"examples": "q.jsonl", "documents": "docs", "split": SPLIT, **more})


def prepared(given: Data, base: Path, store: Path) -> Path:
    """In this process: what the other one would do."""
    return Path(seal(given, base, store, silent)["folder"])


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in lines_of(folder)}


def test_every_row_and_document_is_there_with_what_was_done_to_it(base: Path, tmp_path: Path) -> None:
    folder = prepared(settings(privacy={"how": "mask"}, near_duplicates=1.0), base, tmp_path / "store")
    made, found = data.load(folder), lines(folder)
    assert len(found) == len(lines_of(folder)) == 38 + 12
    of = {e.id: name for name, part in (("train", made.train), ("dev", made.dev)) for e in part}
    of |= {e.id: "test" for e in data.load_sealed(made.seal)}
    assert {i: line["split"] for i, line in found.items() if line["split"]} == of
    plain, known, asked = found["q0-0"], found["q0-1"], found["q0-2"]
    assert plain["file"] == "q.jsonl"
    assert plain["place"] == "line 1"
    assert plain["source"] == "s0.md"
    assert plain["steps"] == [
        {"by": "reader jsonl", "rule": "", "did": "read"},
        {"by": "linking", "rule": "its answer stands in a document", "did": "marked", "n": 1},
    ]
    assert known["who"]["confirmed_by"] != ["ada"], "where personal data are not wanted, theirs are none either"
    assert asked["steps"][-1] == {"by": "privacy", "rule": "EMAIL", "did": "masked", "n": 2}
    assert "who" not in asked
    broken, again = found["q.jsonl, line 4"], found["q.jsonl, line 38"]
    assert (broken["split"], broken["steps"][-1]["did"]) == ("", "dropped")
    assert again["steps"][-1] == {"by": "reader jsonl", "rule": "is the same as line 1", "did": "dropped"}
    document = found["s3.md"]
    assert (document["kind"], document["file"]) == ("document", "s3.md")
    assert [s["by"] for s in document["steps"]] == ["reader markdown", "privacy"]


def test_it_holds_no_text_and_says_who_confirmed_a_row(base: Path, tmp_path: Path) -> None:
    folder = prepared(settings(), base, tmp_path / "store")
    assert lines(folder)["q0-1"]["who"] == {"confirmed_by": ["ada"], "when": "2026-01-02"}
    said = (folder / LINEAGE).read_text()
    for e in data.load_sealed(data.load(folder).seal):
        assert e.question not in said
        assert e.targets[0] not in said


def test_content_is_a_hash_of_the_row_without_its_id(base: Path, tmp_path: Path) -> None:
    folder = prepared(settings(), base, tmp_path / "store")
    row = json.loads((folder / "train.jsonl").read_text().split("\n")[0])
    name = row.pop("id")
    text = json.dumps(row, sort_keys=True, ensure_ascii=False).encode()
    assert lines(folder)[name]["content"] == hashlib.sha256(text).hexdigest()[:16]


def test_a_leak_is_told_by_its_rule(base: Path, tmp_path: Path) -> None:
    rows = (base / "q.jsonl").read_text().splitlines()
    more = [{**json.loads(rows[0]), "id": f"again{s}", "source": f"s{s}.md", "evidence": None} for s in range(1, 12)]
    (base / "q.jsonl").write_text("\n".join([*rows, *map(json.dumps, more)]))
    folder = prepared(settings(), base, tmp_path / "store")
    gone = [line for line in lines(folder).values() if line["steps"][-1]["by"] == "leaks"]
    assert len(gone) == sum(data.load(folder).facts["leaks"].values()) > 0
    for line in gone:
        assert line["split"] == line["content"] == ""
        assert line["steps"][-1]["rule"].startswith("the same words as a ")


@pytest.mark.parametrize("name", ["sealed/lineage.jsonl", "sealed/origin.jsonl", "dev.jsonl", "documents.jsonl"])
def test_a_changed_byte_is_said_before_anything_is_trained_on(base: Path, tmp_path: Path, name: str) -> None:
    folder = prepared(settings(), base, tmp_path / "store")
    held = bytearray((folder / name).read_bytes())
    held[len(held) // 2] ^= 1
    (folder / name).write_bytes(bytes(held))
    with pytest.raises(UserError, match=r"was changed after it was prepared"):
        data.load(folder)
    again = prepared(settings(), base, tmp_path / "store")  # which makes it anew
    assert again == folder
    assert data.load(folder).train


def test_documents_made_of_contexts_and_files_that_hold_nothing_are_told(base: Path, tmp_path: Path) -> None:
    (base / "docs" / "empty.md").write_text(" ")
    found = lines(prepared(settings(), base, tmp_path / "store"))
    assert found["empty.md"]["steps"][-1] == {"by": "reader", "rule": "nothing was read", "did": "dropped"}
    rows = [
        {"question": f"Is {i} odd?", "answers": "yes" if i % 2 else "no", "context": f"{i}: yes or no."}
        for i in range(60)
    ]
    (base / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = lines_of(prepared(settings(documents=None), base, tmp_path / "store"))
    documents = [line for line in made if line["kind"] == "document"]
    assert len(documents) == 60
    assert {line["steps"][0]["did"] for line in documents} == {"made"}


def test_one_file_named_for_two_splits_has_a_line_for_each_row_of_each(base: Path, tmp_path: Path) -> None:
    rows = [{"question": f"Number {i}?", "answers": str(i)} for i in range(20)]
    (base / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (base / "b.jsonl").write_text("\n".join(json.dumps({"question": f"Word {i}?", "answers": "x"}) for i in range(20)))
    made = Data(train="b.jsonl", dev="a.jsonl", test="a.jsonl")
    found = data.examine(made, base, tmp_path / "store")
    assert found.folder is None, "all of dev is in test, and leaks leave nothing of it"
    lineage = Lineage()
    for _ in range(2):
        lineage.read("r", "a.jsonl", "line 1", "jsonl")
    lineage.named(("a.jsonl", "line 1"), "r")
    lineage.named(("a.jsonl", "line 1"), "r#dev")
    assert sorted(e.id for e in lineage.entries) == ["r", "r#dev"]


def test_what_nobody_read_is_passed_over() -> None:
    lineage = Lineage()
    lineage.did("unknown", "cleaning", "rule")
    lineage.dropped(("a", "line 1"), "cleaning", "rule")
    assert lineage.entries == []


@pytest.mark.parametrize(
    ("source", "file"),
    [("a.md", "a.md"), ("box.zip/in/a.md", "box.zip"), ("in/a.md#2", "in/a.md"), ("made", "made")],
)
def test_the_file_of_a_document(source: str, file: str) -> None:
    assert file_of(source, dict.fromkeys(["a.md", "box.zip", "in/a.md"])) == file
