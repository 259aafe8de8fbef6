"""Consent, retention and allowed use of a finished run, by the day on which it is asked or exported.

A run was allowed to use its sources on its own day. When it is asked later, what the present entries of
``data.sources`` no longer allow is not searched, not shown and not cited: passages, worked examples. Weights keep what
they learned, and that is said. The present entries are those of the use case that lies where the run's did; where none
of its name is there, those that the run was made with.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharpen import config
from sharpen.config import UseCase
from sharpen.data import Dataset, load
from sharpen.data.gathering import items_of
from sharpen.data.governing import Rules
from sharpen.data.lineage import lines_of
from sharpen.errors import UserError
from sharpen.inputs import Data
from sharpen.store import read_yaml
from sharpen.study.folder import RunFolder
from sharpen.study.setting import Setting
from sharpen.types import Demo, Passage, System

log = logging.getLogger("sharpen.study")
ANEW = "sharpen run builds it anew without them."


def rules_today(use_case: UseCase, base: Path) -> Rules:
    """What is allowed now of the sources of a run, by the present use case beside it."""
    return Rules(_present(use_case, base).data.sources)


def rules_of_case(file: Path, settings: Mapping[str, Any]) -> Rules:
    """What is allowed now of a collection's sources, by the use case that it was made of; else by how it was then."""
    with suppress(UserError, ValueError):  # it is gone, or is being written
        raw = read_yaml(file)
        if isinstance(raw, dict) and isinstance(raw.get("data"), dict):
            now = {**settings["data"], "sources": raw["data"].get("sources") or ()}
            return Rules(Data.model_validate(now).sources)
    return Rules(Data.model_validate(settings["data"]).sources)


def _present(use_case: UseCase, base: Path) -> UseCase:
    for path in sorted(base.glob("*.y*ml"), key=lambda p: (p.name != "usecase.yaml", p.name)):
        with suppress(UserError):  # not a use case, or one that is being written
            raw = read_yaml(path)
            if isinstance(raw, dict) and raw.get("name") == use_case.name:
                return config.load(path)
    return use_case


def allow(setting: Setting, folder: RunFolder, program: System) -> System:
    """Return a program without worked examples that may no longer be shown, and have its searches leave out passages.

    What is left out is said once, with how many.
    """
    rules = rules_today(setting.use_case, setting.base)
    if not rules.sources:
        return program
    files = _files(setting, folder)
    given = (setting.use_case.data.examples, setting.use_case.data.train)
    every = [] if files else [item.file for g in given if g for item in items_of(g)]  # any may be the row's
    said: list[str] = []

    def unsearched(p: Passage) -> bool:
        return bool(rules.refused((p.span.source,), "index"))

    def unlearned(row: str, source: str) -> bool:
        return bool(rules.refused((source, *([files[row]] if row in files else every)), "train"))

    def unshown(p: Passage) -> bool:
        return unlearned(p.id, p.span.source)

    searched = [(program.retriever, "index", unsearched), (program.shots, "train", unshown)]
    for ref, use, out in ((some.index, use, out) for some, use, out in searched if some is not None):
        sources = Counter(p.span.source for p in setting.engines().index(ref).passages if out(p))
        if sources:
            setting.leaves_out[ref] = out
            what = "passages" if use == "index" else "worked examples"
            said.append(f"{sources.total()} {what} of {_some(sources)} are not searched")
    learned = _learned(setting, folder, program, unlearned)
    demos = _demos(program.demos, unsearched, {e for some in learned.values() for e in some})
    if demos != program.demos:
        said.append(f"{len(program.demos) - len(demos)} worked examples are not shown, or not with all their passages")
    if said:
        log.warning("No longer allowed by data.sources: %s. Answers may be others than those of the run.", _and(said))
    if learned and program.adapters:
        n = sum(map(len, learned.values()))
        text = "The weights learned from %d rows that are no longer allowed (%s), which nothing takes out; %s"
        log.warning(text, n, _some(learned), ANEW)
    return replace(program, demos=demos)


def _files(setting: Setting, folder: RunFolder) -> dict[str, str]:
    """The file of each row by its id; none where the prepared data is gone."""
    lines = lines_of(setting.store.root / "data" / folder.finished()[0])
    return {line["id"]: line["file"] for line in lines if line["kind"] == "example" and line["content"]}


def _demos(demos: Sequence[Demo], unsearched: Callable[[Passage], bool], gone: set[str]) -> tuple[Demo, ...]:
    """Worked examples that may still be shown, each with the passages that may."""
    kept = [d for d in demos if d.example_id not in gone]
    shown = [tuple(p for p in d.passages if not unsearched(p)) for d in kept]
    return tuple(replace(d, passages=some) for d, some in zip(kept, shown, strict=True))


def _learned(
    setting: Setting, folder: RunFolder, program: System, unlearned: Callable[[str, str], bool]
) -> dict[str, list[str]]:
    """The ids of training rows that may no longer be learned from, by their source, where the program holds some.

    Raises:
        UserError: the prepared data is gone, so that nobody knows whose the program's worked examples are.
    """
    if not program.demos and not program.adapters:
        return {}
    data = _data(setting, folder)
    if data is None and program.demos and any(d.example_id for d in program.demos):
        what = "its prepared data is gone, so nothing says of which sources its worked examples are."
        raise UserError(what, str(folder.path), "Run the study again; it prepares it anew.")
    gone: dict[str, list[str]] = {}
    for e in data.train if data else ():
        if unlearned(e.id, e.source):
            gone.setdefault(e.source, []).append(e.id)
    return gone


def _data(setting: Setting, folder: RunFolder) -> Dataset | None:
    place = setting.store.root / "data" / folder.finished()[0]
    return load(place) if (place / "data.json").is_file() else None


def _some(sources: Counter[str] | dict[str, list[str]]) -> str:
    """The first three, for a sentence."""
    names = sorted(sources)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _and(said: Sequence[str]) -> str:
    return "; ".join(said)
