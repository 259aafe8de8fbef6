"""Documents out of rows: a query or a table gives texts with names."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from sharpen import data
from sharpen.data import read_documents
from sharpen.data.reading import Row
from sharpen.data.shelving import documents_of
from sharpen.inputs import Data
from sharpen.types import Document


def test_rows_of_one_name_are_one_document() -> None:
    rows = [
        Row(1, {"Source": "fees.md", "TEXT": "First.\r\nMore.", "title": "Fees"}),
        Row(2, {"Source": "fees.md", "TEXT": "Second."}),
        Row(3, {"Source": None, "TEXT": "No name."}, "row 3"),
        Row(4, {"Source": "empty", "TEXT": " "}),
    ]
    *found, first, second = documents_of(rows, "docs.sql")
    assert [str(getattr(f, "what", "")) for f in found] == ["1 rows without a text are left out."]
    assert first == Document("fees.md", "First.\nMore.\n\nSecond.", "Fees")
    assert second == Document("docs.sql/row 3", "No name.", "docs.sql/row 3")


def test_a_table_without_texts_says_how_to_name_them() -> None:
    (problem,) = documents_of([Row(1, {"a": 1, "b": "x"})], "t.csv")
    assert "t.csv: its columns (a, b) name no text. Call the column of the text text" in str(problem)


def test_a_query_gives_documents_and_their_change_another_study(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    made = sqlite3.connect(tmp_path / "shop.db")
    made.execute("CREATE TABLE pages (slug TEXT, body TEXT)")
    made.executemany("INSERT INTO pages VALUES (?, ?)", [(f"p{i}", f"Answer {i} stands here.") for i in range(12)])
    made.commit()
    (tmp_path / "docs.sql").write_text("-- url: sqlite:///shop.db\nSELECT slug AS source, body AS text FROM pages\n")
    rows = [
        {"question": f"What is the {i}?", "answers": f"Answer {i}", "source": f"p{i}", "evidence": f"Answer {i}"}
        for i in range(12)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    given = Data(examples="q.jsonl", documents="docs.sql")
    first = data.prepare(given, tmp_path, tmp_path / "store")
    found = data.load(first)
    assert [(d.source, d.text) for d in found.documents][:1] == [("p0", "Answer 0 stands here.")]
    assert all(e.gold for e in found.train)
    made.execute("UPDATE pages SET body = body || ' Newer.'")
    made.commit()
    made.close()
    assert data.prepare(given, tmp_path, tmp_path / "store") != first
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "docs.sql").write_text("-- url: sqlite:///shop.db\nSELECT 1\n")
    assert not read_documents(tmp_path / "folder").documents, "nobody has queries run by putting one into a folder"
