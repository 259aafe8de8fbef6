"""Preparing: the folder, what is said of the sealed split, and every problem at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from sharpen import data
from sharpen.data import sealing
from sharpen.errors import UserError
from sharpen.inputs import Data

SPLIT = {"train": 0.5, "dev": 0.2, "test": 0.3}


def write(path: Path, rows: list[Any]) -> None:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n", encoding="utf-8")


def question(source: int, i: int, **more: Any) -> dict[str, Any]:
    return {"question": f"What about {source} and {i}?", "answers": f"answer {i}", "source": f"s{source}.md", **more}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    (folder / "docs").mkdir(parents=True)
    for s in range(12):
        text = "\n\n".join(f"This is answer {i} of {s}." for i in range(6))
        (folder / "docs" / f"s{s}.md").write_text(text, encoding="utf-8")
    rows = [question(s, i, evidence=f"This is answer {i}") for s in range(12) for i in range(6)]
    write(folder / "q.jsonl", rows)
    return folder


def settings(**more: Any) -> Data:
    return Data(**{"examples": "q.jsonl", "documents": "docs", "split": SPLIT, **more})


def test_what_is_prepared_is_what_was_given(base: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    folder = data.prepare(settings(), base, tmp_path / "store", lambda stage, done, total: stages.append(stage))
    made = data.load(folder)
    test = data.load_sealed(made.seal)
    assert (len(made.train), len(made.dev), len(test), len(made.documents)) == (36, 12, 24, 12)
    assert made.seal.n == 24
    assert made.seal.cluster_sizes == (6, 6, 6, 6)
    assert made.seal.n_clusters == 4
    assert made.seal.n_with_gold == 24
    texts = {d.source: d.text for d in made.documents}
    for e in (*made.train, *made.dev, *test):
        (span,) = e.gold
        assert texts[span.source][span.start : span.end] == f"This is {e.targets[0]}"
    sources = [{e.source for e in split} for split in (made.train, made.dev, test)]
    assert not sources[0] & sources[1] | sources[0] & sources[2] | sources[1] & sources[2]
    assert len({e.id for e in (*made.train, *made.dev, *test)}) == 72
    assert not made.problems
    assert {"reading documents", "splitting", "looking for leaks", "writing"} <= set(stages)


def test_examples_survive_the_way_to_disk_and_back() -> None:
    from sharpen.types import Example, Message, Span

    call = {"name": "look", "arguments": {"q": "x"}}
    turns = (Message("user", "a\u2028b"), Message("assistant", "", (call,)), Message("tool", "t", (), "1"))
    example = Example("1", turns, ("x",), ("y",), ("l",), (Span("d", 1, 2),), False, "s", "g", 2.0, {"k": [1]})
    assert data.example_from(json.loads(json.dumps(data.example_row(example)))) == example


def test_the_same_inputs_give_the_same_folder_and_others_another(base: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = data.prepare(settings(), base, store)
    before = {p: p.stat().st_mtime_ns for p in first.rglob("*")}
    assert data.prepare(settings(), base, store) == first
    assert {p: p.stat().st_mtime_ns for p in first.rglob("*")} == before  # reused, not written again
    elsewhere = data.prepare(settings(), base, tmp_path / "other")
    assert elsewhere.name == first.name
    for path in (p for p in first.rglob("*") if p.is_file()):
        assert (elsewhere / path.relative_to(first)).read_bytes() == path.read_bytes()
    assert data.prepare(settings(split={**SPLIT, "seed": 1}), base, store) != first
    (base / "docs" / "s1.md").write_text("changed", encoding="utf-8")
    assert data.prepare(settings(), base, store) != first


def test_the_summary_holds_no_row_of_the_test_split(base: Path, tmp_path: Path) -> None:
    folder = data.prepare(settings(), base, tmp_path / "store")
    sealed = data.load_sealed(data.load(folder).seal)
    summary = (folder / "data.json").read_text(encoding="utf-8") + (folder / "dropped.jsonl").read_text(
        encoding="utf-8"
    )
    for e in sealed:
        assert e.question not in summary
        assert e.source not in summary
    facts = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    assert set(facts["test"]) == {
        "n",
        "cluster_sizes",
        "n_unanswerable",
        "n_with_gold",
        "came_about",
        "content",
        "questions",
    }


WATCHED = """
import json, sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from sharpen import data
from sharpen.inputs import Data
base, store = Path(sys.argv[1]), Path(sys.argv[2])
settings = Data.model_validate_json(sys.argv[3])
data.inspect(settings, base)
folder = data.prepare(settings, base, store)
made = data.load(folder)
assert len(made.train) and len(made.dev) and made.seal.n
before = [p for p in opened if p.endswith(("q.jsonl", "test.jsonl"))]
prepared = [p for p in opened if p.endswith("train.jsonl")]
rows = data.load_sealed(made.seal)
after = [p for p in opened if p.endswith(("q.jsonl", "test.jsonl"))]
held = [e for e in rows if any(e.question in str(x) for x in (made.train, made.dev, made.facts, made.notes))]
print(json.dumps([before, bool(prepared), [Path(p).name for p in after], len(rows), len(held)]))
"""


def test_the_study_never_opens_the_test_rows_before_the_seal_is_opened(base: Path, tmp_path: Path) -> None:
    """Every file that the process opens is recorded by the interpreter itself; the raw rows are not among them."""
    command = [sys.executable, "-c", WATCHED, str(base), str(tmp_path / "store"), settings().model_dump_json()]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, saw_train, after, n, held = json.loads(out)
    assert before == []
    assert saw_train  # the hook does see what is opened
    assert after == ["test.jsonl"]  # and sees the seal being opened
    assert n == 24
    assert held == 0


def test_a_sealed_file_that_was_changed_is_refused(base: Path, tmp_path: Path) -> None:
    made = data.load(data.prepare(settings(), base, tmp_path / "store"))
    with made.seal.path.open("a", encoding="utf-8") as f:
        f.write("\n")
    with pytest.raises(UserError, match="was changed"):
        data.load_sealed(made.seal)
    made.seal.path.unlink()
    with pytest.raises(UserError, match="is gone"):
        data.load_sealed(made.seal)


def test_a_prepared_folder_that_was_changed_is_refused(base: Path, tmp_path: Path) -> None:
    folder = data.prepare(settings(), base, tmp_path / "store")
    (folder / "train.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"train\.jsonl was changed"):
        data.load(folder)
    (folder / "data.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="not a folder of prepared data"):
        data.load(folder)
    with pytest.raises(UserError, match="not a folder of prepared data"):
        data.load(tmp_path)


def test_leaks_are_dropped_from_train_and_dev_and_counted(base: Path, tmp_path: Path) -> None:
    for name, rows in (
        ("train", [*[question(1, i) for i in range(10)], {"question": "WHAT about 3 and 4", "answers": "answer 4"}]),
        ("dev", [*[question(2, i) for i in range(10)], {"question": "what about 3 and 5?", "answers": "answer 5"}]),
        ("test", [question(3, i) for i in range(10)] + [question(4, i) for i in range(10)]),
    ):
        write(base / f"{name}.jsonl", rows)
    files = Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl")
    made = data.load(data.prepare(files, base, tmp_path / "store"))
    assert (len(made.train), len(made.dev), made.seal.n) == (10, 10, 20)
    assert made.facts["leaks"] == {"dev like test": 1, "train like test": 1}
    assert [(d.file, d.place, d.reason) for d in made.dropped] == [
        ("dev.jsonl", "line 11", "leak: the same words as a test question"),
        ("train.jsonl", "line 11", "leak: the same words as a test question"),
    ]


def test_pairs_that_are_kept_are_no_leaks_and_a_reason_reads_whole(base: Path, tmp_path: Path) -> None:
    fee = {"question": "What is the fee?", "source": "s1.md"}
    for name, rows in (
        (
            "train",
            [*[question(1, i) for i in range(10)], {**fee, "answers": "5 euros"}, question(1, 2), question(1, 3)],
        ),
        ("dev", [question(2, i) for i in range(10)]),
        ("test", [*[question(3, i) for i in range(10)], {**fee, "answers": "9 euros", "source": "s3.md"}]),
    ):
        write(base / f"{name}.jsonl", rows)
    files = Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl")
    made = data.load(data.prepare(files, base, tmp_path / "store"))
    assert (len(made.train), made.seal.n) == (11, 11)
    assert made.facts["leaks"] == {}
    assert made.facts["alike"] == {"train like test or dev, of another source and with another answer": 1}
    assert [d.reason for d in made.dropped] == ["is the same as line 3", "is the same as line 4"]
    assert made.facts["dropped"] == {"is the same as an earlier row": 2}


def test_labels_that_train_lacks_are_a_problem_with_their_names(base: Path, tmp_path: Path) -> None:
    for name, labels in (("train", "ab"), ("dev", "ab"), ("test", "abc")):
        write(
            base / f"{name}.jsonl",
            [{"text": f"{name} {label} {i}", "label": label} for label in labels for i in range(9)],
        )
    made = data.load(data.prepare(Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl"), base, tmp_path / "s"))
    assert [p.what for p in made.problems] == ["train lacks 1 labels of test: c."]
    assert made.labels == ("a", "b")
    assert made.facts["train"]["labels"] == {"a": 9, "b": 9}
    assert "labels" not in made.facts["test"]


def test_everything_that_is_wrong_is_said_at_once(base: Path, tmp_path: Path) -> None:
    rows: list[Any] = [question(s, i) for s in range(2) for i in range(6)]
    rows[4] = '{"question": "broken'
    write(base / "q.jsonl", [*rows, {"question": "", "answers": "x"}])
    (base / "docs" / "scan.pdf").write_bytes(b"%PDF-1.4")
    (base / "docs" / "empty.md").write_bytes(b"")
    said = [str(p) for p in data.inspect(settings(), base)]
    assert len([s for s in said if s.startswith("q.jsonl, line 5: is not JSON")]) == 1
    (pdf,) = [s for s in said if s.startswith("scan.pdf: is not a PDF")]
    assert pdf.endswith("(PDFium: Data format error). Open it and save it anew.")
    assert len([s for s in said if s.startswith("empty.md: is empty")]) == 1
    assert any("examples are left for test" in s or "examples are left for dev" in s for s in said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("", "is empty"),
        ("{}\n", "no known shape"),
        ('{"question": "", "answers": "x"}\n', "none of its rows can be used"),
        ("[1, 2", "not JSON"),
        ('{"qestion": "a", "answers": "b"}\n', "Did you mean data.columns: {question: qestion}?"),
        (
            '{"utterance": "a", "intent": "b"}\n',
            "'intent' is understood, but no column is 'text'. Did you mean data.columns: {text: utterance}?",
        ),
        (
            '{"Article": "c", "Question asked": "a", "Answer, expected": "b"}\n',
            "Did you mean data.columns: {question: Question asked, answer: 'Answer, expected'}?",
        ),
        (
            '{"question": "a", "who": "b", "when": "c"}\n',
            "'question' is understood, but no column is 'answers'. Say which it is: data.columns: {answers: theirs}.",
        ),
    ],
)
def test_examples_that_make_a_study_impossible(content: str | None, said: str, base: Path, tmp_path: Path) -> None:
    (base / "q.jsonl").unlink()
    if content is not None:
        (base / "q.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=said.replace("{", r"\{").replace("?", r"\?")):
        data.prepare(settings(), base, tmp_path / "store")
    assert not list((tmp_path / "store").glob("*"))
    assert any(said in str(p) for p in data.inspect(settings(), base))


def test_the_first_row_that_cannot_be_used_is_named_by_its_place(base: Path) -> None:
    (base / "q.json").write_text(json.dumps({"data": [{"question": "", "answers": "x"}]}), encoding="utf-8")
    (problem,) = data.inspect(settings(examples="q.json"), base)
    assert str(problem) == "q.json: none of its rows can be used. First: row 1, question is empty."


def test_a_name_that_is_none_is_said_once_for_all_files(base: Path) -> None:
    for name in ("train", "dev", "test"):
        write(base / f"{name}.jsonl", [question(1, 1)])
    files = Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl", columns={"wieght": "source"})
    assert [p.where for p in data.inspect(files, base)] == ["data.columns: wieght"]


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ("nowhere", "no such folder"),
        ("empty", "holds no document"),
        ("scans", "is not a PDF"),
        ("run", "is the folder of a run"),
    ],
)
def test_documents_that_give_nothing_stop_a_study(documents: str, said: str, base: Path, tmp_path: Path) -> None:
    """Arms that retrieve would be other arms under their names."""
    for name in ("empty", "scans"):
        (base / name).mkdir()
    (base / "scans" / "scan.pdf").write_bytes(b"%PDF-1.4")
    a_run(base / "run")
    with pytest.raises(UserError, match=said):
        data.prepare(settings(documents=documents), base, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert any(said in p.what for p in data.inspect(settings(documents=documents), base))


def a_run(folder: Path) -> None:
    """What a run leaves, as far as documents are concerned."""
    folder.mkdir(parents=True)
    for name in (".lock", "config.yaml"):
        (folder / name).write_text("x", encoding="utf-8")
    (folder / "report.html").write_text("<html><body><p>Test question 1? answer 1</p></body></html>", encoding="utf-8")


def test_reports_of_earlier_runs_are_no_documents(base: Path, tmp_path: Path) -> None:
    """They hold test questions beside the right answers, and would change the data from run to run."""
    (base / "page.html").write_text("<html><body><p>A page of ours.</p></body></html>", encoding="utf-8")
    (base / "docs" / "config.yaml").write_text("a: 1", encoding="utf-8")  # alone it marks nothing
    before = data.prepare(settings(documents="."), base, tmp_path / "before")
    a_run(base / "runs" / "first")
    a_run(base / "runs" / "second")
    after = data.prepare(settings(documents="."), base, tmp_path / "after")
    assert after.name == before.name
    made = data.load(after)
    assert {d.source for d in made.documents} == {"page.html", *(f"docs/s{s}.md" for s in range(12))}
    assert [n for n in made.notes if "run" in n] == [
        "runs/first: left out: it is the folder of a run.",
        "runs/second: left out: it is the folder of a run.",
    ]


def test_contexts_in_rows_are_documents_like_others(base: Path, tmp_path: Path) -> None:
    rows = [question(s, i, context=f"Text {s:02}. This is answer {i}.") for s in range(12) for i in range(6)]
    for row in rows:
        row["answers"] = {"text": [row["answers"]], "answer_start": [len("Text 00. This is ")]}
    write(base / "q.jsonl", rows)
    made = data.load(data.prepare(Data(examples="q.jsonl", split=SPLIT), base, tmp_path / "store"))
    texts = {d.source: d.text for d in made.documents}
    assert set(texts) == {f"s{s}.md" for s in range(12)}
    for e in (*made.train, *made.dev, *data.load_sealed(made.seal)):
        (span,) = e.gold
        assert texts[span.source][span.start : span.end] == e.targets[0]


def test_a_weight_of_nothing_is_refused_with_its_line(base: Path, tmp_path: Path) -> None:
    rows = [question(s, i) for s in range(12) for i in range(6)]
    rows[3]["weight"] = 0
    rows[4]["weight"] = 2
    write(base / "q.jsonl", rows)
    made = data.load(data.prepare(settings(), base, tmp_path / "store"))
    assert [(d.place, d.field) for d in made.dropped] == [("line 4", "weight")]
    weights = [e.weight for e in (*made.train, *made.dev, *data.load_sealed(made.seal))]
    assert sorted(weights) == [1.0] * 70 + [2.0]


def test_a_column_called_weight_is_said_to_weigh_and_can_be_passed_over(base: Path, tmp_path: Path) -> None:
    """It may hold the kilos of a parcel, and decided in silence."""
    weights = [(0.1, 50, 2)[i % 3] for i in range(72)]
    write(base / "q.jsonl", [question(i // 6, i % 6, weight=w) for i, w in enumerate(weights)])

    def made(**columns: str) -> data.Dataset:
        return data.load(data.prepare(settings(columns=columns), base, tmp_path / "store"))

    said = made().notes
    assert said == (
        "scores are weighted by the column weight, from 0.1 to 50. If that is not meant, have it passed over: "
        'data.columns: {weight: ""}.',
    )
    assert (made(weight="").notes, {e.weight for e in made(weight="").train}) == ((), {1.0})
    write(base / "q.jsonl", [{**question(i // 6, i % 6), "kilos": w} for i, w in enumerate(weights)])
    assert made().notes == ()
    assert made(weight="kilos").notes == (said[0].replace("column weight", "column kilos"),)
    write(base / "q.jsonl", [question(i // 6, i % 6, weight=3) for i in range(72)])
    assert made().notes == (), "where all weigh the same, none counts for more"


def test_one_single_source_cannot_be_split(base: Path, tmp_path: Path) -> None:
    write(base / "q.jsonl", [question(1, i) for i in range(40)])
    with pytest.raises(UserError, match="are left for test"):
        data.prepare(settings(), base, tmp_path / "store")


def splits_of(folder: Path, by: str, name: str = "q.jsonl") -> dict[str, str]:
    """The first letters of the splits by question, of a split that counts nothing as a leak but what is the same."""
    asked = Data(examples=name, near_duplicates=1.0, split={**SPLIT, "by": by, "seed": 7})
    made = data.load(data.prepare(asked, folder, folder / "store"))
    every = {"r": made.train, "e": made.dev, "t": data.load_sealed(made.seal)}
    return {e.question: letter for letter, rows in every.items() for e in rows}


PINNED = {
    "source": "errrttttrrrrrrrerrrretttrerrttetrrrteeeertttrerr",
    "row": "rrettrtrrrrrrtrtetrtrrrteeeterrtrtrrttrereerrret",
    "label": "reetterttrrrtttrrtrrrtretrrrtttrreeerrrreretrerr",
}


@pytest.mark.parametrize("by", PINNED)
def test_rows_with_ids_are_split_as_they_always_were(by: str, tmp_path: Path) -> None:
    """Another split would let yesterday's training rows into today's test."""
    belongs = [{"source": f"s{i // 4}"} if i % 5 else {} for i in range(48)]
    rows = [{"id": f"q{i}", "text": f"What is {i}?", "label": f"a{i % 3}", **belongs[i]} for i in range(48)]
    write(tmp_path / "q.jsonl", rows)
    found = splits_of(tmp_path, by)
    assert "".join(found[f"What is {i}?"] for i in range(48)) == PINNED[by]


@pytest.mark.parametrize("by", PINNED)
def test_neither_the_order_of_rows_nor_the_name_of_their_file_changes_the_split(by: str, tmp_path: Path) -> None:
    """Rows without ids are called by their file and line, and what a line holds changes with every export."""
    rows = [{"text": f"What is {i}?", "label": f"a{i % 3}"} for i in range(120)]
    write(tmp_path / "q.jsonl", rows)
    first = splits_of(tmp_path, by)
    assert len(first) == 120
    write(tmp_path / "export.jsonl", [rows[7 * i % 120] for i in range(120)])
    assert splits_of(tmp_path, by, "export.jsonl") == first
    made = data.read_examples(tmp_path / "export.jsonl", "export.jsonl")
    assert [d.example.id for d in made.drafts[:2]] == ["export:1", "export:2"], "given answers name them so"


@pytest.mark.parametrize("empty", [{}, {"source": ""}, {"source": None}], ids=["none", "empty", "null"])
def test_rows_without_a_source_among_others_are_counted(empty: dict[str, Any], tmp_path: Path) -> None:
    """Each is a cluster of its own, by which the smallest p falls: nobody would know."""
    rows = [{"question": f"What about {i}?", "answers": f"answer {i}", "source": f"s{i // 2}"} for i in range(60)]
    rows = [{**{k: v for k, v in r.items() if k != "source"}, **empty} if i % 4 == 0 else r for i, r in enumerate(rows)]
    write(tmp_path / "q.jsonl", rows)
    said = (
        "15 of 60 rows have no source; each is taken to stand alone, so what belongs together may be torn apart, and p "
        "values and intervals too small. Give each its source, or split by row (data.split: {by: row})."
    )
    asked = Data(examples="q.jsonl", near_duplicates=1.0, split=SPLIT)
    assert data.load(data.prepare(asked, tmp_path, tmp_path / "s")).notes == (said,)
    asked = Data(examples="q.jsonl", near_duplicates=1.0, split={**SPLIT, "by": "row"})
    assert data.load(data.prepare(asked, tmp_path, tmp_path / "s")).notes == ()
    for name, few in (("train", rows[:30]), ("dev", rows[30:40]), ("test", rows[40:])):
        write(tmp_path / f"{name}.jsonl", few)
    asked = Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl", near_duplicates=1.0)
    assert said in data.load(data.prepare(asked, tmp_path, tmp_path / "s")).notes


def test_a_full_disk_is_said_and_leaves_nothing(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, rows: Any) -> str:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(sealing, "_write_lines", full)
    answer = tmp_path / "answer.json"
    request = {"data": [settings().model_dump(mode="json")], "base": str(base), "root": str(tmp_path / "store")}
    write(tmp_path / "request.json", [{**request, "answer": str(answer)}])
    sealing.main(str(tmp_path / "request.json"))
    (made,) = json.loads(answer.read_text(encoding="utf-8"))
    assert made["folder"] is None
    assert "No space left" in made["problems"][0]["what"]
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize(("place", "says"), [("store", "written"), ("store/data/x", "written"), ("docs", "read")])
def test_what_may_not_be_written_is_not_said_to_be_unreadable(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, says: str
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / place))

    monkeypatch.setattr(sealing, "seal", refused)
    request = {
        "data": [settings().model_dump(mode="json")],
        "base": str(base),
        "root": str(tmp_path / "store" / "data"),
    }
    write(tmp_path / "request.json", [{**request, "answer": str(tmp_path / "answer.json")}])
    sealing.main(str(tmp_path / "request.json"))
    (made,) = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    (problem,) = made["problems"]
    assert problem["what"] == f"cannot be {says}: Permission denied."
    assert ("SHARPEN_HOME" in problem["do"]) is (says == "written")


@pytest.mark.parametrize(
    "name", ["data.json", "train.jsonl", "sealed/test.jsonl", "test-questions.txt", "test-ids.txt"]
)
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"5", b"\xff", b"[" * 100_000])
def test_a_damaged_folder_is_prepared_anew(name: str, content: bytes | None, base: Path, tmp_path: Path) -> None:
    def prepare() -> dict[str, Any]:
        return sealing.seal(settings(), base, tmp_path / "store", lambda *_: None)

    made = prepare()
    path = Path(made["folder"]) / name
    whole = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    if name == "data.json":
        with pytest.raises(UserError, match="not a folder of prepared data"):
            data.load(Path(made["folder"]))
    again = prepare()
    assert (made.pop("spoilt"), again.pop("spoilt")) == ([], [name])
    assert again == made
    assert path.read_bytes() == whole
    assert data.load(Path(again["folder"])).train
    assert [p.name for p in (tmp_path / "store").iterdir()] == [path.relative_to(tmp_path / "store").parts[0]]


def test_that_prepared_data_were_changed_is_said(base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = data.prepare(settings(), base, tmp_path / "store")
    assert data.prepare(settings(), base, tmp_path / "store") == folder
    assert not caplog.records
    whole = (folder / "train.jsonl").read_bytes()
    (folder / "train.jsonl").write_bytes(whole[:50] + b"X" + whole[51:])
    data.prepare(settings(), base, tmp_path / "store")
    (said,) = [r.getMessage() for r in caplog.records]
    assert said.endswith(" were changed or damaged after they were written (train.jsonl), and were made anew.")
    assert (folder / "train.jsonl").read_bytes() == whole


FULL = """
import pathlib, sys
if "sharpen.data.sealing" in " ".join(sys.orig_argv):
    write = pathlib.Path.write_text
    def cut(self, text, **options):
        write(self, text[:9] if self.name == "answer.json" else text, **options)
        if self.name == "answer.json":
            raise OSError(28, "No space left on device")
    pathlib.Path.write_text = cut
