"""``sharpen demo``: the study of the invented organisation that comes with sharpen."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import sharpen
from sharpen.errors import UserError


def demo(out: Path | None) -> None:
    """Copy the example to a folder of the user's, and run it there."""
    target = out or Path("anyorganization")
    source = example_folder()
    if not target.exists():
        copy = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:  # whole or not at all: half a copy would be another study
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("runs", ".sharpen"))
            copy.rename(target)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    from sharpen.cli.run import run

    run(target / "usecase.yaml", None, [], False)


def example_folder() -> Path:
    """Where the example lies: in the installed package, or in the source tree."""
    here = Path(sharpen.__file__).parent
    for folder in (here / "examples" / "anyorganization", here.parents[1] / "examples" / "anyorganization"):
        if (folder / "usecase.yaml").is_file():
            return folder
    raise UserError("the example is not part of this installation.", do="Install sharpen again.")
