"""Formulas of Office files (OMML) on one line: ``sin θ=(mλ)/a``, ``x^2``, ``√(a+b)``."""

from __future__ import annotations

import re
from typing import Any

DEEPEST = 40
"""Formulas in formulas that are read."""

_ATOM = re.compile(r"\w+|\d+[.,]\d+")


def formula(element: Any, depth: int = 0) -> str:
    """Return the text of an ``m:oMath`` element or of a part of one; what is nested too deeply is left out."""
    if depth > DEEPEST or not isinstance(element.tag, str):
        return ""
    kind = element.tag.rpartition("}")[2]
    if kind == "t":
        return (element.text or "").replace("\u2061", " ")  # the sign between a function and what it is of
    said = {child.tag.rpartition("}")[2]: child for child in element if isinstance(child.tag, str)}

    def part(name: str) -> str:
        return formula(said[name], depth + 1) if name in said else ""

    def held(name: str) -> str:
        text = part(name)
        return text if not text or _ATOM.fullmatch(text) else f"({text})"

    if kind == "f":
        return f"{held('num')}/{held('den')}"
    if kind in ("sSup", "sSub", "sSubSup"):
        low, high = held("sub"), held("sup")
        return part("e") + (f"_{low}" if low else "") + (f"^{high}" if high else "")
    if kind == "rad":
        return f"{part('deg')}√{held('e')}"
    if kind == "nary":
        low, high = held("sub"), held("sup")
        return _sign(element, "chr", "∫") + (f"_{low}" if low else "") + (f"^{high}" if high else "") + f" {part('e')}"
    if kind == "d":
        inner = [formula(c, depth + 1) for c in element if isinstance(c.tag, str) and c.tag.endswith("}e")]
        return _sign(element, "begChr", "(") + ", ".join(inner) + _sign(element, "endChr", ")")
    if kind.endswith("Pr"):
        return ""
    between = " " if kind == "func" else ""
    return between.join(filter(None, (formula(child, depth + 1) for child in element)))


def _sign(element: Any, name: str, usual: str) -> str:
    """A sign that is an attribute of the element's properties; the usual one where it is not named."""
    for child in element.iter("{*}" + name):
        if child.getparent().getparent() is element:
            return next((v for k, v in child.attrib.items() if k.endswith("}val")), usual)
    return usual
