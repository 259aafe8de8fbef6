"""How a page shows the text of a row: cut, and without personal data and secrets."""

from __future__ import annotations

from sharpen.guards import protect

LONGEST = 160
"""Characters that are shown of a text."""


def shown(text: str, spaces: bool = False) -> str:
    """A text as the page has it. Personal data are masked whatever the use case says: pages are passed on.

    ``spaces`` keeps white space as it is, where that is what was changed.
    """
    masked = protect(text[: 4 * LONGEST])[0]
    masked = masked if spaces else " ".join(masked.split())
    return masked if len(masked) <= LONGEST else masked[: LONGEST - 1] + "…"
