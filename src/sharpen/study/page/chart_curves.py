"""Training and validation loss of each trained arm over optimizer steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sharpen.study.page.drawing import Canvas, Scale, both, covering, tick_words
from sharpen.study.page.values import Facts, known, pointer

MOST_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """One training: its arm, where its note stands, and the points that have a value."""

    arm: str
    at: str
    lever: str
    points: tuple[tuple[int, Mapping[str, Any]], ...]
    best: Any

    def values(self, key: str) -> list[tuple[int, float, float]]:
        """(position in the report, step, value) of each point that has the value."""
        return [(i, p["step"], p[key]) for i, p in self.points if known(p.get(key)) and known(p.get("step"))]


def curves_of(facts: Facts) -> list[Curve]:
    """All trainings that left a curve."""
    found = []
    for i, lever in enumerate(facts.report.get("levers") or []):
        for j, note in enumerate(lever.get("notes") or []):
            points = note.get("curve") if isinstance(note, Mapping) else None
            if not isinstance(points, list) or not any(isinstance(p, Mapping) for p in points):
                continue
            at = pointer("levers", i, "notes", j)
            kept = tuple((k, p) for k, p in enumerate(points) if isinstance(p, Mapping))
            curve = Curve(str(lever.get("arm", "")), at, pointer("levers", i), kept, note.get("best_step"))
            if curve.values("loss") or curve.values("dev_loss"):
                found.append(curve)
    return found


def chart_curve(curve: Curve, most: float) -> Markup:
    """One training; ``most`` is the greatest loss of all charts, so that they can be compared."""
    return both(_draw, curve, most)


def most_of(curves: Sequence[Curve]) -> float:
    """The greatest loss of all curves; a few first steps far above the rest are cut off at the top."""
    losses = sorted(v for c in curves for key in ("loss", "dev_loss") for _, _, v in c.values(key))
    if not losses:
        return 1.0
    usual = losses[int(0.98 * (len(losses) - 1))]
    return losses[-1] if losses[-1] < 1.6 * usual else usual


def _draw(width: float, curve: Curve, most: float) -> Markup:
    wide = width > 600
    width = 460.0 if wide else width
    left, right, top, bottom = 40.0, width - 12, 14.0, 196.0
    canvas = Canvas(width, 236, "curve", wide)
    loss, dev = curve.values("loss"), curve.values("dev_loss")
    steps = [s for _, s, _ in (*loss, *dev)]
    across = Scale(min(0, *steps), max(1, *steps), left, right)
    up = covering([0.0, most], bottom, top)
    for value in up.ticks(5):
        canvas.line(left, up(value), right, up(value), "grid")
        canvas.text(left - 8, up(value) + 4, tick_words(value), "tick", "end")
    for value in across.ticks(5):
        if value == int(value):
            canvas.text(across(value), bottom + 18, tick_words(value), "tick", "middle")
    canvas.text((left + right) / 2, bottom + 36, "optimizer steps", "note", "middle")
    if known(curve.best):
        x = across(curve.best)
        canvas.line(x, top, x, bottom, "at-best")
        canvas.text(x - 5, top + 10, "kept", "note", "end") if x > left + 50 else canvas.text(
            x + 5, top + 10, "kept", "note"
        )
    _path(canvas, across, up, loss, "loss")
    _path(canvas, across, up, dev, "dev-loss")
    for i, step, value in dev if len(dev) <= 60 else []:
        marks = {"data_path": f"{curve.at}/curve/{i}/dev_loss", "data_value": repr(value)}
        canvas.shape("circle", "mark dev-loss", cx=across(step), cy=up(value), r=3.5, **marks)
    return canvas.svg(f"Training and validation loss of {curve.arm}")


def _path(canvas: Canvas, across: Scale, up: Scale, values: Sequence[tuple[int, float, float]], class_: str) -> None:
    """A line; one of very many steps is thinned to means of neighbours."""
    if not values:
        return
    size = -(-len(values) // MOST_POINTS)
    pieces = [values[i : i + size] for i in range(0, len(values), size)]
    ends = [(across(sum(s for _, s, _ in p) / len(p)), up(sum(v for _, _, v in p) / len(p))) for p in pieces]
    canvas.shape("path", f"curve-line {class_}", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in ends))
