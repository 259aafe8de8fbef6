"""``sharpen run``: the main job."""

from __future__ import annotations

import shlex
from pathlib import Path

from sharpen.cli.progress import live, say


def run(use_case: Path, out: Path | None, settings: list[str], dry_run: bool) -> None:
    """Run a study and print its table and verdict."""
    if dry_run:
        from sharpen.cli.check import check

        check(use_case, settings, dry=True)
        print(f"\nA dry run: nothing was built{f', nor anything written to {out}' if out else ''}.")
        return
    from sharpen import study

    with live() as progress:
        report = study.run(use_case, out, settings, progress)
    say(report)
    print(f"\nReport: {report.path / 'report.html'}")
    if (page := report.path / "data.html").is_file():
        print(f"Its data: {page}")
    if report.winner and report.arm(report.winner)["fingerprint"]:
        folder = shlex.quote(str(_near(report.path)))
        print(f'Ask it: sharpen ask {folder} "a question"; take it along: sharpen export --help')


def _near(path: Path) -> Path:
    """A path as it would be typed from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
