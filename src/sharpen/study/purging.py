"""Delete what the store keeps of sources that may no longer be used: prepared texts, indexes, answers that cite them.

Deletes no file that was given and nothing in a run's folder: the files are their owner's, and reports are evidence.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen import config
from sharpen.data.governing import Rules
from sharpen.data.lineage import lines_of
from sharpen.errors import UserError
from sharpen.retrieval import Collection, take_out
from sharpen.store import Store
from sharpen.study.allowing import rules_of_case, rules_today
from sharpen.study.folder import RunFolder
from sharpen.study.indexing import known_collections
from sharpen.techniques import refs

COST = (
    "A run that used them cannot be recomputed as it was, nor can its arms that search or show them be asked; "
    "sharpen run makes a new one without them. Reports, programs and weights of such runs stay: delete their folders, "
    "then sharpen store gc, to be rid of these too."
)


@dataclass(frozen=True)
class Purge:
    """What of the store holds sources that may no longer be used."""

    data: tuple[Path, ...]
    indexes: tuple[str, ...]
    answers: tuple[str, ...]
    living: tuple[tuple[Path, str], ...] = ()  # documents of collections: the file, and the source in it

    def __str__(self) -> str:
        counts = [(len(self.data), "prepared data"), (len(self.indexes), "indexes"), (len(self.answers), "answers")]
        counts += [(len(self.living), "documents of collections")] if self.living else []
        return ", ".join(f"{what} {n}" for n, what in counts)

    def __bool__(self) -> bool:
        return bool(self.data or self.indexes or self.answers or self.living)


def to_purge(store: Store, runs: Sequence[Path], others: Sequence[Path] = (), base: Path | None = None) -> Purge:
    """Find what the runs of a use case left in the store of sources that their use case no longer allows at all.

    A source is purged that is expired or whose consent was withdrawn; one whose use was only narrowed is not.

    Args:
        store: that the runs used.
        runs: of the use case.
        others: runs of other use cases, whose indexes stay.
        base: the folder of the use case, whose collections in the store are looked through; None: none are.
    """
    data: list[Path] = []
    theirs = {ref for run in others for program in RunFolder(run).programs().values() for ref in refs(program)}
    tried = [ref for ref in store.refs() if ref.startswith("index:") and ref not in theirs]
    judges: list[Gone] = []
    for run in runs:
        folder = RunFolder(run)
        kept, base = folder.settings()
        uc = config.validate(kept, str(run / "config.yaml"))
        gone = _gone(rules_today(uc, base))
        judges.append(gone)
        data += [f for f in _prepared(store, folder) if any(gone(*names) for names in _kept(f))]
    indexes = [ref for ref in tried if any(_holds(store.path(ref) / "passages.jsonl", gone) for gone in judges)]
    living = tuple(_living(store, base)) if base else ()
    return Purge(tuple(dict.fromkeys(data)), tuple(indexes), tuple(_citing(store, judges)), living)


def purge(store: Store, found: Purge) -> None:
    """Delete it."""
    for folder in found.data:
        shutil.rmtree(folder, ignore_errors=True)
    for ref in found.indexes:
        shutil.rmtree(store.path(ref), ignore_errors=True)
    for file in dict.fromkeys(file for file, _ in found.living):
        take_out(file, [source for f, source in found.living if f == file])
    path = store.root / "answers.sqlite"
    if found.answers:
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
            db.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in found.answers])
            db.execute("VACUUM")  # SQLite leaves what was deleted in the file otherwise
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


Gone = Callable[[str, str], bool]


def _gone(rules: Rules) -> Gone:
    """Whether nothing may be done with a source, known by its name and, of a row, its file."""
    uses = ("train", "evaluate", "index")

    def gone(source: str, file: str = "") -> bool:
        said = [rules.refused((source, file), use) for use in uses]
        return all(said) and "not allowed" not in said[0]

    return gone


def _living(store: Store, base: Path) -> list[tuple[Path, str]]:
    """Documents of a use case's collections that are of a source that is gone."""
    found = []
    for file in known_collections(store.root):
        with closing(Collection(file)) as collection:
            settings = collection.settings
            if not settings.get("usecase") or Path(settings["usecase"]).parent != base:
                continue
            gone = _gone(rules_of_case(Path(settings["usecase"]), settings))
            found += [(file, source) for source in collection.known() if gone(source, "")]
    return found


def _prepared(store: Store, folder: RunFolder) -> list[Path]:
    """The prepared data of a run, and that of its folds, which no run names: those of the same files and settings."""
    try:
        own = store.root / "data" / folder.finished()[0]
    except UserError:  # it is not finished
        return []
    made = [_inputs(own)] if own.is_dir() else []
    return [f for f in sorted((store.root / "data").glob("[!.]*")) if _inputs(f) and _inputs(f) in made]


def _inputs(folder: Path) -> Any:
    return next((line["inputs"] for line in lines_of(folder, "sealed/origin.jsonl")), None)


def _kept(folder: Path) -> list[tuple[str, str]]:
    """Source and file of each row of all splits and of each document (its file is no name of it) in a folder."""
    kept = (line for line in lines_of(folder) if line["content"])
    return [(line["source"], line["file"] if line["kind"] == "example" else "") for line in kept]


def _holds(passages: Path, gone: Gone) -> bool:
    with passages.open(encoding="utf-8", errors="surrogatepass") as f:
        return any(gone(str(json.loads(line)["span"][0]), "") for line in f)


def _citing(store: Store, judges: Sequence[Gone]) -> list[str]:
    """The keys of cached answers that were given passages of a source that is gone."""
    path = store.root / "answers.sqlite"
    if not path.is_file() or not judges:
        return []
    with closing(sqlite3.connect(path, timeout=30)) as db:
        rows = db.execute("SELECT key, answer FROM answers WHERE answer LIKE '%\"source\"%'")
        return [key for key, text in rows if any(gone(s, "") for s in _sources(text) for gone in judges)]


def _sources(text: str) -> set[str]:
    """The sources of the passages of an answer as it is kept."""
    found: set[str] = set()

    def note(node: dict[str, Any]) -> dict[str, Any]:
        if isinstance(node.get("source"), str):
            found.add(node["source"])
        return node

    try:
        json.loads(text, object_hook=note)
    except ValueError:  # damaged: it is never used
        return set()
    return found
