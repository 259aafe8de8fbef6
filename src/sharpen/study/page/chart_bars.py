"""Two charts of bars: questions that each arm fixes and breaks, and where the wrong answers come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sharpen.study.page.chart_arms import Layout, label, tested
from sharpen.study.page.drawing import WIDE, Canvas, Scale, both, width_of
from sharpen.study.page.values import Facts, known, pointer, whole

CAUSES = (
    ("right", "right", "Answered right."),
    ("retrieval_miss", "retrieval miss", "Wrong, but right once the passage that holds the answer is given."),
    ("reader_miss", "reader miss", "Wrong even with that passage, and wrong without any."),
    ("broken_by_context", "broken by context", "Right without passages, wrong with them."),
)


def chart_changes(facts: Facts, side: int) -> Markup:
    """Fixed to the right, broken to the left of a middle line, in questions."""
    rows = [(i, a) for i, a in tested(facts) if known(a.get("fixed")) and known(a.get("broken"))]
    rows.sort(key=lambda ia: ia[1]["broken"] - ia[1]["fixed"])
    return both(_draw_changes, facts, rows) if rows else Markup("")


def _draw_changes(width: float, facts: Facts, rows: list[tuple[int, Mapping[str, Any]]]) -> Markup:
    layout, top = Layout(width, tuple(str(a["name"]) for _, a in rows)), 26.0
    left, right = layout.plot
    right = width - 44 if layout.wide else width - 8
    pad = 40.0
    most_left = max([1, *(a["broken"] for _, a in rows)])
    most_right = max([1, *(a["fixed"] for _, a in rows)])
    each = (right - left - 2 * pad) / (most_left + most_right)
    middle = left + pad + most_left * each
    bottom = top + len(rows) * layout.step
    canvas = Canvas(width, bottom + 6, "rows", layout.wide)
    canvas.text(middle - 8, 14, "breaks", "note", "end")
    canvas.text(middle + 8, 14, "fixes", "note")
    for n, (i, arm) in enumerate(rows):
        at, y = pointer("arms", i), layout.mark_y(top + n * layout.step)
        label(canvas, layout, facts, at, str(arm["name"]), top + n * layout.step)
        for key, sign in (("broken", -1), ("fixed", 1)):
            size = arm[key] * each
            marks = {"data_path": f"{at}/{key}", "data_value": repr(arm[key])}
            canvas.shape("rect", key, x=middle - (size if sign < 0 else 0), y=y - 8, width=size, height=16.0, **marks)
            number = facts.num(f"{at}/{key}", "whole", tag="tspan")
            canvas.text(middle + sign * (size + 6), y + 4, number, "value", "end" if sign < 0 else "start")
    canvas.line(middle, top, middle, bottom, "at-baseline")
    return canvas.svg("Questions that each arm fixes and breaks, against the baseline")


def chart_failures(facts: Facts) -> Markup:
    """One bar, cut by cause; empty where there were no oracles or no question with a known passage."""
    found = facts.report.get("failures") or {}
    return both(_draw_failures, facts, found) if known(found.get("n")) and found["n"] > 0 else Markup("")


def _draw_failures(width: float, facts: Facts, found: Mapping[str, Any]) -> Markup:
    canvas = Canvas(width, 40, "rows", width == WIDE)
    scale = Scale(0, found["n"], 0, width)
    x = 0.0
    for key, words, _ in CAUSES:
        count = found.get(key)
        if not known(count) or not count:
            continue
        size = scale(count)
        marks = {"data_path": pointer("failures", key), "data_value": repr(count)}
        canvas.shape("rect", f"cause {key}", x=x, y=0, width=max(1.0, size - 2), height=40.0, **marks)
        room = width_of(f"{words} {whole(count)}", 13 if width == WIDE else 12)
        number = facts.num(pointer("failures", key), "whole", tag="tspan")
        if room < size - 16:
            canvas.text(x + 9, 25, Markup("{} {}").format(words, number), f"on {key}")
        elif size > 8 * len(whole(count)) + 10:
            canvas.text(x + size / 2 - 1, 25, number, f"on {key}", "middle")
        x += size
    return canvas.svg("Where the answers of the arm with oracles go wrong")
