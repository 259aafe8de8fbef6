"""Reading the options that techniques share."""

from __future__ import annotations

from typing import Any

from sharpen.errors import UserError

MOST = 1_000  # of anything that is tried or shown
LONGEST = 1_000_000  # of anything that is measured in words or characters


def count(option: str, given: Any, least: int = 1, most: int = MOST) -> int:
    """Read one whole number.

    Raises:
        UserError: it is something else.
    """
    if isinstance(given, list | tuple):
        do = f"Write one whole number from {least} to {most:,}: {option}=2"
        raise UserError(f"the option {option} is {given!r}.", do=do)
    return counts(option, given, least, most)[0]


def counts(option: str, given: Any, least: int = 1, most: int = MOST) -> tuple[int, ...]:
    """Read a whole number, or several to be tried, each once and in the order given.

    Raises:
        UserError: it is something else, or more than anyone can mean.
    """
    several = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not several or not all(type(n) is int and least <= n <= most for n in several):
        do = f"Write a whole number from {least} to {most:,}, or several: {option}=(1, 3)"
        raise UserError(f"the option {option} is {given!r}.", do=do)
    return tuple(dict.fromkeys(several))
