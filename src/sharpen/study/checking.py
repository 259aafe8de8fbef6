"""``check``: every problem, the data, and what to expect, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sharpen import evaluation
from sharpen.config import UseCase
from sharpen.data import Dataset
from sharpen.metrics import bounds_of
from sharpen.study import preflight
from sharpen.study.engine import choose_engine
from sharpen.study.setting import Setting, resolve
from sharpen.types import Progress, silent


def check(
    use_case: UseCase | Path | str,
    settings: Sequence[str] = (),
    progress: Progress = silent,
    found_data: Callable[[dict[str, Any]], None] = lambda found: None,
) -> dict[str, Any]:
    """Check a use case and its data.

    Args:
        use_case, settings, progress: as for :func:`sharpen.run`.
        found_data: told ``data``, ``notes`` and ``proof`` as soon as they are known, before the machine is measured.

    Raises:
        UserError: with every problem at once, where no study is possible.
    """
    setting = resolve(use_case, settings, progress)
    found = preflight.inspect(setting)
    known = {
        "data": dict(found.data.facts),
        "notes": list(found.data.notes),
        "proof": proof(setting, found.data),
    }
    found_data(known)
    choose_engine(setting)
    plan = preflight.calibrate(setting, found.data, setting.engines())
    return {
        **known,
        "problems": [*map(str, found.problems), *plan.problems],
        "estimates": list(plan.estimates),
        "seconds": plan.seconds,
        "budget": plan.budget,
    }


def proof(setting: Setting, data: Dataset) -> list[str]:
    """What a test of these clusters can show, in sentences; where that is nothing, what would help."""
    uc = setting.use_case
    return list(
        evaluation.plan(
            data.seal.cluster_sizes, max(2, len(setting.arms)), None, uc.worth, uc.alpha, bounds_of(setting.metrics[0])
        ).says
    )
