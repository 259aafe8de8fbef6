"""Dates of birth: a date within 60 characters after words such as "born", "birthday" or "DOB".

Numbers with points, slashes or hyphens, ISO dates, and months as English words. Other dates are left alone, and so are
ages and years of birth without a day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("BIRTH_DATE",)
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
DATE = re.compile(
    r"(?<![\w/.-])(?:(?:19|20)\d\d([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:(?:18|19|20)\d\d|\d\d)|"
    rf"\d{{1,2}}(?:st|nd|rd|th)?[ -](?:of )?{MONTH}[ ,-]{{1,2}}\d{{4}}|{MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})"
    r"(?!\w)(?![/-]\d)",
    re.I | re.ASCII,
)
SAID = re.compile(
    r"\b(?:born|birth(?! of (?:an?|the)\b)|birthday|birthdate|dob|d\.o\.b|geboren|geburtsdatum)\b|(?<=[a-z_])dob\b",
    re.I,
)


def birth_date() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    for said in SAID.finditer(text):
        m = DATE.search(text, said.end(), min(len(text), said.end() + 60))
        if m:
            yield Finding("BIRTH_DATE", m.start(), m.end(), 0.9)
