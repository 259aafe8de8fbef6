"""Many files into a folder of what is kept: what goes, why, and that the same comes of it on any engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.cli.main import main
from sharpen.data import read_documents, read_examples
from sharpen.data.bulk import Asked, Steps, clean_files, engines, read_steps
from sharpen.data.bulk.engines import spread
from sharpen.data.bulk.files import asking, clean_file, line
from sharpen.data.bulk.names import Names, written
from sharpen.data.bulk.together import cut
from sharpen.data.cleaning import Outcome, TextCleaner
from sharpen.errors import UserError

LEGAL = "This page is published by the office of forms and may be copied by anybody."


def page(n: int) -> str:
    """A document that is like no other, but for one sentence."""
    own = " ".join(f"word{n}x{k} and more{n}x{k}" for k in range(30))
    return f"# Page {n}\n\n{own}.\n\n{LEGAL}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "given"
    (here / "deep").mkdir(parents=True)
    for n in range(12):
        (here / f"page{n:02}.md").write_text(page(n))
    (here / "deep" / "copy.md").write_text(page(3).upper())
    (here / "deep" / "alike.md").write_text(page(4).replace("word4x7 ", "other "))
    (here / "cafe.txt").write_text("The CafÃ© is open on\u200b Mondays.\n  - indented stays")
    (here / "tiny.txt").write_text("Hm.")
    (here / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    with zipfile.ZipFile(here / "packed.zip", "w") as z:
        z.writestr("inner/note.md", "# Note\n\nA note that was packed with others.\n")
    rows = [
        {"question": "Was it the cafÃ©?", "answer": "The  cafÃ©"},
        {"question": "When?", "answer": "Monday", "id": "a"},
    ]
    rows += [{"question": "When?", "answer": "Monday", "id": "b"}, {"question": "When?", "answer": "Tuesday"}]
    (here / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows) + "{broken\n")
    (here / "more.csv").write_text("question,answer,id\nWhen?,Monday,c\nWho?,The  cook,d\n")
    return here


def dropped(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "dropped.jsonl").read_text().splitlines()]


def files(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def result(out: Path) -> dict[str, bytes]:
    """All that is written, but for who did it and how long that took."""
    made = files(out)
    report = json.loads(made["report.json"])
    assert set(report.pop("run")) == {"engine", "workers", "seconds", "seconds_of_files", "versions"}
    return {**made, "report.json": json.dumps(report).encode()}


def test_what_is_kept_and_what_is_not(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = clean_files([folder], out)
    why = {(d["file"], d["rule"]) for d in dropped(out)}
    assert why == {
        ("broken.pdf", "reading"),
        ("rows.jsonl", "reading"),
        ("tiny.txt", "quality.few_words"),
        ("page03.md", "duplicates.exact"),  # deep/copy.md comes before it
        ("page04.md", "duplicates.near"),
        ("rows.jsonl", "duplicates.exact"),
        ("", "sentences"),
    }
    by = {d["rule"]: d for d in dropped(out)}
    assert by["duplicates.near"]["of"] == "deep/alike.md"
    assert 0.8 <= by["duplicates.near"]["figure"] < 1
    assert by["duplicates.near"]["text"] == page(4)
    out_of = {d["text"]: d["figure"] for d in dropped(out) if d["rule"] == "sentences"}
    assert out_of == {LEGAL: 10, LEGAL.upper(): 1}  # it stays in deep/alike.md, which is the first
    documents = {d.source: d for d in read_documents(out / "kept" / "documents").documents}
    assert len(documents) == 12 - 2 + 2 + 2  # pages, the two copies, cafe.txt, the note in the archive
    assert documents["cafe.txt"].text == "The Café is open on Mondays.\n  - indented stays"
    assert documents["packed.zip/inner/note.md"].title == "Note"
    assert sum(LEGAL in d.text for d in documents.values()) == 1
    facts = made.facts
    assert (facts["documents"]["in"], facts["documents"]["kept"]) == (17, 14)
    assert (facts["rows"]["in"], facts["rows"]["kept"]) == (6, 4)
    assert facts["documents"]["rules"]["encoding.mojibake"] == 1
    assert facts["documents"]["characters"]["kept"] == sum(len(d.text) for d in documents.values())


def test_answers_stay_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    """The question is repaired; the answer, damaged as it is, is what a model shall learn."""
    out = tmp_path / "out"
    clean_files([folder], out)
    kept = [json.loads(line) for line in (out / "kept" / "rows" / "rows.jsonl").read_text().splitlines()]
    assert kept[0] == {"question": "Was it the café?", "answer": "The  cafÃ©"}
    assert kept[1:] == [{"question": "When?", "answer": "Tuesday"}]  # the others stand in more.csv, which comes first
    again = read_examples(out / "kept" / "rows" / "more.csv.jsonl", "more.csv.jsonl")
    assert [d.example.targets for d in again.drafts] == [("Monday",), ("The  cook",)]


def test_nothing_given_changes_and_nothing_else_is_left(folder: Path, tmp_path: Path) -> None:
    before = files(folder)
    clean_files([folder], tmp_path / "out")
    assert files(folder) == before
    assert {p.name for p in tmp_path.iterdir()} == {"given", "out", ".out.lock"}


def test_every_rule_can_be_left_out(folder: Path, tmp_path: Path) -> None:
    off = ["encoding", "normalise", "boilerplate", "quality.few_words", "duplicates", "sentences"]
    made = clean_files([folder], tmp_path / "out", Asked(read_steps(off=off)))
    assert {d["rule"] for d in dropped(tmp_path / "out")} == {"reading"}
    assert made.facts["documents"]["in"] == made.facts["documents"]["kept"] == 17
    kept = {d.source: d.text for d in read_documents(tmp_path / "out" / "kept" / "documents").documents}
    given_ = {d.source: d.text for d in read_documents(folder).documents}
    assert kept == given_


def test_two_processes_make_the_same(folder: Path, tmp_path: Path) -> None:
    clean_files([folder], tmp_path / "one", Asked(read_steps(spans=20)))
    clean_files([folder], tmp_path / "two", Asked(read_steps(spans=20), workers=2))
    assert result(tmp_path / "one") == result(tmp_path / "two")


@pytest.mark.full
def test_ray_makes_the_same(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    steps = read_steps(spans=20)
    clean_files([folder], tmp_path / "one", Asked(steps))
    clean_files([folder], tmp_path / "two", Asked(steps, "ray", 2))
    assert result(tmp_path / "one") == result(tmp_path / "two")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.full
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_ray_asks_nobody(folder: Path, tmp_path: Path) -> None:
    """No process of Ray's talks to another machine, not even to ask which cloud this is."""
    pytest.importorskip("ray")
    if subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    log = tmp_path / "calls"
    trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(log)]
    asked = ["data", "clean", str(folder), "--out", str(tmp_path / "out"), "--engine", "ray", "--workers", "2"]
    subprocess.run([*trace, sys.executable, "-m", "sharpen", *asked], check=True, capture_output=True, timeout=300)
    lines = [line for line in log.read_text().splitlines() if "AF_INET" in line]
    assert any("127.0.0.1" in line for line in lines), "it was traced"
    assert not [line for line in lines if not re.search(r"127\.0\.0\.1|\"::1\"|::ffff:127", line)]


