"""The page that people read: ``report.html``, one self-contained file made from ``report.json`` alone."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_page"]


def write_page(run_folder: Path) -> Path:
    """Write ``report.html`` beside ``report.json`` and return its path.

    Raises:
        UserError: the folder holds no report, or one that is not JSON.
    """
    import json

    from sharpen.errors import UserError
    from sharpen.store import write_text
    from sharpen.study.page.rendering import render

    folder = Path(run_folder)
    file = folder / "report.json"
    if not file.is_file():
        raise UserError("holds no report.", str(folder), "Finish the study with: sharpen run")
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as e:
        raise UserError(
            f"is not JSON: {e}.", str(file), "Delete done.json beside it and run the study again."
        ) from None
    page = folder / "report.html"
    write_text(page, render(report))
    return page