"""


def test_no_room_for_the_answer_is_said(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "sitecustomize.py").write_text(FULL)
    with pytest.raises(UserError, match="temporary files cannot be written: the disk is full.*TMPDIR"):
        data.prepare(settings(), base, tmp_path / "store")


def test_no_folder_for_temporary_files_is_said(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: str) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refused)
    with pytest.raises(UserError, match="temporary files cannot be written: No usable"):
        data.prepare(settings(), base, tmp_path / "store")


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_worker_that_is_killed_is_said(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = tmp_path / "sitecustomize.py"
    reader.write_text("import os, sys\nif 'sharpen.data.sealing' in ' '.join(sys.orig_argv): os.kill(os.getpid(), 9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match="ended by signal 9"):
        data.prepare(settings(), base, tmp_path / "store")


def test_a_file_named_like_a_standard_module_is_not_imported(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "json.py").write_text("raise SystemExit('wrong json')", encoding="utf-8")
    monkeypatch.chdir(base)
    assert data.load(data.prepare(settings(), base, tmp_path / "store")).train


def test_huge_and_odd_fields_do_no_harm(base: Path, tmp_path: Path) -> None:
    rows: list[Any] = [question(s, i) for s in range(12) for i in range(6)]
    rows += [
        question(1, 90, question="x" * 10_000_000),
        question(1, 91, extra="y" * 10_000_000),
        '{"question": "lone \\ud800 and \\u0000 nul?", "answers": "\\udfff z", "source": "s1.md"}',
        "[" * 50_000 + "]" * 50_000,
        '{"question": ' + "[" * 500 + "]" * 500 + ', "answers": "x"}',
        question(1, 92, question="\u202eright to left 🦆 e\u0301", answers=["\u200b"]),
    ]
    write(base / "q.jsonl", rows)
    made = data.load(data.prepare(settings(), base, tmp_path / "store"))
    reasons = {d.place: d.reason for d in made.dropped}
    assert "10,000,000 characters" in reasons["line 73"]
    assert set(reasons) == {"line 73", "line 76", "line 77"}
    assert len(made.train) + len(made.dev) + made.seal.n == 75


def test_a_name_that_is_no_text_is_written_out(base: Path, tmp_path: Path) -> None:
    """Latin-1 names come out of old archives."""
    for name in (b"caf\xe9.md", b"left-out\xff.xyz", b"broken\xfe.pdf"):
        Path(os.fsdecode(os.fsencode(base / "docs") + b"/" + name)).write_bytes(b"Some text.")
    made = data.load(data.prepare(settings(), base, tmp_path / "store"))
    assert "caf\\xe9.md" in {d.source for d in made.documents}


@pytest.mark.parametrize("weight", [1e308, 1e-320])
def test_weights_that_no_sum_survives_are_dropped(weight: float, base: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (base / "q.jsonl").read_text().splitlines()]
    rows[0]["weight"] = weight
    (base / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    made = data.load(data.prepare(settings(), base, tmp_path / "store"))
    assert any("weights are from 1e-06 to 1e+06" in d.reason for d in made.dropped)


def test_a_class_with_one_example_is_told(tmp_path: Path) -> None:
    rows = [
        {"text": f"text {i} of {label} {i * 17}", "label": label}
        for i in range(30)
        for label in ("Track Order", "Refund")
    ]
    rows.append({"text": "where did it go", "label": "Track Ordr"})
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    wanted = Data(examples="q.jsonl", near_duplicates=1.0, split={**SPLIT, "by": "label"})
    notes = data.examine(wanted, tmp_path, tmp_path / "store").notes
    assert any("did you mean Track Order?" in n for n in notes), notes


def test_classes_that_differ_in_case_alone_are_named(tmp_path: Path) -> None:
    """Accuracy takes them for one class, and whoever learns them for two."""
    classes = ["billing", "BILLING", "gift card", "Gift  card", "refund"]
    rows = [{"text": f"text {i} is this", "label": classes[i % 5]} for i in range(100)]
    write(tmp_path / "q.jsonl", rows)
    asked = Data(examples="q.jsonl", near_duplicates=1.0, split={**SPLIT, "by": "label"})
    assert data.load(data.prepare(asked, tmp_path, tmp_path / "s")).notes == (
        "train has classes that differ in case or white space alone: BILLING and billing; Gift  card and gift card. "
        "accuracy takes them for one, everything else for two; write them alike.",
    )


def test_a_folder_that_may_not_be_read_is_said(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is root everywhere."""
    from sharpen.data import documents

    (base / "docs" / "more" / "closed").mkdir(parents=True)
    monkeypatch.setattr(documents.os, "access", lambda path, mode: Path(path).name != "closed")
    found = documents.read_documents(base / "docs")
    assert [str(p) for p in found.problems] == ["more/closed: is a folder that may not be read. Mend its permissions."]
    assert len(found.documents) == 12


