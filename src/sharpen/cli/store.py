"""``sharpen store gc``: delete artefacts that no run refers to."""

from __future__ import annotations

import re
from pathlib import Path

from sharpen.store import Store
from sharpen.study.setting import store_root

REF = re.compile(r"\b[a-z][a-z0-9_-]*:[0-9a-f]{64}\b")


def gc(directory: Path, yes: bool) -> None:
    """Find what runs name, and delete the rest (or say what would be deleted)."""
    base = directory.resolve()
    store = Store(store_root(base))
    runs = known_runs(store, base)
    named: set[str] = set()
    files = [run / "programs.json" for run in runs]
    if any(not (run / "report.json").exists() for run in runs):  # what an unfinished run has built is in use, too
        files += (store.root / "built").glob("*.json")
    for path in files:
        if path.exists():
            named |= set(REF.findall(path.read_text(encoding="utf-8")))
    loose = store.gc(named) if yes else store.loose(named)
    young = sum(ref not in named for ref in store.refs()) - (0 if yes else len(loose))
    then = "and were deleted" if yes else "; delete them with --yes"
    print(f"{len(runs)} runs use {len(named)} artefacts; {len(loose)} are not in use {then}.")
    if young:
        print(f"{young} more are named by no run, but younger than a day: a study under way may need them.")


def known_runs(store: Store, base: Path) -> list[Path]:
    """Runs that used this store, wherever they lie, and those beside the use case; those that are still there."""
    noted = [Path(p.read_text(encoding="utf-8").strip()) for p in sorted(store.root.glob("runs/*"))]
    beside = sorted(p.parent for p in (base / "runs").glob("*/config.yaml"))
    return [run for run in dict.fromkeys([*noted, *beside]) if run.is_dir()]
