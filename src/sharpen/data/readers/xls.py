"""A document from an Excel workbook of before 2007 (xls): as from xlsx."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._tables import Measured, TooMuch, cell_text, sheet_lines, sheet_text
from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"xlrd": "documents"}
SUFFIXES = (".xls",)

LARGEST = 64_000_000
"""Bytes of a workbook that are read at most."""


def xls() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import xlrd

    sheets: list[str] = []
    hidden: list[str] = []
    try:
        if path.stat().st_size > LARGEST:
            yield Problem(f"is larger than {LARGEST / 1e6:,.0f} MB.", source, "Save the sheets that matter as csv.")
            return
        measured = Measured()
        with xlrd.open_workbook(
            str(path), logfile=io.StringIO(), formatting_info=True, ragged_rows=True, on_demand=True
        ) as book:
            for number in range(book.nsheets):
                sheet = book.sheet_by_index(number)
                if sheet.visibility:
                    hidden.append(sheet.name)
                elif text := sheet_text(sheet.name, sheet_lines(_rows(sheet, book, measured))):
                    sheets.append(text)
                book.unload_sheet(number)
    except TooMuch:
        yield Problem("writes out to too many cells or too much text.", source, "Save the sheets that matter as csv.")
        return
    except Exception as e:  # xlrd asserts and indexes its way through damaged files
        locked = "encrypted" in str(e).lower()
        what = "is locked with a password." if locked else f"is not an xls file that can be read ({type(e).__name__})."
        yield Problem(what, source, "Save it anew, as xlsx and without a password.")
        return
    if hidden:
        yield Note(f"{len(hidden)} hidden sheets were left out (first: {hidden[0][:60]}).", source)
    if not sheets:
        yield Problem("holds no text.", source, "Fill it, or take it away.")
        return
    yield Document(source, tidy("\n\n".join(sheets)), Path(source).stem)


def grids(path: Path, name: str, measured: Measured) -> Iterator[tuple[str, Iterable[list[str]]] | Problem]:
    """Yield the title and the cells of each visible sheet, to be read at once; raises as xlrd does."""
    import xlrd

    if path.stat().st_size > LARGEST:
        yield Problem(f"is larger than {LARGEST / 1e6:,.0f} MB.", name, "Save the sheets that matter as csv.")
        return
    with xlrd.open_workbook(
        str(path), logfile=io.StringIO(), formatting_info=True, ragged_rows=True, on_demand=True
    ) as book:
        for number in range(book.nsheets):
            sheet = book.sheet_by_index(number)
            if not sheet.visibility:
                yield sheet.name, _rows(sheet, book, measured)
            book.unload_sheet(number)


def _rows(sheet: Any, book: Any, measured: Measured) -> Iterator[list[str]]:
    for number in range(sheet.nrows):
        cells = [_text(cell, book) for cell in sheet.row(number)]
        measured.add(cells)
        yield cells


def _text(cell: Any, book: Any) -> str:
    import xlrd

    if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return ""
    form = book.format_map.get(book.xf_list[cell.xf_index].format_key) if cell.xf_index is not None else None
    code = form.format_str if form is not None else "General"
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return cell_text(xlrd.xldate_as_datetime(cell.value, book.datemode), code)
        except (ValueError, OverflowError):
            return cell_text(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return cell_text(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return cell_text(cell.value, code)
