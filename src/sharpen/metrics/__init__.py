"""Judges of answers: one file each, opened by name.

A metric judges a batch of answers against their examples and says how its scores become one number. It never sees a
model. This room imports the hall alone; :func:`parse` is the one tolerant reading of a raw reply for every arm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.metrics.checking import Checked, with_labels
from sharpen.metrics.judging import Judge, bounds_of, mean_aggregate, value_of, worst
from sharpen.metrics.parsing import has_lines, parse, readings, without_thoughts

__all__ = [
    "Checked",
    "Judge",
    "bounds_of",
    "has_lines",
    "mean_aggregate",
    "open_metric",
    "parse",
    "readings",
    "value_of",
    "with_labels",
    "without_thoughts",
    "worst",
]


def open_metric(name: str, base: Path | None = None, **options: Any) -> Judge | Checked:
    """Return the metric called ``name``, or that of a file of one's own, relative to ``base``.

    ``options`` go to its factory; they may stand behind its name, too: ``within_words(words=50)``.

    Raises:
        UserError: there is none of that name.
        MissingExtra: a package that it needs is not installed.
        PluginError: one that is not ours fails; later, when it judges, this is raised as well.
    """
    if name.endswith(")"):
        from sharpen.config import parse_sum

        ((name, written),) = parse_sum(name)
        options = {**written, **options}
    part = parts.find("metric", name, base)
    make = parts.factory("metric", name, base)
    if options:
        parts.known_options(part, make, options)
    with parts.blamed(part):
        made: Any = make(**options)
    return made if part.origin == "sharpen" else Checked(made, part)
