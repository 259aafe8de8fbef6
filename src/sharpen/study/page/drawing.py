"""What the charts share: a canvas that collects SVG, scales with round ticks, and how wide a text is.

Every chart is drawn twice, for wide and for narrow screens (the page shows one), so that letters keep their size.
Axis labels have the class ``tick``; all other numbers in a chart say where in the report they stand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from sharpen.study.page.values import cut, element, powered

WIDE, NARROW = 960, 360
LETTER = 0.56  # mean width of a letter, in font sizes; a little more than most fonts need


@dataclass
class Canvas:
    """An SVG of fixed coordinates."""

    width: float
    height: float
    name: str
    wide: bool = True
    parts: list[Markup] = field(default_factory=list)

    def add(self, *parts: Markup) -> None:
        """Draw what was made elsewhere, on top."""
        self.parts += parts

    def shape(self, tag: str, class_: str, inside: object = "", **attributes: object) -> None:
        """Draw one shape; numbers are rounded to tenths of a pixel."""
        given = {k: _short(v) for k, v in attributes.items()}
        self.add(element(tag, inside, class_=class_, **given))

    def line(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        """Draw a line."""
        self.shape("line", class_, x1=x1, y1=y1, x2=x2, y2=y2)

    def text(self, x: float, y: float, words: object, class_: str = "", anchor: str | None = None) -> None:
        """Write words that are the page's own, or Markup that says where it was read."""
        self.shape("text", class_, words, x=x, y=y, text_anchor=anchor)

    def svg(self, title: str) -> Markup:
        """The whole drawing; ``title`` is read aloud in its place."""
        head = Markup('<svg class="{} {}" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
            self.name, "wide" if self.wide else "narrow", _short(self.width), _short(self.height), title, title
        )
        return head + Markup("").join(self.parts) + Markup("</svg>")


def _short(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def fitted(words: str, pixels: float, size: float = 13) -> str:
    """Cut a text to about so many pixels."""
    return words if width_of(words, size) <= pixels else cut(words, max(3, int(pixels / (LETTER * size)) - 1))


def width_of(words: str, size: float = 13) -> float:
    """About how wide a text will be, in pixels."""
    return len(words) * LETTER * size


@dataclass(frozen=True)
class Scale:
    """From values to pixels: linear, or by powers of ten where ``log``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            low, high, value = math.log10(self.low), math.log10(self.high), math.log10(value)
        else:
            low, high = self.low, self.high
        share = (value - low) / ((high - low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values within the scale."""
        if not self.log:
            step = step_for(self.high - self.low, most)
            first = math.ceil(self.low / step - 1e-9)
            return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [f * 10.0**p for p in powers for f in factors if self.low <= f * 10.0**p <= self.high]
            if len(found) <= most:
                return found
        return found[:: math.ceil(len(found) / most)]


def step_for(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts ``span`` into at most ``most`` pieces."""
    span = abs(span) or 1.0
    size = 10.0 ** math.floor(math.log10(span / most))
    return next(f * size for f in (1, 2, 5, 10, 20) if span / (f * size) <= most)


def covering(values: Sequence[float], start: float, end: float, zero: bool = True) -> Scale:
    """A linear scale over all values, ending on round numbers; from 0 where that wastes little room."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if zero and low > 0 and low < 2 * (high - low):
        low = 0.0
    if zero and high < 0 and -high < 2 * (high - low):
        high = 0.0
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = (0.0, 1.0) if 0 <= low <= 1 else (low - abs(low) / 2, high + abs(high) / 2)
    step = step_for(high - low, 6) / 4
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, end)


def tick_words(value: float) -> str:
    """An axis label."""
    if value and (abs(value) < 1e-4 or abs(value) >= 1e6):
        size = math.floor(math.log10(abs(value)) + 1e-9)
        return powered(f"{round(value / 10.0**size, 6):g}", size)
    return f"{round(value, 10):,.10g}".replace("-", "−")


def axis(canvas: Canvas, scale: Scale, top: float, bottom: float, most: int = 6) -> None:
    """Vertical grid lines with their values below."""
    for value in scale.ticks(most):
        x = scale(value)
        canvas.line(x, top, x, bottom, "grid")
        canvas.text(x, bottom + 16, tick_words(value), "tick", "middle")


def both(draw: object, *given: object) -> Markup:
    """A chart for wide and for narrow screens: ``draw(width, *given)`` twice."""
    assert callable(draw)
    return Markup("").join(draw(float(w), *given) for w in (WIDE, NARROW))


__all__ = [
    "NARROW",
    "WIDE",
    "Canvas",
    "Scale",
    "axis",
    "both",
    "covering",
    "escape",
    "fitted",
    "tick_words",
    "width_of",
]
