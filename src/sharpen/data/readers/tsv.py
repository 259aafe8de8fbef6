"""Examples from tab-separated values with a header line; otherwise as csv."""

from __future__ import annotations

from sharpen.data.readers.csv import read_separated
from sharpen.data.reading import RowReader

SUFFIXES = (".tsv", ".tab")


def tsv() -> RowReader:
    """Return the reader."""
    return RowReader(lambda path, name: read_separated(path, name, "\t"))
