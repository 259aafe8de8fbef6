"""Two charts of rows: every arm's score with its interval, and its difference from the baseline, form apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sharpen.study.page.drawing import Canvas, Scale, axis, both, covering, fitted, width_of
from sharpen.study.page.values import Facts, known, pointer

TAG = 70.0  # room for the small word beside a name


@dataclass(frozen=True)
class Row:
    """A row of a chart: what it shows (arm, floor, oracle), and where in the report it stands."""

    kind: str
    at: str
    name: str
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Layout:
    """Where labels, marks and values stand: beside each other on wide screens, above each other on narrow ones."""

    width: float
    names: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        return self.width > 600

    @property
    def plot(self) -> tuple[float, float]:
        return (self.label_room + 18, self.width - 218) if self.wide else (8.0, self.width - 8)

    @property
    def label_room(self) -> float:
        longest = max((width_of(n) for n in self.names), default=0.0)
        return min(252.0, max(90.0, longest + TAG)) if self.wide else self.width * 0.52

    @property
    def step(self) -> float:
        return 36 if self.wide else 54

    def mark_y(self, top: float) -> float:
        """Height of the mark of the row that begins at ``top``."""
        return top + (18 if self.wide else 36)

    def label_y(self, top: float) -> float:
        """Base line of the label of the row that begins at ``top``."""
        return top + (22 if self.wide else 18)


def tested(facts: Facts) -> list[tuple[int, Mapping[str, Any]]]:
    """The arms that were tested, as (position in the report, arm), in the report's order."""
    return [(i, a) for i, a in enumerate(facts.report.get("arms", [])) if known(a.get("mean"))]


def rows_of(facts: Facts, side: int) -> list[Row]:
    """Arms from best to worst, then floors, then oracles."""
    found = []
    for kind, many in (("arm", "arms"), ("floor", "floors"), ("oracle", "oracles")):
        rows = [
            Row(kind, pointer(many, i), str(a["name"]), a["mean"], _number(a.get("ci_low")), _number(a.get("ci_high")))
            for i, a in enumerate(facts.report.get(many) or [])
            if known(a.get("mean"))
        ]
        found += sorted(rows, key=lambda r: -side * r.mean)
    return found


def _number(value: Any) -> float | None:
    return value if known(value) else None


def chart_arms(facts: Facts, side: int) -> Markup:
    """Means of arms with intervals; floors as bars, oracles as diamonds; the baseline as a line."""
    rows = rows_of(facts, side)
    return both(_draw_arms, facts, rows, side) if rows else Markup("")


def _draw_arms(width: float, facts: Facts, rows: Sequence[Row], side: int) -> Markup:
    layout, top = Layout(width, tuple(r.name for r in rows)), 40.0
    values = [v for r in rows for v in (r.mean, r.low, r.high) if v is not None]
    scale = covering(values, *layout.plot)
    heads = sum(r.kind != before for r, before in zip(rows[1:], [x.kind for x in rows], strict=False))
    bottom = top + len(rows) * layout.step + heads * 10
    canvas = Canvas(width, bottom + 28, "rows", layout.wide)
    axis(canvas, scale, top, bottom, 6 if layout.wide else 5)
    _lines(canvas, scale, rows, facts, (top, bottom), side)
    y, kind = top, rows[0].kind
    for row in rows:
        if row.kind != kind:
            y, kind = y + 10, row.kind
            canvas.line(0, y - 5, width, y - 5, "rule")
        _row(canvas, layout, scale, facts, row, y)
        y += layout.step
    return canvas.svg("Score of each arm with its interval, floors, oracles, and the baseline as a line")


def _lines(
    canvas: Canvas, scale: Scale, rows: Sequence[Row], facts: Facts, span: tuple[float, float], side: int
) -> None:
    """The baseline's line over the whole height, and the best floor's."""
    top, bottom = span
    base = next((r for r in rows if r.kind == "arm" and r.name == facts.report.get("baseline")), None)
    floors = [r for r in rows if r.kind == "floor"]
    labels = []
    if floors:
        canvas.line(scale(floors[0].mean), top - 4, scale(floors[0].mean), bottom, "at-floor")
        labels.append((scale(floors[0].mean), top - 10, "best floor"))
    if base:
        canvas.line(scale(base.mean), top - 18, scale(base.mean), bottom, "at-baseline")
        labels.append((scale(base.mean), top - 24, "baseline"))
    for x, y, words in labels:
        _line_label(canvas, x, y, words)


