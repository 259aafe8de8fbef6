"""All documents of a folder, each by the reader for its ending; what cannot be read does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sharpen.data.reading import DocumentReader, Note, RowReader, open_reader
from sharpen.data.shelving import documents_of
from sharpen.errors import Problem
from sharpen.types import Document, Progress, silent


@dataclass
class Collected:
    """What was read: documents in the order of their names, what was wrong, and what is worth knowing."""

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def files_below(root: Path) -> list[Path]:
    """Return the files of a folder (or the file itself) by name.

    Without hidden ones, Office's lock files, and the folders of runs.
    """
    if root.is_file():
        return [root]
    runs = set(run_folders(root))
    found = [p for p in root.rglob("*") if p.is_file() and not _hidden(p, root) and runs.isdisjoint(p.parents)]
    return sorted(found, key=lambda p: p.relative_to(root).as_posix())


def run_folders(root: Path) -> list[Path]:
    """Return the folders of runs, ``root`` itself or below it: their reports hold test questions and their answers."""
    marked = [p.parent for p in root.rglob("config.yaml") if (p.parent / ".lock").is_file() and not _hidden(p, root)]
    return sorted(marked)


def left_out(root: Path) -> tuple[list[str], list[Problem]]:
    """Say what of a folder is passed over: folders of runs, links to folders or to nothing, and what is no file."""
    notes = [f"{run.relative_to(root).as_posix()}: left out: it is the folder of a run." for run in run_folders(root)]
    problems = []
    for folder in (d for d in (root, *root.rglob("*")) if d.is_dir()):
        place = _readable(folder.relative_to(root).as_posix()) if folder != root else str(root)
        if not os.access(folder, os.R_OK | os.X_OK):
            problems.append(Problem("is a folder that may not be read.", place, "Mend its permissions."))
        elif folder != root and folder.is_symlink() and not _hidden(folder, root):
            notes.append(f"{place}: left out: it is a link to another folder.")
    odd = [p for p in root.rglob("*") if not p.is_file() and not p.is_dir() and not _hidden(p, root)]
    places = sorted(_readable(p.relative_to(root).as_posix()) for p in odd)
    return [*notes, *(f"{place}: left out: it is a link to nothing, or no file." for place in places)], problems


def _hidden(path: Path, root: Path) -> bool:
    return any(p.startswith((".", "~$")) or p == "__MACOSX" for p in path.relative_to(root).parts)


def read_documents(root: Path, progress: Progress = silent) -> Collected:
    """Read a folder of documents, or one file.

    A file whose ending no document reader takes is noted; one that cannot be read is a problem.
    """
    made = Collected()
    if not root.exists():
        made.problems.append(Problem("there is no such folder or file.", str(root), "Check data.documents."))
        return made
    runs = run_folders(root)
    if root in runs:
        what = "is the folder of a run, whose report holds the test questions."
        made.problems.append(Problem(what, str(root), "Name the folder of the documents themselves."))
        return made
    notes, problems = left_out(root)
    made.notes += notes
    made.problems += problems
    files = files_below(root)
    for n, path in enumerate(files):
        progress("reading documents", n, len(files))
        source = _readable((path.relative_to(root) if root.is_dir() else Path(path.name)).as_posix())
        for found in _read(path, source, alone=root.is_file()):
            if isinstance(found, Document):
                made.documents.append(found)
            elif isinstance(found, Problem):
                made.problems.append(found)
            else:
                made.notes.append(f"{found.where}: {found.what}" if found.where else found.what)
    if files:
        progress("reading documents", len(files), len(files))
    made.problems = _together(made.problems)
    if not made.documents and not made.problems:
        made.problems.append(
            Problem(
                "holds no document.",
                str(root),
                "Put Markdown, text, HTML, PDF, Office files, e-mail or the like there.",
            )
        )
    return made


def _readable(name: str) -> str:
    """A file's name as text: bytes that are none are written out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _together(problems: list[Problem]) -> list[Problem]:
    """Say once what more than five files have in common (a missing package, no text in scans)."""
    alike: dict[tuple[str, str], list[str]] = {}
    for p in problems:
        alike.setdefault((p.what, p.do), []).append(p.where)
    made = []
    for (what, do), places in alike.items():
        some = [", ".join(places[:5]) + f" and {len(places) - 5} more"] if len(places) > 5 else places
        made += [Problem(what, where, do) for where in some]
    return made


def _read(path: Path, source: str, alone: bool) -> Iterator[Document | Problem | Note]:
    """A file; a table or a query only where it is named itself, and not because it lies in a folder."""
    reader = open_reader(path) if alone else None
    if isinstance(reader, RowReader):
        yield from documents_of(reader.rows(path, source), source)
    else:
        yield from read_document(path, source)


def read_document(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    """Read one file; never raises for what the file holds."""
    reader = open_reader(path)
    if isinstance(reader, Problem):
        unknown = bool(reader.where)  # no reader for such files, rather than a reader without its package
        yield Note(f"left out: {reader.what}", source) if unknown else Problem(reader.what, source, reader.do)
        return
    if not isinstance(reader, DocumentReader):
        yield Note("left out: it is a table of rows, not a document.", source)
        return
    try:
        yield from reader.documents(path, source)
    except Exception as e:  # a reader of anybody's, on a file of anybody's: one bad file must not stop the others
        yield Problem(f"cannot be read ({type(e).__name__}: {str(e)[:200]}).", source, "Open and save it again.")
