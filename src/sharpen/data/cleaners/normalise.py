"""One form for the same text: Unicode NFC, plain spaces and line ends, no invisible characters.

Composed letters (NFC, Unicode annex 15), ``\\n`` at line ends, runs of spaces and of empty lines made one, white space
at both ends away, and characters that nobody sees (zero-width space, soft hyphen, byte-order mark) out. Joiners that
scripts and emoji need stay. Case and punctuation stay. It does not touch fields that are not named to be cleaned.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from sharpen.data.cleaning import Outcome, TextCleaner, without

RULES = ("unicode", "invisible", "white_space")

_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\ufffe\x00-\x08\x0e-\x1f\x7f]")
_RUNS = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
_EDGES = re.compile(r" ?\n ?")
_LINES = re.compile(r"\n{3,}")


def normalise(off: Sequence[str] = ()) -> TextCleaner:
    """Return the cleaner; ``off`` are rules that are not applied."""
    on = without(RULES, off, "normalise")
    return TextCleaner(on, lambda texts: [_one(t, on) for t in texts])


def _one(text: str, on: Sequence[str]) -> Outcome:
    rules: list[str] = []
    # Printable means: no white space but plain spaces, and nothing unseen. That is known at once.
    plain = text.replace("\n", "").isprintable()
    if "invisible" in on and not plain and (made := _INVISIBLE.sub("", text)) != text:
        rules.append("invisible")
        text = made
    if "unicode" in on and not text.isascii() and (made := unicodedata.normalize("NFC", text)) != text:
        rules.insert(0, "unicode")
        text = made
    if "white_space" in on and (made := _spaced(text, plain)) != text:
        rules.append("white_space")
        text = made
    return Outcome(text, tuple(rules))


def _spaced(text: str, plain: bool) -> str:
    if not plain:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not plain or "  " in text:
        text = _RUNS.sub(" ", text)
    if "\n" in text:
        text = _LINES.sub("\n\n", _EDGES.sub("\n", text))
    return text.strip()
