"""Answers are kept once, by what they depend on, and survive whatever happens to the process."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.models.fake import FakeModel
from sharpen.runtime import Answers, Engines, answer_all
from sharpen.runtime import cache as cache_file
from sharpen.runtime.cache import key_of
from sharpen.store import Store
from sharpen.testing import tiny_bench
from sharpen.types import (
    Answer,
    Completion,
    Example,
    Generate,
    Message,
    Passage,
    Prompt,
    Retriever,
    Shots,
    Span,
    System,
)

PROGRAM = System("fake:", prompt=Prompt("Be brief."))


def asked(n: int) -> Example:
    return Example(f"e{n}", (Message("user", f"question {n}"),))


class Counting(FakeModel):
    """A fake model that counts, and that fails where it is told to."""

    def __init__(self, fails: Sequence[str] = ()) -> None:
        super().__init__()
        self.fails = set(fails)
        self.asked: list[str] = []

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        for i, request in enumerate(requests):
            question = request.messages[-1].content
            self.asked.append(question)
            yield i, Completion("", finish="error", error="it broke.") if question in self.fails else Completion("yes")


def engines(model: Any, tmp_path: Path) -> Engines:
    return Engines(Store(tmp_path / "store"), lambda ref, adapters: model)


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    model, path = Counting(), tmp_path / "answers.sqlite"
    first = answer_all(PROGRAM, [asked(1), asked(2)], engines(model, tmp_path), Answers(path))
    again = answer_all(PROGRAM, [asked(2), asked(3), asked(1)], engines(model, tmp_path), Answers(path))
    assert model.asked == ["question 1", "question 2", "question 3"]
    assert again == [first[1], Answer("yes", "yes", completions=(Completion("yes"),)), first[0]]


def test_the_same_question_under_another_name_is_the_same(tmp_path: Path) -> None:
    model, path = Counting(), tmp_path / "answers.sqlite"
    answer_all(PROGRAM, [asked(1)], engines(model, tmp_path), Answers(path))
    renamed = dataclasses.replace(asked(1), id="other", targets=("x",), source="s")
    answer_all(PROGRAM, [renamed], engines(model, tmp_path), Answers(path))
    assert len(model.asked) == 1


def test_the_key_is_program_question_and_identity() -> None:
    base = key_of(PROGRAM, asked(1), "id")
    others = [
        key_of(dataclasses.replace(PROGRAM, adapters=("adapter:1",)), asked(1), "id"),
        key_of(dataclasses.replace(PROGRAM, prompt=Prompt("Be long.")), asked(1), "id"),
        key_of(PROGRAM, asked(2), "id"),
        key_of(PROGRAM, dataclasses.replace(asked(1), gold=(Span("d", 0, 1),)), "id"),
        key_of(PROGRAM, asked(1), "another engine"),
    ]
    assert len({base, *others}) == 6
    assert key_of(PROGRAM, asked(1), "id") == base


def test_another_answer_path_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = Counting(), tmp_path / "answers.sqlite"
    answer_all(PROGRAM, [asked(1)], engines(model, tmp_path), Answers(path))
    monkeypatch.setattr("sharpen.runtime.cache.code", lambda: "newer")
    answer_all(PROGRAM, [asked(1)], engines(model, tmp_path), Answers(path))
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    "name",
    [
        "runtime/answering.py",
        "metrics/parsing.py",
        "retrieval/index.py",
        "data/wording.py",
        "models/_decode.py",
        "models/_rank.py",
    ],
)
def test_the_answer_path_is_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    house = tmp_path / "sharpen"
    for room in ("runtime", "metrics", "models", "retrieval", "data"):
        shutil.copytree(Path(cache_file.__file__).parents[1] / room, house / room)
    before = cache_file.code()
    monkeypatch.setattr(cache_file, "__file__", str(house / "runtime" / "cache.py"))
    assert cache_file.code.__wrapped__() == before, "wherever they lie"
    with (house / name).open("a") as f:
        f.write("# changed")
    assert cache_file.code.__wrapped__() != before


def test_another_identity_is_asked_anew(tmp_path: Path) -> None:
    path, models = tmp_path / "answers.sqlite", [Counting(), Counting()]
    models[1].identity = "newer weights"
    for model in models:
        answer_all(PROGRAM, [asked(1)], engines(model, tmp_path), Answers(path))
    assert [len(m.asked) for m in models] == [1, 1]


@pytest.mark.parametrize(
    "searched", [{"retriever": Retriever("index:1", 1, "dense")}, {"shots": Shots("index:1", 3, "hybrid")}]
)
def test_who_embeds_the_questions_counts(tmp_path: Path, searched: dict[str, Any]) -> None:
    """Another query prompt of the embedding model finds other passages in the same index."""

    def identity(program: System, embedding: str) -> str:
        made = type("Embedding", (), {"identity": embedding})
        return Engines(Store(tmp_path), lambda ref, adapters: Counting(), made).identity_of(program)

    program = dataclasses.replace(PROGRAM, **searched)
    assert identity(program, "one") != identity(program, "another")
    words = dataclasses.replace(PROGRAM, retriever=Retriever("index:1", 1, "bm25"))
    assert identity(words, "one") == identity(words, "another") == identity(PROGRAM, "one") == Counting().identity


def test_errors_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    broken = Counting(fails=["question 1"])
    found = answer_all(PROGRAM, [asked(1), asked(2)], engines(broken, tmp_path), Answers(path))
    assert [a.error for a in found] == ["it broke.", None]
    mended = Counting()
    found = answer_all(PROGRAM, [asked(1), asked(2)], engines(mended, tmp_path), Answers(path))
    assert [a.text for a in found] == ["yes", "yes"]
    assert mended.asked == ["question 1"]


def test_what_was_done_before_a_crash_is_kept(tmp_path: Path) -> None:
    class Crashing(Counting):
        def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
            for i, done in super().generate(requests):
                if i == 2:
                    raise RuntimeError("the engine died")
                yield i, done

    path, questions = tmp_path / "answers.sqlite", [asked(n) for n in range(4)]
    with pytest.raises(RuntimeError, match="the engine died"):
        answer_all(PROGRAM, questions, engines(Crashing(), tmp_path), Answers(path))
    model = Counting()
    answer_all(PROGRAM, questions, engines(model, tmp_path), Answers(path))
    assert model.asked == ["question 2", "question 3"]


def test_an_answer_comes_back_whole(tmp_path: Path) -> None:
    answer = Answer(
        "ä \ud83d 漢",
        "raw",
        {"a": -1.5},
        (Passage("p", "text", Span("d", 1, 5), 0.25, {"noun": "x", "title": "T"}),),
        ("p",),
        ("finding",),
        (Completion("t", (1, 2), (-0.5, -0.25), 3, 1, 2, 0.1, 0.2),),
        0.2,
    )
    cache = Answers(tmp_path / "answers.sqlite")
    cache.put([("k", answer)])
    assert Answers(cache.path).get(["k", "unknown"]) == {"k": answer}


def test_more_keys_than_one_statement_takes(tmp_path: Path) -> None:
    cache = Answers(tmp_path / "a" / "answers.sqlite")
    cache.put([(f"k{i}", Answer(str(i))) for i in range(1234)])
    found = cache.get([f"k{i}" for i in range(1300)])
    assert len(found) == 1234
    assert found["k1233"].text == "1233"


@pytest.mark.parametrize(
    "spoil", ["not a database at all" * 100, "SQLite format 3\0" + "garbage" * 1000], ids=["text", "a broken header"]
)
def test_a_broken_file_is_a_sentence(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_text(spoil)
    with pytest.raises(UserError, match="Delete it; answers are then computed anew"):
        Answers(path).get(["k"])


@pytest.mark.parametrize(
    "row", ["{", "{}x", "5", "{}", "null", '{"noun": "Unknown"}', '{"noun": "Answer", "strange": 1}']
)
def test_a_broken_row_is_not_known_and_makes_room(tmp_path: Path, row: str) -> None:
    cache = Answers(tmp_path / "answers.sqlite")
    with sqlite3.connect(cache.path) as db:
        db.execute("INSERT INTO answers VALUES ('k', ?)", (row,))
    assert cache.get(["k"]) == {}
    cache.put([("k", Answer("anew"))])
    assert Answers(cache.path).get(["k"]) == {"k": Answer("anew")}


def test_a_folder_in_its_place_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be used") as e:
        Answers(tmp_path)
    assert "Delete" not in str(e.value)


def test_a_file_in_the_place_of_its_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        Answers(tmp_path / "store" / "answers.sqlite")


def test_a_file_in_use_is_not_to_be_deleted(tmp_path: Path) -> None:
    cache = Answers(tmp_path / "answers.sqlite")
    cache._db.execute("PRAGMA busy_timeout=1")
    with sqlite3.connect(cache.path, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="Wait until the other study is done") as e:
            cache.put([("k", Answer("x"))])
    assert "Delete" not in str(e.value)


def test_a_file_that_may_not_be_written_is_not_to_be_deleted(tmp_path: Path) -> None:
    cache = Answers(tmp_path / "answers.sqlite")
    cache._db.execute("PRAGMA query_only=1")  # root may write everything, so the database itself refuses
    with pytest.raises(UserError, match="you may write it") as e:
        cache.put([("k", Answer("x"))])
    assert "Delete" not in str(e.value)


FULL = """
import resource, signal, sys
from pathlib import Path
from sharpen.errors import UserError
from sharpen.runtime import Answers
from sharpen.types import Answer
cache = Answers(Path(sys.argv[1]))
cache.put([("small", Answer("x"))])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    cache.put([(f"k{i}", Answer("x" * 10_000)) for i in range(100)])
except UserError as e:
    print(e)
