"""The corridor: the only room that knows the order. ``run(use_case)`` goes from a use case to a run folder.

pre-flight -> data -> arms built on train, chosen on dev -> race -> plan written, test opened once -> compare -> report
"""

from __future__ import annotations

from sharpen.study.asking import ask
from sharpen.study.checking import check
from sharpen.study.exporting import Exported, export
from sharpen.study.reading import Report, read_report
from sharpen.study.running import run

__all__ = ["Exported", "Report", "ask", "check", "export", "read_report", "run"]
