"""``check``: every problem, the data, and what to expect, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sharpen.config import UseCase
from sharpen.errors import clock
from sharpen.study import preflight
from sharpen.study.engine import choose_engines
from sharpen.study.proof import proof
from sharpen.study.setting import resolve
from sharpen.types import Progress, silent


class Checked(dict[str, Any]):
    """What :func:`check` found: ``data``, ``dropped``, ``notes``, ``proof``, ``estimates``, ``seconds``, ``budget``,
    ``problems``. ``dropped`` is the file that says of every row that is left out where it stood and why.

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
    known = {
        "data": dict(found.data.facts),
        "dropped": str(found.data.folder / "dropped.jsonl"),
        "notes": list(found.data.notes),
        "proof": list(proof(setting, found.data).says),
    }
    found_data(known)
    choose_engines(setting)
    plan = preflight.calibrate(setting, found.folds[0], setting.engines(), len(found.folds))
    return Checked(
        **known,
        problems=[*map(str, found.problems), *plan.problems],
        estimates=list(plan.estimates),
        seconds=plan.seconds,
        budget=plan.budget,
    )
