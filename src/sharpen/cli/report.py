"""``sharpen report``: a run's table and verdict again, and its page written anew."""

from __future__ import annotations

from pathlib import Path

from sharpen.cli.progress import say


def report(run: Path) -> None:
    """Print and write."""
    from sharpen.study import read_report
    from sharpen.study.page import write_page

    found = read_report(run)
    say(found)
    print(f"\nReport: {write_page(found.path)}")
