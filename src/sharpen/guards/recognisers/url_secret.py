"""Secrets in addresses: user names and passwords before the host, and parameters that are keys.

Found is the secret alone, not the address. Not covered: secrets in the path, and parameters with a name of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser

TYPES = ("URL_SECRET",)
USER = re.compile(r"(?<=://)[^\s/@'\"<>?#:]{0,128}:[^\s/@'\"<>?#]{1,256}(?=@)")
NAMES = r"[a-z]{0,20}[_-]?(?:key|token|secret|signature|password|passwd|session|auth|code|credential)"
PARAMETER = re.compile(
    rf"(?<=[?&;#])(?:x-amz-)?(?:{NAMES}|sig|pwd|pass|jwt|sid|sessionid|client_secret)=([^\s&#;'\"<>]{{4,2000}})", re.I
)


def url_secret() -> Recogniser:
    """Return the recogniser."""
    return Recogniser(TYPES, _find)


def _find(text: str) -> Iterator[Finding]:
    if "://" in text:
        for m in USER.finditer(text):
            yield Finding("URL_SECRET", m.start(), m.end(), 1.0)
    if "=" in text:
        for m in PARAMETER.finditer(text):
            yield Finding("URL_SECRET", m.start(1), m.end(1), 0.95)
