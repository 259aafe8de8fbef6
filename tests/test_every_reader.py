"""What holds for every reader: it has a page, survives any bytes and any cut, and gives only what it may give."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharpen import parts
from sharpen.data.documents import read_document
from sharpen.data.examples import read_examples
from sharpen.data.reading import DocumentReader, Note, Row, RowReader, open_reader, suffixes
from sharpen.errors import Problem
from sharpen.types import Document

READERS = sorted(parts.all_parts("reader"))
ROWS = [{"question": f"What is {i}? ü", "answers": f"{i}", "source": "a.md"} for i in range(20)]
PAGE = "<html><head><title>T</title></head><body><nav>menu</nav><h1>Head</h1><p>Some text.</p></body></html>"


def _parquet() -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    out = io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(ROWS), out)
    return out.getvalue()


def _docx() -> bytes:
    word = pytest.importorskip("docx").Document()
    word.add_heading("Head", 1)
    word.add_paragraph("Some text.")
    out = io.BytesIO()
    word.save(out)
    return out.getvalue()


def _arrow() -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    out = io.BytesIO()
    table = pyarrow.Table.from_pylist(ROWS)
    with pyarrow.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


def _pptx() -> bytes:
    show = pytest.importorskip("pptx").Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Head", "Some text."
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def _xlsx() -> bytes:
    book = pytest.importorskip("openpyxl").Workbook()
    book.active.append(["Head", "Some text."])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _xls() -> bytes:
    """The smallest workbook: one sheet of Excel 4 with two cells of text."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def cell(column: int, text: bytes) -> bytes:
        return record(0x0204, struct.pack("<HHHH", 0, column, 0, len(text)) + text)

    font = record(0x0231, struct.pack("<HHHB", 200, 0, 0x7FFF, 5) + b"Arial")
    form = record(0x041E, struct.pack("<HB", 0, 7) + b"General")
    style = record(0x0443, bytes([0, 0, 0xF5, 0xFF, *bytes(8)]))
    start = record(0x0409, struct.pack("<HHH", 4, 0x10, 0))
    return start + font * 4 + form + style + cell(0, b"Head") + cell(1, b"Some text.") + record(0x0A, b"")


def compound(streams: dict[str, bytes]) -> bytes:
    """An OLE file of a few streams, each filled up to the 4,096 bytes from which it has sectors of its own."""
    each, whole = 8, 0xFFFFFFFE
    entries = len(streams) + 1
    folders = -(-entries // 4)
    first = 1 + folders
    table = [0xFFFFFFFD, *range(2, first), whole]
    bodies, listed = b"", []
    for n, (name, data) in enumerate(streams.items()):
        assert len(data) <= each * 512
        begin = first + n * each
        table += [*range(begin + 1, begin + each), whole]
        bodies += data.ljust(each * 512, b"\0")
        listed.append((name, 2, begin, n + 2 if n + 1 < len(streams) else 0xFFFFFFFF, 0xFFFFFFFF, each * 512))
    root = ("Root Entry", 5, whole, 0xFFFFFFFF, 1, 0)
    index = b""
    for name, kind, begin, right, child, size in [root, *listed]:
        wide = name.encode("utf-16-le") + b"\0\0"
        index += wide.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide), kind, 1, 0xFFFFFFFF, right, child)
        index += bytes(36) + struct.pack("<IQ", begin, size)
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, whole, 0, whole, 0) + struct.pack("<I", 0)
    fat = struct.pack(f"<{len(table)}I", *table)
    return head.ljust(512, b"\xff") + fat.ljust(512, b"\xff") + index.ljust(folders * 512, b"\0") + bodies


def _msg() -> bytes:
    sent = bytes(32) + struct.pack("<IIQ", 0x00390040, 6, 133_793_426_000_000_000)
    texts = {"0037": "Head", "0C1A": "Ada", "1000": "Some text."}
    wide = {f"__substg1.0_{prop}001F": text.encode("utf-16-le") for prop, text in texts.items()}
    return compound({**wide, "__properties_version1.0": sent})


def packed(members: dict[str, bytes | str]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


CONTAINER = '<container><rootfiles><rootfile full-path="O/book.opf"/></rootfiles></container>'
BOOK = (
    '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:title>T</dc:title></metadata><manifest>"
    '<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
    '<spine><itemref idref="n"/><itemref idref="a"/></spine></package>'
)
MAIL = (
    b"From: Ada <ada@example.org>\r\nTo: Ben <ben@example.org>\r\nSubject: Head\r\n"
    b"Date: Mon, 2 Jun 2025 09:00:00 +0000\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    b"Content-Type: text/html; charset=utf-8\r\n\r\n" + PAGE.encode() + b"\r\n--b\r\n"
    b'Content-Disposition: attachment; filename="a.raw"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--b--\r\n'
)
NOTEBOOK = {"cells": [{"cell_type": "markdown", "source": ["# Head\n", "Some text."]}], "nbformat": 4}
FEED = (
    "<rss><channel><title>T</title><item><title>Head</title>"
    "<description>&lt;nav>menu&lt;/nav>&lt;p>Some text.&lt;/p></description></item></channel></rss>"
)


def _pdf() -> bytes:
    """The smallest PDF with a line of text."""
    stream = b"BT /F1 12 Tf 72 720 Td (Some text.) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made, places = b"%PDF-1.4\n", []
    for n, body in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    table = b"".join(b"%010d 00000 n \n" % p for p in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table) + end


@cache
def _sql() -> bytes:
    """A query of a database that is there as long as the tests run."""
    pytest.importorskip("sqlalchemy")
    file = Path(tempfile.mkdtemp()) / "faq.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE faq (question TEXT, answers TEXT, source TEXT)")
        made.executemany("INSERT INTO faq VALUES (:question, :answers, :source)", ROWS)
    made.close()
    return f"-- url: sqlite:///{file}\nSELECT question, answers, source FROM faq".encode()


