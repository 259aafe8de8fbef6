"""The whole way from files to a folder of what is kept: it is there as a whole, or not at all."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy
import yaml

from sharpen import __version__
from sharpen.data.bulk.engines import spread, usable
from sharpen.data.bulk.files import Facts, Job, clean_file, line, secret
from sharpen.data.bulk.names import Names, written
from sharpen.data.bulk.steps import Steps, texts_in
from sharpen.data.bulk.together import Alike, Thinned, Together, learn
from sharpen.data.cleaning import SHOWN
from sharpen.data.documents import files_below, left_out
from sharpen.errors import UserError
from sharpen.store import beside, hash_file, hash_folder, locked, put_aside, read_cached, sync
from sharpen.types import Progress, digest, silent

MADE_BY = "sharpen data clean"
PROBLEMS = 20


@dataclass(frozen=True)
class Report:
    """What became of the files; ``facts`` is ``report.json``. Prints as a table."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        f = self.facts
        lines = [f"{self.folder}: {f['files']['read']} of {f['files']['all']} files read"]
        lines += [f"  {'':10} {'in':>9} {'kept':>9} {'characters in':>14} {'kept':>14}"]
        for kind in ("documents", "rows"):
            one = f[kind]
            if one["in"]:
                size = one["characters"]
                lines.append(f"  {kind:10} {one['in']:>9} {one['kept']:>9} {size['in']:>14} {size['kept']:>14}")
        for kind in ("documents", "rows"):
            hits = [(rule, n) for rule, n in f[kind]["rules"].items() if n]
            lines += [f"  {kind}: {rule} {n}" for rule, n in hits]
        listed = ", ".join(f"{n} {kind}" for kind, n in f.get("personal", {}).items())
        done = {"mask": "masked", "remove": "removed", "pseudonymise": "pseudonymised"}.get(f["steps"]["privacy"])
        lines += [f"  personal data and secrets {done}: {listed or 'none was found'}"] if done else []
        if f.get("scores"):
            lines.append(f"  {f['scores']} scores of what was kept: {self.folder / 'scores.jsonl'}")
        lines += [f"  {p}" for p in f["problems"][:PROBLEMS]]
        more = len(f["problems"]) - PROBLEMS
        lines += [f"  and {more} more problems; report.json names them"] if more > 0 else []
        for kind, what in (("documents", "data.documents"), ("rows", "data.examples: a file of")):
            lines += [f"  {what} {self.folder / 'kept' / kind}"] if f[kind]["kept"] else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Asked:
    """What is to be cleaned, how, and by whom."""

    steps: Steps = field(default_factory=Steps)
    engine: str = "local"
    workers: int = 1


def clean_files(paths: Sequence[Path], out: Path, asked: Asked | None = None, progress: Progress = silent) -> Report:
    """Clean the files of folders, or files, into ``out``.

    ``out`` holds ``kept/documents`` (a folder of documents), ``kept/rows`` (a file of examples for each that was
    given), ``dropped.jsonl``, ``scores.jsonl`` (where a cleaner scored what it kept), ``files.jsonl``, ``report.json``
    and ``steps.yaml``, from which one's own file may be made. A run that was stopped goes on with the files that it had
    not cleaned; where nothing has changed the report that is there is returned.

    Raises:
        UserError: a path is not there, ``out`` holds something else, or an engine cannot be had.
    """
    asked = asked or Asked()
    usable(asked.engine, asked.workers)
    out = out.absolute()
    jobs = _jobs(paths, out, asked.steps)
    passed = [str(said) for root in paths for some in left_out(root) for said in some]
    with locked(out):
        before = _before(out)
        work = out.with_name(f".{out.name}.work")
        work.mkdir(parents=True, exist_ok=True)
        secret(asked.steps.privacy, str(work))  # made once, before there are workers
        begin = time.perf_counter()
        facts = _each(jobs, asked, progress)
        alone = time.perf_counter() - begin
        read = [[f.name, f.sha256, f.key] for f in facts]
        inputs = digest([*passed, *read, *map(hash_file, texts_in(asked.steps))])
        known = (inputs, asked.steps.model_dump(), __version__)
        if (
            before
            and (before.get("inputs"), before.get("steps"), before.get("version")) == known
            and _whole(out, before)
        ):
            shutil.rmtree(work, ignore_errors=True)
            return Report(out, before)
        for name in ("alike-documents", "alike-rows", "sentences", "spans", "learned"):
            shutil.rmtree(work / name, ignore_errors=True)
        made = Together(asked.steps, facts, work)
        with beside(out) as fresh:
            report = _written(made, fresh, progress)
            report["problems"] = [*passed, *report["problems"]]
            report |= {"inputs": inputs, "steps": asked.steps.model_dump(), "version": __version__, "made_by": MADE_BY}
            report["run"] = _run(asked, alone, time.perf_counter() - begin)
            text = json.dumps(report, ensure_ascii=False, indent=1) + "\n"
            (fresh / "report.json").write_text(text, encoding="utf-8", errors="backslashreplace")
            said = yaml.safe_dump(report["steps"], allow_unicode=True, sort_keys=False, width=100)
            (fresh / "steps.yaml").write_text(said, encoding="utf-8")
            os.sync() if hasattr(os, "sync") else sync(fresh)  # once, and not for each of very many files
            if out.exists():
                put_aside(out)
            fresh.rename(out)
        shutil.rmtree(work, ignore_errors=True)
    return Report(out, report)