def _line_label(canvas: Canvas, x: float, y: float, words: str) -> None:
    late = x > canvas.width - 90
    canvas.text(x - 4 if late else x + 4, y + 8, words, "note", "end" if late else "start")


def _row(canvas: Canvas, layout: Layout, scale: Scale, facts: Facts, row: Row, top: float) -> None:
    chosen = row.kind == "arm" and row.name == facts.report.get("winner")
    y, x = layout.mark_y(top), scale(row.mean)
    class_ = (
        "chosen" if chosen else "base" if row.name == facts.report.get("baseline") and row.kind == "arm" else row.kind
    )
    label(canvas, layout, facts, row.at, row.name, top, "" if row.kind == "arm" else row.kind)
    marks = {"data_path": f"{row.at}/mean", "data_value": repr(row.mean), "data_x": f"{x:.2f}"}
    if row.low is not None and row.high is not None:
        canvas.line(scale(row.low), y, scale(row.high), y, f"interval {class_}")
    if row.kind == "floor":
        canvas.shape("rect", "mark floor", x=x - 2.5, y=y - 8, width=5.0, height=16.0, **marks)
    elif row.kind == "oracle":
        points = f"{x:.1f},{y - 7:.1f} {x + 7:.1f},{y:.1f} {x:.1f},{y + 7:.1f} {x - 7:.1f},{y:.1f}"
        canvas.shape("polygon", "mark oracle", points=points, **marks)
    else:
        canvas.shape("circle", f"mark {class_}", cx=x, cy=y, r=7.0 if chosen else 5.5, **marks)
    _value(canvas, layout, facts, row, top, chosen)


def label(canvas: Canvas, layout: Layout, facts: Facts, at: str, name: str, top: float, kind: str = "") -> None:
    """The name of a row, cut to its room, and a small word beside it: chosen, over limit, floor, oracle."""
    chosen = not kind and name == facts.report.get("winner")
    kind = kind or ("chosen" if chosen else "over limit" if facts.get(f"{at}/meets_constraints") is False else "")
    room = layout.label_room - (TAG if kind else 0)
    lines = in_lines(name, room, 2 if layout.wide else 1)
    first = layout.label_y(top) - (8 if len(lines) > 1 else 0)
    inside = Markup("").join(
        Markup('<tspan x="0" dy="{}">{}</tspan>').format(16 * (n > 0), t) for n, t in enumerate(lines)
    )
    inside = Markup('<tspan data-path="{}">{}</tspan>').format(f"{at}/name", inside)
    if lines[-1].endswith("…"):
        inside += Markup("<title>{}</title>").format(fitted(name, 3000))
    if kind:
        inside += Markup('<tspan class="tag" dx="8">{}</tspan>').format(kind)
    canvas.text(0, first, inside, "label strong" if chosen else "label")


def in_lines(name: str, room: float, most: int) -> list[str]:
    """A name in at most so many lines, broken behind a space; the last is cut where it is still too long."""
    if width_of(name) <= room or most == 1:
        return [fitted(name, room)]
    fits = int(room / width_of("x"))
    end = name.rfind(" ", 1, fits) + 1 or fits
    return [name[:end], *in_lines(name[end:], room, most - 1)]


def _value(canvas: Canvas, layout: Layout, facts: Facts, row: Row, top: float, chosen: bool) -> None:
    weight = "value strong" if chosen else "value"
    numbers = [facts.num(f"{row.at}/{key}", tag="tspan") for key in ("mean", "ci_low", "ci_high")]
    write_value(canvas, layout, numbers, top, weight, row.low is not None)


def write_value(
    canvas: Canvas, layout: Layout, numbers: Sequence[Markup], top: float, class_: str, interval: bool
) -> None:
    """The number of a row, and its interval where it has one, at the right."""
    spread = Markup(' <tspan class="soft">{} to {}</tspan>').format(*numbers[1:]) if interval else Markup("")
    y = layout.label_y(top)
    if layout.wide:
        canvas.text(layout.plot[1] + 74, y, numbers[0], class_, "end")
        if interval:
            canvas.text(canvas.width, y, spread, "value", "end")
    else:
        canvas.text(canvas.width, y, numbers[0] + spread, class_, "end")


