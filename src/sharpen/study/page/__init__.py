"""The page that people read: ``report.html``, one self-contained file made from ``report.json`` alone."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_page"]


def write_page(run_folder: Path) -> Path:
    """Write ``report.html`` beside ``report.json`` and return its path.

    Raises:
        UserError: the folder holds no report, or one that is damaged.
    """
    from sharpen.errors import UserError
    from sharpen.store import read_json, write_text
    from sharpen.study.folder import ANEW
    from sharpen.study.page.rendering import render

    folder = Path(run_folder)
    file = folder / "report.json"
    if not file.is_file():
        raise UserError("holds no report.", str(folder), "Finish the study with: sharpen run")
    report = read_json(file, lambda data: {"arms": data["arms"], **data}, ANEW)
    page = folder / "report.html"
    write_text(page, render(report))
    return page
