"""From simultaneous intervals to one of three verdicts, and the sentences that say it."""
from __future__ import annotations
from collections.abc import Sequence
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from sharpen.evaluation.comparison import ArmResult, PairResult


def decide(rows: Sequence[ArmResult], pairs: Sequence[PairResult], baseline: str, worth: float, alpha: float, side: float) -> tuple[str, str | None, str]:
    by = {r.name: r for r in rows}
    able = [r.name for r in rows if r.meets_constraints]
    most = {}
    for p in pairs:
        lo, hi = sorted((side * p.ci_low, side * p.ci_high))
        most[p.second, p.first] = -lo
        most[p.first, p.second] = hi
    better = [a for a in able if a != baseline and by[a].p_adjusted < alpha and side * by[a].delta > 0 and most[baseline, a] < 0]
    if better:
        cands = better + [baseline] * (baseline in able)
        shown = [a for a in cands if all(most[b, a] < worth for b in able if b != a)]
        if shown:
            w = min(shown, key=lambda a: (by[a].cost if by[a].cost is not None else 0, a != baseline, -side * by[a].mean))
            if w == baseline:
                return "keep_baseline", baseline, "keep"
            return "better", w, f"{w} is better"
        w = max(better, key=lambda a: side * by[a].mean)
        return "better", w, f"{w} is better, not separated"
    if len(rows) > 1 and all(most[a, baseline] < worth for a in able if a != baseline) and baseline in able:
        return "keep_baseline", baseline, "keep"
    return "not_decided", None, "not decided"
