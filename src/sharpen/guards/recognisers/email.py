"""E-mail addresses.

Covers addresses as people write them, in any alphabet, up to 64 characters before the sign, and those that hide from
machines in brackets (``name (at) domain [dot] com``). Not covered: quoted local parts (``"a b"@c.de``), addresses of
machines without a dot, and "name at domain dot com".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("EMAIL",)
LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
BEFORE = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}$")
AFTER = re.compile(rf"{LABEL}(?:\.{LABEL}){{0,6}}\.(?:[^\W\d_]{{2,24}}|xn--[a-z0-9-]{{2,40}})(?![\w-])")
DOT = r"(?: ?[(\[{] ?(?:dot|punkt|point) ?[)\]}] ?|\.)"
HIDDEN = re.compile(rf"(?<![\w.+-])[\w.+-]{{1,64}} ?[(\[{{] ?at ?[)\]}}] ?{LABEL}(?:{DOT}{LABEL}){{1,6}}", re.I)


def email() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    at = text.find("@")
    while at >= 0:
        after = AFTER.match(text, at + 1, at + 260)
        before = BEFORE.search(text[max(0, at - 64) : at]) if after else None
        if before and after:
            name = before[0].lstrip(".!#$%&'*+/=?^`{|}~-")
            if name and not name.endswith("."):
                yield Finding("EMAIL", at - len(name), after.end(), 1.0)
        at = text.find("@", at + 1)
    yield from (Finding("EMAIL", m.start(), m.end(), 0.9) for m in HIDDEN.finditer(text))
