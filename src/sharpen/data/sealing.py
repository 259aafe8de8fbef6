"""Read raw files, split, look for leaks, and write a folder in which the test split is sealed.

Run by :mod:`sharpen.data.dataset` as ``python -m sharpen.data.sealing REQUEST.json``, so that test rows are never in
the memory of the process that studies. The folder holds ``train.jsonl``, ``dev.jsonl``, ``replay.jsonl``,
``documents.jsonl``, ``dropped.jsonl``, ``scores.jsonl`` (where a cleaner gave scores), ``sealed/test.jsonl``,
``sealed/lineage.jsonl`` and ``sealed/origin.jsonl`` (no texts), and of the test split besides only
``test-questions.txt`` and ``test-ids.txt`` (hashes) and what ``data.json`` says: counts and hashes.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import importlib.util
import json
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from sharpen import guards, parts
from sharpen.data.dataset import UNSAID, example_row
from sharpen.data.documents import read_documents
from sharpen.data.examples import Draft, Dropped
from sharpen.data.gathering import TABLE, called, gather, own_splits, said_own
from sharpen.data.governing import Rules
from sharpen.data.kin import copies
from sharpen.data.kin import said_of as kin_of
from sharpen.data.labels.origins import unconfirmed_in
from sharpen.data.lineage import LINEAGE, ORIGIN, inputs_of, origin
from sharpen.data.linking import link
from sharpen.data.placing import ONE_FILE, Placed, place
from sharpen.data.protecting import Shield, key_of
from sharpen.data.refining import check_cleaners, drop_leaks, govern, hide, shield, tidy
from sharpen.data.remarks import remarks
from sharpen.data.splitting import SPLITS, clustered
from sharpen.data.synthetic import follow, only_synthetic, parted
from sharpen.data.work import Work, facts_of
from sharpen.errors import PluginError, Problem, UserError
from sharpen.inputs import Data
from sharpen.store import beside, clear, hash_file, hash_files, put_aside, read_cached, sync
from sharpen.types import Example, digest

REPLAY = "replay"
GUARDS = Path(guards.__file__).parent


def seal(data: Data, base: Path, root: Path, tell: Any, held: dict[str, Any] | None = None) -> dict[str, Any]:
    """Prepare a folder below ``root`` and return what to answer: folder or None, problems, notes.

    ``held`` keeps what was read for the next fold of the same files.
    """
    work, held = Work(data, base, rules=Rules(data.sources)), {} if held is None else held
    check_cleaners(data, base)
    if data.privacy.how != "off":
        work.shield = Shield(data.privacy, key_of(root))
    folder = root / _key(work)
    known = _prepared(folder)
    if known:
        return {"folder": str(folder), **known}
    spoilt = _spoilt(folder)
    if held and _key(held["work"]) == held["key"]:  # of another fold, and nobody wrote to the files since
        drafts = held["drafts"]
        work.documents, work.problems, work.dropped, work.notes, work.tables = (list(found) for found in held["found"])
        work.lineage = deepcopy(held["lineage"])
    else:
        drafts = _read(work, tell)
        kept = (work.documents, work.problems, work.dropped, work.notes, work.tables)
        found = [list(some) for some in kept]
        held |= {"work": Work(data, base, shield=work.shield), "key": folder.name, "drafts": drafts, "found": found}
        held["lineage"] = deepcopy(work.lineage) if data.split.folds else None
    if all(drafts.values()):
        tell("splitting", 0, None)
        _place(work, drafts)
        tell("cleaning", 0, None)
        govern(work)
        tidy(work)
        shield(work)
        tell("looking for leaks", 0, None)
        drop_leaks(work)
        work.replay = [e for e in work.rows["train"] if e.meta.get(REPLAY)]
        work.rows["train"] = [e for e in work.rows["train"] if not e.meta.get(REPLAY)]
        said, work.kin = kin_of(work.rows, work.documents, work.by, data.near_duplicates, work.where)
        work.notes += said
        problems, said = remarks(work.rows, work.by, ", ".join(map(called, work.files.values())), data.split.folds > 0)
        work.problems += problems
        work.notes += [*said, *unconfirmed_in(work.rows)]
    without = bool(work.data.documents) and not work.documents  # arms that retrieve would be others under their name
    hide(work)
    done = not without and set(work.rows) == set(SPLITS) and all(work.rows.values())
    if done and _key(work) != folder.name:
        done, do = False, "Run the same command again when nobody writes to them."
        work.problems.append(Problem("its files were changed while they were read.", "data", do))
    if done:
        tell("writing", 0, None)
        _write(work, folder)
    return {
        "folder": str(folder) if done else None,
        "problems": [asdict(p) for p in work.problems],
        "notes": work.notes,
        "spoilt": spoilt,
    }


def _spoilt(folder: Path) -> list[str]:
    """The files of a prepared folder that are gone or no longer what was written: it is made anew, which is said."""
    try:
        facts = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        hashes = {**facts["files"], "sealed/test.jsonl": facts["test"]["content"]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ["data.json"] if folder.is_dir() else []
    return [name for name, wanted in hashes.items() if not (folder / name).is_file() or _hash(folder / name) != wanted]


def _hash(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError:
        return ""


def _prepared(folder: Path) -> dict[str, Any] | None:
    """The problems and notes of a folder that was prepared before; None where there is none, or not a whole one."""

    def made(facts: Any) -> dict[str, Any]:
        hashes = {**facts["files"], "sealed/test.jsonl": facts["test"]["content"]}
        if any(hash_file(folder / name) != wanted for name, wanted in hashes.items()):
            raise ValueError
        return {
            "problems": [asdict(Problem(**p)) for p in facts["problems"]],
            "notes": [str(n) for n in facts["notes"]],
        }

    try:
        return read_cached(folder / "data.json", made)
    except FileNotFoundError:
        return None


def _key(work: Work) -> str:
    """A name made of the content of every input, the settings, and the versions of what reads them."""
    work.inputs = inputs_of(work.base, work.named)
    readers = parts.all_parts("reader").values()
    packages = {p: _version(p) for p in sorted({"charset_normalizer", *(p for part in readers for p in part.needs)})}
    code = [_code(), *(parts.content(part) for part in readers)]
    code += [hash_files(sorted(GUARDS.rglob("*.py"))), *map(parts.content, parts.all_parts("recogniser").values())]
    code += [parts.content(part) for part in parts.all_parts("cleaner").values()]
    code.append(digest(work.rules.expired))  # from the day after its last, a source is not used
    if work.shield:  # another key, other pseudonyms
        code.append(hashlib.sha256(work.shield.key).hexdigest())
    return digest([code, work.inputs, work.data.model_dump(mode="json"), packages])


def _code() -> str:
    """Hash of this room's code: another code, perhaps other data from the same inputs."""
    return hash_files(sorted(Path(__file__).parent.rglob("*.py")))