def _run(asked: Asked, alone: float, seconds: float) -> dict[str, Any]:
    """Who did it and how long it took: the only part of a report that another run has otherwise."""
    versions = {"python": platform.python_version(), "numpy": numpy.__version__}
    took = {"seconds": round(seconds, 2), "seconds_of_files": round(alone, 2)}
    return {"engine": asked.engine, "workers": asked.workers, **took, "versions": versions}


def _jobs(paths: Sequence[Path], out: Path, steps: Steps) -> list[Job]:
    """All files by names that are told apart; two folders with the same names in them get their own before these."""
    work, said = str(out.with_name(f".{out.name}.work")), steps.model_dump_json()
    found: list[tuple[Path, Path]] = []
    for root in paths:
        if not root.exists():
            raise UserError("there is no such folder or file.", str(root), "Check the path.")
        inside = [p for p in (root.absolute(), out) if p in (out, *out.parents)] == [root.absolute(), out]
        if out == root.absolute() or (root.is_dir() and inside):
            raise UserError("lies within what is to be cleaned.", str(out), "Name a folder beside it as --out.")
        found += [(root, path) for path in files_below(root)]
    names = [(path.relative_to(root) if root.is_dir() else Path(path.name)).as_posix() for root, path in found]
    if len(set(names)) < len(names):
        names = [
            f"{root.absolute().name}/{n}" if root.is_dir() else n for (root, _), n in zip(found, names, strict=True)
        ]
    taken: dict[str, int] = {}
    jobs = []
    for (_, path), name in zip(found, names, strict=True):
        name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        taken[name] = taken.get(name, 0) + 1
        name = name if taken[name] == 1 else f"{taken[name]}/{name}"
        jobs.append(Job(str(path.absolute()), name, said, work))
    return jobs


def _before(out: Path) -> dict[str, Any] | None:
    """The report that is there.

    Raises:
        UserError: the folder holds something else, which is not to be lost.
    """
    if not out.exists():
        return None
    found: dict[str, Any] | None = read_cached(out / "report.json", dict) if out.is_dir() else None
    if (found or {}).get("made_by") != MADE_BY and (not out.is_dir() or any(out.iterdir())):
        raise UserError("holds something else.", str(out), "Name a new folder as --out.")
    return found


def _each(jobs: Sequence[Job], asked: Asked, progress: Progress) -> list[Facts]:
    """Clean each file by itself."""
    sizes = [Path(job.path).stat().st_size if Path(job.path).is_file() else 0 for job in jobs]
    total, done, made = sum(sizes) / 1e6, 0.0, []
    progress("reading and cleaning (MB)", 0, total)
    for size, raw in zip(sizes, spread(clean_file, jobs, asked.engine, asked.workers), strict=True):
        facts = Facts(**raw)
        if facts.failed:
            raise UserError(facts.failed, facts.name)
        made.append(facts)
        done += size / 1e6
        progress("reading and cleaning (MB)", done, total)
    return made


def _written(made: Together, out: Path, progress: Progress) -> dict[str, Any]:
    """Do what needs all files, write what is kept and what is not, and count it."""
    sizes = {"documents": [0, 0, 0], "rows": [0, 0, 0]}  # kept, characters, bytes
    with (out / "dropped.jsonl").open("w", encoding="utf-8") as dropped:
        for facts in made.facts:
            if facts.key:
                with (made.work / f"{facts.key}.dropped").open(encoding="utf-8") as f:
                    shutil.copyfileobj(f, dropped)
            made.rules[facts.kind or "documents"].update(facts.rules)
            for rule, some in facts.changes.items():
                shown = made.changes[facts.kind].setdefault(rule, [])
                shown += [{"file": facts.name, **change} for change in some][: max(0, SHOWN - len(shown))]
        learn(made, dropped, out / "scores.jsonl", progress)
        for kind, write in (("documents", _documents), ("rows", _rows)):
            alike = Alike(made, kind, progress)
            alike.drop(dropped)
            (out / "kept" / kind).mkdir(parents=True)
            sizes[kind] = write(made, alike, out / "kept" / kind, dropped, progress)
            if not sizes[kind][0]:
                (out / "kept" / kind).rmdir()
    with (out / "files.jsonl").open("w", encoding="utf-8") as f:
        for facts in made.facts:
            f.write(line({k: v for k, v in asdict(facts).items() if k not in ("key", "changes", "failed", "written")}))
    return {**_counted(made, sizes), "hashes": _hashes(out)}


