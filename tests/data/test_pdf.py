"""PDFs as a person reads them: columns, tables with and without lines, broken words, heads, turned and scanned pages.

Expectations on real files were written down from pictures of their pages.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pypdfium2")

from sharpen.data.documents import read_document
from sharpen.data.readers import _ocr
from sharpen.data.readers._grids import edges_of
from sharpen.data.readers._layout import page_lines
from sharpen.data.readers._streams import LARGEST, too_large
from sharpen.data.readers._words import SOFT, Box, Word, unbroken, whole
from sharpen.data.reading import Note
from sharpen.errors import Problem
from sharpen.types import Document

SETS = Path(os.environ.get("SHARPEN_DATA", "/nowhere")) / "ingest_samples"
Text = tuple[float, float, str]  # x, y, what stands there


def made(pages: Sequence[tuple[Sequence[Text], str]], turned: int = 0, size: int = 10) -> bytes:
    """A PDF: texts in Courier, whose characters are 0.6 of their size wide, and drawing operators."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>"]
    kids = []
    for texts, drawn in pages:
        shown = "".join(f"1 0 0 1 {x} {y} Tm ({text}) Tj " for x, y, text in texts)
        stream = f"{drawn} BT /F1 {size} Tf {shown} ET".encode("latin-1")
        kids.append(len(objects) + 1)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Rotate %d /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (turned, len(objects) + 2)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    listed = " ".join(f"{k} 0 R" for k in kids).encode()
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (listed, len(kids))
    out, places = b"%PDF-1.4\n", []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    table = b"".join(b"%010d 00000 n \n" % p for p in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table) + end


def text_of(folder: Path, data: bytes) -> str:
    path = folder / "a.pdf"
    path.write_bytes(data)
    (found,) = (x for x in read_document(path, "a.pdf") if isinstance(x, Document))
    return found.text


def grid(rows: Sequence[Sequence[str]], xs: Sequence[float], top: float = 700, step: float = 24) -> list[Text]:
    return [(x, top - step * i, c) for i, row in enumerate(rows) for x, c in zip(xs, row, strict=True) if c]


def test_a_table_without_lines_has_its_cells_apart_and_empty_ones_kept(tmp_path: Path) -> None:
    rows = [["Code", "Place", "Wanted"], ["K-1", "", "450"], ["", "B-07", ""], ["K-2", "C-15", "78"]]
    page = [(50, 760, "What was counted in the spring."), *grid(rows, (50, 150, 250)), (50, 560, "All is well.")]
    assert text_of(tmp_path, made([(page, "")])) == (
        "What was counted in the spring.\n\nCode | Place | Wanted\nK-1 |  | 450\n| B-07\nK-2 | C-15 | 78\n\n"
        "All is well."
    )


def test_cells_that_were_drawn_column_by_column_come_out_as_rows(tmp_path: Path) -> None:
    rows = [["Code", "Place"], ["K-1", "A-12"], ["K-2", "C-15"]]
    page = sorted(grid(rows, (50, 150)), key=lambda t: (t[0], -t[1]))
    assert text_of(tmp_path, made([(page, "")])) == "Code | Place\nK-1 | A-12\nK-2 | C-15"


def test_a_cell_of_two_lines_is_one_cell(tmp_path: Path) -> None:
    rows = [["Engine:", "Lycoming"], ["Time in the air:", "3861 hours at the time of"], ["Held:", "None"]]
    page = [*grid(rows, (50, 200), step=30), (200, 659, "the accident")]
    assert text_of(tmp_path, made([(page, "")])) == (
        "Engine: | Lycoming\nTime in the air: | 3861 hours at the time of the accident\nHeld: | None"
    )


def test_drawn_lines_say_what_is_a_cell_where_texts_stand_in_the_middle(tmp_path: Path) -> None:
    """Two columns, three rows; the first cell of the last two rows is one, its text between the rows."""
    lines = "".join(f"{x} 600 m {x} 690 l S " for x in (50, 200, 300)) + "".join(
        f"{left} {y} m 300 {y} l S " for left, y in ((50, 690), (50, 660), (200, 630), (50, 600))
    )
    page = [(55, 670, "What"), (205, 670, "When"), (55, 632, "A long text in"), (55, 620, "one cell"),
            (205, 640, "2021"), (205, 610, "2022")]  # fmt: skip
    assert text_of(tmp_path, made([(page, lines)])) == "What | When\nA long text in one cell | 2021\n| 2022"


