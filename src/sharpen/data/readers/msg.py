"""A document from an Outlook message (msg): from, to, date and subject, then the text, as from an eml.

The plain text is taken, or the HTML one through the HTML reader; one that is only in rich text is said to be missing.
Attachments are named, and those that a reader of documents takes are documents of their own; a message within the
message is named alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from sharpen.data.readers._attached import attached
from sharpen.data.readers._mail import mail_text
from sharpen.data.readers.html import page_text
from sharpen.data.reading import DocumentReader, Note, decode, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"olefile": "documents", "lxml": "documents"}
SUFFIXES = (".msg",)

LARGEST = 200_000_000
"""Bytes of a message that are read at most."""

# Names of properties in Microsoft's [MS-OXPROPS], as the streams that hold them are called.
_SUBJECT, _BODY, _HTML, _RICH, _TO, _CC = "0037", "1000", "1013", "1009", "0E04", "0E03"
_SENDER, _ADDRESS, _SMTP = "0C1A", "0C1F", "5D01"
_SENT, _ARRIVED = 0x00390040, 0x0E060040
_CONTENT = "3701"  # an attachment's bytes
_NAMES = ("3707", "3704", "3001")  # an attachment's long name, short name, title


def msg() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import olefile

    try:
        if path.stat().st_size > LARGEST:
            yield Problem(f"is larger than {LARGEST / 1e6:,.0f} MB.", source, "Check what it is.")
            return
        with olefile.OleFileIO(io.BytesIO(path.read_bytes()), raise_defects=olefile.DEFECT_FATAL) as file:
            text, said = _mail(file)
            files = _files(file)
            rich = not said and file.exists(f"__substg1.0_{_RICH}0102")
            title = _text(file, _SUBJECT)
    except Exception as e:  # olefile follows whatever tables a damaged file has
        yield Problem(f"is not an Outlook message that can be read ({type(e).__name__}).", source, "Save it as .eml.")
        return
    if not text.strip():
        yield Problem("is no Outlook message: it has neither sender nor subject nor text.", source, "Save it as .eml.")
        return
    if rich:
        yield Note("its text is in rich text alone, and was not read; save it as .eml.", source)
    yield Document(source, tidy(text), tidy(title)[:300] or Path(source).stem)
    yield from attached(files, source)


def _mail(file: Any) -> tuple[str, str]:
    """The whole as text, and the text of its body."""
    address = _text(file, _SMTP) or _text(file, _ADDRESS)
    sender, named = _text(file, _SENDER), f"<{address}>" if "@" in address else ""
    headers = {
        "from": " ".join(filter(None, (sender if sender != address or not named else "", named))),
        "to": _text(file, _TO),
        "cc": _text(file, _CC),
        "date": _date(file),
        "subject": _text(file, _SUBJECT),
    }
    body = _text(file, _BODY, whole=True)
    if not body.strip():
        page = _bytes(file, f"__substg1.0_{_HTML}0102")
        body = page_text(page)[0] if page else page_text(_text(file, _HTML, whole=True))[0]
    names = [_called(file, folder) or "without a name" for folder in _folders(file)]
    return mail_text(headers, body, names), body.strip()


def _folders(file: Any) -> list[str]:
    return sorted({entry[0] for entry in file.listdir() if entry[0].lower().startswith("__attach_version1.0_")})


def _called(file: Any, folder: str) -> str:
    return next(filter(None, (_text(file, n, f"{folder}/") for n in _NAMES)), "")


def _files(file: Any) -> list[tuple[str, bytes]]:
    """Name and content of what is attached as a file."""
    found = [(_called(file, folder), _bytes(file, f"{folder}/__substg1.0_{_CONTENT}0102")) for folder in _folders(file)]
    return [(name, data) for name, data in found if name and data]


def _bytes(file: Any, name: str) -> bytes:
    if not file.exists(name):
        return b""
    with file.openstream(name) as stream:
        data: bytes = stream.read()
    return data


def _text(file: Any, prop: str, folder: str = "", whole: bool = False) -> str:
    """A property's text, as Unicode or as the writer's code page; on one line unless ``whole``."""
    wide = _bytes(file, f"{folder}__substg1.0_{prop}001F")
    text = (
        wide.decode("utf-16-le", errors="replace")
        if wide
        else decode(_bytes(file, f"{folder}__substg1.0_{prop}001E"))[0]
    )
    text = text.replace("\x00", "")
    return text if whole else " ".join(text.split())


def _date(file: Any) -> str:
    """When it was sent, or arrived; a property of fixed length is 16 bytes of a table, after a head of 32."""
    table = _bytes(file, "__properties_version1.0")
    found: dict[int, int] = {}
    for at in range(32, len(table) - 15, 16):
        tag, ticks = int.from_bytes(table[at : at + 4], "little"), int.from_bytes(table[at + 8 : at + 16], "little")
        found.setdefault(tag, ticks)
    ticks = found.get(_SENT) or found.get(_ARRIVED) or 0
    try:
        return format_datetime(datetime(1601, 1, 1) + timedelta(microseconds=ticks // 10)) if ticks else ""
    except OverflowError:
        return ""
