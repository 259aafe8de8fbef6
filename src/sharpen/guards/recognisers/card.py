"""Numbers of payment cards: 12 to 19 digits that pass the Luhn check (ISO/IEC 7812), with or without separators.

The first digits have to be of a network that issues cards. Not covered: numbers with a digit wrong or left out. One
random number in ten passes the check, so an order number of this length may be taken for a card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("CARD",)
CANDIDATE = re.compile(r"(?<!\w)(?<!\d[.-])\d(?:[ -]?\d){11,18}(?!\w)(?![.-]\d)", re.ASCII)
NETWORK = re.compile(r"[2-6]|0604|1800")
SHORT = re.compile(r"5018|5020|5038|5[68]|6[37]|0604")  # Maestro's, the only ones of 12 digits
GROUPS = re.compile(r"\d{4}(?:[ -]\d{4}){2,3}(?:[ -]\d{1,4})?|\d{4}[ -]\d{6}[ -]\d{4,5}|\d+")
DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def card() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def luhn(digits: str) -> bool:
    """Whether a string of digits passes the check: from the right, every second digit doubled, sum divisible by 10."""
    return (sum(map(int, digits[-1::-2])) + sum(DOUBLED[int(d)] for d in digits[-2::-2])) % 10 == 0


def _find(text: str) -> Iterator[Finding]:
    for m in CANDIDATE.finditer(text):
        digits = m[0].replace(" ", "").replace("-", "")
        if not NETWORK.match(digits) or len(set(digits)) < 2 or not GROUPS.fullmatch(m[0]):
            continue
        if (len(digits) > 12 or SHORT.match(digits)) and luhn(digits):
            yield Finding("CARD", m.start(), m.end(), 1.0)
