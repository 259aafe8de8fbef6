"""Numbers and texts as HTML that says where in ``report.json`` each was read.

Every value on the page goes through :class:`Facts`: a span carries the JSON pointer (RFC 6901) of its source and, for
a number, the value as it stands there, so that a test (or a doubting reader) can compare the page with the report.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from markupsafe import Markup, escape

ABSENT = Markup('<span class="absent" title="not measured" aria-label="not measured">–</span>')
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def tidy(value: Any) -> Any:
    """A report without what HTML cannot carry: control characters and lone surrogates become U+FFFD, in keys too."""
    if isinstance(value, str):
        return _CONTROL.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))
    if isinstance(value, Mapping):
        return {tidy(str(k)): tidy(v) for k, v in value.items()}
    return [tidy(v) for v in value] if isinstance(value, list | tuple) else value


def cut(text: str, most: int | None = None) -> str:
    """A text cut with … after ``most`` characters."""
    return text if most is None or len(text) <= most else text[:most].rstrip() + "…"


def pointer(*keys: object) -> str:
    """The JSON pointer of a value: ``pointer("arms", 3, "mean")`` is ``/arms/3/mean``."""
    return "".join("/" + str(k).replace("~", "~0").replace("/", "~1") for k in keys)


def last(path: str) -> str:
    """The last key of a pointer."""
    return path.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def known(value: Any) -> TypeGuard[float]:
    """True for a number that was measured: not None, not NaN, not infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


HOW: Mapping[str, Callable[[Any], Any]] = {
    "value": lambda x: x,
    "count": len,
    "sum": lambda x: sum(x.values() if isinstance(x, Mapping) else x),
    "confidence": lambda x: 100 * (1 - x),
    "thousand": lambda x: 1000 * x,
}
"""What is done to a value of the report before it is shown; named on the page as ``data-how``."""


class Facts:
    """A report and the one way to show what it holds."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.report = report

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a JSON pointer, or ``default`` where the report lacks it."""
        node: Any = self.report
        for key in path.split("/")[1:]:
            key = key.replace("~1", "/").replace("~0", "~")
            try:
                node = node[int(key)] if isinstance(node, Sequence) and not isinstance(node, str) else node[key]
            except (KeyError, IndexError, TypeError, ValueError):
                return default
        return node

    def num(self, path: str, style: str = "score", how: str = "value", tag: str = "span", **attributes: Any) -> Markup:
        """A number, written in a style of :data:`STYLES`; a dash where it was not measured."""
        value = self.get(path)
        if how not in ("count", "sum") and not known(value):
            return ABSENT if tag == "span" else Markup("")
        if value is None:
            return ABSENT if tag == "span" else Markup("")
        shown = STYLES[style](HOW[how](value))
        raw = value if known(value) else HOW[how](value)
        marks = {"data-path": path, "data-value": repr(raw), **({"data-how": how} if how != "value" else {})}
        return element(tag, shown, **marks, **attributes)

    def text(self, path: str, most: int | None = 400, tag: str = "bdi", **attributes: Any) -> Markup:
        """A text as it stands in the report, cut with … after ``most`` characters."""
        value = self.get(path)
        if value is None or value == "":
            return ABSENT
        return element(tag, cut(str(value), most), **{"data-path": path}, **attributes)

    def words(self, path: str) -> Markup:
        """A name such as ``exact_match`` as words."""
        value = self.get(path)
        return element("bdi", cut(str(value), 80).replace("_", " "), data_path=path) if value else ABSENT

    def key(self, path: str, most: int | None = 80) -> Markup:
        """The name under which a value stands in the report, words apart."""
        return element("bdi", cut(last(path), most).replace("_", " "), data_key=path)

    def any(self, path: str, most: int | None = 400) -> Markup:
        """A value of whatever type: a number, a text, yes or no, a list, a mapping."""
        value = self.get(path)
        if isinstance(value, bool):
            return element("span", "yes" if value else "no", data_path=path)
        if isinstance(value, int):
            return self.num(path, "whole")
        if isinstance(value, float):
            return self.num(path, "few")
        if isinstance(value, Mapping) and value:
            pairs = [(path + pointer(k), self.any(path + pointer(k), most)) for k in value]
            return Markup("<br>").join(Markup("{} {}").format(self.key(p), v) for p, v in pairs)
        if isinstance(value, list) and value:
            return Markup(", ").join(self.any(path + pointer(i), most) for i in range(len(value)))
        if isinstance(value, str) and re.fullmatch("[0-9a-f]{40,64}", value):
            return self.text(path, most, class_="hash")
        return self.text(path, most) if isinstance(value, str) else ABSENT


def element(tag: str, inside: object, **attributes: object) -> Markup:
    """One element; ``inside`` is escaped unless it is Markup. An underscore in a name stands for a hyphen."""
    said = Markup("").join(
        Markup(' {}="{}"').format(Markup(k.rstrip("_").replace("_", "-")), v)
        for k, v in attributes.items()
        if v is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), said, escape(inside))


def _signed(shown: str, value: float) -> str:
    if not re.search("[1-9]", shown):
        return shown.lstrip("-")
    return ("+" if value > 0 else "−") + shown.lstrip("-")


def score(value: float) -> str:
    """Three decimals; fewer for large values."""
    digits = 3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    shown = f"{value:,.{digits}f}"
    return shown.lstrip("-") if not re.search("[1-9]", shown) else shown.replace("-", "−")


def delta(value: float) -> str:
    """A score with its sign."""
    return _signed(score(value).replace("−", "-"), value)


def powered(mantissa: str, size: int) -> str:
    """``-2.5×10⁻⁷``, with a true minus."""
    return f"{mantissa}×10".replace("-", "−") + str(size).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def few(value: float) -> str:
    """About three significant digits, without an exponent down to a millionth."""
    if value == 0:
        return "0"
    size = int(f"{value:.2e}".partition("e")[2])
    if size < -6:
        return powered(f"{value / 10**size:.1f}", size)
    digits = max(0, (2 if size > -3 else 1) - size)
    return f"{value:,.{digits}f}".replace("-", "−")


def p_value(value: float) -> str:
    """Two significant digits, without an exponent."""
    if value <= 0 or value >= 0.0995:
        return f"{value:.2f}" if value >= 0.0995 else "0"
    return f"{value:.{1 - math.floor(math.log10(value))}f}".rstrip("0")


def whole(value: float) -> str:
    """A count."""
    return f"{round(value):,}".replace("-", "−")


def plain_number(value: float) -> str:
    """As short as it was written: 0.02, 5, 1.5."""
    return f"{value:,.10g}".replace("-", "−")


STYLES = {"score": score, "delta": delta, "p": p_value, "few": few, "whole": whole, "plain": plain_number}
