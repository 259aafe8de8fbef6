"""Internet addresses, version 4 and 6.

Four numbers up to 255 with points, unless a word before them says that they are a version or a section; version 6 as
the standard library reads it (RFC 4291). Not covered: names of hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("IP",)
OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
FOUR = re.compile(rf"(?<![\w.]){OCTET}\.{OCTET}\.{OCTET}\.{OCTET}(?!\w)(?!\.\d)", re.ASCII)
SIX = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]*:)[0-9A-Fa-f:]{2,39}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
OTHER = re.compile(r"(?:\b(?:version|ver\.?|release|section|chapter|build|firmware)|§)[ :#]{0,3}$", re.I)


def ip() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    if text.count(".") >= 3:
        for m in FOUR.finditer(text):
            if not OTHER.search(text[max(0, m.start() - 14) : m.start()]):
                yield Finding("IP", m.start(), m.end(), 0.9)
    if text.count(":") >= 2:
        for m in SIX.finditer(text):
            value = m[0][:-1] if m[0].endswith(":") and not m[0].endswith("::") else m[0]
            if value.count(":") >= 2 and sum(c != ":" for c in value) > 3 and _six(value):
                yield Finding("IP", m.start(), m.start() + len(value), 0.9)


def _six(value: str) -> bool:
    try:
        IPv6Address(value)
    except ValueError:
        return False
    return True
