"""Many files cleaned into a folder: kept documents and rows, what was dropped and why, and a report.

:func:`clean_files` is the one call; each file is cleaned by itself on an engine (:mod:`~sharpen.data.bulk.engines`),
then all of them together in this process, so the result does not depend on the engine or the number of workers.
"""

from __future__ import annotations

from sharpen.data.bulk.running import Asked, Report, clean_files
from sharpen.data.bulk.steps import Steps, read_steps

__all__ = ["Asked", "Report", "Steps", "clean_files", "read_steps"]
