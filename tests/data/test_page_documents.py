"""Documents without examples have a page: counted by hand on a few files."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from sharpen.cli.main import main
from sharpen.data.page import render_shelf, shelf
from sharpen.data.page.shelf import shelf_remarks
from sharpen.errors import UserError

FEES = "The fee of an account is nine euros a month. It is charged to every customer on the first day of the month."
HOURS = (
    "The office opens at nine in the morning, and on Saturdays it is closed. Write to ann.smith@example.com for more."
)
GERMAN = "Das Konto kostet im Monat neun Euro. Die Gebühr wird am ersten Tag des Monats vom Konto abgebucht."


def write(folder: Path) -> Path:
    folder.mkdir()
    texts = {"fees.md": FEES, "again.md": FEES, "hours.txt": HOURS, "konto.md": GERMAN}
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "broken.docx").write_bytes(b"no such thing")
    return folder


def german(text: str) -> str:
    return "de" if "Konto" in text else "en"


def test_numbers_counted_by_hand(tmp_path: Path) -> None:
    folder = write(tmp_path / "docs")
    found = shelf(folder, lambda text: len(text.split()), 20, lambda texts: {"EMAIL": 1}, german)
    assert (found["documents"], found["files"], found["refused"]) == (4, 5, 1)
    assert found["characters"] == 2 * len(FEES) + len(HOURS) + len(GERMAN)
    assert {r["name"]: r["n"] for r in found["readers"]} == {"markdown": 3, "text": 1}
    assert found["languages"] == {"en": 3, "de": 1}
    assert (found["duplicates"]["exact"], found["duplicates"]["near"]) == (1, 0)
    assert found["duplicates"]["pairs"] == [
        {"source": "fees.md", "first": "again.md", "how": "exact", "similarity": 1.0}
    ]
    assert found["lengths"]["too_long"] == sum(len(t.split()) > 20 for t in (FEES, FEES, HOURS, GERMAN))
    assert all(r["n"] == 0 for r in found["rules"] if r["rule"] == "few_words")
    said = shelf_remarks(found)
    assert len(said) == 4
    html = render_shelf(found, "docs & co")
    assert "docs &amp; co" in html
    assert "ann.smith@example.com" not in html
    assert html.count("<svg") >= 4
    assert not re.search(r"https?://(?!www\.w3\.org)", html)


def test_the_command_takes_a_folder_and_a_use_case_without_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "docs")
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "usecase.yaml").write_text(
        "name: start\ngoal: Say fees.\nmodel: 'fake:'\ndata: {documents: ../docs}\n"
    )
    for what, page in ((folder, tmp_path / "docs.data.html"), (tmp_path / "case", tmp_path / "case" / "data.html")):
        monkeypatch.setattr(sys, "argv", ["sharpen", "data", "report", str(what)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        assert "4 documents, no examples" in capsys.readouterr().out
        assert "1 EMAIL" in page.read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["again.md", "broken.docx", "fees.md", "hours.txt", "konto.md"]
    monkeypatch.setattr(sys, "argv", ["sharpen", "data", "report", str(folder), "--sample", "3"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "are documents without examples" in capsys.readouterr().err


def test_a_folder_of_nothing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no document"):
        shelf(tmp_path)
