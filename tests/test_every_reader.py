"""What holds for every reader: it has a page, survives any bytes and any cut, and gives only what it may give."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
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


def _table(delimiter: str) -> bytes:
    lines = [delimiter.join(ROWS[0]), *(delimiter.join(r.values()) for r in ROWS)]
    return "\n".join(lines).encode()


SAMPLES: dict[str, Callable[[], bytes]] = {
    "jsonl": lambda: "\n".join(json.dumps(r) for r in ROWS).encode(),
    "json": lambda: json.dumps(ROWS, indent=1).encode(),
    "csv": lambda: _table(","),
    "tsv": lambda: _table("\t"),
    "parquet": _parquet,
    "markdown": lambda: b"---\ntitle: T\n---\n# Head\n\nSome text.\n",
    "text": lambda: b"Some text.\n",
    "html": PAGE.encode,
    "pdf": _pdf,
    "docx": _docx,
}


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
    found = read(name, SAMPLES[name](), folder)
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
    whole = SAMPLES[name]()
    for share in range(1, 40):
        assert isinstance(read(name, whole[: len(whole) * share // 40], folder), list)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_survives_damage(name: str, folder: Path, data: st.DataObject) -> None:
    whole = bytearray(SAMPLES[name]())
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
