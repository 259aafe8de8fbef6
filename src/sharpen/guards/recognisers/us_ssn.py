"""Social security numbers of the United States.

Three, two and four digits with hyphens; with spaces or run together only after words that say so. Numbers that are
never issued (area 000, 666 or 900 and above, group 00, serial 0000) are left alone, as the Social Security
Administration's rules say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("US_SSN",)
NUMBER = re.compile(
    r"(?<![\w.-])(?<!\d )(?!000|666|9)\d{3}([ .-]?)(?!00)\d\d\1(?!0000)\d{4}(?![\w-])(?!\.\d)(?! \d)", re.ASCII
)
SAID = re.compile(r"\b(?:ssn?|social[ -]security|soc\.? sec|tax ?(?:payer)? ?id)\b", re.I)
NEVER = {"078051120", "219099999", "123456789"}  # printed in advertisements


def us_ssn() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    for m in NUMBER.finditer(text):
        said = SAID.search(text, max(0, m.start() - 50), m.start()) is not None
        if re.sub(r"\D", "", m[0]) not in NEVER and (said or m[1] == "-"):
            yield Finding("US_SSN", m.start(), m.end(), 0.95 if said else 0.85)
