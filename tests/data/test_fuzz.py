"""Every reader on damaged files and bombs, in processes whose time and memory the system bounds.

Each sample is cut at 40 places and damaged in 200 ways, each by a seed: bytes changed, cut out, doubled, put in,
blanked or swapped, in archives also within their members, which are packed anew. What a reader raises, prints as a
traceback or gives that is no row, document, problem or note is a failure, and so is a lack of memory or time.
"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("resource")
sys.path.insert(0, str(Path(__file__).parents[1]))

import test_every_reader as every

SECONDS = 20
"""One damaged file at most, of processor time."""

MEMORY = 2_000_000_000
"""Bytes of address space beyond what the interpreter has at its start."""

REAL = {
    "pdf": ["support.pdf", "markitdown/SPARSE-2024-INV-1234_borderless_table.pdf", "us_gov_pdf/20071229X02007.pdf"],
    "docx": ["markitdown/equations.docx"],
    "pptx": ["markitdown/test.pptx"],
    "xlsx": ["markitdown/test.xlsx"],
    "xls": ["markitdown/test.xls"],
    "epub": ["markitdown/test.epub"],
    "msg": ["markitdown/test_outlook_msg.msg"],
    "html": ["markitdown/test_blog.html"],
    "ipynb": ["markitdown/test_notebook.ipynb"],
    "csv": ["markitdown/test_mskanji.csv"],
    "json": ["markitdown/test.json"],
}

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"

CHILD = """
import random, resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
import test_every_reader as every, test_fuzz as fuzz
from sharpen.data.readers import _ocr
_ocr.missing = lambda: "nothing"
folder, cuts, seeds, seconds, memory = Path(sys.argv[3]), *map(int, sys.argv[4:8])
for name, path in (pair.split("=") for pair in sys.argv[8:]):
    every.read(name, every.sample(name), folder)  # imports what it needs
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + memory,) * 2)
def late(*_):
    raise TimeoutError
