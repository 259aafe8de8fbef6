"""How a mail is written as a document, whichever program saved it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def mail_text(headers: Mapping[str, str], body: str, attached: Sequence[str]) -> str:
    """Return headers as ``From: …`` lines, then the text, then the names of attachments."""
    lines = [f"{name.capitalize()}: {value}" for name, value in headers.items() if value]
    said = "\n".join(line.rstrip() for line in body.replace("\r\n", "\n").strip().split("\n"))
    names = "\n".join(f"Attachment: {name}" for name in attached)
    return "\n\n".join(filter(None, ("\n".join(lines), said, names)))
