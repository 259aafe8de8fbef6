"""One file read and cleaned by itself, into a folder of work: what any engine can do for many files at once.

What comes of a file is called by the hash of its content, its name and the steps, so a run that was stopped finds it
again. It is written whole or not at all; its facts come last, so where they are, all is there.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from sharpen import __version__
from sharpen.data.bulk.steps import Steps, alone
from sharpen.data.cleaning import SHOWN, Cleaned, Cleaner, Cleaning, Gone
from sharpen.data.documents import read_document
from sharpen.data.protecting import key_of
from sharpen.data.reading import Note, Row, RowReader, open_reader
from sharpen.data.shapes import SHAPES
from sharpen.errors import PluginError, Problem, UserError
from sharpen.guards import Protector
from sharpen.store import hash_file, read_cached
from sharpen.types import Document, digest

BATCH = 500
CHARACTERS = 4_000_000
"""Documents and rows that are cleaned at a time, or fewer where they are so long together."""

MOST = 5
"""Problems of a file that are said one by one; ``dropped.jsonl`` has them all."""

PARTS = ("kept", "dropped")
NAMES = frozenset(("source", "place", "file", "rule"))
FORMAT = 2
"""Raised when what is written here changes, so that what an older sharpen left is not taken up."""


@dataclass(frozen=True)
class Job:
    """A file, the name that all messages call it by, the steps as JSON, and the folder of work."""

    path: str
    name: str
    steps: str
    work: str


@dataclass
class Facts:
    """What came of a file; ``kept`` and ``dropped`` name files in the folder of work."""

    name: str
    sha256: str = ""
    key: str = ""
    kind: str = ""
    column: str = ""
    size: int = 0
    read: int = 0
    kept: int = 0
    characters: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    changes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unsaid: int = 0
    written: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    personal: dict[str, int] = field(default_factory=dict)
    failed: str = ""


def clean_file(job: Job) -> dict[str, Any]:
    """Read and clean a file, unless that is done already, and return its facts as JSON holds them.

    Whatever a file holds is no error; what the machine or a plug-in refuses is said in ``failed``.
    """
    path, work = Path(job.path), Path(job.work)
    try:
        sha = hash_file(path)
    except OSError as e:
        return asdict(Facts(job.name, problems=[str(_unreadable(e, job.name))]))
    how = Steps.model_validate_json(job.steps).privacy
    hidden = secret(how, job.work)
    key = digest([sha, job.name, job.steps, __version__, FORMAT, hashlib.sha256(hidden).hexdigest()])[:40]
    done = read_cached(work / f"{key}.json", lambda raw: Facts(**raw))
    if done and done.written == _sizes(work, key):
        return asdict(done)
    facts = Facts(job.name, sha, key, size=path.stat().st_size)
    try:
        with ExitStack() as stack:
            kept, dropped = (stack.enter_context(_written(work / f"{key}.{kind}")) for kind in PARTS)
            _all(path, (job.steps, _shield(how, hidden)), facts, kept, dropped)
        facts.written = _sizes(work, key)
        with _written(work / f"{key}.json") as f:
            f.write(json.dumps(asdict(facts)))
    except (UserError, PluginError) as e:
        facts.failed = str(e)
    return asdict(facts)


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """A file that takes its place when the block succeeds; not waited for to be on disk, as there may be very many."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    with temporary.open("w", encoding="utf-8") as f:
        yield f
    temporary.replace(path)


def _sizes(work: Path, key: str) -> list[int]:
    paths = [work / f"{key}.{kind}" for kind in PARTS]
    return [p.stat().st_size if p.is_file() else -1 for p in paths]


