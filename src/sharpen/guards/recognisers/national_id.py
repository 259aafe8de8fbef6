"""Numbers that other countries than the United States give their people.

UK national insurance numbers (by form), the German tax number (ISO 7064 mod 11,10), Spanish DNI and NIE (letter), the
Italian codice fiscale (letter), the French NIR (key of 97) and the Brazilian CPF (two digits). Each type has a name of
its own. Those that are digits alone, and pass their check by chance once in ten, ask for a word that says so nearby.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("UK_NINO", "DE_TAX_ID", "ES_DNI", "IT_FISCAL_CODE", "FR_NIR", "BR_CPF")
ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
OMOCODE = "LMNPQRSTUV"  # letters that stand for digits where two people's codes would be alike
TAX = re.compile(r"\b(?:tax|steuer\w*|identifikationsnummer|tin|idnr)\b", re.I)
CPF = re.compile(r"\bcpf\b", re.I)


def german(number: str) -> bool:
    """One digit of the first ten stands there twice or three times, and the last one is the check digit."""
    first = number[:10]
    if first[0] == "0" or max(map(first.count, first)) not in (2, 3) or len(set(first)) not in (8, 9):
        return False
    product = 10
    for d in first:
        product = ((int(d) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(number[10])


def spanish(number: str) -> bool:
    """The last letter is given by the number modulo 23; X, Y, Z in front of a foreigner's stand for 0, 1, 2."""
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def italian(number: str) -> bool:
    """The last letter is the sum of values of the others, which differ for odd and even places, modulo 26."""
    values = [int(c) if c.isdigit() else ord(c) - 65 for c in number]
    total = sum(ODD[v] if i % 2 == 0 else v for i, v in enumerate(values[:15]))
    return total % 26 == values[15]


def french(number: str) -> bool:
    """The key is 97 less the number modulo 97; Corsica's departments 2A and 2B count as 19 and 18."""
    plain = number.replace("2A", "19", 1) if "2A" in number else number.replace("2B", "18", 1)
    return plain.isdigit() and 97 - int(plain[:13]) % 97 == int(plain[13:])


def brazilian(number: str) -> bool:
    """Two check digits, each a weighted sum modulo 11 of those before it."""
    if len(set(number)) == 1:
        return False
    for n in (9, 10):
        total = sum(int(d) * (n + 1 - i) for i, d in enumerate(number[:n]))
        if total * 10 % 11 % 10 != int(number[n]):
            return False
    return True


def _pattern(body: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-])(?:{body})(?![\w-])", re.I | re.ASCII)


FORMS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool] | None, re.Pattern[str] | None], ...] = (
    ("UK_NINO", _pattern(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]"), None,
     None),
    ("DE_TAX_ID", _pattern(r"\d\d ?\d{3} ?\d{3} ?\d{3}"), german, TAX),
    ("ES_DNI", _pattern(r"(?:\d{8}|\d\d\.\d{3}\.\d{3}|[XYZ]-?\d{7})-?[A-HJ-NP-TV-Z]"), spanish, None),
    ("IT_FISCAL_CODE", _pattern(rf"[A-Z]{{6}}[\d{OMOCODE}]{{2}}[A-EHLMPRST][\d{OMOCODE}]{{2}}[A-Z][\d{OMOCODE}]{{3}}"
     r"[A-Z]"), italian, None),
    ("FR_NIR", _pattern(r"[12378] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d"), french, None),
    ("BR_CPF", _pattern(r"\d{3}\.\d{3}\.\d{3}-\d\d|\d{11}"), brazilian, None),
)  # fmt: skip
DIGITS = re.compile(r"\d\d")
SEPARATORS = re.compile(r"[ .-]")


def national_id() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    if not DIGITS.search(text):
        return
    for kind, form, check, said in FORMS:
        for m in form.finditer(text):
            number = SEPARATORS.sub("", m[0]).upper()
            near = said or (CPF if kind == "BR_CPF" and m[0].isdigit() else None)
            if near and not near.search(text, max(0, m.start() - 50), min(len(text), m.end() + 20)):
                continue
            if check is None or check(number):
                yield Finding(kind, m.start(), m.end(), 0.95 if check else 0.85)