def test_without_ray_a_sentence_says_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'sharpen\[ray\]'"):
        clean_files([folder], tmp_path / "out", Asked(engine="ray"))
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="no engine called 'spark'.*There are: local, ray"):
        clean_files([folder], tmp_path / "out", Asked(engine="spark"))
    with pytest.raises(UserError, match="0 workers"):
        clean_files([folder], tmp_path / "out", Asked(workers=0))


def test_a_stopped_run_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were cleaned are not read again; the result is that of a run that was not stopped."""
    out = tmp_path / "out"
    done: list[str] = []

    def stops(work: Any, jobs: Any, engine: str, workers: int) -> Iterator[Any]:
        for n, job in enumerate(jobs):
            if n == 5:
                raise KeyboardInterrupt
            yield work(job)

    monkeypatch.setattr("sharpen.data.bulk.running.spread", stops)
    with pytest.raises(KeyboardInterrupt):
        clean_files([folder], out)
    assert not out.exists()
    assert len(list((tmp_path / ".out.work").glob("*.json"))) == 5
    monkeypatch.undo()
    monkeypatch.setattr("sharpen.data.bulk.files.read_document", lambda p, n: done.append(n) or iter(()))
    clean_files([folder], out, Asked())
    assert not {"broken.pdf", "cafe.txt", "deep/alike.md", "deep/copy.md"}.intersection(done)
    assert "page00.md" in done


def test_what_is_there_is_not_done_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    first = clean_files([folder], out).facts
    assert clean_files([folder], out).facts == first  # its seconds, too
    (folder / "page00.md").write_text(page(77))
    assert clean_files([folder], out).facts["inputs"] != first["inputs"]
    assert "word77x0" in (out / "kept" / "documents" / "page00.md").read_text()
    (out / "kept" / "documents" / "page00.md").unlink()
    clean_files([folder], out)
    assert (out / "kept" / "documents" / "page00.md").exists()


def test_what_is_not_ours_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds something else"):
        clean_files([folder], tmp_path / "mine")
    with pytest.raises(UserError, match="lies within what is to be cleaned"):
        clean_files([folder], folder / "out")
    with pytest.raises(UserError, match="no such folder"):
        clean_files([tmp_path / "none"], tmp_path / "out")
    assert files(tmp_path / "mine") == {"thesis.txt": b"years of work"}


def test_two_folders_with_the_same_names(tmp_path: Path) -> None:
    for n, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.md").write_text(page(n))
    clean_files([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert {d.source for d in read_documents(tmp_path / "out" / "kept" / "documents").documents} == {"a/x.md", "b/x.md"}


def test_cleaners_that_learn_see_all_files(folder: Path, tmp_path: Path) -> None:
    """``lengths`` needs 20 texts: no file has so many, all of them have."""
    for n in range(12, 24):
        (folder / f"page{n}.md").write_text(page(n))
    (folder / "long.md").write_text(" ".join(f"long{k}" for k in range(60_000)))
    (folder / "page05.md").write_text(page(5) + "CafÃ©")
    steps = Steps.model_validate({"documents": {"cleaners": {"lengths": {}, "encoding": {}}}})
    for name, workers in (("one", 1), ("two", 2)):
        clean_files([folder], tmp_path / name, Asked(steps, workers=workers))
    assert [d["file"] for d in dropped(tmp_path / "one") if d["rule"] == "lengths.outlier_long"] == ["long.md"]
    assert "Café" in (tmp_path / "one" / "kept" / "documents" / "page05.md").read_text(), "a cleaner after it"
    assert result(tmp_path / "one") == result(tmp_path / "two")


def test_a_file_of_steps(tmp_path: Path) -> None:
    file = tmp_path / "steps.yaml"
    rows = "rows: {field: body, duplicates: off, cleaners: {normalise: {off: [unicode]}}}\nprivacy: off"
    file.write_text(f"documents: {{duplicates: exact, cleaners: {{quality: {{least: 9}}}}}}\n{rows}\n")
    steps = read_steps(file, off=["quality.letters"])
    assert steps.documents.cleaners == {"quality": {"least": 9, "off": ["letters"]}}
    assert (steps.documents.duplicates, steps.rows.field) == ("exact", "body")
    assert (steps.rows.duplicates, steps.rows.cleaners) == ("off", {"normalise": {"off": ["unicode"]}})
    clean_files([file], tmp_path / "out", Asked(steps))  # what was done is a file of steps itself
    assert read_steps(tmp_path / "out" / "steps.yaml") == steps
    assert list(read_steps(named=["markup"]).rows.cleaners) == ["markup"]
    for text, said in (
        ("documents: {dublicates: exact}", "Did you mean duplicates"),
        ("rows: {cleaners: {qualty: {}}}", "Did you mean quality"),
        ("rows: {cleaners: {quality: {leest: 2}}}", "leest"),
        ("documents: {near: 3}", "documents.near"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=said):
            read_steps(file)
    with pytest.raises(UserError, match="no such file.*steps.yaml"):
        read_steps(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="could be left out"):
        read_steps(off=["qualty"])
    with pytest.raises(UserError, match="has no rule 'few_word'"):
        read_steps(off=["quality.few_word"])


def test_personal_data_stand_in_no_file(tmp_path: Path) -> None:
    """Neither in what is kept nor in what is dropped nor in the report, whatever rule a text falls to."""
    here = tmp_path / "given"
    here.mkdir()
    told = "Write to ada@example.org about\u200b the card 4111 1111 1111 1111 before Monday, please."
    (here / "one.md").write_text(f"# One\n\n{told}\n")
    (here / "same.md").write_text(f"# One\n\n{told}\n")
    (here / "tiny.txt").write_text("ada@example.org")
    rows = [{"question": f"Who? {told}", "answers": ["bob@example.org"], "meta": {"by": "eve@example.org"}}]
    (here / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [*rows, *rows]))
    clean_files([here], tmp_path / "open")
    assert b"ada@example.org" in result(tmp_path / "open")["kept/documents/one.md"]
    clean_files([here], tmp_path / "out", Asked(Steps(privacy="mask")))
    made = files(tmp_path / "out")
    assert b"[EMAIL]" in made["kept/documents/one.md"]
    assert json.loads(made["kept/rows/rows.jsonl"])["answers"] == ["[EMAIL]"]
    assert {d["rule"] for d in dropped(tmp_path / "out")} == {"duplicates.exact", "quality.few_words"}
    for name, data in made.items():
        assert b"@example.org" not in data, name
        assert b"4111" not in data, name


def test_what_is_no_number_is_written_as_other_programs_read_it() -> None:
    row = {"a": float("nan"), "b": [1.5, {"c": (float("-inf"), 2)}], "d": "NaN"}
    assert json.loads(line(row), parse_constant=pytest.fail) == {"a": None, "b": [1.5, {"c": [None, 2]}], "d": "NaN"}


def test_the_field_that_asks() -> None:
    assert asking({"question": "q", "answer": "a"}) == "question"
    assert asking({"instruction": "i", "output": "o"}) == "instruction"
    assert asking({"text": "t", "label": "l"}) == "text"
    assert asking({"document": "d", "summary": "s"}) == "document"
    assert asking({"messages": [{"role": "user", "content": "q"}]}) == ""
    assert asking({"answer": "a", "title": "t"}) == ""


def test_runs_of_words_are_cut_at_white_space() -> None:
    text = "one two, three-four (five) six\nseven"
    assert cut(text, [(1, 4)]) == ("one (five) six\nseven", ["two, three-four"])
    assert cut(text, [(1, 3)]) == ("one three-four (five) six\nseven", ["two,"])  # three-four is not torn
    assert cut(text, [(0, 2), (4, 7)]) == ("three-four", ["one two,", "(five) six\nseven"])
    assert cut(text, [(0, 7)]) == ("", [text])


WEIRD = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@given(st.lists(st.lists(WEIRD, min_size=1, max_size=4).map("/".join), max_size=8))
@settings(deadline=None, max_examples=100)
def test_names_are_apart_and_inside(sources: list[str]) -> None:
    names = Names()
    made = [names.take(s, (".md",), ".md") for s in sources]
    low = [m.casefold() for m in made]
    assert len(set(low)) == len(made)
    for m in made:
        parts = m.split("/")
        assert all(p and p not in (".", "..") and not p.startswith((".", "~$")) for p in parts)
        assert all(len(p.encode()) < 255 for p in parts)
        assert m.lower().endswith(".md")
        assert not any("/".join(parts[:k]).casefold() in low for k in range(1, len(parts)))


LINES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=20)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Co", "Cn")) | st.just("\n"), max_size=80)


@given(st.sampled_from(["a.md", "b.txt", "c.pdf", "d/e.html"]), LINES, TEXTS)
@settings(deadline=None, max_examples=80)
def test_a_text_is_read_as_it_was_written(tmp_path_factory: Any, source: str, title: str, text: str) -> None:
    text = text.strip("\n\ufeff\ufffe")
    if not text.strip():
        return
    keep, suffix, content = written(source, title, text)
    folder = tmp_path_factory.mktemp("kept")
    path = folder / Names().take(source, keep, suffix)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content.encode())
    (found,) = read_documents(folder).documents
    assert found.text == text


def test_a_cleaner_that_fails_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(off: Any) -> TextCleaner:
        def texts(all_: Any) -> list[Outcome]:
            raise UserError("cannot go on.", "cleaner encoding")

        return TextCleaner(("x",), texts)

    monkeypatch.setattr("sharpen.data.cleaners.encoding.encoding", fails)
    with pytest.raises(UserError, match="cleaner encoding: cannot go on"):
        clean_files([folder], tmp_path / "out", Asked(read_steps(off=["encoding.x"])))
    assert not (tmp_path / "out").exists()


def test_the_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sharpen", "data", "clean", str(folder), "--out", str(tmp_path / "out"), "--off", "sentences"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    said = capsys.readouterr().out
    assert "19 of 20 files read" in said
    assert "documents: duplicates.near 1" in said
    assert "documents: encoding.mojibake 1" in said


def test_a_worker_that_is_killed_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a worker was ended by the system"):
        list(spread(os._exit, [9], "local", 2))
    assert clean_file.__module__ == "sharpen.data.bulk.files"  # a function of a module: what processes can be sent


@pytest.mark.full
def test_killed_and_begun_again(folder: Path, tmp_path: Path) -> None:
    """As a kill leaves it: no folder that looks whole, no process that goes on, and the same in the end."""
    for n in range(100, 1500):
        (folder / f"page{n}.md").write_text(page(n))
    clean_files([folder], tmp_path / "whole")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sharpen", "data", "clean", str(folder), "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(command, start_new_session=True)
    work = tmp_path / ".out.work"
    for _ in range(600):
        if work.exists() and len(list(work.glob("*.json"))) > 50:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert len(list(work.glob("*.json"))) > 50
    for _ in range(200):
        if not alive(process.pid):
            break
        time.sleep(0.05)
    assert not alive(process.pid), "workers went on"
    subprocess.run(command, check=True)
    assert result(out) == result(tmp_path / "whole")


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
