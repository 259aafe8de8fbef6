"""Files that gzip or zip packed: read like others, within bounds, and never written where their names point."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from sharpen.data import read_documents
from sharpen.data.documents import read_document
from sharpen.data.examples import read_examples
from sharpen.data.reading import Note, Unpacked
from sharpen.errors import Problem
from sharpen.types import Document

LINES = "\n".join(json.dumps({"question": f"Which is {i}?", "answers": str(i)}) for i in range(5))


def archive(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def test_examples_that_gzip_packed_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(LINES + "\n{broken", encoding="utf-8")
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress((tmp_path / "q.jsonl").read_bytes()))
    plain, packed = (read_examples(tmp_path / name, "q.jsonl") for name in ("q.jsonl", "q.jsonl.gz"))
    assert len(packed.drafts) == 5
    assert packed == plain
    assert [p.where for p in packed.problems] == ["q.jsonl, line 6"]


def test_documents_that_gzip_packed_keep_their_name(tmp_path: Path) -> None:
    (tmp_path / "a.md.gz").write_bytes(gzip.compress(b"# Head\n\nText."))
    (tmp_path / "b.png.gz").write_bytes(gzip.compress(b"x"))
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"x"))
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(b"Text " * 999)[:-20])
    found = read_documents(tmp_path)
    assert found.documents == [Document("a.md.gz", "# Head\n\nText.", "Head")]
    assert found.notes == [
        "b.png.gz: left out: there is no reader for files that end in .png.",
        "c.gz: left out: there is no reader for files that end in nothing.",
    ]
    (cut,) = found.problems
    assert cut.where == "d.txt.gz"
    assert cut.what.startswith("cannot be unpacked: ")


def test_what_gzip_packed_may_unpack_a_hundredfold_within_bounds() -> None:
    assert [Unpacked.limit(size) for size in (10, 640_000, 2_000_000, 10**9)] == [
        64_000_000,
        64_000_000,
        200_000_000,
        1_000_000_000,
    ]


def test_a_bomb_is_put_out_while_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"0" * 70_000_000, 1))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = read_documents(tmp_path)
    assert [str(p) for p in found.problems] == [
        "a.txt.gz: unpacks to too much for its size, or for memory. Check what it is."
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt.gz"]


def test_the_files_of_an_archive_are_documents_and_the_others_are_said(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as nested:
        nested.writestr("x.md", "hidden")
    path = archive(
        tmp_path / "a.zip",
        {
            "b/x.md": "# X\n\nText.",
            "a.txt": "A",
            "nested.zip": inner.getvalue(),
            "b/q.csv": "a,b\n1,2\n",
            "picture.png": b"\x89PNG",
            "empty.md": "",
            "__MACOSX/a.txt": "no",
            ".hidden/a.txt": "no",
        },
    )
    found = list(read_document(path, "a.zip"))
    assert [(d.source, d.text, d.title) for d in found if isinstance(d, Document)] == [
        ("a.zip/a.txt", "A", "a"),
        ("a.zip/b/x.md", "# X\n\nText.", "X"),
    ]
    assert [f"{n.where}: {n.what}" for n in found if isinstance(n, Note)] == [
        "a.zip/b/q.csv: left out: it is a table of rows, not a document.",
        "a.zip/picture.png: left out: there is no reader for files that end in .png.",
    ]
    assert [str(p) for p in found if isinstance(p, Problem)] == [
        "a.zip/empty.md: is empty. Fill it, or take it away.",
        "a.zip/nested.zip: is an archive within an archive, which is not opened. Unpack it beside.",
    ]


def test_names_that_lead_elsewhere_name_the_document_alone(tmp_path: Path) -> None:
    names = ["../../out.txt", "/etc/out.txt", "..\\..\\win.txt", "b/../../c.txt"]
    (tmp_path / "in").mkdir()
    path = archive(tmp_path / "in" / "a.zip", {name: name for name in names})
    found = list(read_document(path, "a.zip"))
    assert sorted(d.source for d in found if isinstance(d, Document)) == [
        "a.zip/c.txt",
        "a.zip/etc/out.txt",
        "a.zip/out.txt",
        "a.zip/win.txt",
    ]
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")] == ["in", "in/a.zip"]


def test_two_files_of_one_name_give_one_document(tmp_path: Path) -> None:
    found = list(read_document(archive(tmp_path / "a.zip", {"x/a.txt": "A", "/x/a.txt": "B"}), "a.zip"))
    assert [type(f) for f in found] in ([Document, Note], [Note, Document])


def test_a_zip_bomb_and_a_locked_file_are_refused(tmp_path: Path) -> None:
    (problem,) = read_document(archive(tmp_path / "a.zip", {"a.txt": b"0" * 65_000_000}), "a.zip")
    assert str(problem) == "a.zip: unpacks to 65 MB. Check what it is."
    path = archive(tmp_path / "b.zip", {"a.txt": "A"})
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    path.write_bytes(data)
    (problem,) = read_document(path, "b.zip")
    assert str(problem) == "b.zip/a.txt: is locked with a password. Pack it anew without one."


def test_a_size_that_lies_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.txt": b"0" * 1_000_000})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (5).to_bytes(4, "little")
    path.write_bytes(data)
    found = list(read_document(path, "a.zip"))
    assert all(len(d.text) <= 5 for d in found if isinstance(d, Document))
    assert found
