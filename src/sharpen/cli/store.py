"""``sharpen store gc``: delete artefacts that no run of a use case refers to."""

from __future__ import annotations

import re
from pathlib import Path

from sharpen.store import Store
from sharpen.study.setting import store_root

REF = re.compile(r"\b(?:adapter|index|export|head):[0-9a-f]{64}\b")


def gc(directory: Path, yes: bool) -> None:
    """Find what runs name, and delete the rest (or say what would be deleted)."""
    base = directory.resolve()
    store = Store(store_root(base))
    named: set[str] = set()
    for path in (base / "runs").glob("*/programs.json"):
        named |= set(REF.findall(path.read_text(encoding="utf-8")))
    loose = [ref for ref in store.refs() if ref not in named]
    if yes:
        store.gc(named)
    then = "and were deleted" if yes else "; delete them with --yes"
    print(f"{len(named)} artefacts are in use, {len(loose)} are not {then}.")
