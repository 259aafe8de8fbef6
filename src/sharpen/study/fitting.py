"""Files on their way into a collection: read one by one, governed, cleaned and protected as its use case says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sharpen.data.asked import about_of, asked_of
from sharpen.data.documents import files_below, left_out, read_document
from sharpen.data.governing import allowed_documents
from sharpen.data.protecting import Shield, key_of, look, said_of
from sharpen.data.reading import Note, RowReader, open_reader, tidy
from sharpen.data.shelving import documents_of
from sharpen.data.tidying import Tidied, tidy_documents
from sharpen.errors import Problem
from sharpen.inputs import Data, Duplicates
from sharpen.study.allowing import rules_of_case
from sharpen.study.setting import store_root
from sharpen.types import Document, Progress, silent

OUTSIDE = "+"
"""What the file of a document is called with that lies elsewhere than those that the collection was made of."""


@dataclass
class Fitted:
    """Documents by the file that they stand in, sources that were left out with the reason, problems and notes."""

    files: dict[str, list[Document]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def source_of(path: Path, root: Path) -> str:
    """What a document of a file is called: the file's path below the root, or its name where it lies elsewhere."""
    whole = path.resolve()
    return whole.relative_to(root).as_posix() if whole != root and whole.is_relative_to(root) else path.name


def read_files(given: Sequence[Path], named: Callable[[Path], str], progress: Progress = silent) -> Fitted:
    """Read files, and all files below folders; ``named`` says what the documents of each are called."""
    made = Fitted()
    files = [f for root in given for f in files_below(root)]
    for root in given:
        if root.is_dir():
            notes, problems = left_out(root)
            made.notes += notes
            made.problems += problems
    for n, path in enumerate(files):
        progress("reading documents", n, len(files))
        name = tidy(named(path).encode("utf-8", "backslashreplace").decode())
        before = len(made.problems)
        documents = []
        for found in _read(path, name, path in given):
            if isinstance(found, Document):
                documents.append(found)
            elif isinstance(found, Problem):
                made.problems.append(found)
            elif isinstance(found, Note):
                made.notes.append(f"{found.where}: {found.what}" if found.where else found.what)
        if documents or len(made.problems) == before:  # one that says nothing now takes what it said away
            made.files.setdefault(name, []).extend(documents)
    if files:
        progress("reading documents", len(files), len(files))
    return made


def _read(path: Path, name: str, alone: bool) -> Iterator[Document | Problem | Note]:
    """A file; a table, whose rows are documents, only where it is named itself."""
    reader = open_reader(path) if alone else None
    if isinstance(reader, RowReader):
        return documents_of(reader.rows(path, name), name)
    return read_document(path, name)


def fit(read: Fitted, settings: Mapping[str, Any]) -> Fitted:
    """Leave out what may not be indexed, clean, and take personal data out, by the settings of a collection.

    A file whose documents may not be indexed stays, empty, so that what was known of it goes.
    """
    documents = [d for some in read.files.values() for d in some]
    if not settings.get("data"):
        return replace(read, notes=[*read.notes, *personal_said(documents, ())])
    data, base = Data.model_validate(settings["data"]), Path(settings["base"])
    of = {d.source: file for file, some in read.files.items() for d in some}
    kept, gone = allowed_documents(documents, rules_of_case(Path(settings["usecase"]), settings))
    into = Tidied()
    asked = asked_of(data.clean, about_of((), kept), base)["documents"]
    cleaned, _ = tidy_documents(kept, asked, Duplicates(), into)
    out = dict(gone) | {s.id: f"{s.rule} ({s.by})" for s in into.steps if s.did == "dropped"}
    notes = list(read.notes)
    if asked and any((data.duplicates.documents, data.duplicates.sentences, data.duplicates.spans)):
        notes.append("Duplicates were not looked for among all documents: sharpen index build does.")
    names: Callable[[str], str] = str
    if data.privacy.how != "off":
        shield = Shield(data.privacy, key_of(store_root(base) / "data"))
        pairs = [(of[d.source], shield.document(d)[0]) for d in cleaned]
        notes = [shield.said(n) for n in notes] + [said_of(shield.found, data.privacy.how)]
        names = shield.name
    else:
        pairs = [(of[d.source], d) for d in cleaned]
        notes += personal_said(cleaned, ())
    files: dict[str, list[Document]] = {names(file): [] for file in read.files}
    for file, d in pairs:
        files[names(file)].append(d)
    return Fitted(files, {names(s): why for s, why in out.items()}, read.problems, notes)


def personal_said(documents: Sequence[Document], said: Sequence[str]) -> list[str]:
    """A sentence where personal data stand in documents and nothing is done about them."""
    if any("personal data" in s for s in said):
        return []
    _, text = look((), documents)
    return [text] if text else []