def _version(package: str) -> str:
    """The version of an installed package, or the hash of its first file where its distribution has another name."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return hash_file(Path(spec.origin)) if spec and spec.origin else ""


def _read(work: Work, tell: Any) -> dict[str, list[Draft]]:
    if work.data.documents:
        found = read_documents(work.base / work.data.documents, tell)
        work.documents, work.problems = found.documents, list(found.problems)
        work.notes += found.notes
        work.lineage.documents(work.base / work.data.documents, work.documents)
    drafts = {}
    for use, given in work.files.items():
        tell(f"reading {called(given)}", 0, None)
        rows = gather(given, work.base, work.data.columns if use != "replay" else {})
        work.problems += [p for p in rows.problems if p not in work.problems]  # of data.columns in every file
        work.dropped += rows.dropped
        for part in rows.parts:
            work.lineage.rows(part.found.path, part.found.name, replace(part.rows, drafts=part.kept))
        work.notes += rows.notes
        work.tables += rows.facts(use)
        drafts[use] = rows.drafts
        if not rows.drafts and not rows.problems:
            work.problems.append(
                Problem("none of its rows can be used.", called(given), f"First: {_first(rows.dropped)}.")
            )
        split = work.data.split
        own = own_splits(rows) if use == ONE_FILE and split.own and not split.folds and split.by != "time" else None
        if own and rows.drafts:
            del drafts[use]
            drafts |= {name: some for name, some in own.items() if some}
            work.notes.append(said_own(own))
    return drafts


def _first(dropped: Sequence[Dropped]) -> str:
    d = dropped[0]
    return f"{d.place}, {d.field + ' ' if d.field else ''}{d.reason}"


def _place(work: Work, drafts: Mapping[str, list[Draft]]) -> None:
    """Give every example its gold spans and its split."""
    drafts = dict(drafts)
    others = drafts.pop(REPLAY, [])
    used: set[str] = set()
    named: dict[str, list[Draft]] = {}
    for use in sorted(drafts, key=["test", "dev", "train", "examples"].index):  # given answers name those of the test
        again = 0
        for d in drafts[use]:
            name = d.example.id if d.example.id not in used else f"{d.example.id}#{use}"
            again += name != d.example.id
            used.add(name)
            work.where[name] = (d.file, d.place)
            work.lineage.named((d.file, d.place), name)
            named.setdefault(use, []).append(replace(d, example=replace(d.example, id=name)))
        if again:
            work.notes.append(f"{again} ids of {use} are in another file, too; here they are called ID#{use}.")
    every = [d for use in drafts for d in named.get(use, ())]
    linked = link(every, work.documents, from_contexts=not work.data.documents)
    work.lineage.linked(linked)
    work.documents = linked.documents
    work.notes += linked.notes()
    uses = [use for use, found in drafts.items() for _ in found]
    same = copies(work.documents) if work.data.split.by == "source" else {}  # two names of a source are one cluster
    apart = parted([clustered(e, same.get(e.source, "")) for e in linked.examples], every, uses)
    if problem := only_synthetic(apart):
        placed = Placed(problems=[problem])
    else:
        placed = place(apart.real, apart.drafts, apart.uses, work.data)
        follow(placed, apart, work.data, work.lineage)
    work.rows, work.by = placed.rows, placed.by
    work.problems += placed.problems
    work.dropped += placed.dropped
    work.notes += placed.notes
    if work.rows["train"]:
        work.rows["train"] += _replayed(work, others, used)


def _replayed(work: Work, drafts: Sequence[Draft], used: set[str]) -> list[Example]:
    """Rows of other jobs: cleaned, shielded and held against dev and test as rows of train are, and kept apart then."""
    named = []
    for d in drafts:
        name = d.example.id if d.example.id not in used else f"{d.example.id}#{REPLAY}"
        meta = {**d.example.meta, TABLE: d.example.meta.get(TABLE, d.file), REPLAY: True}
        work.where[name] = (d.file, d.place)
        work.lineage.named((d.file, d.place), name)
        named.append(replace(d, example=replace(d.example, id=name, meta=meta)))
    return link(named, [], from_contexts=False).examples


def _write(work: Work, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    clear(folder.parent)
    with beside(folder, ".new-") as temporary:
        (temporary / "sealed").mkdir()
        files = {
            "train.jsonl": map(example_row, work.rows["train"]),
            "dev.jsonl": map(example_row, work.rows["dev"]),
            "replay.jsonl": map(example_row, work.replay),
            "documents.jsonl": map(asdict, work.documents),
            "dropped.jsonl": map(asdict, work.dropped),
            **({"scores.jsonl": map(asdict, scored)} if (scored := work.scores) else {}),
            "sealed/test.jsonl": map(example_row, work.rows["test"]),
            LINEAGE: work.lineage.write({**work.rows, REPLAY: work.replay}, work.documents, work.shield),
            ORIGIN: [origin(work.data.model_dump(mode="json"), work.inputs, work.shield)],
        }
        hashes = {name: _write_lines(temporary / name, rows) for name, rows in files.items()}
        facts = facts_of(work, hashes.pop("sealed/test.jsonl"))
        each = sorted({digest(e.question)[:16] for e in work.rows["test"]})
        ids = sorted(digest(e.id)[:16] for e in work.rows["test"])
        for name, told in (("test-questions.txt", each), ("test-ids.txt", ids)):
            (temporary / name).write_text("\n".join(told), encoding="utf-8")
            hashes[name] = hash_file(temporary / name)
        facts["files"] = hashes
        (temporary / "data.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
        sync(temporary)
        if folder.exists() and _prepared(folder) is None:
            put_aside(folder)
        try:
            temporary.rename(folder)
        except OSError:  # another process was faster; what it wrote is the same
            if not (folder / "data.json").is_file():
                raise


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


class Teller:
    """Says on standard output what is going on, at most ten times a second a stage."""

    def __init__(self) -> None:
        self.stage, self.at = "", 0.0

    def __call__(self, stage: str, done: float, total: float | None) -> None:
        now = time.monotonic()
        if stage != self.stage or now - self.at > 0.1 or done == total:
            self.stage, self.at = stage, now
            print("\x1e" + json.dumps([stage, done, total]), flush=True)


def _end_with_parent() -> None:
    """Where the system can: whoever kills the study kills its worker."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of Linux


