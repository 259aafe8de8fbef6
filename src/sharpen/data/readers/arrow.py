"""Examples from Arrow files, and from a folder that Hugging Face's datasets saved to disk.

Such a folder is named as it is; one that holds several splits is named with the split: ``my_set/train``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._archives import TOO_MUCH, Weighed
from sharpen.data.readers._classes import named_classes
from sharpen.data.reading import SAVED, Note, Row, RowReader
from sharpen.errors import Problem

NEEDS = {"pyarrow": "documents"}
SUFFIXES = (".arrow",)


def arrow() -> RowReader:
    """Return the reader."""
    return RowReader(_rows)


def _rows(path: Path, name: str) -> Iterator[Row | Problem | Note]:
    import pyarrow

    row = 0
    try:
        for file in _files(path):
            weight = Weighed(file)
            for batch in _batches(file):
                named = named_classes(batch.schema.metadata)
                for part in range(0, batch.num_rows, 512):
                    for fields in batch.slice(part, 512).to_pylist():
                        row += 1
                        if not weight.fits(fields):
                            yield Problem(TOO_MUCH, f"{name}, row {row}", "Check what it is.")
                            return
                        yield Row(row, named(fields), f"row {row}")
    except MemoryError:
        yield Problem(TOO_MUCH, f"{name}, row {row + 1}", "Check what it is.")
        return
    except (pyarrow.ArrowException, OSError, ValueError, LookupError, OverflowError) as e:
        said = str(e).split("\n")[0][:200].rstrip(".") or type(e).__name__
        where = f"{name}, row {row + 1}"
        yield Problem(f"is not an Arrow file that can be read: {said}.", where, "Save it to disk anew.")
        return
    if not row:
        yield Problem("holds no rows.", name, "Fill it, or take it away.")


def _files(path: Path) -> list[Path]:
    """The files of a saved folder, which never lie elsewhere than in it; or the file itself."""
    if not path.is_dir():
        return [path]
    state = json.loads((path / SAVED).read_text(encoding="utf-8"))
    listed = state.get("_data_files") if isinstance(state, dict) else None
    if not isinstance(listed, list):
        raise ValueError(f"{SAVED} lists no data files")
    return [path / Path(str(item["filename"])).name for item in listed if isinstance(item, dict)]


def _batches(path: Path) -> Iterator[Any]:
    """The record batches of a file in either of Arrow's formats, mapped rather than read."""
    import pyarrow

    with pyarrow.memory_map(str(path)) as file:
        if file.read(6) == b"ARROW1":
            file.seek(0)
            table = pyarrow.ipc.open_file(file)
            for number in range(table.num_record_batches):
                batch = table.get_batch(number)
                batch.validate(full=True)
                yield batch
            return
        file.seek(0)
        for batch in pyarrow.ipc.open_stream(file):
            batch.validate(full=True)  # offsets of a damaged file would lead anywhere in memory
            yield batch
