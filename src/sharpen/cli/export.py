"""``sharpen export``: the winner's weights for other tools."""

from __future__ import annotations

from pathlib import Path

from sharpen.cli.progress import live


def export(run: Path, to: Path, format: str, arm: str | None) -> None:
    """Export and say how far the files agree with the run."""
    from sharpen.cli.ask import say_of_folds
    from sharpen.study.exporting import export as make

    with live() as progress:
        made = make(run, to, format, arm, progress)
    print(f"{made.folder} holds {', '.join(made.files)}.")
    say_of_folds(run, arm)
    print(f"Checked by answers: {made.same} of {made.n} are exactly those of the run.")