def main(path: str) -> None:
    """Answer a request; what the disk refuses is a problem like any other."""
    _end_with_parent()
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    every = [Data.model_validate(data) for data in request["data"]]
    held: dict[str, Any] = {}
    try:
        answers = [seal(data, Path(request["base"]), Path(request["root"]), Teller(), held) for data in every]
    except OSError as e:
        where = str(e.filename or request["root"])
        ours = where.startswith(request["root"]) or request["root"].startswith(where)
        if e.errno == errno.EACCES and not ours:
            problem = Problem(f"cannot be read: {e.strerror}.", where, "Mend its permissions.")
        else:
            do = "Make room, or name another folder by SHARPEN_HOME."
            problem = Problem(f"cannot be written: {e.strerror or e}.", where, do)
        answers = [{"folder": None, "problems": [asdict(problem)], "notes": []}]
    except UserError as e:
        answers = [{"folder": None, "problems": [asdict(p) for p in e.problems], "notes": []}]
    except PluginError as e:  # a reader of another package
        do = "Mend or uninstall it: every file is offered to every reader."
        answers = [{"folder": None, "problems": [asdict(Problem(f"{e}.", "data", do))], "notes": []}]
    try:
        Path(request["answer"]).write_text(json.dumps(answers), encoding="utf-8")
    except OSError:
        sys.exit(UNSAID)


if __name__ == "__main__":
    main(sys.argv[1])
