"""Keys of interfaces, tokens and private keys.

Known by how they begin (OpenAI, Anthropic, GitHub, GitLab, AWS, Slack, Google, Stripe, npm, PyPI, Hugging Face,
SendGrid, Twilio), by their form (JSON web tokens, PEM blocks), or by a name before them (``api_key = ...``,
``Authorization: Bearer ...``, ``password: ...``) together with characters that look drawn by lot (3 bits a character
or more). Not covered: passwords that are words, and keys with no name before them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import log2

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("API_KEY",)
KNOWN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"sk-[A-Za-z0-9_-]{20,200}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,100}|gh[pousr]_[A-Za-z0-9]{30,100}|"
    r"github_pat_[A-Za-z0-9_]{40,100}|glpat-[A-Za-z0-9_-]{20,60}|(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}|"
    r"xox[abeprs]-[A-Za-z0-9-]{10,200}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,300}|npm_[A-Za-z0-9]{36}|"
    r"pypi-[A-Za-z0-9_-]{40,300}|hf_[A-Za-z0-9]{30,60}|SG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{30,60}|"
    r"(?:AC|SK)[0-9a-f]{32}|"
    r"eyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{0,2000})(?![A-Za-z0-9])"
)
BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
END = re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
NAMED = re.compile(
    r"(?:api[_ -]?key|access[_ -]?key(?:[_ -]?id)?|secret(?:[_ -]?key)?|token|passw(?:or)?d|passphrase|credentials?|"
    r"client[_ -]?secret|bearer)[\"']?(?:[ \t]{0,3}(?:[:=]|=>|\bis\b)[ \t]{0,3}|(?<=bearer)[ \t])[\"']?"
    r"([A-Za-z0-9_\-+/=.!@#$%^&*~]{8,512})",
    re.I,
)


def api_key(bits: float = 3.0) -> Recogniser:
    """Return the recogniser; ``bits`` a character at least for what is known by its name alone, and 16 characters."""

    def find(text: str) -> Iterator[Finding]:
        for m in KNOWN.finditer(text):
            yield Finding("API_KEY", m.start(), m.end(), 1.0)
        yield from _blocks(text)
        for m in NAMED.finditer(text):
            value = m[1].rstrip(".!")
            if drawn(value, bits):
                yield Finding("API_KEY", m.start(1), m.start(1) + len(value), 0.85)

    return Recogniser(TYPES, find)


def drawn(value: str, bits: float) -> bool:
    """Whether a value looks drawn by lot: 16 characters with digits and letters, or 8 of four kinds of them."""
    kinds = [any(map(test, value)) for test in (str.isdigit, str.islower, str.isupper, lambda c: not c.isalnum())]
    if len(value) < 16:
        return sum(kinds) == 4 or (sum(kinds) == 3 and kinds[0] and kinds[3])
    counts = Counter(value).values()
    return kinds[0] and sum(kinds) > 1 and -sum(n / len(value) * log2(n / len(value)) for n in counts) >= bits


def _blocks(text: str) -> Iterator[Finding]:
    """PEM blocks; one that is cut off ends where the text does, or after 20,000 characters."""
    at = 0
    while (begin := BEGIN.search(text, at)) is not None:
        end = END.search(text, begin.end(), begin.end() + 20_000)
        at = end.end() if end else min(len(text), begin.end() + 20_000)
        yield Finding("API_KEY", begin.start(), at, 1.0)