def line(record: Mapping[str, Any]) -> str:
    """A record as a line of JSON; what no file can hold is put as its name, and what is no number as null."""
    try:
        made = json.dumps(record, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        made = json.dumps(_numbers(record), ensure_ascii=False, default=str)
    return made.encode("utf-8", "backslashreplace").decode() + "\n"


def _numbers(value: Any) -> Any:
    """The value with null for NaN and infinities, which are no JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _numbers(v) for k, v in value.items()}
    return [_numbers(v) for v in value] if isinstance(value, list | tuple) else value


def _unreadable(error: OSError, name: str) -> Problem:
    return Problem(f"cannot be opened: {error.strerror or error}.", name, "Check the permissions.")


@cache
def _shield(how: str, key: bytes) -> Protector | None:
    """What takes personal data out of all that is written, dropped things included; None where they stay."""
    return None if how == "off" else Protector(how, key)


def secret(how: str, work: str) -> bytes:
    """The key of pseudonyms, where there are any: of ``SHARPEN_HOME``, or of ``.sharpen`` beside what is written."""
    home = Path(os.environ.get("SHARPEN_HOME") or Path(work).parent / ".sharpen")
    return key_of(home) if how == "pseudonymise" else b""


def _hidden(value: Any, shield: Protector | None, into: Counter[str] | None = None) -> Any:
    """A record without personal data; ``source`` and ``place`` name a document and stay as they are."""
    if shield is None:
        return value
    made, found = shield.record(value, NAMES)
    if into is not None:
        into.update(f.type for _, f in found)
    return made


@cache
def _made(steps: str, kind: str) -> tuple[str, Mapping[str, Cleaner]]:
    """The field that is cleaned, if it is named, and the cleaners: made once a process."""
    read = Steps.model_validate_json(steps)
    cleaners = alone((read.rows if kind == "rows" else read.documents).cleaners)[0]
    return read.rows.field if kind == "rows" else "text", Cleaning(cleaners).cleaners


def _all(path: Path, asked: tuple[str, Protector | None], facts: Facts, kept: TextIO, dropped: TextIO) -> None:
    steps, shield = asked
    rows = isinstance(open_reader(path), RowReader)
    facts.kind = "rows" if rows else "documents"
    found = _rows(path, facts, dropped) if rows else _documents(path, facts, dropped)
    first: list[Mapping[str, Any]] = list(islice(found, 1))
    named, cleaners = _made(steps, facts.kind)
    facts.column = named or (asking(first[0]["fields"]) if first else "")
    cleaning = Cleaning(cleaners, facts.column)
    into, at, personal = Cleaned(), 0, Counter[str]()
    for batch in _batches(_chained(first, found)):
        values = [one["fields"] if rows else one for one in batch]
        cleaning.batch(values, at, into)
        for place, value in zip(into.places, into.kept, strict=True):
            value = _hidden(value, shield, personal)
            kept.write(line({"place": batch[place - at]["place"], "fields": value} if rows else value))
        for gone in into.dropped:
            dropped.write(line(_hidden(said(facts.name, batch[gone.at - at], gone, into), shield)))
        at += len(batch)
        facts.kept += len(into.kept)
        facts.characters += sum(len(v.get(facts.column) or "") for v in values if isinstance(v.get(facts.column), str))
        for held in (into.kept, into.places, into.dropped, into.scores, into.said):
            held.clear()
    facts.read = at
    facts.rules, facts.personal = dict(into.counts), dict(personal)
    if shield is None:  # these are cut out of texts, and half an address is not known to be one
        facts.changes = {rule: [asdict(c) for c in some[:SHOWN]] for rule, some in into.changes.items()}


def said(name: str, one: Mapping[str, Any], gone: Gone, into: Cleaned) -> dict[str, Any]:
    """What is written of something that was dropped: where it stood, why, by which figure, and itself."""
    figure = into.scores.get(gone.rule.partition(".")[0], {}).get(gone.at)
    begin = {"file": name, "place": one["place"], "rule": gone.rule, "reason": gone.reason, "figure": figure}
    if "fields" in one:
        return {**begin, "row": gone.row}
    return {**begin, "source": gone.row["source"], "title": gone.row["title"], "text": gone.row["text"]}


def asking(fields: Mapping[str, Any]) -> str:
    """The field of a row that asks and is a text; nothing where none is known."""
    for _, asks, answers, _s in SHAPES:
        found = next((f for f in asks if isinstance(fields.get(f), str)), "")
        if found and (not answers or any(a in fields for a in answers)):
            return found
    return next((f for f in ("question", "text") if isinstance(fields.get(f), str)), "")


def _chained(first: list[Mapping[str, Any]], rest: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    yield from first
    yield from rest


def _batches(found: Iterator[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    size = 0
    for one in found:
        batch.append(one)
        size += len(one.get("text", ""))
        if len(batch) >= BATCH or size >= CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _documents(path: Path, facts: Facts, dropped: TextIO) -> Iterator[Mapping[str, Any]]:
    for found in read_document(path, facts.name):
        if isinstance(found, Document):
            yield {"place": found.source, "source": found.source, "title": found.title, "text": found.text}
        else:
            _say(found, facts, dropped)


def _rows(path: Path, facts: Facts, dropped: TextIO) -> Iterator[Mapping[str, Any]]:
    reader = open_reader(path)
    assert isinstance(reader, RowReader)
    try:
        for found in reader.rows(path, facts.name):
            if isinstance(found, Row):
                yield {"place": found.at, "fields": dict(found.fields)}
            else:
                _say(found, facts, dropped)
    except Exception as e:  # as for documents: a sentence instead of a traceback, whatever the reader is
        what = f"cannot be read to its end ({type(e).__name__}: {str(e)[:200]})."
        _say(Problem(what, facts.name, "Save it anew."), facts, dropped)


def _say(found: Problem | Note, facts: Facts, dropped: TextIO) -> None:
    """A problem is something that is not there in what is kept, so it is written where dropped things are."""
    if isinstance(found, Note):
        facts.notes.append(f"{found.where}: {found.what}" if found.where else found.what)
        if not found.what.startswith("left out"):
            return
    elif len(facts.problems) < MOST:
        facts.problems.append(str(found))
    else:
        facts.unsaid += 1
    place = found.where.removeprefix(facts.name).lstrip(",: /")
    record = {"file": facts.name, "place": place, "rule": "reading", "reason": found.what, "figure": None}
    dropped.write(line(record))
