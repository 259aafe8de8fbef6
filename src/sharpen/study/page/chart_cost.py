"""Cost against quality: one point an arm, a step line through those that nothing beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sharpen.study.page.chart_arms import tested
from sharpen.study.page.drawing import Canvas, Scale, both, covering, fitted, tick_words, width_of
from sharpen.study.page.values import Facts, known, pointer

COSTS = (("cost_total", "Cost of building and of all expected answers"), ("p95_seconds", "Slow answers (p95), seconds"))


@dataclass(frozen=True)
class Point:
    """An arm with a cost: where it stands in the report, and whether another is both cheaper and better."""

    at: str
    name: str
    cost: float
    mean: float
    low: float | None
    high: float | None
    class_: str
    beaten: bool


def points_of(facts: Facts, key: str, side: int) -> list[Point]:
    """Arms whose cost is known, cheapest first."""
    arms = [(i, a) for i, a in tested(facts) if known(a.get(key))]
    found = []
    for i, a in arms:
        beaten = any(
            b[key] <= a[key] and side * b["mean"] >= side * a["mean"] and (b[key], b["mean"]) != (a[key], a["mean"])
            for _, b in arms
        )
        name = str(a["name"])
        class_ = "chosen" if name == facts.report.get("winner") else ""
        class_ = class_ or ("base" if name == facts.report.get("baseline") else "arm")
        low, high = (a[k] if known(a.get(k)) else None for k in ("ci_low", "ci_high"))
        found.append(Point(pointer("arms", i), name, a[key], a["mean"], low, high, class_, beaten))
    return sorted(found, key=lambda p: (p.cost, -side * p.mean))


def chart_cost(facts: Facts, side: int, key: str = "cost_total") -> Markup:
    """Empty where fewer than two arms have this cost."""
    points = points_of(facts, key, side)
    return both(_draw, points, key, side) if len(points) > 1 else Markup("")


def _draw(width: float, points: Sequence[Point], key: str, side: int) -> Markup:
    wide = width > 600
    height, bottom, top, left, right = (
        (400.0, 340.0, 20.0, 52.0, width - 16) if wide else (380.0, 316, 20, 40, width - 8)
    )
    canvas = Canvas(width, height, "scatter", wide)
    across = _across([p.cost for p in points], left + 14, right - 14)
    spread = [v for p in points for v in (p.mean, p.low, p.high) if v is not None]
    up = covering(spread, bottom, top)
    _axes(canvas, across, up, (left, right), dict(COSTS)[key])
    _front(canvas, across, up, [p for p in points if not p.beaten], side)
    for p in points:
        x, y = across(p.cost), up(p.mean)
        if p.low is not None and p.high is not None:
            canvas.line(x, up(p.low), x, up(p.high), f"interval thin {p.class_}")
        marks = {"data_path": f"{p.at}/mean", "data_value": repr(p.mean), "data_y": f"{y:.2f}"}
        class_ = f"mark {p.class_}{' beaten' if p.beaten else ''}"
        canvas.shape("circle", class_, f"{p.name}", cx=x, cy=y, r=7.0 if p.class_ == "chosen" else 5.5, **marks)
    _names(canvas, across, up, [p for p in points if wide or not p.beaten or p.class_ != "arm"], (left, right))
    return canvas.svg(f"Score of each arm against: {dict(COSTS)[key]}")


def _across(costs: Sequence[float], start: float, end: float) -> Scale:
    """Powers of ten where costs differ a lot, linear from 0 otherwise."""
    low, high = min(costs), max(costs)
    if low > 0 and high / low > 12:
        return Scale(low / 1.15, high * 1.15, start, end, log=True)
    return covering([0.0, *costs], start, end)


def _axes(canvas: Canvas, across: Scale, up: Scale, sides: tuple[float, float], words: str) -> None:
    left, right = sides
    bottom = up(up.low)
    for value in up.ticks():
        canvas.line(left, up(value), right, up(value), "grid")
        canvas.text(left - 8, up(value) + 4, tick_words(value), "tick", "end")
    for value in across.ticks(8 if canvas.wide else 5):
        canvas.line(across(value), bottom, across(value), bottom + 5, "rule")
        canvas.text(across(value), bottom + 20, tick_words(value), "tick", "middle")
    canvas.line(left, bottom, right, bottom, "rule")
    canvas.text((left + right) / 2, bottom + 44, words + (" (log scale)" if across.log else ""), "note", "middle")


def _front(canvas: Canvas, across: Scale, up: Scale, best: Sequence[Point], side: int) -> None:
    """The step line: what the best score is for at most so much."""
    if len(best) < 2:
        return
    path = f"M{across(best[0].cost):.1f},{up(best[0].mean):.1f}"
    for p in best[1:]:
        path += f"H{across(p.cost):.1f}V{up(p.mean):.1f}"
    canvas.shape("path", "front", d=path)


def _names(canvas: Canvas, across: Scale, up: Scale, points: Sequence[Point], sides: tuple[float, float]) -> None:
    """A name beside each point, where no other name or point stands; moved up or down until it is free."""
    left, right = sides
    taken = [(across(p.cost) - 8, up(p.mean) - 8, across(p.cost) + 8, up(p.mean) + 8) for p in points]
    order = sorted(points, key=lambda p: (p.class_ == "arm", p.beaten, up(p.mean)))
    for p in order:
        words = fitted(p.name, min(230.0, (right - left) * 0.6), 12.5)
        wide, x, y = width_of(words, 12.5), across(p.cost), up(p.mean)
        places = [(dx, y + dy) for dy in (4, -12, 20, -26, 34, -40, 48) for dx in (x + 11, x - 11 - wide, x - wide / 2)]
        free = [
            (px, py)
            for px, py in places
            if px >= left
            and px + wide <= right + 8
            and 10 <= py <= up(up.low) - 2
            and not any(px < b[2] and px + wide > b[0] and py - 11 < b[3] and py + 3 > b[1] for b in taken)
        ]
        if not free:
            continue
        px, py = free[0]
        taken.append((px, py - 11, px + wide, py + 3))
        said = Markup('<tspan data-path="{}">{}</tspan>').format(f"{p.at}/name", words)
        canvas.text(px, py, said, f"name {p.class_}")
