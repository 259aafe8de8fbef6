"""Data sets as Hugging Face lays them out: a dataset card that names splits, and the caches on this machine.

Nothing is fetched. ``hf:NAME`` is looked for where its packages keep what they fetched: the files of the repository
(``HF_HUB_CACHE``, else ``HF_HOME/hub``), and tables that the package ``datasets`` made of them (``HF_DATASETS_CACHE``,
else ``HF_HOME/datasets``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sharpen.errors import Problem, UserError

PREFIX = "hf:"
CARD = "README.md"


def locate(given: str) -> tuple[Path | Problem, str]:
    """The folder of ``hf:org/name`` or ``hf:org/name/PART`` on this machine, and the part; or what to do."""
    name = given.removeprefix(PREFIX).strip("/")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+){0,2}", name) or ".." in name:
        return Problem("is no name of a data set.", given, "Write hf:NAME or hf:ORGANISATION/NAME."), ""
    pieces = name.split("/")
    # A short name may be one word (squad) or two (org/name); the last word of more is a split or a configuration.
    for n in range(len(pieces), 0, -1):
        for folder in _cached(pieces[:n]):
            return folder, "/".join(pieces[n:])
    hub, made = _caches()
    what = f"is not in the caches of this machine ({hub.name} and {made.name} of Hugging Face)."
    do = (
        f"Where there is a network: hf download --repo-type dataset {'/'.join(pieces[:2])} --local-dir DIR; then name "
        "the folder DIR instead."
    )
    return Problem(what, given, do), ""


def _caches() -> tuple[Path, Path]:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return hub, Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets")


def _cached(pieces: list[str]) -> Iterable[Path]:
    """Folders of a data set in the caches, the one that was written last first."""
    hub, made = _caches()
    repository = hub / f"datasets--{'--'.join(pieces)}" / "snapshots"
    tables = {p.parent for p in (made / "___".join(pieces)).glob("*/*/*/dataset_info.json")}
    tables |= {p.parent for p in (made / "___".join(pieces).lower()).glob("*/*/*/dataset_info.json")}
    for found in ([p for p in repository.glob("*") if p.is_dir()], [p for p in tables if any(p.glob("*.arrow"))]):
        yield from sorted(found, key=lambda p: (p.stat().st_mtime, p.name), reverse=True)


def card_splits(folder: Path) -> dict[Path, str] | Problem:
    """The files that a dataset card gives to splits, in their order; none where there is no card that does.

    Where a card has several configurations the one called default is taken.
    """
    configs = _configs(folder)
    if not configs:
        return {}
    default = [c for c in configs if c.get("default") is True or c.get("config_name") == "default"]
    if len(configs) > 1 and not default:
        names = ", ".join(str(c.get("config_name")) for c in configs)
        do = "Name the files of the one: a pattern such as my_set/NAME/*.parquet."
        return Problem(f"has several configurations: {names[:300]}.", str(folder.name), do)
    found: dict[Path, str] = {}
    for split, pattern in _patterns((default or configs)[0].get("data_files")):
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            return Problem("its card names files outside of it.", f"{folder.name}/{CARD}", "Check what it is.")
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                found.setdefault(path, split)
    return found


def _configs(folder: Path) -> list[dict[str, Any]]:
    from sharpen.store import parse_yaml

    try:
        text = (folder / CARD).read_text(encoding="utf-8", errors="replace")[:200_000]
    except OSError:
        return []
    head = re.match(r"---\s*\n(.*?)\n---\s*(\n|\Z)", text, re.S)
    try:
        card = parse_yaml(head[1], CARD) if head else None
    except UserError:  # a card that is no YAML is a text like any other
        return []
    configs = card.get("configs") if isinstance(card, dict) else None
    return [c for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []


def _patterns(given: Any) -> Iterable[tuple[str, str]]:
    """(split, pattern) pairs of ``data_files`` in any of the ways a card writes them."""
    if isinstance(given, str):
        yield "train", given
    elif isinstance(given, list):
        for item in given:
            if isinstance(item, str):
                yield "train", item
            elif isinstance(item, dict):
                paths = item.get("path")
                for path in paths if isinstance(paths, list) else [paths]:
                    if isinstance(path, str):
                        yield str(item.get("split", "train")), path
