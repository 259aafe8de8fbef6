"""Files that a user names for what a command writes: none of the user's own is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.store import write_text


def free(path: Path, mark: str) -> None:
    """See that a file that a user named may be written: nothing stands there but what was written so before.

    ``mark`` stands in the first 4,096 bytes of that, or in each line where these are rows, and in no file of the
    user's own.

    Raises:
        UserError: something else does.
    """
    if path.is_dir():
        raise UserError("is a folder.", str(path), "Name a file.")
    with suppress(FileNotFoundError), path.open("rb") as f:
        head = f.read(4096)
        f.seek(0)
        ours = all(mark.encode() in line for line in f) if head.startswith(b"{") else mark.encode() in head
        if head and not ours:
            raise UserError("holds something else, which would be lost.", str(path), "Name a new file.")


def write_named(path: Path, text: str, mark: str) -> None:
    """Write a file that a user named, unless it holds something else (see :func:`free`)."""
    free(path, mark)
    write_text(path, text)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], mark: str) -> None:
    """Write rows, each of which holds ``mark``, to a file that a user named."""
    write_named(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), mark)