signal.signal(signal.SIGVTALRM, late)
for name, path in (pair.split("=") for pair in sys.argv[8:]):
    whole = Path(path).read_bytes() if path else every.sample(name)
    for case in [*(f"cut {i}" for i in range(cuts)), *(f"seed {i}" for i in range(seeds))]:
        print(name, path, case, flush=True)
        kind, n = case.split()
        data = whole[: len(whole) * int(n) // cuts] if kind == "cut" else fuzz.damaged(whole, int(n))
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        every.read(name, data, folder)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
print("done")
"""


def damaged(data: bytes, seed: int) -> bytes:
    """Damage that a seed says; in every second archive within a member."""
    drawn = random.Random(seed)
    if seed % 2 and data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members: dict[str, bytes | str] = {n: archive.read(n) for n in archive.namelist()}
        name = drawn.choice(sorted(members))
        members[name] = _damaged(bytes(members[name]), drawn)  # type: ignore[arg-type]
        return every.packed(members)
    return _damaged(data, drawn)


def _damaged(data: bytes, drawn: random.Random) -> bytes:
    made = bytearray(data or b" ")
    for _ in range(drawn.choice([1, 1, 2, 5, 20])):
        a, b = sorted((drawn.randrange(len(made) + 1), drawn.randrange(len(made) + 1)))
        near = min(b, a + drawn.choice([1, 4, 64, 4096]))
        kind = drawn.randrange(7)
        if kind == 0:
            made[a : a + 1] = bytes([drawn.randrange(256)])
        elif kind == 1:
            del made[a:near]
        elif kind == 2:
            made[a:a] = made[a:near] * drawn.choice([1, 2, 50])
        elif kind == 3:
            made[a:a] = drawn.randbytes(drawn.choice([1, 8, 300]))
        elif kind == 4:
            made[a:near] = bytes([drawn.choice([0, 255, 32, 60, 91, 123])]) * (near - a)
        elif kind == 5:
            made[a:near], made[b : b + near - a] = made[b : b + near - a], made[a:near]
        else:
            made[a : a + 4] = drawn.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"9999", b"-1-1"])
        made = made or bytearray(b" ")
    return bytes(made)


def fuzzed(samples: list[str], folder: Path, cuts: int, seeds: int) -> None:
    """Run one process over samples (reader=path); its last line names the case that broke it."""
    here = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    numbers = map(str, (cuts, seeds, SECONDS, MEMORY))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *here, str(folder), *numbers, *samples],
        capture_output=True, text=True, check=False, timeout=3000,
    )  # fmt: skip
    last = done.stdout.strip().rpartition("\n")[2]
    assert done.returncode == 0, (last, done.returncode, done.stderr[-1500:])
    assert last == "done"
    assert "Traceback" not in done.stderr


def test_damage_is_by_its_seed() -> None:
    data = bytes(range(256)) * 8
    assert damaged(data, 3) == damaged(data, 3)
    assert len({damaged(data, i) for i in range(50)}) > 45


def test_every_reader_survives_a_few_damages(tmp_path: Path) -> None:
    fuzzed([f"{name}=" for name in every.READERS], tmp_path, 5, 10)


@pytest.mark.full
@pytest.mark.parametrize("name", every.READERS)
def test_every_reader_survives_many(name: str, tmp_path: Path) -> None:
    root = Path(os.environ.get("SHARPEN_DATA", "/nowhere")) / "ingest_samples"
    real = [f"{name}={root / each}" for each in REAL.get(name, []) if (root / each).exists()]
    fuzzed([f"{name}=", *real], tmp_path, 40, 200)


# -- bombs --------------------------------------------------------------------

BOMB = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_every_reader as every
from sharpen.data.documents import read_document
from sharpen.data.examples import read_examples
from sharpen.data.readers import _ocr
from sharpen.data.reading import RowReader, open_reader
_ocr.missing = lambda: "nothing"
name, path = sys.argv[2], Path(sys.argv[3])
every.read(name, every.sample(name), path.parent)
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[4]),) * 2)
resource.setrlimit(resource.RLIMIT_AS, (held + int(sys.argv[5]),) * 2)
if isinstance(open_reader(path), RowReader):
    found = read_examples(path, "f")
    print("rows", [p.what[:200] for p in found.problems[:3]])
else:
    for each in list(read_document(path, "f"))[:3]:
        print(type(each).__name__, str(getattr(each, "what", ""))[:200])
"""


def pdf(content: bytes, kids: bytes = b"3 0 R", more: bytes = b"", filters: bytes = b"/FlateDecode") -> bytes:
    """A PDF whose page draws this compressed content; readers find its objects without a table of them."""
    return (
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [" + kids
        + b"] /Count %d >>\nendobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        % kids.count(b"R")
        + b"/Resources << /Font << /F1 5 0 R >> >> >>\nendobj\n4 0 obj\n<< /Filter [%s] /Length %d >>\nstream\n"
        % (filters, len(content))
        + content + b"\nendstream\nendobj\n5 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n"
        + more + b"trailer << /Size 9 /Root 1 0 R >>\n%%EOF"
    )  # fmt: skip


def deflated(piece: bytes, times: int) -> bytes:
    """A piece many times over, compressed without ever being whole."""
    packer = zlib.compressobj(9)
    block = piece * 1000
    return b"".join(packer.compress(block) for _ in range(times // 1000)) + packer.flush()


def table_file(kind: str) -> bytes:
    """One text of a megabyte, which stands once in the file and in a hundred thousand rows."""
    pyarrow = pytest.importorskip("pyarrow")
    out = io.BytesIO()
    if kind == "parquet":
        column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 100_000), ["x" * 1_000_000])
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"question": column}), out)
    else:
        rows = pyarrow.table({"question": ["x" * 1_000_000] * 1500})
        options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
        with pyarrow.ipc.new_stream(out, rows.schema, options=options) as stream:
            stream.write_table(rows)
    return out.getvalue()


def book(chapter: bytes) -> bytes:
    parts = {"META-INF/container.xml": every.CONTAINER, "O/book.opf": every.BOOK, "O/nav.xhtml": "menu"}
    return every.packed({**parts, "O/a.xhtml": chapter})


def zips(deep: int) -> bytes:
    data = b"Some text."
    for i in range(deep):
        data = every.packed({f"{i}.zip" if i else "a.txt": data})
    return data


