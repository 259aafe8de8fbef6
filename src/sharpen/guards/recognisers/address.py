"""Postal addresses: a street with its number, a post office box, and what follows it down to the postcode.

Streets by their kind ("Street", "Rd", "-straße", "-vej", "rue", "via", "ul."), military and rural boxes of the United
States, and postcodes of the United States (after a state, or after "zip"), the United Kingdom and Germany (before a
town, beside a street, or after "PLZ"). Not covered: streets without a number, or whose name tells no kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("ADDRESS",)
NAME = r"[^\W\d_][^\W\d_.'’-]*(?:['’-][^\W\d_]+)?\.?"
CAP = r"(?-i:(?=[^\W\d_a-zß-öø-ÿ]))" + NAME
KIND = (
    r"(?:street|st|str|avenue|ave|road|rd|drive|dr|lane|ln|boulevard|blvd|court|ct|place|pl|square|sq|squares|terrace|way|close|"
    r"crescent|cres|parkway|pkwy|highway|hwy|circle|cir|trail|trl|gardens|grove|mews|row|walk|union|loop|rapids|point|route)"
)
OWN_KINDS = (
    "stra(?:ß|ss)e|str\\.|gasse|weg|platz|allee|damm|vej|vegen|veien|gade|gatan|gata|vägen|väg|tie|katu|kuja|polku|straat|"
    "laan|plein|braut|stígur|utca"
)
OWN = rf"(?-i:(?=[^\W\d_a-zß-öø-ÿ]))[^\W\d_]{{2,30}}(?:{OWN_KINDS})"
BEFORE = (
    r"(?:rue|avenue|av\.|boulevard|bd|via|viale|piazza|corso|calle|c/|avenida|plaza|paseo|rua|travessa|praça|ul\.|ulica|al\.|"
    r"ulitsa|pr\.|rruga|strada|bulevardul)"
)
NUMBER = r"\d{1,5}[A-Za-z]?(?:[/-]\d{1,4})?"
UNIT = r"(?:apt|apartment|suite|ste|unit|flat|room|floor|fl)\b\.? ?#?\d{1,5}[a-z]?"
US_CODE = r"(?-i:[A-Z]{2}) \d{5}(?:-\d{4})?(?!\d)"
UK_CODE = (
    r"(?-i:(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d|[A-HK-Y]\d\d|\d[A-HJKPS-UW]|[A-HK-Y]\d[ABEHMNPRV-Y]) ?"
    r"\d[ABD-HJLNP-UW-Z]{2}))\b"
)
GAP = r"[ \t]{0,2},?[ \t]{0,2}\n?[ \t>]{0,6},?[ \t]{0,2}"
STREETS = (
    rf"(?:{NUMBER} ){{1,2}}(?:{CAP} ){{1,4}}{KIND}\b\.?",
    rf"(?:{NUMBER} )?{OWN} {NUMBER}(?!\d)",
    rf"(?:{NUMBER} ){{1,2}}{BEFORE} {NAME}(?: {NAME}){{0,3}}",
    rf"(?:{NUMBER} )?\b{BEFORE} (?:{NAME} ){{1,4}}{NUMBER}(?!\d)",
    r"\bp\.? ?o\.? ?box \d{1,6}",
    r"\b(?:PSC|Unit) \d{1,5},? Box \d{1,5}",
)
STREET = re.compile(rf"(?<![\w.])(?:{'|'.join(STREETS)})", re.I)
TAIL = re.compile(
    rf"(?:{GAP}(?:{UNIT}|{US_CODE}|{UK_CODE}|{CAP}(?: {CAP}){{0,2}},? ?{US_CODE}|{CAP}(?: {CAP}){{0,2}},? {UK_CODE}|"
    rf"\d{{5}} {CAP}|{CAP}(?: {CAP}){{0,2}},? \d{{4,5}}(?!\d))){{1,4}}",
    re.I,
)
DIGIT = re.compile(r"\d")
ALONE = re.compile(
    rf"(?<![\w.])(?:{UNIT}|(?:APO|FPO|DPO),? (?:AA|AE|AP) \d{{5}}|{UK_CODE}|(?-i:[A-Z][a-z]+,? ){US_CODE})(?!\w)", re.I
)
SAID = re.compile(r"\b(?:zip|zip ?code|postcode|postal ?code|post ?code|plz|postleitzahl)\b[^\d\n]{0,12}", re.I)
CODE = re.compile(r"(?<!\d)(?:\d{5}-\d{4}|\d{2,5}-\d{2,4}|\d{3} \d{2}|\d{4} ?[A-Z]{2}|\d{4,6})(?!\w)", re.ASCII)


def address() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    if not DIGIT.search(text):
        return
    for m in STREET.finditer(text):
        tail = TAIL.match(text, m.end(), min(len(text), m.end() + 160))
        end = tail.end() if tail else m.end()
        yield Finding(
            "ADDRESS", m.start(), end - (len(text[m.start() : end]) - len(text[m.start() : end].rstrip())), 0.75
        )
    for m in ALONE.finditer(text):
        yield Finding("ADDRESS", m.start(), m.end(), 0.7)
    for said in SAID.finditer(text):
        code = CODE.match(text, said.end())
        if code:
            yield Finding("ADDRESS", code.start(), code.end(), 0.8)
