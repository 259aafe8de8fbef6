"""Prepared data as a study sees it: train, dev and documents, and the seal of a test split that it cannot read.

:func:`prepare` has the raw files read, split and checked by a process of its own, which writes a folder named by the
content of all that went in. The study's process opens what was written for it, and neither the raw files nor
``sealed/test.jsonl``: that is for :mod:`sharpen.evaluation`, through :func:`load_sealed`, once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpen.data.examples import Dropped
from sharpen.errors import Problem, UserError
from sharpen.types import Document, Example, Message, Progress, Span, digest, silent

if TYPE_CHECKING:
    from sharpen.inputs import Data

log = logging.getLogger("sharpen.data")

UNSAID = 74
"""The exit status of the process that prepares when it could not write its answer down."""


@dataclass(frozen=True)
class Seal:
    """All that is known of the test split before it is opened: counts and hashes, no row.

    ``cluster_sizes`` are questions a cluster, largest first; ``content`` is the sha256 of the sealed file;
    ``questions`` that of the sorted questions and ``each`` one for every question, by which openings are counted over
    studies; ``ids`` are hashes of the examples' ids, so that given answers can be held against them.
    """

    path: Path
    n: int
    cluster_sizes: tuple[int, ...]
    content: str
    questions: str
    n_unanswerable: int
    n_with_gold: int
    each: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()

    def holds(self, name: str) -> bool:
        """Whether a test example has this id."""
        return digest(name)[:16] in self.ids

    @property
    def n_clusters(self) -> int:
        """How many clusters the test split holds."""
        return len(self.cluster_sizes)


@dataclass(frozen=True)
class Dataset:
    """What a study may see. ``facts`` are counts and lengths for the report (see ``data.json`` in ``folder``).

    ``replay`` are rows of other jobs: the sampler ``mix`` alone trains on them.
    """

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    documents: tuple[Document, ...]
    seal: Seal
    dropped: tuple[Dropped, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    facts: Mapping[str, Any]
    folder: Path
    replay: tuple[Example, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of train, sorted: labels, or the first reference where a row has none."""
        return tuple(sorted({label for e in self.train for label in (e.labels or e.targets[:1])}))


@dataclass(frozen=True)
class Prepared:
    """What preparing came to: the folder, or None where ``problems`` make a study impossible."""

    folder: Path | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def prepare(data: Data, base: Path, root: Path, progress: Progress = silent) -> Path:
    """Prepare data once and return its folder; the same inputs and settings give the same folder.

    Args:
        data: the ``data`` part of a use case.
        base: the folder that its paths are relative to.
        root: where prepared folders are kept, for example ``.sharpen/data``.
        progress: told what is going on.

    Raises:
        UserError: with every problem, where no study is possible. Problems that a study can live with (a broken row,
            a document that cannot be read) are in ``Dataset.problems``.
    """
    made = examine(data, base, root, progress)
    if made.folder is None:
        raise UserError(made.problems)
    return made.folder


def inspect(data: Data, base: Path, root: Path | None = None, progress: Progress = silent) -> list[Problem]:
    """Return every problem of the data at once, also those that a study can live with."""
    return list(examine(data, base, root, progress).problems)


def examine(data: Data, base: Path, root: Path | None = None, progress: Progress = silent) -> Prepared:
    """Prepare data as far as that goes, in a process of its own, and say how far.

    Args:
        data, base, progress: as for :func:`prepare`.
        root: as for :func:`prepare`; None: what is prepared is thrown away again.
    """
    return examine_folds([data], base, root, progress)[0]


def examine_folds(
    folds: Sequence[Data], base: Path, root: Path | None = None, progress: Progress = silent
) -> list[Prepared]:
    """The same for data of which each is another fold: what they are read from is read once."""
    with _scratch() as scratch:
        request, answer = Path(scratch, "request.json"), Path(scratch, "answer.json")
        kept = Path(root) if root is not None else Path(scratch)
        settings = {
            "data": [data.model_dump(mode="json") for data in folds],
            "base": str(Path(base).resolve()),
            "root": str(kept.resolve()),
        }
        try:
            request.write_text(json.dumps({**settings, "answer": str(answer)}), encoding="utf-8")
        except OSError as e:
            raise _no_room(e.strerror or str(e)) from None
        # -P: a file json.py beside the use case must not be taken for the standard library's.
        command = [sys.executable, "-P", "-m", "sharpen.data.sealing", str(request)]
        faults = Path(scratch, "faults.txt")  # a file: a full pipe that nobody reads would stop the worker
        with faults.open("wb") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as worker:
            assert worker.stdout
            try:
                stage = _follow(worker.stdout, progress)
            except BaseException:
                worker.kill()
                raise
        if worker.returncode == UNSAID:
            raise _no_room("the disk is full")
        if worker.returncode or not answer.is_file():
            raise _died(worker.returncode, stage, faults.read_text(errors="replace"))
        return [_prepared(made, root is not None) for made in json.loads(answer.read_text(encoding="utf-8"))]


