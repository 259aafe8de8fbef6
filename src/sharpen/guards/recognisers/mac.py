"""Hardware addresses of network cards: six pairs of hexadecimal digits, or three groups of four."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("MAC",)
ADDRESS = re.compile(
    r"(?<![\w:-])(?:[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})"
    r"(?![\w:-])"
)


def mac() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    if text.count(":") > 4 or text.count("-") > 4 or text.count(".") > 1:
        for m in ADDRESS.finditer(text):
            letters = any(c in "abcdefABCDEF" for c in m[0])
            if letters or m[1] == ":":  # six pairs of digits with hyphens may be a date or a phone number
                yield Finding("MAC", m.start(), m.end(), 0.95 if letters else 0.8)
