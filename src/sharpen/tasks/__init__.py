"""What kinds of job there are; one file each, more by plug-in."""

from __future__ import annotations

from pathlib import Path

from sharpen import parts
from sharpen.types import Task


def open_task(name: str, base: Path | None = None) -> Task:
    """Return the task called ``name`` (hyphens and underscores are alike), or that of a file, relative to ``base``.

    Raises:
        UserError: there is none of that name.
        PluginError: one that is not ours fails, or is no whole task.
    """
    make = parts.factory("task", name, base)
    with parts.blamed(parts.find("task", name, base)):
        task: Task = make()
        parts.expect(task, Task, "the task")
        if not task.instructions:
            raise ValueError("the task has no instructions")
    return task
