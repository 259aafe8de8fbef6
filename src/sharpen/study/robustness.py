"""How much a program's answers depend on the form of a question: scores on changed questions beside those on the same
questions as they are, reported apart from the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sharpen.data import cluster, perturbed
from sharpen.data.robustness import CHANGES, beside
from sharpen.evaluation import Rule, compare
from sharpen.techniques import Bench
from sharpen.types import Example, System

AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Robust:
    """What one kind of change does: the metric on ``n`` questions as they are and ``changed``.

    ``delta`` with its 95% interval over clusters and p adjusted over the kinds of change; ``kept`` is the share of
    questions with the same answer.
    """

    change: str
    n: int
    as_it_is: float
    changed: float
    delta: float
    low: float | None
    high: float | None
    p: float
    kept: float

    @property
    def plain(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)


def robustness(
    program: System,
    bench: Bench,
    judged: Sequence[Example],
    by: str = "source",
    changes: Sequence[str] = CHANGES,
) -> list[Robust]:
    """Ask a program questions as they are and changed, and compare.

    Args:
        program: a built one.
        bench: whose engines and first metric are used; its train and dev are not looked at.
        judged: dev questions, or test questions where the test was opened for this program.
        by: what clusters are.
        changes: operators, see :func:`sharpen.data.perturbed`.
    """
    variants = perturbed(judged, changes, bench.seed)
    pairs = {name: (found, beside(judged, variants)[name]) for name, found in variants.items() if found}
    metric, made = bench.metrics[0], []
    for name, (new, old) in pairs.items():
        first, second = (bench.answer(program, part, f"robustness {name}") for part in (old, new))
        arms = {AS_IT_IS: metric.score(old, first), name: metric.score(new, second)}
        clusters = [cluster(e, by) for e in old]
        found = compare(arms, clusters=clusters, metric=metric, baseline=AS_IT_IS, rule=Rule(seed=bench.seed))
        rows = {a.name: a for a in found.arms}
        changed, plain = rows[name], rows[AS_IT_IS]
        same = sum(a.text == b.text for a, b in zip(first, second, strict=True)) / len(old)
        low, high, p = changed.delta_ci_low, changed.delta_ci_high, changed.p_adjusted
        delta = changed.delta or 0.0
        made.append(Robust(name, len(old), plain.mean, changed.mean, delta, low, high, 1.0 if p is None else p, same))
    return made
