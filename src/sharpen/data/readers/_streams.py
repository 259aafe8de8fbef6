"""How much the packed streams of a PDF come to, seen before PDFium unpacks them: it ends the process without memory."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

LARGEST = 40_000_000
"""Bytes that what is drawn on a page, or a font, may unpack to, some ten thousand pages of text."""

LARGEST_PICTURE = 300_000_000
"""The same for a picture."""

LARGEST_OF_ALL = 4_000_000_000

_STREAM = re.compile(rb"stream\r?\n")
_PIECE = 1 << 20


def too_large(path: Path) -> int:
    """Return to how many bytes, at least, a stream of the file unpacks that is too large; 0 where none is.

    Streams packed by deflate are looked at, once or twice packed; what is encrypted or packed otherwise is not.
    """
    data = path.read_bytes()
    total = 0
    for found in _STREAM.finditer(data):
        if data[found.start() - 3 : found.start()] == b"end":
            continue
        before = data[max(0, found.start() - 600) : found.start()]
        about = before[before.rfind(b" obj") + 1 :]
        most = LARGEST_PICTURE if b"/Image" in about and b"/Width" in about else LARGEST
        size = _size(data, found.end(), most, len(re.findall(rb"/(?:FlateDecode|Fl)\b", about)))
        total += size
        if size > most or total > LARGEST_OF_ALL:
            return max(size, total)
    return 0


def _size(data: bytes, at: int, most: int, times: int) -> int:
    """Bytes that one stream unpacks to, counted up to a little over ``most``; 0 where it is not packed by deflate."""
    if len(data) < at + 2 or data[at] & 15 != 8 or (data[at] << 8 | data[at + 1]) % 31:
        return 0
    opened = zlib.decompressobj(), zlib.decompressobj() if times > 1 else None
    size = 0
    rest = data[at : at + _PIECE]
    at += len(rest)
    try:
        while rest and size <= most:
            piece = opened[0].decompress(rest, _PIECE)
            size += len(piece) if opened[1] is None else len(opened[1].decompress(piece, most + 1))
            if opened[0].eof:  # what is behind the stream stays in its tail for ever
                break
            rest = opened[0].unconsumed_tail
            if not rest:
                rest = data[at : at + _PIECE]
                at += len(rest)
    except zlib.error:
        return size  # PDFium takes what it had till then
    return size
