"""``check``: every problem, the data, and what to expect, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sharpen.config import UseCase
from sharpen.data.page import brief, first_remarks
from sharpen.errors import clock
from sharpen.study import evidence, preflight
from sharpen.study.engine import choose_engines
from sharpen.study.proof import proof
from sharpen.study.setting import resolve
from sharpen.study.sufficient import ASK
from sharpen.types import Progress, silent


def price(folds: int, seconds: float, use_case: UseCase) -> str:
    """What a study in folds takes, in sentences: how often every arm is built, how long, and what the machine costs."""
    again = f", trained ones {folds * use_case.seeds} times ({use_case.seeds} seeds)" if use_case.seeds > 1 else ""
    hour = use_case.costs.machine_hour
    money = f", and about {seconds / 3600 * hour:.2f} for the machine" if hour else ""
    return (
        f"{folds} folds: every arm is built {folds} times{again}, once for each fold, and asked every question once. "
        f"Together about {clock(seconds)}{money}; one split of the same data takes about {clock(seconds / folds)}. "
        "Nothing is raced: an arm that was dropped in one fold could not be compared over all of them."
    )


class Checked(dict[str, Any]):
    """What :func:`check` found: ``data``, ``dropped``, ``notes``, ``remarks``, ``evidence``, ``proof``, ``estimates``,
    ``seconds``, ``budget``, ``problems``, ``folds``. ``dropped`` is the file that says of every row that is left out
    where it stood and why; ``remarks`` say what to look at in train and dev; ``evidence`` is a stamp where the test
    would be none; ``folds`` says what folds cost, "" without them.

    Printing shows what the study will take, a notebook shows it as a table.
    """

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Arm, time, memory and reason, as text."""
        rest = self["seconds"] - sum(r["seconds"] for r in self["estimates"])
        return [
            *((r["arm"], clock(r["seconds"]), f"{r['memory_gb']:.1f} GB", r["why"]) for r in self["estimates"]),
            ("beside the arms", clock(rest), "", "measuring this machine, checking the engine, oracles"),
            ("together", clock(self["seconds"]), "", self["budget"]),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        width = max(28, *(len(row[0]) for row in rows))
        return "\n".join(f"  {a:{width}} {t:>8} {m:>7}  {why}".rstrip() for a, t, m, why in rows)

    def _repr_html_(self) -> str:
        cells = ("".join(f"<td>{escape(x)}</td>" for x in row) for row in self.rows())
        proof = "".join(f"<li>{escape(sentence)}</li>" for sentence in self["proof"])
        return f"<ul>{proof}</ul><table>{''.join(f'<tr>{c}</tr>' for c in cells)}</table>"


def check(
    use_case: UseCase | Path | str,
    settings: Sequence[str] = (),
    progress: Progress = silent,
    found_data: Callable[[dict[str, Any]], None] = lambda found: None,
) -> Checked:
    """Check a use case and its data.

    Args:
        use_case, settings, progress: as for :func:`sharpen.run`.
        found_data: told ``data``, ``notes`` and ``proof`` as soon as they are known, before the machine is measured.

    Raises:
        UserError: with every problem at once, where no study is possible.
    """
    setting = resolve(use_case, settings, progress)
    found = preflight.inspect(setting)
    said = [evidence.stamp(found.data.facts), evidence.came_about(found.data.facts)]
    known = {
        "data": dict(found.data.facts),
        "dropped": str(found.data.folder / "dropped.jsonl"),
        "notes": [*found.data.notes, *([ASK] if setting.task.chooses else [])],
        "remarks": first_remarks(brief(found.folds[0])),
        "evidence": evidence.evidence(found.data.facts),
        "proof": [*filter(None, said), *proof(setting, found.data).says],
    }
    found_data(known)
    n = len(found.folds)
    choose_engines(setting)
    plan = preflight.calibrate(setting, found.folds[0], setting.engines(), n)
    return Checked(
        **known,
        problems=[*map(str, found.problems), *plan.problems],
        estimates=list(plan.estimates),
        seconds=plan.seconds,
        budget=plan.budget,
        folds=price(n, plan.seconds, setting.use_case) if n > 1 else "",
    )
