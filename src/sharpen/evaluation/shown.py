"""How figures of arms are written, and a comparison as a table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sharpen.evaluation.comparison import ArmResult, Comparison


def interval(low: float | None, high: float | None, form: str) -> str:
    """``low to high``; a side that cannot be known is left open."""
    if low is None and high is None:
        return ""
    return f"{'…' if low is None else format(low, form)} to {'…' if high is None else format(high, form)}"


def gain(delta: float | None) -> str:
    """A difference with its sign; nothing for the baseline, which has none."""
    return "" if delta is None else f"{delta:+.3f}".replace("-0.000", "+0.000")


def p_value(p: float | None) -> str:
    """An adjusted p; nothing for the baseline, which has none."""
    return "" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, which may hold anything: what HTML would read as its own is escaped."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    below = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{cells}</tr>' for cells in below)}</table>"


def page(found: Comparison) -> str:
    """The verdict and the table of arms; below it the verdict on what could be judged for every arm."""
    within = f"{100 * (1 - found.alpha):g}% interval"
    head = ("arm", "score", within, "vs baseline", within, "p", "fixed", "broken", "holds ref.")
    clusters = f"{found.n_clusters} cluster{'s'[: found.n_clusters - 1]}"
    said = f"<p><b>{escape(found.verdict_text)}</b></p>"
    said += f"<p>{escape(found.metric)} on {found.n_test} questions from {clusters}</p>"
    said += html_table(head, (_row(arm, found.winner) for arm in found.arms))
    if found.judged_only:
        only = f"On the {found.judged_only.n_test} questions that could be judged for every arm: "
        said += f"<p>{only}{escape(found.judged_only.verdict_text)}</p>"
    return said


def _row(arm: ArmResult, winner: str | None) -> list[str]:
    return [
        arm.name + (" *" if arm.name == winner else ""),
        f"{arm.mean:.3f}",
        interval(arm.ci_low, arm.ci_high, ".3f"),
        gain(arm.delta),
        interval(arm.delta_ci_low, arm.delta_ci_high, "+.3f"),
        p_value(arm.p_adjusted),
        "" if arm.fixed is None else str(arm.fixed),
        "" if arm.broken is None else str(arm.broken),
        "" if arm.contains is None else f"{arm.contains:.3f}",
    ]
