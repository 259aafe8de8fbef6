"""``sharpen store gc``: delete artefacts that no run refers to."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from sharpen.errors import Problem, UserError
from sharpen.store import Store, read_whole
from sharpen.study.building import refs
from sharpen.study.folder import RunFolder
from sharpen.study.setting import store_root
from sharpen.types import digest

REF = re.compile(r"\b[a-z][a-z0-9_-]*:[0-9a-f]{64}\b")


def gc(directory: Path, yes: bool, forget: bool = False) -> None:
    """Find what runs name, and delete the rest (or say what would be deleted).

    Raises:
        UserError: there is no store, or a run that it knows of is not to be found and not to be forgotten.
    """
    base = directory.resolve()
    store = Store(store_root(base))
    if not store.root.is_dir():
        raise UserError("there is no store here.", str(store.root), "Name a use case's folder: sharpen store gc DIR")
    runs, gone = known_runs(store, base)
    if gone and not forget:
        what = "was not found: deleted, or moved with what it uses still in this store."
        typed = shlex.join(["sharpen", "store", "gc", str(directory), "--forget"])
        do = f"Move it back, or forget all of these: {typed}"
        raise UserError([Problem(f"the run {run} {what}", do=do) for run in gone])
    named: set[str] = set()
    for run in runs:  # one that is damaged stops this: what its arms use would be taken for loose
        for program in RunFolder(run).programs().values():
            named |= set(refs(program))
    if any(not (run / "report.json").exists() for run in runs):  # what an unfinished run has built is in use, too
        for path in (store.root / "built").glob("*.json"):
            named |= set(REF.findall(path.read_text(encoding="utf-8", errors="replace")))
    loose = store.gc(named) if yes else store.loose(named)
    young = sum(ref not in named for ref in store.refs()) - (0 if yes else len(loose))
    then = " (deleted)" if yes else "; --yes deletes them" if loose else ""
    print(f"Artefacts that runs use: {len(named)} ({len(runs)} runs). Not in use: {len(loose)}{then}.")
    for run in gone if yes else ():
        (store.root / "runs" / digest([str(run)])).unlink(missing_ok=True)
    if gone:
        print(f"Runs whose folder is gone: {len(gone)}{' (forgotten)' if yes else '; --yes forgets them'}.")
    if young:
        print(f"{young} more are named by no run, but younger than a day: a study under way may need them.")


def purge(directory: Path, yes: bool) -> None:
    """Find what the store keeps of sources that may no longer be used, and delete it (or say what would be).

    Raises:
        UserError: there is no store.
    """
    from sharpen.study import purging

    base = directory.resolve()
    store = Store(store_root(base))
    if not store.root.is_dir():
        raise UserError("there is no store here.", str(store.root), "Name a use case's folder: sharpen store gc DIR")
    runs = known_runs(store, base)[0]
    own = [run for run in runs if RunFolder(run).settings()[1] == base]
    found = purging.to_purge(store, own, [run for run in runs if run not in own], base)
    if yes:
        purging.purge(store, found)
    then = " (deleted)" if yes else "; --yes deletes them"
    print(f"Of sources that data.sources no longer allows: {found}{then if found else ''}.")
    if found:
        print(purging.COST)


def known_runs(store: Store, base: Path) -> tuple[list[Path], list[Path]]:
    """Runs that used this store, wherever they lie, and those beside the use case; and those that are not there."""
    noted = [_noted(p) for p in sorted(store.root.glob("runs/[!.]*"))]
    beside = sorted(p.parent for p in (base / "runs").glob("*/config.yaml"))
    known = list(dict.fromkeys([*noted, *beside]))
    return [run for run in known if run.is_dir()], [run for run in known if not run.is_dir()]


def _noted(path: Path) -> Path:
    """The folder of a run that this store knows of; the entry has the name of its content's hash."""

    def made(text: str) -> Path:
        run = text.removesuffix("\n")
        if digest([run]) != path.name:
            raise ValueError
        return Path(run)

    do = "Delete it; sharpen run on its study writes it anew, so do that before store gc."
    return read_whole(path, made, do, errors="surrogateescape")