LEFT = ["The two general types of nuts are the one", "of metal and the one of fibre, of which we", "consider three "
        "kinds here, because they re-", "present all that is used in the making of", "machines that fly over land and "
        "sea, and of"]  # fmt: skip
RIGHT = ["others that do not. What is fastened by a", "nut must not come loose when it shakes, so", "it is locked. A "
         "lock is made by a spring or", "by a ring of another material that holds", "the bolt so firmly that it "
         "does not turn."]  # fmt: skip


@pytest.mark.parametrize("shift", [0, 5])
@pytest.mark.parametrize("mixed", [False, True])
def test_columns_are_read_one_after_the_other_and_sentences_go_on(tmp_path: Path, shift: int, mixed: bool) -> None:
    columns = [
        [(40, 700 - 12 * i, t) for i, t in enumerate(LEFT)],
        [(320, 700 - shift - 12 * i, t) for i, t in enumerate(RIGHT)],
    ]
    page = [t for pair in zip(*columns, strict=True) for t in pair] if mixed else [*columns[0], *columns[1]]
    page = [(40, 760, "On nuts and bolts, how they are made, and what keeps them from coming loose in flight"), *page]
    first, rest = text_of(tmp_path, made([(page, "")])).split("\n\n")
    assert first.startswith("On nuts")
    assert rest == (" ".join([*LEFT, *RIGHT])).replace("re- present", "represent")


def test_heads_and_numbers_that_come_back_go_and_what_is_said_once_stays(tmp_path: Path) -> None:
    pages = [
        ([(50, 780, "Strategic Plan" if n % 2 else "The Agency"), (50, 700, f"Only page {w} says this."),
          (50, 40, f"Page {n} of 6")], "")
        for n, w in enumerate(["one", "two", "three", "four", "five", "six"], 1)
    ]  # fmt: skip
    text = text_of(tmp_path, made(pages))
    assert text.split("\n\n") == [f"Only page {w} says this." for w in ["one", "two", "three", "four", "five", "six"]]


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_page_is_read_as_it_is_looked_at(tmp_path: Path, turned: int) -> None:
    """On a page that is turned by 180 degrees what stands lowest is read first."""
    rows = [["Code", "Place"], ["K-1", "A-12"], ["K-2", "C-15"]]
    text = text_of(tmp_path, made([(grid(rows, (50, 150)), "")], turned))
    if turned == 180:
        assert set(text.replace(" | ", "\n").split()) == {c for row in rows for c in row}
    else:
        assert all(c in text for row in rows for c in row)


def test_text_that_is_drawn_sideways_over_the_page_is_a_table_too(tmp_path: Path) -> None:
    rows = [["Code", "Place"], ["K-one", "A-12"], ["K-two", "C-15"], ["K-six", "C-16"]]
    up = [(800 - y, x, text) for x, y, text in grid(rows, (50, 150))]  # columns go up, rows to the right
    data = made([(up, "")]).replace(b"1 0 0 1 ", b"0 1 -1 0 ")
    assert text_of(tmp_path, data) == "Code | Place\nK-one | A-12\nK-two | C-15\nK-six | C-16"


def test_what_is_too_small_to_be_seen_is_left_out(tmp_path: Path) -> None:
    data = made([([(50, 700, "Some text that one sees."), (50, 650, "hidden")], "")])
    small = data.replace(b"1 0 0 1 50 650 Tm", b".1 0 0 .1 5 65 Tm")
    assert text_of(tmp_path, small) == "Some text that one sees."


def test_bullets_numbers_and_entries_of_a_table_of_contents_keep_their_lines(tmp_path: Path) -> None:
    page = [(50, 700, "1"), (80, 700, "Introduction"), (50, 670, "- one"), (50, 658, "- two"),
            (50, 600, "Vision ............ 5"), (50, 588, "Mission ............ 6")]  # fmt: skip
    assert text_of(tmp_path, made([(page, "")])) == ("1 Introduction\n\n- one\n\n- two\n\nVision ... 5\nMission ... 6")


