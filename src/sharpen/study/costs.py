"""What an arm costs, and which of the use case's limits it is shown to break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharpen.config import arm_name
from sharpen.study.building import Built
from sharpen.study.setting import Setting


def cost_of(setting: Setting, built: Built, latency: Mapping[str, Any] | None) -> dict[str, float | None]:
    """Building once plus each answer, over the expected number of answers, in the use case's currency."""
    own = next((a.costs for a in setting.arms if arm_name(a) == built.name and a.costs), None)
    # What an arm says of its own prices holds for it; the rest is the use case's.
    prices = setting.use_case.costs.model_copy(update=own.model_dump(exclude_unset=True) if own else {})
    known = built.status != "given"  # what the present system cost to build, nobody told
    build = built.seconds / 3600 * setting.use_case.costs.machine_hour if known else None
    if build is None or latency is None or latency.get("mean_seconds") is None:
        return {"build": build, "per_answer": None, "total": None}
    per_answer = (
        latency["mean_seconds"] / 3600 * prices.machine_hour
        + (latency.get("prompt_tokens") or 0) / 1e6 * prices.input_million
        + (latency.get("completion_tokens") or 0) / 1e6 * prices.output_million
    )
    return {"build": build, "per_answer": per_answer, "total": build + setting.use_case.costs.answers * per_answer}


def constraints_of(
    setting: Setting, latency: Mapping[str, Any] | None, cost: Mapping[str, Any] | None
) -> tuple[list[str], list[str]]:
    """The constraints that an arm is shown to break, and those that nobody measured, which break nothing."""
    limits, latency, cost = setting.use_case.constraints, latency or {}, cost or {}
    checks = [
        ("p95_seconds", limits.p95_seconds, latency.get("p95_seconds")),
        ("memory_gb", limits.memory_gb, latency.get("memory_gb")),
        ("cost_per_answer", limits.cost_per_answer, cost.get("per_answer")),
    ]
    set_ = [(name, most, value) for name, most, value in checks if most is not None]
    broken = [f"{n} is {v:.3g}, the limit is {most:g}" for n, most, v in set_ if v is not None and v > most]
    return broken, [n for n, _, v in set_ if v is None]
