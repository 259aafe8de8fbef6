"""Build arms on train and dev: walk the sum of techniques from left to right, each step once ever."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.config import Arm, UseCase, arm_name, parse_sum
from sharpen.store import locked, read_cached, write_text
from sharpen.study.augmenting import augmented, is_augmentation, nothing_learns
from sharpen.study.environment import code_hash
from sharpen.study.ranking import settle
from sharpen.study.setting import content_of, weights_of
from sharpen.techniques import Bench, NotAvailable, open_technique, placed, refs, why_not
from sharpen.types import System, digest, plain, restore

log = logging.getLogger("sharpen.study")

LONGEST = 1e10  # seconds; centuries, which no note can mean


@dataclass(frozen=True)
class Built:
    """An arm that is ready to be asked, or the reason why it is not.

    ``status``: built, given (answers from elsewhere), or not available.
    """

    name: str
    does: str
    status: str
    program: System | None = None
    seconds: float = 0.0
    why: str = ""
    answers: str | None = None
    trained: bool = False
    seed_of: str = ""  # the arm that this is, built with another seed
    notes: tuple[Mapping[str, Any], ...] = ()


class Builder:
    """Builds arms; steps that two arms share are built once, and a step that was built before is not built again."""

    def __init__(self, use_case: UseCase, base: Path, bench: Bench, embeddings: str = "") -> None:
        """``embeddings`` says which model's they are, by its content."""
        self.use_case = use_case
        self.base = base
        self.bench = bench
        # Whatever a technique can see, and the code that it runs through: nothing else makes a step another one, so a
        # study with another margin, another arm or another price uses what was built.
        texts = [[digest(plain(x)) for x in part] for part in (bench.train, bench.dev, bench.documents)]
        seen = [texts, bench.labels, bench.goal, bench.max_new_tokens]
        named = [("task", use_case.task), *(("metric", name) for name in use_case.metrics or bench.task.metrics)]
        judged = [named, content_of(named, base), [m.name for m in bench.metrics], use_case.embeddings, embeddings]
        self.data_key = digest([plain(seen), judged, code_hash()])

    def arm(self, arm: Arm, seed: int = 0) -> Built:
        """Build one arm."""
        name = arm_name(arm)
        if arm.answers:
            return Built(name, "given answers", "given", answers=arm.answers)
        model = arm.model or self.use_case.model
        steps = parse_sum(arm.does)
        program, bench = self.bench.first(model), self.bench
        seconds, notes, trained = 0.0, list[Mapping[str, Any]](), False
        if idle := nothing_learns([step for step, _ in steps]):
            return Built(name, arm.does, "not available", why=f"{idle}: nothing after it learns from examples.")
        for step, options in steps:
            if is_augmentation(step):
                try:
                    start = time.perf_counter()
                    at = bench.seed + 1000 * seed
                    bench, made = augmented(step, options, program, bench, at, self.data_key, weights_of)
                except NotAvailable as e:
                    return Built(name, arm.does, "not available", why=f"{step}: {e}")
                seconds += time.perf_counter() - start
                if "warning" in made:
                    log.warning("%s: %s", name, made["warning"])
                notes.append(_noted("sampled" if "sampler" in made else "augmented", made))
                continue
            can = self.bench.engines.model(program.model, program.adapters).can
            reason = why_not(step, program, self.bench.task, can, self.base)
            if reason:
                return Built(name, arm.does, "not available", why=f"{step}: {reason}.")
            part = parts.find("technique", step, self.base)
            trained = trained or bool(getattr(parts.module(part), "TRAINS", False))
            try:
                program, took, said = self._step(program, part, options, bench, seed)
            except NotAvailable as e:  # what only the data or the machine could tell
                return Built(name, arm.does, "not available", why=f"{step}: {e}")
            seconds += took
            notes += said
        identity = self.bench.engines.identity(program.model)
        key = ["settle", program.fingerprint, identity, seed]
        program, took, said = self._cached(key, lambda bench: settle(program, bench), self.bench, seed)
        return Built(name, arm.does, "built", program, seconds + took, trained=trained, notes=(*notes, *said))

    def _step(
        self, program: System, part: parts.Part, options: Mapping[str, Any], bench: Bench, seed: int
    ) -> tuple[System, float, list[Mapping[str, Any]]]:
        technique = open_technique(str(part.path) if not part.module else part.name, options, self.base)
        identity = self.bench.engines.identity(program.model)
        key = [part.name, parts.content(part), dict(options), program.fingerprint, identity, self.bench.counts, seed]
        key += placed(part, options, self.base)[1]
        if bench is not self.bench:
            key.append([digest(plain(e)) for e in bench.train])
        return self._cached(key, lambda bench: technique(program, bench), bench, seed)

    def _cached(
        self, key: list[Any], improve: Any, bench: Bench, seed: int
    ) -> tuple[System, float, list[Mapping[str, Any]]]:
        name = digest([*map(plain, key), self.data_key, self.bench.seed])
        path = self.bench.store.root / "built" / f"{name}.json"
        work = self.bench.store.root / "work" / name
        with locked(work, lambda: self.bench.progress("wait for another study that builds the same", 0, None)):
            record = read_cached(path, _built)
            if record and all(self.bench.store.whole(ref) for ref in refs(record[0])):
                return record
            return self._improved(improve, bench, seed, path, work)

    def _improved(
        self, improve: Any, bench: Bench, seed: int, path: Path, work: Path
    ) -> tuple[System, float, list[Mapping[str, Any]]]:
        notes: list[Mapping[str, Any]] = []
        bench = replace(
            bench,
            seed=self.bench.seed + 1000 * seed,
            note=lambda kind, facts: notes.append(_noted(kind, facts)),
            work=work,
        )
        known = self.bench.answers.reused if self.bench.answers else 0
        start = time.perf_counter()
        program = improve(bench)
        seconds = time.perf_counter() - start
        if self.bench.answers and self.bench.answers.reused > known:  # they took time, too, but not now
            notes.append({"note": "reused", "answers that were known already": self.bench.answers.reused - known})
        for note in notes:
            # A training that was interrupted says how long all of it took.
            seconds = max(seconds, note.get("seconds") or 0.0)
        made = {"program": plain(program), "seconds": seconds, "notes": notes}
        write_text(path, json.dumps(made, ensure_ascii=False))
        # Not before: a kill in between would lose a training.
        shutil.rmtree(work, ignore_errors=True)
        return program, seconds, notes


def _noted(kind: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A note as the report will hold it: what it cannot hold is found out now, and not once the test is open."""
    try:
        written = json.dumps({"note": kind, **facts}, ensure_ascii=False, allow_nan=False).encode()
        note: dict[str, Any] = json.loads(written)
        seconds = note.get("seconds") or 0
        if not isinstance(seconds, int | float) or not 0 <= seconds < LONGEST:
            raise ValueError(f"seconds is {seconds!r}, and should be how long it took")
        return note
    except (TypeError, ValueError, RecursionError) as e:
        raise ValueError(f"bench.note({kind!r}) cannot be written down: {e}") from e


def _built(data: Any) -> tuple[System, float, list[Mapping[str, Any]]]:
    """A step that was built before, as it was written down."""
    program = restore(data["program"])
    if not isinstance(program, System):
        raise TypeError
    return program, float(data["seconds"]), [dict(note) for note in data["notes"]]
