"""What single readers make of Office files, mails, books, feeds and saved data sets, hidden and odd things included."""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path

import pytest

from sharpen.data.documents import read_document
from sharpen.data.examples import read_examples
from sharpen.data.reading import Note
from sharpen.errors import Problem
from sharpen.types import Document


def one(path: Path) -> Document:
    (found,) = read_document(path, path.name)
    assert isinstance(found, Document), found
    return found


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.155, "0.0%", "15.5%"),
        (0.15, "0%", "15%"),
        (12.5, "0.00", "12.50"),
        (1234.5, '#,##0.00\\ "€"', "1,234.50"),
        (1234, "#,##0", "1,234"),
        (0.1 + 0.2, "General", "0.3"),
        (7.0, "General", "7"),
        (True, "General", "TRUE"),
        (datetime.datetime(2025, 6, 1), "yyyy-mm-dd", "2025-06-01"),
        (datetime.datetime(2025, 6, 1, 9, 30), "yyyy-mm-dd hh:mm", "2025-06-01 09:30"),
        (datetime.datetime(2025, 6, 1), "dd.mm.yyyy hh:mm", "2025-06-01 00:00"),
        ("two\nlines", "General", "two lines"),
        (float("inf"), "0%", "inf%"),
        (None, "General", ""),
    ],
)
def test_cells_are_as_excel_shows_them(value: object, code: str, shown: str) -> None:
    from sharpen.data.readers._tables import cell_text

    assert cell_text(value, code) == shown


def test_a_workbook_keeps_its_rows_and_leaves_out_hidden_sheets(tmp_path: Path) -> None:
    book = pytest.importorskip("openpyxl").Workbook()
    sheet = book.active
    sheet.title = "Fees"
    sheet.append(["Item", "Fee", "Share"])
    sheet.append(["Bike", 20, 0.5])
    sheet["C2"].number_format = "0%"
    sheet["A5"], sheet["B6"] = "Below", "right"
    book.create_sheet("Empty")
    secret = book.create_sheet("Secret")
    secret.append(["hidden"])
    secret.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    note, made = read_document(tmp_path / "a.xlsx", "a.xlsx")
    assert note == Note("1 hidden sheets were left out (first: Secret).", "a.xlsx")
    assert isinstance(made, Document)
    assert made.text == "# Fees\n\nItem | Fee | Share\nBike | 20 | 50%\n\nBelow\n | right"