"""


def test_a_full_disk_is_a_sentence_and_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert "Free some space and run again." in done.stdout
    assert Answers(path).get(["small"])["small"].text == "x"
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


MANY = """
import sys
from pathlib import Path
from sharpen.runtime import Answers
from sharpen.types import Answer
who, path = sys.argv[1:]
sys.stdin.readline()
cache = Answers(Path(path))
for i in range(150):
    cache.put([(f"{who} {i}", Answer(who)), (f"shared {i}", Answer(who))])
"""


def test_several_processes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    children = [
        subprocess.Popen([sys.executable, "-c", MANY, who, str(path)], stdin=subprocess.PIPE, text=True)
        for who in ("one", "two", "three")
    ]
    for child in children:  # all begin together, on a file that is not there yet
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.close()
    assert [c.wait(60) for c in children] == [0, 0, 0]
    cache = Answers(path)
    for who in ("one", "two", "three"):
        assert len(cache.get([f"{who} {i}" for i in range(150)])) == 150
    assert len(cache.get([f"shared {i}" for i in range(150)])) == 150


SLOW = """
import sys, time
from pathlib import Path
from sharpen.models.fake import FakeModel
from sharpen.runtime import Answers, Engines, answer_all
from sharpen.store import Store
from sharpen.types import Completion, Example, Message, System

