"""sharpen: find out, and prove, which mix of prompting, retrieval and fine-tuning does your job best.

``sharpen.run("usecase.yaml")`` runs a study, ``sharpen.ask("runs/name", "question")`` asks its winner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sharpen.study import Report, ask, check, export, read_report, run

__all__ = ["Report", "__version__", "ask", "check", "export", "read_report", "run"]


def __getattr__(name: str) -> Any:
    """Rooms are imported when they are asked for: ``import sharpen`` stays instant."""
    if name in __all__ or name == "study":
        import importlib

        study = importlib.import_module("sharpen.study")
        return study if name == "study" else getattr(study, name)
    raise AttributeError(f"module 'sharpen' has no attribute {name!r}")
