"""Mistakes that a user can mend, said as sentences: what is wrong, where, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SECRET = re.compile(
    r"(?<=:/)(/?)[^/\s@'\"]+(?=@)|(?<=[?&])((?:[a-z_-]*key|token|[a-z_]*_token|secret|password|pwd|sig)=)[^&#\s'\"]+",
    re.I,
)
"""User names and passwords in addresses, and values of their parameters that are keys."""

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal would obey, or could not print."""

LONGEST = 2_000  # characters of a part of a message; what was given may be of any length


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: ``what`` happened, ``where`` (file, line, field), and what to ``do`` about it."""

    what: str
    where: str = ""
    do: str = ""

    def __post_init__(self) -> None:
        for name in ("what", "where", "do"):
            object.__setattr__(self, name, shown(getattr(self, name)))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        step = f" {self.do}" if self.do else ""
        return f"{place}{self.what}{step}"


def shown(text: str) -> str:
    """A text as a message may show it: no secrets of addresses, nothing that a terminal obeys, and not too long."""
    text = text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 4 :]}"
    return harmless(SECRET.sub(lambda m: f"{m[1] or ''}{m[2] or ''}***", text))


def harmless(text: str) -> str:
    """A text of any length with nothing that a terminal obeys, but for the ends of its lines."""
    return UNSEEN.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), text)


class UserError(Exception):
    """One or more problems of the user's input. The command line prints them and exits with status 2."""

    def __init__(self, what: str | Sequence[Problem], where: str = "", do: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(what, where, do),) if isinstance(what, str) else tuple(what)
        super().__init__("\n".join(str(p) for p in self.problems))


class MissingExtra(UserError):
    """A part needs a package that is not installed."""

    def __init__(self, part: str, package: str, extra: str) -> None:
        super().__init__(
            f"{part} needs the package {package}, which is not installed.",
            do=f"Install it with: pip install 'sharpen[{extra}]'",
        )


class PluginError(Exception):
    """A part that is not sharpen's own failed; the message names it, so that the right people are asked."""

    def __init__(self, part: str, origin: str, error: BaseException) -> None:
        super().__init__(shown(f"{part} (from {origin}) failed with {type(error).__name__}: {error}"))


def clock(seconds: float) -> str:
    """``75`` as ``1:15``."""
    s = int(max(0, seconds))
    return f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}" if s >= 3600 else f"{s // 60}:{s % 60:02d}"