class Slow(FakeModel):
    def generate(self, requests):  # five at once, then a long pause, as a batch on an engine
        for i, _ in enumerate(requests):
            if i == 5:
                print("five", flush=True)
                time.sleep(60)
            yield i, Completion("yes")

root = Path(sys.argv[1])
engines = Engines(Store(root), lambda ref, adapters: Slow())
questions = [Example(f"e{n}", (Message("user", f"question {n}"),)) for n in range(9)]
answer_all(System("fake:"), questions, engines, Answers(root / "answers.sqlite"))
"""


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "five\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    model = Counting()
    questions = [asked(n) for n in range(9)]
    answer_all(System("fake:"), questions, engines(model, tmp_path), Answers(tmp_path / "answers.sqlite"))
    assert model.asked == [f"question {n}" for n in range(5, 9)]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    cache = Answers(tmp_path / "answers.sqlite")
    answer_all(PROGRAM, [asked(1)], engines(Counting(), tmp_path), cache)
    answer_all(PROGRAM, [asked(n) for n in range(3)], engines(Counting(), tmp_path), cache, told.append)
    assert told[0] == 1
    assert told[-1] == 3
    assert answer_all(PROGRAM, [], engines(Counting(), tmp_path), cache) == []


def test_the_cache_costs_little() -> None:
    bench = tiny_bench()
    program = bench.first("fake:")
    many = [
        dataclasses.replace(e, messages=(Message("user", f"{e.question} {n}"),)) for n in range(60) for e in bench.train
    ]
    before = time.process_time()
    fresh = bench.answer(program, many)
    middle = time.process_time()
    assert bench.answer(program, many) == fresh
    assert middle - before < 3 * len(many) / 1000
    assert time.process_time() - middle < 1 * len(many) / 1000
