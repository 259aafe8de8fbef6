"""Whether data are good enough for a task, by thresholds of the use case: a gate that a pipeline stops at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharpen.data.dataset import Dataset
from sharpen.data.page.profile import quality_of
from sharpen.errors import Problem

MEASURES = {
    "completeness": "of the rows lack nothing",
    "consistency": "of the questions that are asked more than once are answered alike",
    "accuracy": "of what can be checked by rules is right",
}
"""The measures that may have a threshold, and what each says."""
FIX = {
    "completeness": "Fill what is missing, or take these rows away: sharpen data report names the fields.",
    "consistency": "Agree on one answer for each question, and write it in all its rows.",
    "accuracy": "Mend marked passages that do not hold their answer, and classes that train does not have.",
}


def gate(profile: Mapping[str, Any], thresholds: Mapping[str, float]) -> list[Problem]:
    """Return a problem for each measure that is below its threshold; none where all are kept.

    A measure that nothing could be held against (no question is asked twice) passes.

    Args:
        profile: as :func:`sharpen.data.page.profile` makes it.
        thresholds: shares from 0 to 1 by measure (``data.quality`` of a use case).
    """
    return [
        problem
        for name, least in thresholds.items()
        if (problem := _problem(name, least, profile["quality"].get(name)))
    ]


def _problem(name: str, least: float, found: Mapping[str, Any] | None) -> Problem | None:
    where = f"data.quality: {name}"
    if found is None or name not in MEASURES:
        return Problem("is no measure of quality.", where, f"Measures are: {', '.join(MEASURES)}.")
    if found["share"] is None or found["n"] >= least * found["of"]:
        return None
    said = f"{found['share']:.1%} {MEASURES[name]} ({found['n']} of {found['of']}), and {least:.1%} is asked for."
    return Problem(said, where, FIX[name])


def unfit(data: Dataset, thresholds: Mapping[str, float]) -> list[Problem]:
    """What prepared data lack of a use case's thresholds; nothing is looked at where there are none."""
    return gate({"quality": quality_of(data)}, thresholds) if thresholds else []


def standing(profile: Mapping[str, Any], thresholds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each threshold with what was found and whether it is kept, for the page."""
    failed = {p.where.rpartition(": ")[2] for p in gate(profile, thresholds)}
    return [{"name": n, "least": least, "kept": n not in failed} for n, least in thresholds.items()]
