"""The annotation queue: decisions with who and when, several people, undo, export, and a kill."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from sharpen.data.labels.agreement import agreement
from sharpen.data.labels.queue import Item, Queue
from sharpen.errors import UserError

ITEMS = [
    Item("a", "where is it?", "On the shelf.", "shelf", "cloze", {"n": 1, "span": ["doc", 0, 5]}),
    Item("b", "who are you?"),
    Item("c", "ünï <b>", proposal="x"),
]


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    made = Queue(tmp_path / "queue.sqlite")
    assert made.add(ITEMS) == 3
    return made


def test_items_come_in_order_and_each_action_leaves_what_it_says(queue: Queue) -> None:
    assert queue.next("anna") == ITEMS[0]
    queue.decide("a", "anna", "accept")
    queue.decide("b", "anna", "edit", "a robot")
    assert queue.next("anna") == ITEMS[2]
    queue.decide("c", "anna", "refuse")
    assert queue.next("anna") is None
    assert [(d.item, d.action, d.value) for d in queue.decisions()] == [
        ("a", "accept", "shelf"),
        ("b", "edit", "a robot"),
        ("c", "refuse", None),
    ]
    assert all(datetime.fromisoformat(d.at).utcoffset().total_seconds() == 0 for d in queue.decisions())
    assert queue.progress("anna").done == {"accept": 1, "edit": 1, "refuse": 1, "skip": 0}


def test_adding_again_changes_nothing(queue: Queue) -> None:
    queue.decide("a", "anna", "accept")
    assert queue.add([Item("a", "another text"), Item("d", "new")]) == 1
    assert queue.item("a").text == "where is it?"
    assert len(queue.decisions()) == 1


def test_what_one_skips_another_gets(queue: Queue) -> None:
    queue.decide("a", "anna", "skip")
    assert queue.next("anna").id == "b"
    assert queue.next("ben").id == "a"
    queue.decide("a", "ben", "accept")
    assert queue.next("ben").id == "b"
    assert (queue.progress("anna").left, queue.progress("ben").left, queue.progress("cleo").left) == (2, 2, 2)


def test_two_people_on_each_item_and_their_agreement(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite", per_item=2)
    queue.add([Item(str(i), "t", proposal="yes") for i in range(3)])
    for id, who, action in (("0", "anna", "accept"), ("0", "ben", "accept"), ("1", "anna", "refuse")):
        queue.decide(id, who, action)
    assert queue.next("cleo").id == "1", "0 has two"
    assert queue.next("anna").id == "2"
    queue.decide("1", "ben", "edit", "no")
    queue.decide("2", "ben", "skip")
    ids, people, rows = queue.ratings()
    assert (ids, people) == (["0", "1", "2"], ["anna", "ben"])
    assert rows == [["yes", "yes"], ["\0refuse", "no"], [None, None]]
    assert agreement(rows, people).labelled_twice == 2


def test_undo_brings_the_item_back_and_keeps_the_row(queue: Queue) -> None:
    queue.decide("a", "anna", "accept")
    queue.decide("b", "ben", "edit", "z")
    assert queue.undo("anna") == ITEMS[0]
    assert queue.undo("anna") is None, "only one's own"
    assert queue.next("anna").id == "a"
    assert [d.who for d in queue.decisions()] == ["ben"]
    rows = sqlite3.connect(queue.path).execute("SELECT who, undone IS NULL FROM decisions").fetchall()
    assert rows == [("anna", 0), ("ben", 1)]


def test_deciding_again_replaces_ones_own_decision(queue: Queue) -> None:
    queue.decide("a", "anna", "accept")
    queue.decide("a", "anna", "edit", "table", "where is the lamp?")
    assert [(d.action, d.value, d.text) for d in queue.decisions()] == [("edit", "table", "where is the lamp?")]
    queue.decide("a", "anna", "edit", "chair", "where is it?")
    assert [(d.value, d.text) for d in queue.decisions()] == [("chair", None)], "the text did not change"


@pytest.mark.parametrize(
    ("id", "who", "action", "value", "said"),
    [
        ("zzz", "anna", "accept", None, "no item 'zzz'"),
        ("a", " ", "accept", None, "nobody"),
        ("a", "anna", "delete", None, "no action 'delete'"),
        ("b", "anna", "accept", None, "no proposal"),
        ("a", "anna", "edit", "  ", "edit to nothing"),
    ],
)
def test_mistakes_are_said_and_leave_nothing(
    queue: Queue, id: str, who: str, action: str, value: str | None, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        queue.decide(id, who, action, value)
    assert not queue.decisions()


def test_a_file_that_is_no_queue_is_said(tmp_path: Path) -> None:
    (tmp_path / "q").write_text("no database " * 100)
    with pytest.raises(UserError, match="cannot be used"):
        Queue(tmp_path / "q")


def test_export_holds_all(queue: Queue, tmp_path: Path) -> None:
    queue.decide("a", "anna", "edit", "le café\u2028")
    out = tmp_path / "out.jsonl"
    assert queue.export(out) == 3
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert rows[0]["meta"] == {"n": 1, "span": ["doc", 0, 5]}
    assert [(d["who"], d["action"], d["value"]) for d in rows[0]["decisions"]] == [("anna", "edit", "le café\u2028")]
    assert rows[2]["text"] == "ünï <b>"
    assert rows[2]["decisions"] == []
    assert not list(tmp_path.glob(".export-*"))


def test_threads_share_a_queue(tmp_path: Path) -> None:
    queue, other = Queue(tmp_path / "q.sqlite"), Queue(tmp_path / "q.sqlite")
    queue.add([Item(str(i), "t", proposal="p") for i in range(40)])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: (queue if i % 2 else other).decide(str(i), f"p{i % 3}", "accept"), range(40)))
    assert sorted(int(d.item) for d in queue.decisions()) == list(range(40))


WRITER = """
import sys
from pathlib import Path
from sharpen.data.labels.queue import Item, Queue
queue = Queue(Path(sys.argv[1]))
queue.add([Item(str(i), "t", proposal="p") for i in range(5000)])
for i in range(5000):
    queue.decide(str(i), "anna", "accept")
    print(i, flush=True)
"""


def test_a_kill_loses_no_decision(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(25)]
        os.kill(child.pid, signal.SIGKILL)
        told += [int(line) for line in child.stdout.read().split("\n")[:-1]]
    kept = [int(d.item) for d in Queue(path).decisions()]
    assert kept[: len(told)] == told
    assert len(kept) - len(told) <= 1, "written but not told yet"
