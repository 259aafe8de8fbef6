"""International bank account numbers: the country's length and the check of ISO 13616 (mod 97).

Written together or in groups, in upper or lower case. Not covered: account numbers that are no IBAN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("IBAN",)
LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FO FI GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
CANDIDATE = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ ]?\d\d(?:[ -]?[A-Za-z0-9]){11,29}")
SEPARATORS = re.compile(r"[ -]")


def iban() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def valid(number: str) -> bool:
    """Whether an IBAN without separators, in upper case, has its country's length and checksum."""
    if LENGTHS.get(number[:2]) != len(number):
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


def _find(text: str) -> Iterator[Finding]:
    for m in CANDIDATE.finditer(text):
        length = LENGTHS.get(m[0][:2].upper())
        end, seen = m.start(), 0
        while length and seen < length and end < m.end():  # the words after it were read along
            seen += text[end] not in " -"
            end += 1
        if length and seen == length and not (end < len(text) and text[end].isalnum()):
            number = SEPARATORS.sub("", text[m.start() : end]).upper()
            if valid(number):
                yield Finding("IBAN", m.start(), end, 1.0)