def _prepared(made: Mapping[str, Any], kept: bool) -> Prepared:
    folder = Path(made["folder"]) if made["folder"] and kept else None
    if folder and made.get("spoilt"):
        text = "%s: prepared data were changed or damaged after they were written (%s), and were made anew."
        log.warning(text, folder, ", ".join(made["spoilt"]))
    return Prepared(folder, tuple(Problem(**p) for p in made["problems"]), tuple(made["notes"]))


@contextmanager
def _scratch() -> Iterator[str]:
    """A temporary folder."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="sharpen-")
    except OSError as e:
        raise _no_room(e.strerror or str(e)) from None
    with folder as path:
        yield path


def _no_room(why: str) -> UserError:
    return UserError(
        f"the folder for temporary files cannot be written: {why}.",
        tempfile.tempdir or "",
        "Free some space there, or name a folder on another disk in TMPDIR.",
    )


def _follow(lines: Iterable[bytes], progress: Progress) -> str:
    """Pass progress on; return what was being done last."""
    stage = "starting"
    for line in lines:
        if line.startswith(b"\x1e"):
            stage, done, total = json.loads(line[1:])
            progress(stage, done, total)
    return stage


def _died(status: int, stage: str, said: str) -> Exception:
    if status < 0:
        return UserError(
            f"preparing the data was ended by signal {-status} ({stage}).",
            do="If memory ran out, give fewer documents; else find the file that does it by halving the folder.",
        )
    return RuntimeError(f"preparing the data failed ({stage}); this is a fault of sharpen:\n{said}")


def load(folder: Path) -> Dataset:
    """Load what a study may see of a prepared folder; the sealed rows stay closed.

    Raises:
        UserError: the folder is not a prepared one, or was changed.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        sealed = dict(facts["test"])
        for name, wanted in facts["files"].items():
            if _sha256(folder / name) != wanted:
                raise UserError(f"{name} was changed after it was prepared.", str(folder), "Delete the folder.")
        return Dataset(
            train=tuple(map(example_from, _lines(folder / "train.jsonl"))),
            dev=tuple(map(example_from, _lines(folder / "dev.jsonl"))),
            documents=tuple(Document(**d) for d in _lines(folder / "documents.jsonl")),
            seal=Seal(
                folder / "sealed" / "test.jsonl",
                sealed["n"],
                tuple(sealed["cluster_sizes"]),
                sealed["content"],
                sealed["questions"],
                sealed["n_unanswerable"],
                sealed["n_with_gold"],
                tuple((folder / "test-questions.txt").read_text(encoding="utf-8").split()),
                frozenset((folder / "test-ids.txt").read_text(encoding="utf-8").split()),
            ),
            dropped=tuple(Dropped(**d) for d in _lines(folder / "dropped.jsonl")),
            problems=tuple(Problem(**p) for p in facts["problems"]),
            notes=tuple(facts["notes"]),
            facts=facts,
            folder=folder,
            replay=tuple(map(example_from, _lines(folder / "replay.jsonl"))),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as e:
        raise UserError(
            f"is not a folder of prepared data ({type(e).__name__}).", str(folder), "Delete it; it is made again."
        ) from None


def load_sealed(seal: Seal) -> list[Example]:
    """Open the seal and return the test examples. Only :mod:`sharpen.evaluation` calls this.

    Raises:
        UserError: the sealed file is gone or not what was sealed.
    """
    try:
        data = seal.path.read_bytes()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != seal.content:
        raise UserError(
            "the sealed test split was changed or is gone.", str(seal.path), "Delete its folder; run again."
        )
    return [example_from(json.loads(line)) for line in data.decode().split("\n") if line]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def example_row(example: Example) -> dict[str, Any]:
    """Return an example as JSON-like data; :func:`example_from` is its inverse."""
    messages = []
    for m in example.messages:
        row: dict[str, Any] = {"role": m.role, "content": m.content}
        if m.tool_calls:
            row["tool_calls"] = list(m.tool_calls)
        if m.tool_call_id is not None:
            row["tool_call_id"] = m.tool_call_id
        messages.append(row)
    return {
        "id": example.id,
        "messages": messages,
        "targets": list(example.targets),
        "rejected": list(example.rejected),
        "labels": list(example.labels),
        "gold": [[s.source, s.start, s.end] for s in example.gold],
        "answerable": example.answerable,
        "source": example.source,
        "group": example.group,
        "weight": example.weight,
        "meta": dict(example.meta),
    }


def example_from(row: Mapping[str, Any]) -> Example:
    """Return the example of a row written by :func:`example_row`."""
    messages = tuple(
        Message(m["role"], m["content"], tuple(m.get("tool_calls", ())), m.get("tool_call_id")) for m in row["messages"]
    )
    return Example(
        **{
            **row,
            "messages": messages,
            "targets": tuple(row["targets"]),
            "rejected": tuple(row["rejected"]),
            "labels": tuple(row["labels"]),
            "gold": tuple(Span(*s) for s in row["gold"]),
        }
    )
