"""A document from an e-mail (eml): from, to, date and subject, then the text.

The plain text is taken, or the HTML text through the HTML reader where there is no plain one. Attachments are named,
and those that a reader of documents takes are documents of their own: ``mail.eml/terms.pdf``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._attached import attached
from sharpen.data.readers._mail import mail_text
from sharpen.data.readers.html import page_text
from sharpen.data.reading import DocumentReader, Note, decode, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"lxml": "documents"}
SUFFIXES = (".eml",)

LARGEST = 64_000_000
"""Bytes of a mail that are read at most; mail servers take half of that."""

MOST_PARTS = 5_000
"""Lines that may begin a part; each costs the parser of the standard library much."""

LONGEST_HEADER = 20_000
"""Characters of a header that are decoded; a list of a thousand addresses has more, and is cut."""

_HEADERS = ("from", "to", "cc", "date", "subject")


def eml() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    import email

    do = "Save it from the mail program as .eml."
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST else None
    except OSError as e:
        yield Problem(f"cannot be opened: {e.strerror or e}.", source, "Check the path and the permissions.")
        return
    if data is None or (b"multipart/" in data.lower() and data.count(b"\n--") > MOST_PARTS):
        what = f"is larger than {LARGEST / 1e6:,.0f} MB." if data is None else f"has more than {MOST_PARTS:,} parts."
        yield Problem(what, source, "Check what it is.")
        return
    try:
        mail = email.message_from_bytes(data)  # the newer policies parse headers in quadratic time
        headers = {name: _header(mail, name) for name in _HEADERS}
        if not any(headers.values()):
            yield Problem("is no e-mail: it has neither sender nor date nor subject.", source, do)
            return
        plain, pages, names, files = _parts(mail)
    except Exception as e:  # email's parsers raise much for what no mail program would write
        yield Problem(f"is not an e-mail that can be read ({type(e).__name__}).", source, do)
        return
    text = "\n\n".join(plain) or "\n\n".join(filter(None, (page_text(page)[0] for page in pages)))
    yield Document(source, tidy(mail_text(headers, text, names)), tidy(headers["subject"])[:300] or Path(source).stem)
    yield from attached(files, source)


def _header(mail: Any, name: str) -> str:
    """A header as a person sees it, whether its letters are encoded as they should be or stand there raw."""
    from email.header import decode_header

    given = next((value for key, value in mail.raw_items() if key.lower() == name), "")
    raw = str(given).encode("utf-8", "surrogateescape")[:LONGEST_HEADER]
    said = " ".join(decode(raw)[0].split())
    try:
        pieces = [
            piece if isinstance(piece, str) else _text(piece, charset or "ascii")
            for piece, charset in decode_header(said)
        ]
    except Exception:  # as above; one encoded word that is broken is shown as it stands
        return said
    return " ".join("".join(pieces).split())


def _text(data: bytes, charset: str) -> str:
    """Text in its own charset, or as any text where that is wrong or unknown."""
    try:
        return data.decode(charset)
    except (LookupError, ValueError):
        return decode(data)[0]


def _parts(mail: Any) -> tuple[list[str], list[str], list[str], list[tuple[str, bytes]]]:
    """Plain texts, HTML texts, and the names and content of what is attached; mails within the mail are attached."""
    plain: list[str] = []
    pages: list[str] = []
    names: list[str] = []
    files: list[tuple[str, bytes]] = []
    left = [mail]
    while left:
        part = left.pop()
        kind, inside = part.get_content_type(), part.get_payload()
        if kind == "message/rfc822" and part is not mail:
            subject = _header(inside[0], "subject") if isinstance(inside, list) and inside else ""
            names.append(f"the message “{subject}”" if subject else "a message")
            if isinstance(inside, list) and inside:
                files.append((f"{subject.replace('/', ' ')[:100] or 'message'}.eml", inside[0].as_bytes()))
        elif isinstance(inside, list):
            left += reversed(inside)
        elif kind in ("text/plain", "text/html") and not part.get_filename():
            data = part.get_payload(decode=True)
            text = _text(data, part.get_content_charset() or "utf-8") if isinstance(data, bytes) else ""
            if text.strip():
                (plain if kind == "text/plain" else pages).append(text)
        else:
            named = _header_text(part.get_filename() or "")
            names.append(" ".join(named.split()) or f"a part of the type {kind}")
            data = part.get_payload(decode=True) if named else None
            if isinstance(data, bytes):
                files.append((named, data))
    return plain, pages, names, files


def _header_text(raw: str) -> str:
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(raw[:LONGEST_HEADER])))
    except Exception:  # as in _header
        return raw
