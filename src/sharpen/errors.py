"""Mistakes that a user can mend, said as sentences: what is wrong, where, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: ``what`` happened, ``where`` (file, line, field), and what to ``do`` about it."""

    what: str
    where: str = ""
    do: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        step = f" {self.do}" if self.do else ""
        return f"{place}{self.what}{step}"


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
        super().__init__(f"{part} (from {origin}) failed with {type(error).__name__}: {error}")
