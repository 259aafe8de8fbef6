"""Whether people stand behind the test questions: the stamp of a study on drafts, and how questions came about.

Both come from counts that were written when the data was prepared; the rows themselves are sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNCONFIRMED = "unconfirmed: not evidence"
BEHIND = " that no person stands behind."


def evidence(facts: Mapping[str, Any]) -> str:
    """The stamp of a study whose test holds drafts that nobody confirmed; empty where people stand behind all of it.

    Args:
        facts: of the prepared data.
    """
    return UNCONFIRMED if _known(facts).get("unconfirmed") else ""


def stamp(facts: Mapping[str, Any]) -> str:
    """The stamp with its reason, as a sentence that stands before a verdict."""
    unconfirmed, n = _known(facts).get("unconfirmed", 0), facts["test"]["n"]
    if not unconfirmed:
        return ""
    some = f"{unconfirmed} of the {n} test questions" if unconfirmed < n else f"all {n} test questions"
    return f"Unconfirmed: not evidence, because {some} {'is a draft' if unconfirmed == 1 else 'are drafts'}" + BEHIND


def came_about(facts: Mapping[str, Any]) -> str:
    """How the test questions came about, in a sentence; empty where none was drafted."""
    known = _known(facts)
    if not known:
        return ""
    n, drafted = facts["test"]["n"], known["drafted"]
    by = _listed(known["confirmed_by"])
    confirmed = drafted - known["unconfirmed"]
    said = [f"{drafted} of the {n} test questions were proposed ({_listed(known['origins'])})"]
    said.append(f"{confirmed} of these confirmed by people{f' ({by})' if by else ''}")
    if known["edited"]:
        said.append(f"{known['edited']} edited by them")
    return f"{'; '.join(said)}."


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items())


def _known(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    known: Mapping[str, Any] = facts["test"].get("came_about") or {}
    return known