def test_broken_words_are_mended_as_the_text_has_them_elsewhere() -> None:
    assert whole("con-", "firming") == f"con{SOFT}firming"
    assert whole("Anglo-", "Saxon") == "Anglo- Saxon"
    assert unbroken(f"con{SOFT}firming") == "confirming"
    assert unbroken(f"A well-known one, well{SOFT}known") == "A well-known one, well-known"
    assert unbroken(f"a wellknown one, well{SOFT}known") == "a wellknown one, wellknown"
    assert unbroken(f"long{SOFT}term plans: the long view of a term") == "long-term plans: the long view of a term"
    assert unbroken(f"end{SOFT}") == "end-"


PLACE = st.floats(-1e6, 1e6, allow_nan=False)
WORDS = st.builds(
    lambda text, x, y, wide, high, breaks: Word(
        text, Box(x, x + 1, y, y + high), Box(x + wide, x + wide + 1, y, y + high), breaks
    ),
    st.text("aB.-•1", min_size=1, max_size=6), PLACE | st.integers(0, 600), PLACE | st.integers(0, 800),
    st.integers(0, 200), st.integers(0, 60), st.booleans(),
)  # fmt: skip
BOXES = st.builds(lambda x, y, w, h: Box(x, x + w, y, y + h), *[st.integers(0, 600)] * 4)


@given(st.lists(WORDS, max_size=60), st.lists(BOXES, max_size=20))
@settings(max_examples=150, deadline=None)
def test_wherever_words_stand_each_is_said_once(words: list[Word], boxes: list[Box]) -> None:
    edges = [e for box in boxes for e in edges_of(box, False)]
    said = "".join(line.text for line in page_lines(words, edges))
    assert sorted(said.replace(" | ", "").replace(SOFT, "-").replace(" ", "").replace("|", "")) == sorted(
        "".join(w.text for w in words)
    )


def test_a_page_of_many_words_takes_no_longer_than_its_words() -> None:
    import time

    begin = time.process_time()
    words = [
        Word("word", Box(x, x + 6, y, y + 10), Box(x + 18, x + 24, y, y + 10), x == 0)
        for y in range(0, 6000, 12)
        for x in range(0, 600, 40)
    ]
    assert len(page_lines(words)) > 400
    assert time.process_time() - begin < 8


# -- scanned pages ------------------------------------------------------------


def test_a_scan_without_the_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_ocr, "missing", lambda: "install Tesseract")
    (tmp_path / "a.pdf").write_bytes(made([([], "0 0 m 9 9 l S")]))
    (problem,) = read_document(tmp_path / "a.pdf", "a.pdf")
    assert isinstance(problem, Problem)
    assert problem.what == "holds no text; it seems to be scanned."
    assert problem.do == "To have them read: install Tesseract."


def test_words_of_the_engine_become_rows_and_doubtful_ones_go() -> None:
    """Tesseract's own table: a line (level 4) of two cells, then one whose words are apart by a blank."""
    rows = [
        (4, 0, 0, 400, 20, -1, ""), (5, 0, 0, 50, 20, 96, "Heart"), (5, 60, 0, 50, 20, 95, "rate"),
        (5, 300, 0, 50, 20, 96, "78"), (5, 380, 0, 20, 20, 3, "~~"),
        (4, 0, 40, 400, 20, -1, ""), (5, 0, 40, 50, 20, 96, "Sugar"), (5, 300, 40, 90, 20, 96, "118"),
    ]  # fmt: skip
    names = ("level", "left", "top", "width", "height", "conf", "text")
    table = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    assert [line.text for line in page_lines(list(_ocr._said(table, 2.0)))] == ["Heart rate | 78", "Sugar | 118"]


@pytest.mark.full
def test_a_scanned_report_is_read_with_its_tables() -> None:
    if _ocr.missing() or not SETS.exists():
        pytest.skip("needs Tesseract and the public sets")
    path = SETS / "markitdown" / "MEDRPT-2024-PAT-3847_medical_report_scan.pdf"
    note, document = read_document(path, path.name)
    assert isinstance(note, Note)
    assert note.what.startswith("3 of 3 pages were read by OCR (Tesseract")
    assert isinstance(document, Document)
    assert "SEATTLE GENERAL HOSPITAL" in document.text
    assert "Heart Rate | 78 bpm | 60-100 bpm | NORMAL" in document.text
    assert "Total Cholesterol | 215 mg/dL" in document.text


