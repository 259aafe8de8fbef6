"""Real files of many formats: each is read or refused with a reason, and ten hold what a person sees in them.

Skipped where SHARPEN_DATA does not name them. What is expected was copied by hand from the files as Office programs,
viewers and browsers show them, tables included.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sharpen.data import read_documents
from sharpen.data.documents import read_document
from sharpen.data.examples import read_examples
from sharpen.data.readers import _ocr
from sharpen.types import Document

SETS = Path(os.environ.get("SHARPEN_DATA", "/nowhere"))
SAMPLES = "ingest_samples/markitdown"
DOWNLOADS = "18f_handbook/docs/downloads"


def need(name: str) -> Path:
    if not (SETS / name).exists():
        pytest.skip(f"{name} is not in SHARPEN_DATA")
    return SETS / name


def document(name: str) -> Document:
    (found,) = (d for d in read_document(need(name), name) if isinstance(d, Document))
    return found


@pytest.mark.parametrize(
    ("name", "files", "refused"),
    [
        ("ingest_samples", 45, {"markitdown/MEDRPT-2024-PAT-3847_medical_report_scan.pdf": "scanned"}),
        ("18f_handbook", 249, {}),
    ],
)
def test_every_file_is_read_or_refused_with_a_reason(
    name: str, files: int, refused: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ocr, "missing", lambda: "install Tesseract")
    root = need(name)
    there = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    found = read_documents(root)
    read = {d.source for d in found.documents}
    assert len(there) == files
    assert {p.where for p in found.problems} == set(refused)
    assert all(refused[p.where] in p.what and p.do for p in found.problems)
    left_out = {n.partition(":")[0] for n in found.notes if "left out" in n}
    assert read | set(refused) | left_out == there
    assert not read & (set(refused) | left_out)
    rows = {n for n in left_out if n.endswith((".csv", ".json"))}
    for each in rows:  # tables of rows are no documents; as examples they are read, or what lacks is said
        examples = read_examples(root / each, each)
        assert examples.problems
        assert all(p.do and "Error" not in p.what for p in examples.problems)


def test_an_outlook_message_has_its_headers_and_its_text() -> None:
    made = document(f"{SAMPLES}/test_outlook_msg.msg")
    assert made.title == "Test Email Message"
    assert made.text == (
        "From: M. C. Kurtuluş <test.sender@example.com>\nTo: test.recipient@example.com\n"
        "Date: Sun, 22 Dec 2024 08:23:00 -0000\nSubject: Test Email Message\n\n"
        "This is the body of the test email message"
    )


def test_a_book_has_its_chapters_in_order_and_no_table_of_contents() -> None:
    made = document(f"{SAMPLES}/test.epub")
    assert made.title == "Test EPUB Document"
    assert made.text == (
        "# Chapter 1: Test Content\n\nThis is a test paragraph with some formatting.\n\nIt includes:\n\n"
        "- A bullet point\n- Another point\n\n"
        "# Chapter 2: More Content\n\nHere's a second chapter with a different style.\n\n"
        "This is a blockquote for testing."
    )


def test_a_notebook_has_its_cells_and_what_they_printed() -> None:
    assert document(f"{SAMPLES}/test_notebook.ipynb").text == (
        '# Test Notebook\n\n```python\nprint("markitdown")\n```\n\n```\nmarkitdown\n```\n\n## Code Cell Below\n\n'
        "```python\n# comment in code\nprint(42)\n```\n\n```\n42\n```\n\nEnd\n\n---"
    )


@pytest.mark.parametrize("name", ["test.xlsx", "test.xls"])
def test_a_workbook_has_its_sheets_as_tables(name: str) -> None:
    text = document(f"{SAMPLES}/{name}").text
    first, second = text.split("\n\n# 09060124-b5e7-4717-9d07-3c046eb\n\n")
    assert first.startswith("# Sheet1\n\nAlpha | Beta | Gamma | Delta\n89 | 82 | 100 | 12\n76 | 89 | 33 | 42\n")
    assert "\n58 | 6ff4173b-42a5-4784-9b19-f49caff4d93d | 22 | 9\n" in first
    assert first.endswith("\n87 | 93 | 95 | 80")
    assert len(first.split("\n")) == 26  # its name, a blank line, a head and 23 rows
    assert second == (
        "ColA | ColB | ColC | ColD\n1 | 2 | 3 | 4\n5 | 6 | 7 | 8\n9 | 10 | 11 | 12\n"
        "13 | 14 | 15 | affc7dad-52dc-4b98-9b5d-51e65d8a8ad0"
    )


def test_slides_have_titles_tables_charts_and_groups() -> None:
    made = document(f"{SAMPLES}/test.pptx")
    slides = made.text.split("\n\n# ")
    assert made.title == "AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation"
    assert [s.partition("\n")[0].removeprefix("# ") for s in slides] == [
        made.title,
        "2cdda5c8-e50e-4db4-b5f0-9722a649f455",
        "A table to test parsing:",
        "A chart to test parsing:",
        "A Nested Shape parsing",
        "These Test Strings are in the Image!",
    ]
    assert slides[2].endswith(
        "\n\nColA | ColB | ColC | ColD | ColE | ColF\n1 | 2 | 3 | 4 | 5 | 6\n"
        "7 | 8 | 9 | 1b92870d-e3b5-4e65-8153-919f4ff45592 | 11 | 12\n13 | 14 | 15 | 16 | 17 | 18"
    )
    assert slides[3].endswith("\n\na3f6004b-6f4f-4ea8-bee3-3741f4dc385f\n| Series 1\n"
                              "2000 | 2000\n2001 | 2001\n2002 | 2002\n2003 | 2003")  # fmt: skip
    assert "This is a nested shape with content in 2 shapes" in slides[4]
    assert "- Sub comment 2" in slides[4]


def test_a_feed_has_its_entries_with_their_texts() -> None:
    made = document(f"{SAMPLES}/test_rss.xml")
    assert made.title == "The Official Microsoft Blog"
    assert made.text.startswith(
        "# The Official Microsoft Blog\n\n"
        "## Ignite 2024: Why nearly 70% of the Fortune 500 now use Microsoft 365 Copilot\n\n"
        "Tue, 19 Nov 2024 13:30:02 +0000\nFrank X. Shaw\n\nTwo things can be true at the same time.\n\n"
    )
    assert sum(line.startswith("## ") for line in made.text.split("\n")) >= 10
    assert "<p>" not in made.text
    assert "&lt;" not in made.text


def test_a_table_in_an_old_japanese_encoding_is_read() -> None:
    from sharpen.data.reading import Note, Row, RowReader, open_reader

    path = need(f"{SAMPLES}/test_mskanji.csv")
    reader = open_reader(path)
    assert isinstance(reader, RowReader)
    note, *rows = reader.rows(path, path.name)
    assert isinstance(note, Note)
    assert "Shift JIS" in note.what
    assert [tuple(r.fields.values()) for r in rows if isinstance(r, Row)] == [
        ("佐藤太郎", "30", "東京"),
        ("三木英子", "25", "大阪"),
        ("髙橋淳", "35", "名古屋"),
    ]


def test_a_charter_in_word_has_its_tables() -> None:
    text = document(f"{DOWNLOADS}/TEMPLATE_Team_charter.docx").text
    assert (
        "## 18F team members\n\nName | Role | Location | Pronouns | Allocation\n"
        "@ Name | Title or chapter | City or time zone |  | % time\n\n" in text
    )
    assert (
        "# Our rituals\n\nRitual | Frequency/Day | Notes\nStandups |  | \nCo-working |  | \nProject health |  | \n"
        "Retros |  | \nWeekly ship |  | \nLead/AM sync |  | \n" in text
    )


def test_a_page_of_an_encyclopedia_has_its_box_and_no_menus() -> None:
    made = document("ingest_samples/docling/wiki_duck.html")
    assert made.title == "Duck"
    assert "Domain: | Eukaryota\nKingdom: | Animalia\nPhylum: | Chordata\nClass: | Aves\n" in made.text
    assert (
        "\n\nDuck is the common name for numerous species of waterfowl in the family Anatidae. Ducks are" in made.text
    )
    assert "\n\n## Etymology\n\nThe word duck comes from Old English dūce 'diver'" in made.text
    assert "Privacy policy" not in made.text


def test_a_risk_tracker_in_excel_has_the_columns_to_fill_in() -> None:
    made = document(f"{DOWNLOADS}/TEMPLATE_Risk_tracker.xlsx").text
    assert made.endswith(
        "\n\n# Risks\n\nTitle | Description | Impact | Likelihood | Status | Mitigation What will we do about this? | "
        "Assignee Who owns the mitigation? | Last discussed | Notes"
    )
