"""One form for the same text: Unicode NFC, plain spaces and line ends, no invisible characters.

Composed letters (NFC, Unicode annex 15), ``\\n`` at line ends, runs of spaces and of empty lines made one, white space
at both ends away, and characters that nobody sees (zero-width space, soft hyphen, byte-order mark) out. Joiners that
scripts and emoji need stay. Case and punctuation stay. Where white space means something it stays, too: before the
first word of a line (code, lists), in fenced code and code spans of Markdown, and in formulas (``$…$``). The first line
keeps 4 spaces or a tab, and 2 where others follow. It does not touch fields that are not named to be cleaned.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from sharpen.data.cleaning import Outcome, TextCleaner, without

RULES = ("unicode", "invisible", "white_space")

_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\ufffe\x00-\x08\x0e-\x1f\x7f]")
_ODD = re.compile(r"[^\S\n \t]")
# A formula or a code span; what a line begins with; any other white space within it.
_SPACE = re.compile(r"(\$\$[^$]*\$\$|\$[^$\n]*\$|`[^`\n]+`)|^([^\S\n]+)|[^\S\n]+", re.M)
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}(?=[^`]*$)|~{3,})")
_INDENT = re.compile(r"[ \t]*")


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
    if not plain or any(run in text for run in ("  ", "\n ", " \n", "\n\n\n")):
        made: list[str] = []
        for lines, code in _blocks(text.split("\n")):
            made += lines if code else _single("\n".join(lines))
        text = "\n".join(made)
    text = text.rstrip()
    first = _INDENT.match(text := text[_blank(text) :])
    keeps = first is not None and ("\t" in first[0] or len(first[0]) >= (2 if "\n" in text else 4))
    return text if keeps else text.lstrip()


def _blank(text: str) -> int:
    """Where the first line begins that is not empty."""
    return text.rfind("\n", 0, len(text) - len(text.lstrip())) + 1


def _blocks(lines: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """Runs of lines, and whether they are fenced code, its fences included; code that is not closed goes to the end."""
    held: list[str] = []
    fence = ""
    for line in lines:
        opens = None if fence else _FENCE.match(line)
        if opens:
            yield held, False
            held, fence = [], opens[1]
        held.append(line)
        end = line.strip(" \t>") if fence and not opens else ""
        if end and len(end) >= len(fence) and not end.strip(fence[0]):
            yield held, True
            held, fence = [], ""
    yield held, bool(fence)


def _single(text: str) -> list[str]:
    """Lines of prose with one space between words, and one empty line at a time."""
    if not text:
        return []
    made: list[str] = []
    for line in _SPACE.sub(lambda m: m[1] or _ODD.sub(" ", m[2] or " "), text).split("\n"):
        line = line.rstrip()
        if line or not made or made[-1]:
            made.append(line)
    return made
