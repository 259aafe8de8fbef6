"""A document from an Excel workbook: each sheet under its name, its rows as ``a | b`` lines.

Cells hold what Excel shows: the results of formulas that were saved with the file, percentages, decimals and dates by
their format. Hidden sheets are left out, which is noted; comments, charts and pictures are not read. Where a
workbook is named as examples, each sheet is a table whose first row names the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._archives import refused
from sharpen.data.readers._tables import Measured, TooMuch, cell_text, sheet_lines, sheet_text
from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"openpyxl": "documents"}
SUFFIXES = (".xlsx", ".xlsm", ".xltx")


def xlsx() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import warnings

    import openpyxl

    if problem := refused(path, source, "an Excel file"):
        yield problem
        return
    sheets: list[str] = []
    hidden: list[str] = []
    book: Any = None
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of styles and extensions that openpyxl does not know
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            measured = Measured()
            for sheet in book.worksheets:
                if sheet.sheet_state != "visible":
                    hidden.append(sheet.title)
                elif text := sheet_text(sheet.title, sheet_lines(_rows(sheet, measured))):
                    sheets.append(text)
            title = " ".join((book.properties.title or "").split())
    except TooMuch:
        yield Problem("writes out to too many cells or too much text.", source, "Save the sheets that matter as csv.")
        return
    except Exception as e:  # openpyxl raises whatever its XML parser and the values that it expects do
        yield Problem(f"is not an Excel file that can be read ({type(e).__name__}).", source, "Save it anew.")
        return
    finally:
        if book is not None:
            book.close()
    if hidden:
        yield Note(f"{len(hidden)} hidden sheets were left out (first: {hidden[0][:60]}).", source)
    if not sheets:
        yield Problem("holds no text.", source, "Fill it, or take it away.")
        return
    yield Document(source, tidy("\n\n".join(sheets)), tidy(title) or Path(source).stem)


def grids(path: Path, name: str, measured: Measured) -> Iterator[tuple[str, Iterable[list[str]]] | Problem]:
    """Yield the title and the cells of each visible sheet, to be read at once.

    Raises:
        Exception: whatever openpyxl raises for a damaged file.
    """
    import warnings

    import openpyxl

    if problem := refused(path, name, "an Excel file"):
        yield problem
        return
    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            for sheet in book.worksheets:
                if sheet.sheet_state == "visible":
                    yield sheet.title, _rows(sheet, measured)
        finally:
            book.close()


def _rows(sheet: Any, measured: Measured) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # what a file says of its size may be wrong, and would be filled with empty cells
    for row in sheet.iter_rows():
        if not row:  # where row numbers have a gap
            measured.add([])
            yield []
            continue
        cells = [cell_text(c.value, c.number_format) if c.value is not None else "" for c in row]
        measured.add(cells)
        yield cells
