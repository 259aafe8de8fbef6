"""Judges of answers: one file each, opened by name.

A metric judges a batch of answers against their examples and says how its scores become one number. It never sees a
model. This room imports the hall alone; :func:`parse` is the one tolerant reading of a raw reply for every arm.
"""

from __future__ import annotations

from typing import Any

from sharpen import parts
from sharpen.metrics.judging import Judge, mean_aggregate, worst
from sharpen.metrics.parsing import parse

__all__ = ["Judge", "mean_aggregate", "open_metric", "parse", "worst"]


def open_metric(name: str, **options: Any) -> Judge:
    """Return the metric called ``name``; ``options`` go to its factory.

    Raises:
        UserError: there is none of that name.
        MissingExtra: a package that it needs is not installed.
    """
    made: Judge = parts.factory("metric", name)(**options)
    return made
