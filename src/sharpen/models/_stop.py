"""Stop strings: where an answer ends, and how much of an unfinished one is certain."""

from __future__ import annotations

from collections.abc import Sequence


def cut(text: str, stop: Sequence[str]) -> tuple[str, str]:
    """Cut a text before the first stop string in it; the second value is ``stop`` when there was one."""
    places = [text.find(s) for s in stop if s and s in text]
    return (text[: min(places)], "stop") if places else (text, "")


def may_begin(text: str, stop: Sequence[str]) -> int:
    """How many characters at the end of ``text`` may be the beginning of a stop string."""
    return max((k for s in stop for k in range(1, len(s)) if text.endswith(s[:k])), default=0)
