"""Damaged encodings: UTF-8 that was read as Windows-1252 is put right, what cannot be repaired is counted or dropped.

``CafÃ©`` becomes ``Café`` and ``donâ€™t`` becomes ``don’t``, also where it happened twice. Only runs of characters are
replaced whose bytes are well-formed UTF-8 and mean something likely, so ``Ä“`` and ``ß…`` stay. Texts in which more
than a set share are replacement characters (U+FFFD) are dropped: what stood there is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from sharpen.data.cleaning import Outcome, TextCleaner, without

RULES = ("mojibake", "control_characters", "lost_characters")

_CONTROL = re.compile("[\x80-\x9f]")


@cache
def _table() -> dict[str, int]:
    """The byte of each character that Windows-1252 reads from 0x80 upwards; its five gaps are read as Latin-1."""
    made = {}
    for byte in range(0x80, 0x100):
        try:
            made[bytes([byte]).decode("cp1252")] = byte
        except UnicodeDecodeError:
            made[chr(byte)] = byte
    return made


@cache
def _runs() -> re.Pattern[str]:
    """One or more characters in a row that look like UTF-8 read as Windows-1252."""
    by = {byte: c for c, byte in _table().items()}
    follow = "[" + "".join(re.escape(by[b]) for b in range(0x80, 0xC0)) + "]"
    two, three, four = (
        "[" + "".join(by[b] for b in range(*r)) + "]" for r in ((0xC2, 0xE0), (0xE0, 0xF0), (0xF0, 0xF5))
    )
    one = f"(?:{two}{follow}|{three}{follow}{{2}}|{four}{follow}{{3}})"
    return re.compile(f"{one}+")


def encoding(lost: float = 0.01, off: Sequence[str] = ()) -> TextCleaner:
    """Return the cleaner.

    Args:
        lost: share of replacement characters from which a text is dropped.
        off: rules that are not applied.
    """
    on = without(RULES, off, "encoding")
    return TextCleaner(on, lambda texts: [_one(t, lost, on) for t in texts])


def _one(text: str, lost: float, on: Sequence[str]) -> Outcome:
    if text.isascii():
        return Outcome(text)
    rules = []
    if "mojibake" in on:
        made = text
        while (again := _runs().sub(_repaired, made)) != made:  # each time it gets shorter
            made = again
        if made != text:
            rules.append("mojibake")
            text = made
    if "control_characters" in on and (made := _CONTROL.sub("", text)) != text:
        rules.append("control_characters")
        text = made
    gone = text.count("\ufffd")
    if "lost_characters" in on and gone and gone >= lost * len(text):
        return Outcome(None, ("lost_characters", *rules), f"{gone} of its {len(text)} characters are lost (U+FFFD)")
    return Outcome(text, tuple(rules))


def _repaired(found: re.Match[str]) -> str:
    run = found[0]
    try:
        made = bytes(_table()[c] for c in run).decode("utf-8")
    except UnicodeDecodeError:
        return run
    return made if (len(made) > 1 and _of_one_script(made)) or _likely(run, made) else run


def _of_one_script(made: str) -> bool:
    """Several letters in a row of one block: Cyrillic, Greek, Chinese and so on."""
    return made.isalpha() and max(map(ord, made)) - min(map(ord, made)) < (0x6000 if made[0] > "\u2e7f" else 0x200)


def _likely(run: str, made: str) -> bool:
    """Whether a run by itself is likely to have been what it decodes to."""
    typographic = any(c > "\u00ff" and not c.isalpha() for c in run[1:])
    for c in made:
        code = ord(c)
        western = 0xA0 <= code <= 0xFF
        middle = 0x100 <= code <= 0x17F and not (len(made) == 1 and typographic)
        signs = 0x2000 <= code <= 0x22FF or 0x2500 <= code <= 0x27BF or 0x1F300 <= code <= 0x1FAFF or code == 0xFE0F
        if not (western or middle or signs):
            return False
    return True
