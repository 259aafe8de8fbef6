"""What is attached to a mail, read as documents by the readers for their endings, within limits.

A document is named ``mail.eml/terms.pdf``. What no document reader takes stays named in the mail alone; a mail within a
mail is read, too, three deep at most.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path, PurePosixPath

from sharpen.data.reading import DocumentReader, Note, open_reader, plain_characters
from sharpen.errors import Problem
from sharpen.types import Document

DEEPEST = 3
"""Mails and archives within each other that are opened."""

MOST = 200
"""Attachments that are read of one mail, with those of mails within it."""

LARGEST = 64_000_000
"""Bytes of all attachments of one mail that are read."""

PACKED = (".zip", ".gz")

_left: ContextVar[tuple[int, list[int]] | None] = ContextVar("left", default=None)


def attached(parts: Sequence[tuple[str, bytes]], source: str) -> Iterator[Document | Problem | Note]:
    """Read attachments.

    Args:
        parts: name and content of each.
        source: the mail that they hang on.
    """
    from sharpen.data.documents import read_document

    depth, left = _left.get() or (0, [MOST, LARGEST])  # files, bytes: one allowance for all that is nested
    names: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="sharpen-") as folder:
        for number, (given, data) in enumerate(parts):
            inside = PurePosixPath(plain_characters(given).replace("\\", "/")).name.strip() or f"part {number + 1}"
            names[inside] = names.get(inside, 0) + 1
            name = f"{source}/{inside}" + (f" ({names[inside]})" if names[inside] > 1 else "")
            suffix = Path(inside).suffix.lower()
            path = Path(folder) / f"{number}{suffix if suffix.isascii() and len(suffix) < 20 else ''}"
            if not isinstance(open_reader(path), DocumentReader):
                continue
            if suffix in PACKED and ".zip/" in f"{source}/".lower():
                yield Note("left out: it is an archive within an archive, which is not opened.", name)
                continue
            if depth >= DEEPEST:
                yield Note(f"left out: it lies {depth + 1} deep in mails and archives.", name)
                continue
            left[0], left[1] = left[0] - 1, left[1] - len(data)
            if left[0] < 0 or left[1] < 0:
                what = f"{MOST} files" if left[0] < 0 else f"{LARGEST / 1e6:,.0f} MB"
                yield Problem(f"is left out: its mail has more than {what} attached.", name, "Save it beside the mail.")
                return
            path.write_bytes(data)
            token = _left.set((depth + 1, left))
            try:
                found = list(read_document(path, name))
            finally:
                _left.reset(token)
            path.unlink()
            if suffix in PACKED:  # what it unpacks to counts, too
                left[1] -= sum(len(d.text) for d in found if isinstance(d, Document))
            yield from found