def test_the_worker_ends_with_who_asked_for_it(tmp_path: Path) -> None:
    """A study that is killed leaves nothing that goes on reading."""
    program = (
        "import os, signal, subprocess, sys, time\n"
        "code = 'import time; from sharpen.data.sealing import _end_with_parent as f; f(); print(1, flush=True);'\n"
        "code += 'time.sleep(60)'\n"
        "worker = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE)\n"
        "worker.stdout.readline(); print(worker.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    worker = Path("/proc", done.stdout.strip(), "stat")
    deadline = time.monotonic() + 10
    while worker.exists() and worker.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker.exists() or worker.read_text().split()[2] == "Z"


def test_files_that_are_written_meanwhile_are_not_prepared(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read would lie under the name of what was there before."""
    reading = sealing.gather

    def slow(given: str, folder: Path, columns: Any) -> Any:
        found = reading(given, folder, columns)
        with (folder / given).open("a") as f:
            f.write(json.dumps(question(99, 1)) + "\n")
        return found

    monkeypatch.setattr(sealing, "gather", slow)
    made = sealing.seal(settings(), base, tmp_path / "store", lambda *_: None)
    assert made["folder"] is None
    assert "changed while they were read" in made["problems"][-1]["what"]
    monkeypatch.undo()
    assert sealing.seal(settings(), base, tmp_path / "store", lambda *_: None)["folder"]


def test_others_may_read_what_is_prepared(base: Path, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        made = sealing.seal(settings(), base, tmp_path / "store", lambda *_: None)
    finally:
        os.umask(before)
    assert Path(made["folder"]).stat().st_mode & 0o777 == 0o755


def test_ids_of_the_test_stay_what_they_are(tmp_path: Path) -> None:
    """Answers from elsewhere name them; those of train that are the same are called otherwise, and that is said."""
    for name, start, n in (("train", 0, 20), ("dev", 100, 10), ("test", 200, 15)):
        rows = [{"id": str(i), "question": f"What is {start + i}?", "answers": f"{i}"} for i in range(n)]
        write(tmp_path / f"{name}.jsonl", rows)
    files = Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl", near_duplicates=1.0, split={"by": "row"})
    made = data.load(data.prepare(files, tmp_path, tmp_path / "store"))
    assert [e.id for e in data.load_sealed(made.seal)] == [str(i) for i in range(15)]
    assert {e.id for e in made.train} == {f"{i}#train" for i in range(15)} | {str(i) for i in range(15, 20)}
    assert "15 ids of train are in another file, too; here they are called ID#train." in made.notes


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"by": "row"}, ()),
        (
            {"train": 0.2, "dev": 0.3, "test": 0.5, "by": "row", "seed": 7},
            ("train: 0.2, dev: 0.3, test: 0.5, seed: 7",),
        ),
        ({"by": "row", "seed": 2}, ("seed: 2",)),
    ],
)
def test_shares_and_a_seed_beside_three_files_are_said_to_do_nothing(
    split: dict[str, Any], said: tuple[str, ...], tmp_path: Path
) -> None:
    for name, start, n in (("train", 0, 20), ("dev", 100, 10), ("test", 200, 15)):
        rows = [{"id": f"{start + i}", "question": f"What is {start + i}?", "answers": f"{i}"} for i in range(n)]
        write(tmp_path / f"{name}.jsonl", rows)
    files = Data(train="train.jsonl", dev="dev.jsonl", test="test.jsonl", near_duplicates=1.0, split=split)
    made = data.load(data.prepare(files, tmp_path, tmp_path / "store"))
    told = tuple(f"data.split ({s}) does nothing: train, dev and test are files of their own." for s in said)
    assert made.notes == told
    assert (len(made.train), len(made.dev), made.seal.n) == (20, 10, 15)


def test_very_many_classes_of_one_example_are_counted_soon(tmp_path: Path) -> None:
    single = [{"text": f"text {i} is this", "label": f"a class called {i}"} for i in range(3000)]
    often = [{"text": f"other {i} {j} was that", "label": f"class named {i}"} for i in range(1500) for j in range(2)]
    write(tmp_path / "q.jsonl", [*single, *often])
    began = time.monotonic()
    data.examine(Data(examples="q.jsonl", near_duplicates=1.0, split={**SPLIT, "by": "row"}), tmp_path, tmp_path / "s")
    assert time.monotonic() - began < 30