DRAW = b"BT /F1 9 Tf 9 9 Td (word word) Tj ET "
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "pdf: blanks without end": ("pdf", lambda: pdf(deflated(b" " * 1000, 2_000_000))),
    "pdf: packed twice": ("pdf", lambda: pdf(zlib.compress(deflated(b" " * 1000, 1_000_000)),
                                              filters=b"/FlateDecode /FlateDecode")),
    "pdf: words without end": ("pdf", lambda: pdf(deflated(DRAW, 1_000_000))),
    "pdf: one long line": ("pdf", lambda: pdf(zlib.compress(b"BT /F1 9 Tf (" + b"word " * 1_000_000 + b") Tj ET"))),
    "pdf: lines without end": ("pdf", lambda: pdf(deflated(b"0 0 m 9 9 l S ", 1_000_000))),
    "pdf: one page many times": ("pdf", lambda: pdf(zlib.compress(DRAW), kids=b"3 0 R " * 50_000)),
    "pdf: pages in pages": ("pdf", lambda: pdf(zlib.compress(DRAW), kids=b"2 0 R 2 0 R 3 0 R")),
    "pdf: lists in lists": ("pdf", lambda: pdf(b"", more=b"6 0 obj\n" + b"[" * 1_000_000 + b"\nendobj\n")),
    "pdf: a picture without end": ("pdf", lambda: pdf(zlib.compress(b"q 99 0 0 99 0 0 cm /I Do Q")).replace(
        b"/Font <<", b"/XObject << /I 6 0 R >> /Font <<").replace(b"trailer", b"6 0 obj\n<< /Type /XObject /Subtype "
        b"/Image /Width 60000 /Height 60000 /BitsPerComponent 8 /ColorSpace /DeviceGray /Length 3 >>\nstream\nabc\n"
        b"endstream\nendobj\ntrailer")),
    "parquet: one text in all rows": ("parquet", lambda: table_file("parquet")),
    "arrow: packed rows": ("arrow", lambda: table_file("arrow")),
    "epub: a chapter without end": ("epub", lambda: book(b"<p>" + b"x" * 300_000_000)),
    "epub: deep chapter": ("epub", lambda: book(b"<div>" * 300_000)),
    "html: one attribute": ("html", lambda: b"<p title='" + b"x" * 20_000_000 + b"'>Some text.</p>"),
    "json: deep": ("json", lambda: b"[" * 3_000_000),
    "json: a long number": ("json", lambda: b'[{"question": ' + b"9" * 3_000_000 + b"}]"),
    "json: many keys": ("json", lambda: json.dumps([{str(i): i for i in range(300_000)}]).encode()),
    "jsonl: a long number": ("jsonl", lambda: b'{"question": ' + b"9" * 3_000_000 + b"}"),
    "tsv: a giant cell": ("tsv", lambda: b"question\tanswer\n" + b"x" * 30_000_000 + b"\t1\n"),
    "tsv: many columns": ("tsv", lambda: b"\t".join(b"c%d" % i for i in range(200_000)) + b"\n" + b"\t" * 199_999),
    "csv: a quote that never ends": ("csv", lambda: b"question,answer\n" + b'"a,b\n' * 2_000_000),
    "text: one long line": ("text", lambda: b"word " * 6_000_000),
    "markdown: links in links": ("markdown", lambda: b"[" * 2_000_000 + b"x"),
    "markdown: fences": ("markdown", lambda: b"```\n" * 1_000_000 + b"x"),
    "xml: many attributes": ("xml", lambda: b"<r " + b" ".join(b"a%d='1'" % i for i in range(300_000)) + b">x</r>"),
    "zip: a text without end": ("zip", lambda: every.packed({"a.txt": bytes(1_500_000_000)})),
    "zip: many texts": ("zip", lambda: every.packed({f"{i}.txt": b"word " * 10_000_000 for i in range(12)})),
    "zip: zips in zips": ("zip", lambda: zips(60)),
    "msg: a loop of sectors": ("msg", lambda: every.sample("msg").replace(
        b"\x03\0\0\0\x04\0\0\0", b"\x03\0\0\0\x03\0\0\0")),
    "xls: bytes of a larger one": ("xls", lambda: every.sample("xls") + b"\x04\x02\xff\x7f" * 2_000_000),
    "sql: rows without end": ("sql", lambda: f"-- url: sqlite://\n{ENDLESS} SELECT x FROM c".encode()),
    "sql: a giant cell": ("sql", lambda: b"-- url: sqlite://\nSELECT hex(zeroblob(100000000)) AS question"),
    "eml: one long word": ("eml", lambda: b"Subject: s\r\nContent-Type: text/html\r\n\r\n" + b"<b>" * 2_000_000),
    "ipynb: many cells": ("ipynb", lambda: json.dumps(
        {"cells": [{"cell_type": "markdown", "source": "x"}] * 300_000}).encode()),
}  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_bounded(name: str, tmp_path: Path) -> None:
    reader, make = BOMBS[name]
    path = tmp_path / f"bomb{every.suffix_of(reader)}"
    path.write_bytes(make())
    here = str(Path(__file__).parents[1])
    typed = [sys.executable, "-c", BOMB, here, reader, str(path), "60", str(MEMORY)]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stdout[-300:], done.stderr[-1500:])
    assert "MemoryError" not in done.stdout
    assert done.stdout.strip()


def test_every_reader_has_a_bomb() -> None:
    import test_bombs

    own = {test_bombs.FAST[n][0] for n in test_bombs.FAST} | {test_bombs.FULL[n][0] for n in test_bombs.FULL}
    bombed = {reader for reader, _ in BOMBS.values()} | {every.suffixes()[Path(f).suffix] for f in own}
    assert bombed == set(every.READERS)
