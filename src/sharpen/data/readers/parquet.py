"""Examples from Parquet, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpen.data.readers._archives import TOO_MUCH, Weighed
from sharpen.data.readers._classes import named_classes
from sharpen.data.reading import Note, Row, RowReader
from sharpen.errors import Problem

NEEDS = {"pyarrow": "documents"}
SUFFIXES = (".parquet", ".pq")


def parquet() -> RowReader:
    """Return the reader."""
    return RowReader(_rows)


def _rows(path: Path, name: str) -> Iterator[Row | Problem | Note]:
    import pyarrow
    import pyarrow.parquet

    row = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            weight = Weighed(path)
            named = named_classes(table.schema_arrow.metadata)
            for batch in table.iter_batches(batch_size=512):
                for fields in batch.to_pylist():
                    row += 1
                    if not weight.fits(fields):
                        yield Problem(TOO_MUCH, f"{name}, row {row}", "Check what it is.")
                        return
                    yield Row(row, named(fields), f"row {row}")
    except MemoryError:
        yield Problem(TOO_MUCH, f"{name}, row {row + 1}", "Check what it is.")
        return
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as e:
        said = str(e).split("\n")[0][:200]
        yield Problem(f"is not a Parquet file that can be read: {said}", f"{name}, row {row + 1}", "Write it anew.")
        return
    if not row:
        yield Problem("holds no rows.", name, "Fill it, or take it away.")