def _whole(out: Path, report: dict[str, Any]) -> bool:
    """Whether all is there as the report says."""
    try:
        return bool(_hashes(out) == report["hashes"])
    except (OSError, KeyError):
        return False


def _hashes(out: Path) -> dict[str, str]:
    return {"kept": hash_folder(out / "kept")} | {n: hash_file(out / n) for n in ("dropped.jsonl", "files.jsonl")}


def _documents(made: Together, alike: Alike, out: Path, dropped: TextIO, progress: Progress) -> list[int]:
    """Write each document to a file of its own; where it came from stands in ``documents.jsonl`` beside them."""
    names, thinned = Names(), Thinned(made, alike, progress)
    sizes = [0, 0, 0]
    with (out.parent / "documents.jsonl").open("w", encoding="utf-8") as index:
        for (n, unit), text in thinned.final(dropped):
            progress("writing documents", sizes[0], alike.left_over)
            keep, suffix, content = written(unit["source"], unit["title"], text)
            name = names.take(unit["source"], keep, suffix)
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode("utf-8", "backslashreplace")
            path.write_bytes(data)
            facts = made.facts[n]
            begin = {"file": f"documents/{name}", "source": unit["source"], "title": unit["title"]}
            index.write(line({**begin, "from": facts.name, "sha256": facts.sha256, "characters": len(text)}))
            sizes = [sizes[0] + 1, sizes[1] + len(text), sizes[2] + len(data)]
    return sizes


def _rows(made: Together, alike: Alike, out: Path, dropped: TextIO, progress: Progress) -> list[int]:
    """Write the rows of each file to one of JSON lines."""
    names, sizes, at = Names(), [0, 0, 0], -1
    file: TextIO | None = None
    try:
        for n, unit in _seen(alike.left(), alike.left_over, progress):
            if n != at:
                if file is not None:
                    file.close()
                at = n
                path = out / names.take(made.facts[n].name.removesuffix(".gz"), (".jsonl", ".ndjson"), ".jsonl")
                path.parent.mkdir(parents=True, exist_ok=True)
                file = path.open("w", encoding="utf-8")
            assert file is not None
            text = line(unit["fields"])
            file.write(text)
            held = unit["fields"].get(made.facts[n].column)
            sizes = [sizes[0] + 1, sizes[1] + (len(held) if isinstance(held, str) else 0), sizes[2] + len(text)]
    finally:
        if file is not None:
            file.close()
    return sizes


def _seen(units: Iterator[Any], total: int, progress: Progress) -> Iterator[Any]:
    for n, unit in enumerate(units):
        progress("writing rows", n, total)
        yield unit


def _unsaid(facts: Facts) -> list[str]:
    return [f"{facts.name}: {facts.unsaid} more such; dropped.jsonl has them all."] if facts.unsaid else []


def _counted(made: Together, sizes: dict[str, list[int]]) -> dict[str, Any]:
    """The counts of a report."""
    facts = made.facts
    problems = [p for f in facts for p in (*f.problems, *_unsaid(f))]
    report: dict[str, Any] = {
        "files": {
            "all": len(facts),
            "read": sum(f.read > 0 for f in facts),
            "documents": sum(f.kind == "documents" and f.read > 0 for f in facts),
            "rows": sum(f.kind == "rows" and f.read > 0 for f in facts),
            "bytes": sum(f.size for f in facts),
        }
    }
    for kind in ("documents", "rows"):
        some = [f for f in facts if f.kind == kind]
        kept, characters, size = sizes[kind]
        report[kind] = {
            "in": sum(f.read for f in some),
            "kept": kept,
            "characters": {"in": sum(f.characters for f in some), "kept": characters},
            "bytes_kept": size,
            "rules": dict(sorted(made.rules[kind].items())),
            **({"compared": made.counts[kind]} if kind in made.counts else {}),
            "changes": dict(sorted(made.changes[kind].items())),
        }
    report["personal"] = dict(sum((Counter(f.personal) for f in facts), Counter()).most_common())
    report["scores"] = made.scored
    return {**report, "problems": problems, "notes": [n for f in facts for n in f.notes]}
