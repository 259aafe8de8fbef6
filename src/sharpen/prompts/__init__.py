"""Prompts as data: ``find(name) -> Brief``, ``render(brief, values) -> Rendered``, ``lint(brief) -> findings``.

The library lies in ``library/``, one YAML file a prompt.
"""

from __future__ import annotations

from sharpen.prompts.brief import Brief, Change, Shown, Slot, diff
from sharpen.prompts.linting import Finding, lint, lint_text
from sharpen.prompts.rendering import Rendered, render
from sharpen.prompts.shelf import catalogue, find, read

__all__ = [
    "Brief",
    "Change",
    "Finding",
    "Rendered",
    "Shown",
    "Slot",
    "catalogue",
    "diff",
    "find",
    "lint",
    "lint_text",
    "read",
    "render",
]
