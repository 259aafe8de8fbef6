"""What kinds of job there are; one file each, more by plug-in."""

from __future__ import annotations

from pathlib import Path

from sharpen import parts
from sharpen.types import Task


def open_task(name: str, base: Path | None = None) -> Task:
    """Return the task called ``name`` (hyphens and underscores are alike), or that of a file, relative to ``base``.

    Raises:
        UserError: there is none of that name.
    """
    task: Task = parts.factory("task", name, base)()
    return task
