"""Telephone numbers: international (``+44 ...``), of the United States, national ones, and others by their context.

A number of 7 to 15 digits counts when its form says so (plus sign, area code in parentheses, 3-3-4 digits, a leading
zero and groups, an extension), or when it comes in groups, or after a word such as "phone" or "call", and looks like
neither a date, a time, an amount nor, after such a word, an order's number. Not covered: numbers as words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("PHONE",)
CANDIDATE = re.compile(
    r"(?:(?<=\btel:)|(?<![\w.,/:%$€£#@=-]))(?:(?<!\d )|(?=\+))"
    r"(?:\+|00|\()?\(?\d[\d ().\-/\u2010-\u2013]{4,22}\d(?![\d%])(?!:\d)"
    r"(?: ?(?:x|ext\.?|extension) ?\d{1,6}(?!\w))?(?![A-Za-z_@])",
    re.ASCII,
)
BARE = r"\d[\d .\-/()]*"
US = re.compile(r"(?:\+?1[ .-]?|001-)?(?:\(\d{3}\) ?-?|\d{3}[ .\-/])\d{3}[ .-]\d{4}", re.ASCII)
DATE = re.compile(
    r"(?:19|20)\d\d[-/. ]\d{1,2}[-/. ]\d{1,2}(?:[ T]\d\d?)?|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d(?: \d\d?)?|"
    r"(?:19|20)\d\d ?[-\u2013/] ?(?:19|20)?\d\d",
    re.ASCII,
)
SAID = re.compile(
    r"\b(?:(?:tele)?phone|tel|mobile|mob|cell(?:ular)?|fax|call(?:ing|ed)?|dial|desk|whatsapp|sms|text(?: me)?|"
    r"ring|hotline|"
    r"reach(?:ed)?|contact(?: number)?|messages? (?:to|from|on)|answering (?:at|on)|registered(?: (?:number|on|with))?|"
    r"telefon|handy|landline|pager)\b[^\d\n]{0,25}\n?[^\d\n]{0,6}$",
    re.I,
)
AFTER = re.compile(r"[ ,(\-–]{0,3}(?:office|fax|mobile|cell|phone|tel|home|work|desk)\b", re.I)
OTHER = re.compile(
    r"(?:\b(?:order|invoice|ticket|ref(?:erence)?|tracking|isbn|issn|sku|serial|item|case|card|account|acct|version|model|id|"
    r"part|zip|postcode|po box|box|license|licence|ssn|iban|cc|pin|code)\b[^\d\n]{0,14}|[#§])$",
    re.I,
)


def phone() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    for m in CANDIDATE.finditer(text):
        number = m[0]
        while number.count("(") < number.count(")"):
            number = number[: number.rindex(")")].rstrip(" ()./-")
        score = _score(text, m.start(), number)
        if score >= 0.5:
            yield Finding("PHONE", m.start(), m.start() + len(number), score)


def _score(text: str, start: int, number: str) -> float:
    """How sure it is that a number that begins at ``start`` is a telephone's."""
    main = re.split(r" ?[xe]", number, maxsplit=1)[0]
    digits = re.sub(r"\D", "", main)
    if not 7 <= len(digits) <= 15 or len(set(digits)) == 1 or re.search(r"[ ().\-/–]{3}", main):
        return 0.0
    before, end = text[max(0, start - 45) : start], start + len(number)
    said = SAID.search(before) is not None or AFTER.match(text, end, end + 12) is not None
    if number[0] == "+":
        return 0.95
    if DATE.fullmatch(main):
        return 0.0
    if not said and OTHER.search(before[-30:]):
        return 0.0
    groups = re.findall(r"\d+", main)
    if len(main) != len(number) or US.fullmatch(main):
        return 0.9
    if said:
        return 0.0 if len(groups) > 6 else 0.8
    return _form(main, digits, groups)


def _form(main: str, digits: str, groups: list[str]) -> float:
    """How sure it is by its form alone: what begins like a dialled number, in groups of one kind of separator."""
    if "(" in main:
        return 0.7 if re.fullmatch(r"\(?0?\d{1,4}\)?[ \d-]+", main) else 0.0
    separators = set(re.sub(r"\d", "", main))
    if len(separators) != 1 or not 2 <= len(groups) <= 5 or ("/" in separators and len(groups) > 2):
        return 0.0
    if digits[:2] == "00" and len(digits) > 10:
        return 0.8
    if digits[0] == "0" and 9 <= len(digits) <= 11 and all(2 <= len(g) <= 8 for g in groups):
        return 0.6 if "." not in separators else 0.4
    sizes = [len(g) for g in groups]
    if all(g.endswith("0") for g in groups):  # a list of amounts
        return 0.0
    return 0.5 if len(digits) >= 8 and sizes in ([3, 3, 3], [2, 2, 2, 2], [2, 3, 3, 4], [3, 4, 4], [4, 3, 3]) else 0.0
