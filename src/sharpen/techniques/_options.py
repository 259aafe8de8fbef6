"""Reading the options that techniques share."""

from __future__ import annotations

from typing import Any

from sharpen.errors import UserError


def count(option: str, given: Any, least: int = 1) -> int:
    """Read one whole number.

    Raises:
        UserError: it is something else.
    """
    if isinstance(given, list | tuple):
        raise UserError(f"the option {option} is {given!r}.", do=f"Write one whole number from {least}: {option}=2")
    return counts(option, given, least)[0]


def counts(option: str, given: Any, least: int = 1) -> tuple[int, ...]:
    """Read a whole number, or several to be tried, each once and in the order given.

    Raises:
        UserError: it is something else.
    """
    several = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not several or not all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in several):
        do = f"Write a whole number from {least}, or several: {option}=(1, 3)"
        raise UserError(f"the option {option} is {given!r}.", do=do)
    return tuple(dict.fromkeys(several))
