"""The one way to the test: the plan is written, the opening is recorded, then the seal is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.data import Seal, load_sealed
from sharpen.errors import Problem, UserError
from sharpen.evaluation.ledger import Ledger, Opening
from sharpen.types import Example, digest

PLANNED = ("metric", "worth", "alpha", "cluster_by", "arms", "programs", "code")


@dataclass(frozen=True)
class Opened:
    """The test questions, and which look at them this is."""

    examples: tuple[Example, ...]
    opening: Opening
    plan: Mapping[str, Any]

    @property
    def look(self) -> int:
        """1: nobody looked at these questions before."""
        return self.opening.look


def open_test(seal: Seal, folder: Path, ledger: Ledger, run: str) -> Opened:
    """Open the sealed test for the plan that stands in ``folder/plan.json``.

    The order is: plan read from disk, opening recorded on disk, rows loaded. A run that is killed in between has
    looked, as far as the ledger knows; opening again with the same ``run`` is not a new look.

    Args:
        seal: of the prepared data.
        folder: the run folder; ``plan.json`` there must have been written before.
        ledger: of the store.
        run: identity of the run, the same when it is resumed.

    Raises:
        UserError: no plan, a plan that lacks something, a plan that was changed after the test was opened, or a sealed
            file that is not what was sealed.
    """
    plan = _plan(folder / "plan.json")
    fixed = digest({key: plan[key] for key in PLANNED})
    before = next((o for o in ledger.openings(seal.questions) if o.run == run), None)
    if before is not None and before.plan != fixed:
        raise UserError(
            "the plan was changed after the test had been opened.",
            str(folder / "plan.json"),
            "Start a new run: it counts as another look at these questions.",
        )
    opening = ledger.record(seal.questions, run, fixed, seal.each)
    return Opened(tuple(load_sealed(seal)), opening, plan)


def _plan(path: Path) -> dict[str, Any]:
    """Read the plan back from disk: what is not written down was not planned."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            "the test stays sealed: there is no plan.", str(path), "Write what will be tested first."
        ) from None
    except (OSError, ValueError, RecursionError) as e:
        do = "Start a new run: where the test was opened, it counts as another look at these questions."
        raise UserError(f"the plan cannot be read ({e}).", str(path), do) from None
    lack = [key for key in PLANNED if not isinstance(plan, dict) or key not in plan]
    if lack:
        raise UserError(
            [Problem(f"the plan does not say {key}.", str(path), "Write it before the test.") for key in lack]
        )
    return dict(plan)
