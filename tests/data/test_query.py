"""Rows of a query: like those of a file, nothing written, secrets unsaid."""

from __future__ import annotations

import sqlite3
import sys
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from sharpen.data import survey
from sharpen.data.examples import examples_of, read_examples
from sharpen.data.query import read_query
from sharpen.data.reading import Row, content
from sharpen.errors import MissingExtra, Problem, UserError

pytest.importorskip("sqlalchemy")


@pytest.fixture
def url(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.db") as made:
        made.execute("CREATE TABLE faq (nr INTEGER, question TEXT, answer TEXT, price NUMERIC, day DATE)")
        rows = [(1, "How long?", "14 days", 2.5, "2025-06-01"), (2, "How much?", "5 EUR", None, None)]
        made.executemany("INSERT INTO faq VALUES (?, ?, ?, ?, ?)", rows)
    made.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_rows_are_like_those_of_a_file(url: str) -> None:
    found = list(read_query(url, "SELECT question, answer, price, day FROM faq ORDER BY nr"))
    assert found == [
        Row(1, {"question": "How long?", "answer": "14 days", "price": 2.5, "day": "2025-06-01"}, "row 1"),
        Row(2, {"question": "How much?", "answer": "5 EUR", "price": None, "day": None}, "row 2"),
    ]
    made = examples_of(read_query(url, "SELECT question, answer FROM faq ORDER BY nr", "faq"), "faq")
    assert [(d.example.id, d.example.targets, d.place) for d in made.drafts] == [
        ("faq:1", ("14 days",), "row 1"),
        ("faq:2", ("5 EUR",), "row 2"),
    ]


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM faq", "DROP TABLE faq", "-- SELECT\nDELETE FROM faq", "/* SELECT */ UPDATE faq SET nr = 1", "", "("],
)
def test_what_does_not_read_is_not_sent(query: str, url: str) -> None:
    with pytest.raises(UserError, match="is no query that reads"):
        read_query(url, query)


@pytest.mark.parametrize(
    "query", ["WITH x AS (SELECT 1) DELETE FROM faq", "WITH x AS (SELECT 1) INSERT INTO faq (nr) SELECT 9"]
)
def test_what_writes_behind_a_with_is_stopped_by_the_database(query: str, url: str) -> None:
    (problem,) = read_query(url, query)
    assert isinstance(problem, Problem)
    assert "readonly" in problem.what
    assert len(list(read_query(url, "(SELECT nr FROM faq)".strip("()")))) == 2


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT x FROM faq", "no such column: x"),
        ("SELECT nr, question AS nr FROM faq", "gives two columns called 'nr'"),
        ("SELECT 1; SELECT 2", "one statement"),
    ],
)
def test_what_the_database_says_is_a_sentence(query: str, said: str, url: str) -> None:
    (problem,) = read_query(url, query)
    assert isinstance(problem, Problem)
    assert said in problem.what
    assert problem.do


def test_addresses_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no address of a database"):
        read_query("shop", "SELECT 1")
    (problem,) = read_query(f"sqlite:///{tmp_path / 'gone.db'}", "SELECT 1")
    assert str(problem).startswith("query: there is no such database file.")
    assert not (tmp_path / "gone.db").exists()
    (problem,) = read_query("nosuch://me:hunter2@host/db", "SELECT 1")
    assert isinstance(problem, Problem)
    assert "hunter2" not in str(problem)


def test_rows_come_as_they_are_read() -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, hex(zeroblob(500)) AS y FROM n"
    tracemalloc.start()
    try:
        found = list(islice((r.fields["x"] for r in read_query("sqlite://", endless) if isinstance(r, Row)), 20_000))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == list(range(1, 20_001))
    assert most < 8_000_000  # all rows together hold 20 MB


def test_without_sqlalchemy_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"sharpen\[sql\]"):
        read_query("sqlite://", "SELECT 1")


def query(folder: Path, first: str, rest: str = "SELECT question, answer FROM faq ORDER BY nr") -> Path:
    file = folder / "faq.sql"
    file.write_text(f"{first}\n{rest}\n", encoding="utf-8")
    return file


def test_a_file_says_whom_to_ask(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", url)
    for first in ("-- url: sqlite:///shop.db", "--URL: env:SHOP", f"-- url: {url}"):
        made = read_examples(query(tmp_path, first), "faq.sql")
        assert [d.example.targets for d in made.drafts] == [("14 days",), ("5 EUR",)], first
        assert not made.problems


def test_what_a_file_lacks_is_said(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    wrong = {"SELECT 1": "which database", "-- url: env:NOWHERE": "NOWHERE", "-- url: sqlite:///none.db": "no such"}
    for first, said in wrong.items():
        (problem,) = read_examples(query(tmp_path, first), "faq.sql").problems
        assert said in str(problem)
    assert not (tmp_path / "none.db").exists()
    (problem,) = read_examples(query(tmp_path, f"-- url: {url}", "DELETE FROM faq"), "faq.sql").problems
    assert "no query that reads" in str(problem)


def test_other_rows_make_other_data_and_another_order_does_not(url: str, tmp_path: Path) -> None:
    first = content(query(tmp_path, f"-- url: {url}"))
    with sqlite3.connect(tmp_path / "shop.db") as made:
        made.execute("UPDATE faq SET nr = -nr")
    assert content(query(tmp_path, f"-- url: {url}")) == first  # ORDER BY nr: the other way round
    with sqlite3.connect(tmp_path / "shop.db") as made:
        made.execute("UPDATE faq SET answer = 'soon' WHERE nr = -1")
    made.close()
    assert content(query(tmp_path, f"-- url: {url}")) != first


def test_nobody_is_asked_by_looking_into_a_folder(url: str, tmp_path: Path) -> None:
    file = query(tmp_path, f"-- url: {url}")
    (found,) = [f for f in survey(tmp_path).files if f.name == "faq.sql"]
    assert found.refused
    assert "name it alone" in str(found.problems[0])
    (found,) = survey(file).files
    assert found.n == 2