def test_a_large_stream_is_counted_to_its_end_and_no_further(tmp_path: Path) -> None:
    packed = zlib.compress(b"0 0 m 9 9 l S " * 200_000)  # what is behind it was unpacked for ever, once
    path = tmp_path / "large.pdf"
    path.write_bytes(b"4 0 obj\n<< /Filter /FlateDecode >>\nstream\n" + packed + b"\nendstream\nendobj\n")
    assert too_large(path) == 0
    path.write_bytes(path.read_bytes().replace(packed, zlib.compress(b" " * (LARGEST + 1))))
    assert too_large(path) > LARGEST


# -- real files, looked at as pictures ----------------------------------------

EXPECTED = {
    "markitdown/SPARSE-2024-INV-1234_borderless_table.pdf": [
        "INVENTORY RECONCILIATION REPORT\n\nReport ID: SPARSE-2024-INV-1234\n\nWarehouse: Distribution Center East\n\n",
        "\nProduct Code | Location | Expected | Actual | Variance | Status\nSKU-8847 | A-12 | 450\n"
        "| B-07 |  | 289 | -23\nSKU-9201 |  | 780 | 778 |  | OK\n| C-15 |  |  | +15\n"
        "SKU-4563 | D-22 |  | 156 |  | CRITICAL\n"
        "|  | 180 |  | -24\nSKU-7728 | A-08 | 920\n|  |  | 935 | +15 | OK\n\n",
        "Cross-location verification protocols should be reviewed to prevent future discrepancies.",
        "\nProduct Code | Category | Unit Cost | Total Value | Last Audit | Notes\n"
        "SKU-8847 | Electronics | $45.00 | $13,005.00 | 2024-10-15\n",
        "\nSKU-4563 | Software | $120.00 | $18,720.00 |  | Critical\n",
        "\nSKU-1123 | Hardware | $55.00 | $27,500.00 | 2024-10-30 | Verified\n\nRecommendations:",
    ],
    "markitdown/REPAIR-2022-INV-001_multipage.pdf": [
        "ZAVA AUTO REPAIR\n\nCertified Collision Repair\n\n123 Main Street, Redmond, WA 98052",
        "\nInsured name | Gabriel Diaz | Year | 2022\nClaim # | SF-1008 | Make | Jeep\n",
        "\nEmail | gabriel@contoso.com | VIN | 1C4RJFBG2NC123456\n|  | Color | White\n|  | Odometer | 9,800\n",
        "Estimate Totals\n\n| Hours | Rate | Cost\nParts |  |  | 2,100\nBody Labor | 2 | 150 | 300\n"
        "Paint Labor | 1.5 | 150 | 225\nMechanical Labor | - | - | -\nSupplies\n| Paint Supplies |  | 60\n",
        "\nSales Tax |  | 10.20% | 278.46\nGRAND TOTAL |  |  | 5,738\n",
        "\n\nThis is a preliminary estimate for the visible damage of the vehicle.",
        "\nInsured name | Bruce Wayne | Year | 2025\nClaim # | 999 | Make | Batman\n",
    ],
    "docling/amt_handbook_sample.pdf": [
        "pulleys, provided the inner race of the bearing is clamped to the supporting structure by the nut and bolt.",
        "\n\nBoots Self-Locking Nut\n\nThe Boots self-locking nut is of one piece, all-metal construction",
        "The wing type that is",
        "Boots aircraft nut | Elastic anchor nut",
        "Flexloc nut | Fiber locknut | Elastic stop nut",
        "Figure 7-26. Self-locking nuts.",
        "the most common ranges in size for No. 6 up to 1⁄4 inch, the Rol-top ranges from 1⁄4 inch to 1⁄6 inch,",
        "\n\nStainless Steel Self-Locking Nut\n\nThe stainless steel self-locking nut may be spun on and off by hand",
        "\n\nElastic Stop Nut\n\n",
        "Figure 7-27. Stainless steel self-locking nut.",
    ],
    "us_gov_pdf/20071229X02007.pdf": [
        "Location: | Tallahassee, FL | Accident Number: | NYC08CA055\n"
        "Date & Time: | 12/08/2007, 1730 EST | Registration: | N5921D\n",
        "\nDefining Event: |  | Injuries: | 1 Minor\n",
        "\n\nAnalysis\n\nThe pilot, age 85, was attempting to land a Piper PA-22-150 at his private airstrip.",
        "\nOther Aircraft Rating(s): | None | Restraint Used: | Seatbelt, Shoulder harness\n",
        "\nFlight Time: | 2319 hours (Total, all aircraft), 2313 hours (Total, this make and model), 2072 hours (Pilot "
        "In Command, all aircraft), 17 hours (Last 90 days, all aircraft), 8 hours (Last 30 days, all aircraft), "
        "1 hours (Last 24 hours, all aircraft)\n",
        "\nAirframe Total Time: | 3861 Hours at time of accident | Engine Manufacturer: | Lycoming\n",
        "\nOperator: | Willis O Forman | Operating Certificate(s) Held: | None\n",
        "\nDestination: | Tallahassee, FL (NONE) | Type of Clearance: | None\n",
        "\nCrew Injuries: | 1 Minor | Aircraft Damage: | Substantial\n",
    ],
    "us_gov_pdf/EPA2022.pdf": [
        "\nVision ... 5\nMission ... 5\nValues ... 5\n",
        "\nDescription | Type | Status | Start Date | End Date | MMTCO2e\nBy September 30, 2026, EPA’s climate "
        "partnership programs will reduce expected annual greenhouse gas (GHG) emissions by 545 million metric tons of "
        "carbon dioxide equivalent (MMTCO2e). | Target |  | 2025-10-01 | 2026-09-30 | 545\n"
        "| Actual | Baseline | 2019-01-01 | 2019-12-31 | 518.6\n",
    ],
    "us_gov_pdf/DOT2022.pdf": [
        "\n\nFEDERAL RAILROAD ADMINISTRATION (FRA)\n\nFEDERAL TRANSIT ADMINISTRATION (FTA)\n\n"
        "MARITIME ADMINISTRATION (MARAD)\n\nNATIONAL HIGHWAY TRAFFIC SAFETY ADMINISTRATION (NHTSA)\n\n",
        "\nDescription | Type | Status | Start Date | End Date | Percentage Reduction\nReduce 66% of motor "
        "vehicle-related fatalities by 2040 to demonstrate progress to achieve zero roadway fatalities. | Target | "
        "Target Met |  | 2039-12-31 | 66\n",
    ],
    "docling/normal_4pages.pdf": [
        "구분 | 개정전 | 개정후\n분류 | 1군 감염병 | 1급 감염병\n분류 기준 | ◦ 마시는 물 또는 식품을 매개로 발생하고",
        "\nU코드 | ◦ 대상질병에 U코드 없음 | ◦ 대상질병에 U코드 일부(3종) 포함",
    ],
    "support.pdf": [
        "\n\n2. How to Cancel a Confirmed Booking\n\nLife happens, and sometimes you need to cancel a confirmed "
        "booking.",
        "\n\n• Depending on the host’s cancellation policy, you may be subject to cancellation fees. These fees will "
        "be clearly displayed during the cancellation process.\n\n6. Refunds:",
    ],
    "markitdown/test.pdf": [
        "1 Introduction\n\nLarge language models (LLMs) are becoming a crucial building block",
        "There are at least three reasons confirming its general feasibility",
        "agent behaviors. AutoGen provides ready-to-use implementations",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_file_holds_what_one_sees_in_order(name: str) -> None:
    if not (SETS / name).exists():
        pytest.skip(f"{name} is not in SHARPEN_DATA")
    (document,) = (x for x in read_document(SETS / name, name) if isinstance(x, Document))
    at = 0
    for phrase in EXPECTED[name]:
        found = document.text.find(phrase, max(0, at - 2))
        assert found >= 0, phrase
        at = found + len(phrase)
    assert "PLACEHOLDER" not in document.text  # stands there in letters of one point
    assert not any(line.startswith("Page ") for line in document.text.split("\n") if len(line) < 9)