def chart_deltas(facts: Facts, side: int) -> Markup:
    """Each arm minus the baseline with its simultaneous interval; form and substance below where known."""
    rows = [(i, a) for i, a in tested(facts) if known(a.get("delta"))]
    rows.sort(key=lambda ia: -side * ia[1]["delta"])
    return both(_draw_deltas, facts, rows, side) if rows else Markup("")


def _draw_deltas(width: float, facts: Facts, rows: Sequence[tuple[int, Mapping[str, Any]]], side: int) -> Markup:
    layout, top = Layout(width, tuple(str(a["name"]) for _, a in rows)), 40.0
    keys = ("delta", "delta_ci_low", "delta_ci_high", "form_gain", "substance_gain")
    worth = facts.report.get("worth") or 0.0
    values = [a[k] for _, a in rows for k in keys if known(a.get(k))]
    values += [end for _, a in rows for end in ends(a)]
    scale = covering([*values, 0.0, worth, -worth], *layout.plot)
    split = any(known(a.get("form_gain")) for _, a in rows)
    step = layout.step + (12 if split else 0)
    bottom = top + len(rows) * step
    canvas = Canvas(width, bottom + 28, "rows", layout.wide)
    canvas.shape("rect", "band", x=scale(-worth), y=top, width=scale(worth) - scale(-worth), height=bottom - top)
    axis(canvas, scale, top, bottom, 6 if layout.wide else 5)
    zero = scale(0.0)
    canvas.line(zero, top - 18, zero, bottom, "at-baseline")
    _line_label(canvas, zero, top - 24, "baseline; shaded: too little to matter")
    for n, (i, arm) in enumerate(rows):
        _delta_row(canvas, layout, scale, facts, pointer("arms", i), arm, top + n * step)
    return canvas.svg("Difference of each arm from the baseline with its simultaneous interval")


def _delta_row(
    canvas: Canvas, layout: Layout, scale: Scale, facts: Facts, at: str, arm: Mapping[str, Any], top: float
) -> None:
    chosen = arm["name"] == facts.report.get("winner")
    y, x = layout.mark_y(top), scale(arm["delta"])
    low, high = _number(arm.get("delta_ci_low")), _number(arm.get("delta_ci_high"))
    interval = low is not None and high is not None
    label(canvas, layout, facts, at, str(arm["name"]), top)
    if low is not None and high is not None:
        canvas.line(scale(low), y, scale(high), y, f"interval {'chosen' if chosen else 'arm'}")
    marks = {"data_path": f"{at}/delta", "data_value": repr(arm["delta"]), "data_x": f"{x:.2f}"}
    canvas.shape("circle", f"mark {'chosen' if chosen else 'arm'}", cx=x, cy=y, r=7.0 if chosen else 5.5, **marks)
    if known(arm.get("form_gain")) and known(arm.get("substance_gain")):
        _parts(canvas, scale, at, arm, y + 12)
    numbers = [facts.num(f"{at}/{k}", "delta", tag="tspan") for k in ("delta", "delta_ci_low", "delta_ci_high")]
    write_value(canvas, layout, numbers, top, "value strong" if chosen else "value", interval)


def ends(arm: Mapping[str, Any]) -> list[float]:
    """Where the stacked bar of form and substance ends, below and above 0."""
    parts = [arm[k] for k in ("substance_gain", "form_gain") if known(arm.get(k))]
    return [sum(p for p in parts if p < 0), sum(p for p in parts if p > 0)]


def _parts(canvas: Canvas, scale: Scale, at: str, arm: Mapping[str, Any], y: float) -> None:
    """Substance, then form, stacked away from 0 on either side."""
    reach = {True: 0.0, False: 0.0}
    for key, class_ in (("substance_gain", "substance"), ("form_gain", "form")):
        value = arm[key]
        start = reach[value > 0]
        reach[value > 0] = start + value
        left, right = sorted((scale(start), scale(start + value)))
        marks = {"data_path": f"{at}/{key}", "data_value": repr(value)}
        canvas.shape("rect", class_, x=left, y=y, width=right - left, height=8.0, **marks)
