"""Which data to ask for next, by what the chosen arm gets wrong on dev; and what more of it gained in a later run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sharpen.data import Dataset
from sharpen.data.bias import wilson
from sharpen.data.requests import LEAST, requests, slices
from sharpen.metrics import bounds_of
from sharpen.study.building import Built
from sharpen.study.reading import Report
from sharpen.study.results import Results
from sharpen.techniques import Bench
from sharpen.types import digest

WRONG = 0.5
"""The score below which an answer counts as wrong, where scores run from 0 to 1."""


def requested(made: Results, data: Dataset, built: Sequence[Built], bench: Bench) -> dict[str, Any] | None:
    """The weak slices of dev, for the report; None where nobody knows what wrong is, or the arm has no program.

    Args:
        made: whose chosen arm, or leader, is asked.
        data: whose train and dev are looked at: of a study in folds those of the first.
        built: the arms that were built on that data.
        bench: that answered dev before; answers come from the cache.
    """
    metric = made.setting.metrics[0]
    program = next((b.program for b in built if b.name == made.leader), None)
    if program is None or not metric.higher_is_better or bounds_of(metric) != (0.0, 1.0):
        return None
    judged = metric.score(data.dev, bench.answer(program, data.dev, f"dev {made.leader}"))
    wrong = [s.value is None or s.value < WRONG for s in judged]
    weak = requests(data.train, data.dev, wrong)
    found = slices(data.train, data.dev, wrong)
    why = "" if weak else f"No slice of dev is wrong more often than elsewhere, beyond chance: {len(found)} slices of "
    return {
        "arm": made.leader,
        "metric": metric.name,
        "n": len(wrong),
        "wrong": sum(wrong),
        "dev": digest(sorted(e.content for e in data.dev)),
        "weak": [asdict(r) for r in weak],
        "slices": [asdict(r) for r in found],
        "why": why and f"{why}{LEAST} questions or more were looked at.",
    }


@dataclass(frozen=True)
class Gain:
    """What became of a weak slice: shares of wrong answers and rows of train, before and after.

    ``gain``: by how much fewer are wrong, with its 95% interval, questions counted singly (Newcombe 1998, method 10,
    for two samples; of the same questions it is wider than it need be).
    """

    facet: str
    value: str
    rows: tuple[int, int]
    wrong: tuple[float, float]
    n: tuple[int, int]
    gain: float
    low: float
    high: float

    def __str__(self) -> str:
        more = self.rows[1] - self.rows[0]
        added = f"{more} more rows of train" if more > 0 else f"{-more} fewer rows of train" if more else "as many rows"
        wrong = f"wrong {self.wrong[0]:.0%} of {self.n[0]}, then {self.wrong[1]:.0%} of {self.n[1]}"
        spread = f"{100 * self.low:+.0f} to {100 * self.high:+.0f}"
        return f"{self.facet} {self.value}: {added}; {wrong}: gained {100 * self.gain:+.0f} points ({spread})."


def gains(before: Report, after: Report) -> tuple[list[Gain], list[str]]:
    """Return what a later run gained on the weak slices of an earlier one, and what cannot be said or is to be known.

    Args:
        before: the run that asked for more data.
        after: the run that had them.
    """
    one, other = (r.data.get("requests") for r in (before, after))
    lacking = [str(r.path) for r, found in ((before, one), (after, other)) if not found]
    if not one or not other:
        return [], [
            f"{where}: has no slices of dev; it was made before they were written, or has no right and wrong."
            for where in lacking
        ]
    known = {(r["facet"], r["value"]): r for r in other["slices"]}
    made, said = [], []
    for weak in one["weak"]:
        now = known.get((weak["facet"], weak["value"]))
        if now is None:
            said.append(f"{weak['facet']} {weak['value']}: the later run has fewer than {LEAST} dev questions of it.")
        else:
            made.append(_gain(weak, now))
    if not one["weak"]:
        said.append("The earlier run had no weak slice.")
    if one["metric"] != other["metric"]:
        said.append(f"They are judged by {one['metric']} and by {other['metric']}.")
    if one["dev"] != other["dev"]:
        said.append("The dev questions are not the same, so a part of a gain may be easier questions.")
    return made, said


def _gain(before: Mapping[str, Any], after: Mapping[str, Any]) -> Gain:
    p1, p2 = (r["wrong"] / r["n"] for r in (before, after))
    (l1, u1), (l2, u2) = (wilson(r["wrong"], r["n"]) for r in (before, after))
    d = p1 - p2
    low = d - math.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2)
    high = d + math.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)
    rows, n = (before["there"], after["there"]), (before["n"], after["n"])
    return Gain(before["facet"], before["value"], rows, (p1, p2), n, d, low, high)
