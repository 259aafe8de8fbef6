"""The one tolerant reading of a raw reply, the same for every arm.

A model that knows the answer may still write ``**Answer:** "Paris"`` and go on to explain. What is taken off: code
fences, Markdown marks around the text, prefixes such as ``Answer:``, quotes around the whole, and, where one line is
asked for, everything after the first line. Nothing inside the answer is touched, so an answer never becomes better
than what was said. Where nothing is left the result is empty, and is counted apart as not parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PREFIX = re.compile(
    r"(?:(?:final|short|the|best|correct)\s+)*(?:answer|response|reply|output|class|label|category|intent|summary)"
    r"(?:\s+is)?\s*[:=]\s*|(?:assistant|a)\s*:\s+",
    re.I,
)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n?(.*?)(?:\n?```|\Z)", re.S)
_HEADING = re.compile(r"(?:#{1,6}|>|[-*+•])\s+")
_PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "`": "`", "**": "**", "__": "__", "*": "*"}
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.S | re.I)


def parse(text: str, one_line: bool = True) -> str:
    """Return the answer in a raw reply; empty where there is none.

    Args:
        text: what the model wrote.
        one_line: the answer is a line (short answers, classes); False keeps all lines (summaries, letters).

    Reading twice changes nothing: ``parse(parse(t)) == parse(t)``.
    """
    *_, read = readings(text, one_line)
    return read


def readings(text: str, one_line: bool = True) -> Iterator[str]:
    """Yield a reply as it is read, from the whole of it to the answer, each with one thing more taken off.

    Who knows what an answer may be finds it here before a part of its own is taken off: a class called ``> 5 years``.
    """
    before = None
    while text != before:
        before = text
        yield text
        text = without_thoughts(text).strip()
        yield text
        text = _without_fence(text)
        yield text
        if one_line:
            text = next(iter(_lines(text)), "")
            yield text
            text = _HEADING.sub("", text, count=1) if _HEADING.match(text) else text
        text = text.strip()
        yield text
        text = _unwrap(text)
        yield text
        text = _without_prefix(text)
    yield text


def without_thoughts(text: str) -> str:
    """A reply without what the model thought aloud before it."""
    return _THOUGHT.sub("", text)


def has_lines(text: str) -> bool:
    """Whether more than one line of a reply says something, so that one line of it is not the whole."""
    return len(_lines(_without_fence(without_thoughts(text).strip()))) > 1


def _without_fence(text: str) -> str:
    fence = _FENCE.match(text)
    return fence[1].strip() or text[fence.end() :].strip() if fence else text


def _without_prefix(text: str) -> str:
    prefix = _PREFIX.match(text)
    # `**Answer:** x` keeps the closing marks of its bold prefix in front of the answer.
    bold = re.match(r"(\*\*|__)([^*_\n]{1,40}:)\s*\1\s*", text)
    if bold and _PREFIX.fullmatch(bold[2] + " "):
        return text[bold.end() :].strip()
    return text[prefix.end() :].strip() if prefix else text


def _lines(text: str) -> list[str]:
    """The lines that say something: one that is only a prefix leads to the next."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if (bare := line.strip("*_#> `")) and not _PREFIX.fullmatch(bare + " ")]


def _unwrap(text: str) -> str:
    for left, right in _PAIRS.items():
        inside = text[len(left) : -len(right)]
        if len(text) > len(left + right) and text.startswith(left) and text.endswith(right) and right not in inside:
            return inside.strip()
    return "" if text in _PAIRS or text in ("``", '""', "''", "****") else text
