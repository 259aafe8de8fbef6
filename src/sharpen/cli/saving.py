"""Files that a user names for what a command writes: none of the user's own is lost."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sharpen.errors import UserError
from sharpen.store import write_text


def free(path: Path, mark: str) -> None:
    """See that a file that a user named may be written: nothing stands there but what was written so before.

    ``mark`` stands in the first 4,096 bytes of that, and in no file of the user's own.

    Raises:
        UserError: something else does.
    """
    if path.is_dir():
        raise UserError("is a folder.", str(path), "Name a file.")
    with suppress(FileNotFoundError), path.open("rb") as f:
        head = f.read(4096)
        if head and mark.encode() not in head:
            raise UserError("holds something else, which would be lost.", str(path), "Name a new file.")


def write_named(path: Path, text: str, mark: str) -> None:
    """Write a file that a user named, unless it holds something else (see :func:`free`)."""
    free(path, mark)
    write_text(path, text)
