"""Whether data are good enough for a task, by thresholds of the use case: a gate that a pipeline stops at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharpen.data.dataset import Dataset
from sharpen.data.page.obeying import obeyed
from sharpen.data.page.quality import quality_of
from sharpen.errors import Problem, UserError
from sharpen.inputs import Quality

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
    """Return a problem for each measure, and each rule, that is below its threshold; none where all are kept.

    A measure that nothing could be held against (no question is asked twice) passes.

    Args:
        profile: as :func:`sharpen.data.page.profile` makes it.
        thresholds: shares from 0 to 1 by measure (see :func:`thresholds_of`); those of rules stand in the profile.
    """
    found = [_problem(name, least, profile["quality"].get(name)) for name, least in thresholds.items()]
    return [p for p in (*found, *map(_broken, profile["quality"].get("rules", ()))) if p]


def thresholds_of(quality: Quality) -> dict[str, float]:
    """The measures that have a threshold."""
    return quality.model_dump(exclude_none=True, exclude={"rules"})


def _problem(name: str, least: float, found: Mapping[str, Any] | None) -> Problem | None:
    where = f"data.quality: {name}"
    if found is None or name not in MEASURES:
        return Problem("is no measure of quality.", where, f"Measures are: {', '.join(MEASURES)}.")
    if found["share"] is None or found["n"] >= least * found["of"]:
        return None
    said = f"{found['share']:.1%} {MEASURES[name]} ({found['n']} of {found['of']}), and {least:.1%} is asked for."
    return Problem(said, where, FIX[name])


def _broken(rule: Mapping[str, Any]) -> Problem | None:
    if rule["least"] is None or rule["n"] >= rule["least"] * rule["of"]:
        return None
    said = f"{rule['field']} {rule['rule']}: {rule['n']} of {rule['of']} keep it, and {rule['least']:.1%} is asked for."
    some = f"Mend them, or the rule. First: {'; '.join(rule['places'])}."
    return Problem(said, "data.quality: rules", some)


def unfit(data: Dataset, quality: Quality, base: Path) -> list[Problem]:
    """What prepared data lack of a use case's thresholds and rules; nothing is looked at where there are none."""
    asked = thresholds_of(quality)
    if not asked and not quality.rules:
        return []
    try:
        checked = obeyed(quality.rules, data, base)
    except UserError as e:
        return list(e.problems)
    return gate({"quality": quality_of(data, checked)}, asked)


def standing(profile: Mapping[str, Any], thresholds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each threshold with what was found and whether it is kept, for the page."""
    failed = {p.where.rpartition(": ")[2] for p in gate(profile, thresholds)}
    found = [{"name": n, "least": least, "kept": n not in failed} for n, least in thresholds.items()]
    rules = [r for r in profile["quality"].get("rules", ()) if r["least"] is not None]
    return found + [{"name": f"{r['field']} ({r['rule']})", "least": r["least"], "kept": not _broken(r)} for r in rules]
