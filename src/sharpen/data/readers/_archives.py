"""Office files and books are zip archives of XML: how much they unpack to is seen before anything is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharpen.data.reading import Unpacked
from sharpen.errors import Problem

LARGEST = 64_000_000
"""Bytes of markup that are unpacked at most, some ten thousand pages; more is taken for a zip bomb."""

LARGEST_OF_ALL = 1_000_000_000
"""The same with pictures."""

TOO_MUCH = "unpacks to too much for its size, or for memory."

BROKEN = (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or locked zip archive raises."""

MARKUP = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".vml")
LOCKED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How an Office file with a password begins, which is no zip archive any more."""


def refused(path: Path, source: str, kind: str) -> Problem | None:
    """Return why an archive is not opened: not one, locked with a password, or unpacking to too much."""
    try:
        with path.open("rb") as file:
            if file.read(8) == LOCKED:
                what = "is locked with a password, or is a file of an older Office."
                return Problem(what, source, "Open it and save it anew, without a password.")
        with zipfile.ZipFile(path) as archive:
            # zipfile gives no more of a member than its size says, so the sizes can be believed.
            sizes = [(e.filename.lower().endswith(MARKUP), e.file_size) for e in archive.infolist()]
    except BROKEN as e:
        what = f"is not {kind} that can be read ({type(e).__name__})."
        return Problem(what, source, "Open it and save it anew.")
    markup, size = sum(size for parsed, size in sizes if parsed), sum(size for _, size in sizes)
    if markup > LARGEST or size > LARGEST_OF_ALL:
        what = f"{markup / 1e6:,.0f} MB of XML" if markup > LARGEST else f"{size / 1e6:,.0f} MB"
        return Problem(f"unpacks to {what}.", source, "Check what it is.")
    return None


class Weighed:
    """Counts the text of rows, which may stand once in a file and in a million of them."""

    def __init__(self, path: Path) -> None:
        self.left = Unpacked.limit(path.stat().st_size)

    def fits(self, fields: Mapping[str, Any]) -> bool:
        """Whether all rows so far, with this one, are no more than such a file may unpack to."""
        self.left -= sum(len(v) for v in fields.values() if isinstance(v, str | bytes | list))
        return self.left >= 0


def parse_xml(data: bytes) -> tuple[Any, str]:
    """Parse XML that anybody wrote: no entity is resolved, nothing is fetched, what is broken is passed over.

    Returns:
        The root element, or None where there is none, and what was wrong first, or nothing.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser=parser)
    except (etree.LxmlError, ValueError):
        return None, "no XML"
    first = next((e for e in parser.error_log if e.level_name != "WARNING"), None)
    return root, f"line {first.line}: {first.message.strip()[:150].rstrip('.')}" if first else ""