def _table(delimiter: str) -> bytes:
    lines = [delimiter.join(ROWS[0]), *(delimiter.join(r.values()) for r in ROWS)]
    return "\n".join(lines).encode()


SAMPLES: dict[str, Callable[[], bytes]] = {
    "jsonl": lambda: "\n".join(json.dumps(r) for r in ROWS).encode(),
    "json": lambda: json.dumps(ROWS, indent=1).encode(),
    "csv": lambda: _table(","),
    "tsv": lambda: _table("\t"),
    "sql": _sql,
    "parquet": _parquet,
    "arrow": _arrow,
    "markdown": lambda: b"---\ntitle: T\n---\n# Head\n\nSome text.\n",
    "text": lambda: b"Some text.\n",
    "html": PAGE.encode,
    "pdf": _pdf,
    "docx": _docx,
    "pptx": _pptx,
    "xlsx": _xlsx,
    "xls": _xls,
    "msg": _msg,
    "epub": lambda: packed(
        {"META-INF/container.xml": CONTAINER, "O/book.opf": BOOK, "O/nav.xhtml": "menu", "O/a.xhtml": PAGE}
    ),
    "eml": lambda: MAIL,
    "ipynb": lambda: json.dumps(NOTEBOOK).encode(),
    "xml": FEED.encode,
    "zip": lambda: packed({"a.html": PAGE, "b/c.txt": "Some text."}),
}


@cache
def sample(name: str) -> bytes:
    """A reader's sample, made once: Office files hold the time at which they were made."""
    return SAMPLES[name]()


def suffix_of(name: str) -> str:
    return next(s for s, reader in suffixes().items() if reader == name)


def read(name: str, data: bytes, folder: Path) -> list[Any]:
    """Read bytes through the reader itself, so that what it raises is not caught."""
    path = folder / f"file{suffix_of(name)}"
    path.write_bytes(data)
    reader = open_reader(path)
    assert isinstance(reader, RowReader | DocumentReader)
    found = list(reader.rows(path, "f") if isinstance(reader, RowReader) else reader.documents(path, "f"))
    allowed = (Row if isinstance(reader, RowReader) else Document, Problem, Note)
    assert all(isinstance(x, allowed) for x in found)
    for x in found:
        if isinstance(x, Document):
            assert x.text.strip()
            assert x.title
            assert "\x00" not in x.text
            x.text.encode()
        if isinstance(x, Problem):
            assert x.where.startswith("f")
            assert x.what.endswith((".", "…")) or ":" in x.what
            assert x.do
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.mark.parametrize("name", READERS)
def test_page_suffixes_and_factory(name: str) -> None:
    part = parts.find("reader", name)
    assert part.summary.endswith(".")
    assert suffix_of(name).startswith(".")
    assert isinstance(parts.factory("reader", name)(), RowReader | DocumentReader)
    assert name in SAMPLES, "give the new reader a sample here"


@pytest.mark.parametrize("name", READERS)
def test_reads_its_sample(name: str, folder: Path) -> None:
    found = read(name, sample(name), folder)
    assert not [x for x in found if isinstance(x, Problem | Note)]
    if isinstance(found[0], Row):
        assert [dict(r.fields) for r in found] == ROWS
        assert [r.line for r in found] == sorted({r.line for r in found})
    else:
        assert [x for x in found if "Some text." in x.text and "menu" not in x.text] == found


@pytest.mark.parametrize("name", READERS)
def test_says_something_of_an_empty_file(name: str, folder: Path) -> None:
    found = read(name, b"", folder)
    assert len(found) == 1
    assert isinstance(found[0], Problem)


@pytest.mark.parametrize("name", READERS)
def test_survives_every_cut(name: str, folder: Path) -> None:
    whole = sample(name)
    for share in range(1, 40):
        assert isinstance(read(name, whole[: len(whole) * share // 40], folder), list)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_survives_damage(name: str, folder: Path, data: st.DataObject) -> None:
    whole = bytearray(sample(name))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=20)):
        whole[at] = byte
    read(name, bytes(whole), folder)


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(max_size=300))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_survives_any_bytes(name: str, folder: Path, data: bytes) -> None:
    read(name, data, folder)


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_and_a_folder_are_problems(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix_of(name)}"
    path.mkdir()
    for target in (path, tmp_path / f"none{suffix_of(name)}"):
        if isinstance(parts.factory("reader", name)(), RowReader):
            assert read_examples(target, "x").problems
        else:
            assert any(isinstance(x, Problem) for x in read_document(target, "x"))
