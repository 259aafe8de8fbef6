"""Small files that would become endless: every reader says what it is, or reads it, in bounded time and memory.

Each is read in a process of its own, whose processor time and memory the system itself bounds.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("resource")

SECONDS = 30  # of processor time; a reader that squares its input needs hours
MEMORY = 1_500_000_000  # bytes of address space beyond what the interpreter has at its start

READ = """
import resource, sys
from pathlib import Path
from sharpen.data.documents import read_document
from sharpen.data.examples import read_examples
from sharpen.data.reading import RowReader, open_reader
path = Path(sys.argv[1])
reader = open_reader(path)
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
resource.setrlimit(resource.RLIMIT_AS, (held + int(sys.argv[3]),) * 2)
rows = isinstance(reader, RowReader)
found = read_examples(path, "f").problems if rows else list(read_document(path, "f"))
for each in found[:3]:
    print(type(each).__name__, str(getattr(each, "what", ""))[:200], len(getattr(each, "text", "")))
"""


def read(path: Path) -> str:
    """What one file gave, a line each; the test fails where reading it costs too much or breaks."""
    typed = [sys.executable, "-c", READ, str(path), str(SECONDS), str(MEMORY)]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert "MemoryError" not in done.stdout
    return done.stdout


def packed(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def office(name: str, changed: dict[str, bytes | str]) -> bytes:
    """An Office file with some of its parts changed or added."""
    out = io.BytesIO()
    if name == "xlsx":
        made = pytest.importorskip("openpyxl").Workbook()
        made.active.append([1])
    else:
        made = pytest.importorskip(name).Document() if name == "docx" else pytest.importorskip(name).Presentation()
        if name == "pptx":
            made.slides.add_slide(made.slide_layouts[0])
    made.save(out)
    with zipfile.ZipFile(out) as archive:
        return packed({**{n: archive.read(n) for n in archive.namelist()}, **changed})


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
)
DEEP = "<a>" * 300_000
LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><r><t>Some text. &j;</t></r>"
)


def shared() -> bytes:
    """A long text that stands once in the file and in half a million cells."""
    types = '<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    with zipfile.ZipFile(io.BytesIO(office("xlsx", {}))) as archive:
        listed = archive.read("[Content_Types].xml").decode()
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    row = "<row>" + '<c t="s"><v>0</v></c>' * 5 + "</row>"
    return office(
        "xlsx",
        {
            "[Content_Types].xml": listed.replace("</Types>", f'{types}spreadsheetml.sharedStrings+xml"/></Types>'),
            "xl/sharedStrings.xml": f'<sst xmlns="{space}"><si><t>{"x" * 1_000_000}</t></si></sst>',
            "xl/worksheets/sheet1.xml": SHEET % (row * 100_000),
        },
    )


def sheet(rows: str) -> bytes:
    return office("xlsx", {"xl/worksheets/sheet1.xml": SHEET % rows})


def notebook(source: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": source}]}).encode()


WORDS = b"=?utf-8?q?abc?= " * 20_000
HEAD = b"From: a@b.c\r\nSubject: s\r\n"
FAST: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "laughs": ("a.xml", LAUGHS.encode, "Some text|Document"),
    "deep xml": ("a.xml", lambda: DEEP.encode(), "Problem"),
    "encoded words": ("a.eml", lambda: b"From: a@b.c\r\nSubject: " + WORDS + b"\r\n\r\nx", "Document"),
    "heading": ("a.md", lambda: b"# " + b" #" * 200_000 + b"x", "Document"),
    "a far row": ("a.xlsx", lambda: sheet('<row r="999999999999"><c><v>1</v></c></row>'), "too many cells"),
    "deep notebook": ("a.ipynb", lambda: b'{"cells":' + b"[" * 1_000_000, "nested too deeply"),
}  # fmt: skip
FULL: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "one text in many cells": ("a.xlsx", shared, "too many cells or too much text"),
    "far columns": ("a.xlsx", lambda: sheet("".join(
        f'<row r="{i}"><c r="XFD{i}"><v>1</v></c></row>' for i in range(1, 20_000))), "too many cells"),
    "deep sheet": ("a.xlsx", lambda: office("xlsx", {"xl/worksheets/sheet1.xml": DEEP}), "Problem"),
    "laughing sheet": ("a.xlsx", lambda: office("xlsx", {"xl/worksheets/sheet1.xml": LAUGHS}), ""),
    "deep slide": ("a.pptx", lambda: office("pptx", {"ppt/slides/slide1.xml": DEEP}), "Problem"),
    "laughing slide": ("a.pptx", lambda: office("pptx", {"ppt/slides/slide1.xml": LAUGHS}), "Problem"),
    "deep document": ("a.docx", lambda: office("docx", {"word/document.xml": DEEP}), "Problem"),
    "deep page": ("a.html", lambda: b"<div>" * 500_000 + b"x", ""),
    "wide xml": ("a.xml", lambda: b"<r>" + b"<a>x</a>" * 1_000_000 + b"</r>", "Document"),
    "too large xml": ("a.xml", lambda: b"<r>" + b" " * 25_000_000 + b"</r>", "is larger than 24 MB"),
    "deep mail": ("a.eml", lambda: HEAD + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(4000)), ""),
    "mail in mail": ("a.eml", lambda: HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 20_000, ""),
    "many parts": ("a.eml", lambda: HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
                   + b"--b\r\n\r\nx\r\n" * 100_000, "has more than 5,000 parts"),
    "brackets in a header": ("a.eml", lambda: b"From: " + b"(" * 1_000_000 + b"\r\n\r\nx", "Document"),
    "addresses": ("a.eml", lambda: b"To: " + b", ".join(b"x%d@b.c" % i for i in range(50_000)) + HEAD, "Document"),
    "many files": ("a.zip", lambda: packed({f"{i}.txt": "x" for i in range(25_000)}), "holds 25,000 files"),
    "a giant cell": ("a.csv", lambda: b'question,answer\n"' + b"x" * 30_000_000 + b'",1\n', ""),
    "deep rows": ("a.jsonl", lambda: b"[" * 5_000_000, "nested too deeply"),
    "backticks": ("a.ipynb", lambda: notebook("`" * 9_000_000), "Document"),
    "a wide tree of replies": ("a.jsonl", lambda: b"\n".join(
        json.dumps({"id": i, "parent_id": max(i - 1, 0) if i < 3000 else 2999, "role": ("user", "assistant")[i % 2],
                    "text": "x" * 500}).encode() for i in range(1, 6_000)), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FAST)
def test_small_files_that_become_endless_are_bounded(name: str, tmp_path: Path) -> None:
    file, make, said = FAST[name]
    (tmp_path / file).write_bytes(make())
    assert any(word in read(tmp_path / file) for word in said.split("|"))


@pytest.mark.full
@pytest.mark.parametrize("name", FULL)
def test_more_of_them_are_bounded(name: str, tmp_path: Path) -> None:
    file, make, said = FULL[name]
    (tmp_path / file).write_bytes(make())
    assert said in read(tmp_path / file)