def test_slides_come_with_lists_notes_and_without_hidden_ones(tmp_path: Path) -> None:
    show = pytest.importorskip("pptx").Presentation()
    from pptx.util import Inches

    first = show.slides.add_slide(show.slide_layouts[5])
    first.shapes.title.text = "Fees"
    for text, left, top in (("right", 5, 2), ("below", 1, 4), ("left", 1, 2)):
        first.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1)).text_frame.text = text
    table = first.shapes.add_table(2, 2, Inches(1), Inches(5), Inches(4), Inches(1)).table
    for n, text in enumerate(("Item", "Fee", "Bike", "20")):
        table.cell(n // 2, n % 2).text = text
    first.notes_slide.notes_text_frame.text = "Say it slowly."
    second = show.slides.add_slide(show.slide_layouts[1])
    frame = second.placeholders[1].text_frame
    frame.text = "Point"
    inner = frame.add_paragraph()
    inner.text, inner.level = "Detail", 1
    hidden = show.slides.add_slide(show.slide_layouts[1])
    hidden.shapes.title.text = "Secret"
    hidden._element.set("show", "0")
    show.save(str(tmp_path / "a.pptx"))
    note, made = read_document(tmp_path / "a.pptx", "a.pptx")
    assert note == Note("1 hidden slides were left out.", "a.pptx")
    assert isinstance(made, Document)
    assert made.title == "Fees"
    assert made.text == (
        "# Fees\n\nleft\n\nright\n\nbelow\n\nItem | Fee\nBike | 20\n\nNotes: Say it slowly.\n\nPoint\n- Detail"
    )


MAIL = """From: =?utf-8?q?J=C3=BCrgen?= Ott <j@example.org>
To: shop@example.org
Date: Mon, 2 Jun 2025 09:00:00 +0200
Subject: =?iso-8859-1?q?R=FCckgabe?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe,
wie lange?
--y
Content-Type: text/html; charset=utf-8

<p>not this one</p>
--y--
--x
Content-Type: application/pdf
Content-Disposition: attachment; filename="=?utf-8?q?Rechnung_M=C3=A4rz.pdf?="

%PDF
--x
Content-Type: message/rfc822

From: boss@example.org
Subject: Inner

secret
--x--
"""


def test_a_mail_has_its_headers_its_plain_text_and_the_names_of_attachments(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_text(MAIL)
    made, torn, inner = read_document(tmp_path / "a.eml", "a.eml")
    assert isinstance(made, Document)
    assert str(torn).startswith("a.eml/Rechnung März.pdf: is not a PDF")
    assert isinstance(inner, Document)
    assert (inner.source, inner.text) == ("a.eml/Inner.eml", "From: boss@example.org\nSubject: Inner\n\nsecret")
    assert made.title == "Rückgabe"
    assert made.text == (
        "From: Jürgen Ott <j@example.org>\nTo: shop@example.org\nDate: Mon, 2 Jun 2025 09:00:00 +0200\n"
        "Subject: Rückgabe\n\nGrüße,\nwie lange?\n\nAttachment: Rechnung März.pdf\nAttachment: the message “Inner”"
    )


@pytest.mark.parametrize("raw", ["Grüße an alle".encode(), "Grüße an alle".encode("cp1252")])
def test_headers_and_texts_of_no_stated_charset_are_read(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(
        b"From: a@b.c\nSubject: " + raw + b"\nContent-Type: text/plain; charset=none\n\n" + raw
    )
    assert one(tmp_path / "a.eml").text == "From: a@b.c\nSubject: Grüße an alle\n\nGrüße an alle"


def test_a_text_that_is_no_mail_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_text("Dear all,\n\nthis is a letter.")
    (problem,) = read_document(tmp_path / "a.eml", "a.eml")
    assert str(problem).startswith("a.eml: is no e-mail: it has neither sender nor date nor subject.")


def book(path: Path, **more: str) -> Path:
    chapters = {f"c{n}.xhtml": f"<html><body><h1>Chapter {n}</h1><p>Text {n}.</p></body></html>" for n in (1, 2)}
    items = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in chapters)
    spine = '<itemref idref="c2.xhtml"/><itemref idref="c1.xhtml"/><itemref idref="c2.xhtml"/><itemref idref="gone"/>'
    package = (
        f"<package><metadata><title>T</title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="in/b.opf"/></rootfiles></container>'
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {"META-INF/container.xml": container, "in/b.opf": package, **more}.items():
            archive.writestr(name, text)
        for name, text in chapters.items():
            archive.writestr(f"in/{name}", text)
    return path


def test_a_book_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    made = one(book(tmp_path / "a.epub"))
    assert (made.title, made.text) == ("T", "# Chapter 2\n\nText 2.\n\n# Chapter 1\n\nText 1.")


@pytest.mark.parametrize(
    ("method", "locked"),
    [("http://www.idpf.org/2008/embedding", False), ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", True)],
)
def test_a_book_is_locked_where_more_than_its_fonts_is(method: str, locked: bool, tmp_path: Path) -> None:
    said = f'<encryption><EncryptedData><EncryptionMethod Algorithm="{method}"/></EncryptedData></encryption>'
    (found,) = read_document(book(tmp_path / "a.epub", **{"META-INF/encryption.xml": said}), "a.epub")
    assert isinstance(found, Problem) == locked
    assert not locked or "DRM" in str(found)


def test_fields_of_xml_have_names_and_texts_of_it_have_none(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        "<shop><title>Our shop</title><item nr='1'><name>Bike</name><fee>20</fee></item>"
        "<pic src='a.png'/><p>You have <b>14</b> days.</p></shop>"
    )
    made = one(tmp_path / "a.xml")
    assert made.title == "Our shop"
    assert made.text == "# Our shop\n\nname: Bike\nfee: 20\n\npic: src a.png\n\nYou have 14 days."


def test_no_entity_of_xml_leads_anywhere(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hunter2")
    place = (tmp_path / "secret.txt").as_uri()
    (tmp_path / "a.xml").write_text(f'<!DOCTYPE r [<!ENTITY x SYSTEM "{place}">]><r><a>Text &x;</a></r>')
    assert "hunter2" not in one(tmp_path / "a.xml").text


def test_broken_xml_is_read_as_far_as_it_goes_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<r><a>One</a><b>Two</b>")
    note, made = read_document(tmp_path / "a.xml", "a.xml")
    assert isinstance(note, Note)
    assert note.what.startswith("is broken XML (line 1: ")
    assert isinstance(made, Document)
    assert made.text == "a: One\nb: Two"


def test_an_atom_feed_has_its_entries(tmp_path: Path) -> None:
    (tmp_path / "a.atom").write_text(
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><title>First</title>'
        "<updated>2025-06-01</updated><author><name>Ada</name></author>"
        '<content type="html">&lt;p&gt;Hello &lt;b&gt;all&lt;/b&gt;.&lt;/p&gt;</content></entry></feed>'
    )
    assert one(tmp_path / "a.atom").text == "# News\n\n## First\n\n2025-06-01\nAda\n\nHello all."


def test_a_notebook_keeps_code_output_and_errors_apart(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Title #"},
        {"cell_type": "code", "source": ["x = '```'"], "outputs": [
            {"output_type": "stream", "text": ["a\n", "\x1b[31mb\x1b[0m\n"]},
            {"output_type": "execute_result", "data": {"text/plain": "42", "image/png": "AAAA"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["long"]}]},
        {"cell_type": "raw", "source": None}, 7,
    ]  # fmt: skip
    about = {"kernelspec": {"language": "python"}}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "metadata": about}))
    made = one(tmp_path / "a.ipynb")
    assert made.title == "Title"
    assert made.text == "# Title #\n\n````python\nx = '```'\n````\n\n```\na\nb\n42\nValueError: no\n```"


def test_a_data_set_that_was_saved_to_disk_is_read_by_its_folder(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parts = [[{"question": f"Which {n}{p}?", "answers": ["x"]} for n in range(3)] for p in range(2)]
    folder = tmp_path / "set" / "train"
    folder.mkdir(parents=True)
    for number, rows in enumerate(parts):
        table = pyarrow.Table.from_pylist(rows)
        with pyarrow.OSFile(str(folder / f"data-{number}.arrow"), "wb") as out, \
                pyarrow.ipc.new_stream(out, table.schema) as stream:  # fmt: skip
            stream.write_table(table, max_chunksize=2)
    files = [{"filename": f"data-{n}.arrow"} for n in range(2)]
    (folder / "state.json").write_text(json.dumps({"_data_files": files, "_split": "train"}))
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    found = read_examples(folder, "set/train")
    assert [d.example.question for d in found.drafts] == [r["question"] for rows in parts for r in rows]
    assert found.drafts[4].place == "row 5"
    assert not found.problems
    (problem,) = read_examples(tmp_path / "set", "set").problems
    assert str(problem) == ("set: is a folder of several splits: train. Name the one: the folder, a slash, the split.")
    (folder / "state.json").write_text("{}")
    (problem,) = read_examples(folder, "set/train").problems
    assert "state.json lists no data files" in problem.what


CLASSES = """{"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "label": {"names":
["lost card", "refund", "parcel"], "_type": "ClassLabel"}, "tags": {"feature": {"names": ["a", "b"], "_type":
"ClassLabel"}, "_type": "List"}, "old": [{"names": ["a", "b"], "_type": "ClassLabel"}]}}}"""
"""As datasets 5.2 writes it, and ``old`` as version 2 did."""


@pytest.mark.parametrize(("kind", "written"), [("parquet", CLASSES), ("arrow", CLASSES), ("parquet", '{"info": [7]}')])
def test_classes_by_number_have_the_names_that_the_schema_gives_them(tmp_path: Path, kind: str, written: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    rows = [{"text": f"t {n}", "label": n, "tags": [n % 2], "old": [1, 0]} for n in (0, 2, 7, -1)]
    table = pyarrow.Table.from_pylist(rows).replace_schema_metadata({"huggingface": written})
    path = tmp_path / f"set.{kind}"
    if kind == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    else:
        with pyarrow.OSFile(str(path), "wb") as out, pyarrow.ipc.new_stream(out, table.schema) as stream:
            stream.write_table(table)
    found = [d.example for d in read_examples(path, "set").drafts]
    if written != CLASSES:
        assert [e.labels for e in found] == [("0",), ("2",), ("7",), ("-1",)], "nobody says what they are called"
        return
    assert [e.labels for e in found] == [("lost card",), ("parcel",), ("7",)], "-1 is no class, and no row of one"
    assert [e.meta["tags"] for e in found] == [["a"], ["a"], ["b"]]
    assert found[0].meta["old"] == ["b", "a"]


def test_a_saved_data_set_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pylist([{"question": "Q?", "answers": "secret"}])
    with pyarrow.OSFile(str(tmp_path / "x.arrow"), "wb") as out, pyarrow.ipc.new_file(out, table.schema) as file:
        file.write_table(table)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    assert not read_examples(tmp_path / "set", "set").drafts
    assert [d.example.targets for d in read_examples(tmp_path / "x.arrow", "x").drafts] == [("secret",)]


def test_an_old_office_file_under_a_new_name_and_one_with_a_password(tmp_path: Path) -> None:
    for name in ("a.xlsx", "a.pptx"):
        (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
        (problem,) = read_document(tmp_path / name, name)
        assert "locked with a password" in str(problem)


@pytest.mark.parametrize(
    ("name", "package"), [("a.pptx", "pptx"), ("a.xlsx", "openpyxl"), ("a.xls", "xlrd"), ("a.msg", "olefile")]
)
def test_without_its_package_a_reader_says_what_to_install(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sharpen import parts

    (tmp_path / name).write_bytes(b"x")
    there = parts._installed
    monkeypatch.setattr(parts, "_installed", lambda p: p != package and there(p))
    (problem,) = read_document(tmp_path / name, name)
    assert f"needs the package {package}" in str(problem)
    assert "pip install 'sharpen[documents]'" in str(problem)
