"""Compare arms on recorded scores: one paired procedure, simultaneous intervals, a verdict; race, seal, ledger, plan.

The only room that holds the test split. :func:`compare` is the heart; :func:`plan` says beforehand what a test can
show, :func:`race` saves evaluation on dev, :func:`open_test` is the only way to the sealed questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sharpen.evaluation.comparison import ArmResult, Comparison, Facts, PairResult, Rule, compare
from sharpen.evaluation.flips import smallest_p
from sharpen.evaluation.ledger import Ledger, Opening
from sharpen.evaluation.needing import enough
from sharpen.evaluation.power import Plan, Seen, plan
from sharpen.evaluation.racing import Dropped, Race, batches, race

if TYPE_CHECKING:
    from sharpen.evaluation.opening import Opened, open_test

__all__ = [
    "ArmResult",
    "Comparison",
    "Dropped",
    "Facts",
    "Ledger",
    "Opened",
    "Opening",
    "PairResult",
    "Plan",
    "Race",
    "Rule",
    "Seen",
    "batches",
    "compare",
    "enough",
    "open_test",
    "plan",
    "race",
    "smallest_p",
]


def __getattr__(name: str) -> Any:
    """Load what needs the data room only when it is asked for."""
    if name in ("Opened", "open_test"):
        from sharpen.evaluation import opening

        return getattr(opening, name)
    raise AttributeError(name)
