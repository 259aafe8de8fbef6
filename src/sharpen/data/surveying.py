"""What a folder holds: every file by its reader, how much came out of it, and why each that was refused was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sharpen.data.documents import files_below, left_out, read_document
from sharpen.data.examples import read_examples
from sharpen.data.reading import RowReader, asks, open_reader
from sharpen.errors import Problem, UserError
from sharpen.types import Document, Progress, silent


@dataclass(frozen=True)
class File:
    """One file: ``n`` documents or rows of so many ``characters``, or none of either with the reasons."""

    name: str
    kind: str
    n: int = 0
    characters: int = 0
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether nothing came out of it."""
        return self.n == 0


@dataclass(frozen=True)
class Survey:
    """All files of a folder. Prints as a table by format and a list of what was refused; ``facts`` for JSON."""

    root: str
    files: tuple[File, ...] = field(default_factory=tuple)
    left_out: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {"root": self.root, "files": [asdict(f) for f in self.files], "left_out": self.left_out}

    def __str__(self) -> str:
        read = [f for f in self.files if not f.refused]
        lines = [f"{self.root}: {len(read)} of {len(self.files)} files read"]
        lines += [f"  {'format':10} {'files':>6} {'refused':>8} {'documents':>10} {'rows':>8} {'characters':>12}"]
        for suffix in sorted({_suffix(f) for f in self.files}):
            some = [f for f in self.files if _suffix(f) == suffix]
            documents = sum(f.n for f in some if f.kind == "documents")
            rows = sum(f.n for f in some if f.kind == "rows")
            refused, size = sum(f.refused for f in some), sum(f.characters for f in some)
            lines.append(f"  {suffix:10} {len(some):6} {refused:8} {documents:10} {rows:8} {size:12}")
        lines += [f"  refused: {f.name}: {_why(f)}" for f in self.files if f.refused]
        lines += [f"  {said}" for said in self.left_out]
        lines += [] if self.files else ["  no file lies there (those whose names begin with a dot are passed over)"]
        lines += [f"  {p}" for f in read for p in f.problems]
        lines += [f"  note: {note}" for f in self.files if not f.refused for note in f.notes]
        return "\n".join(lines)


def survey(root: Path, progress: Progress = silent) -> Survey:
    """Read every file of a folder, or one file, as documents or as rows; nothing is kept.

    Args:
        root: a folder or a file.
        progress: told how many files were read.

    Raises:
        UserError: there is no such folder or file.
    """
    if not root.exists():
        raise UserError("there is no such folder or file.", str(root), "Check the path.")
    files = files_below(root)
    made = []
    for n, path in enumerate(files):
        progress("reading", n, len(files))
        name = (path.relative_to(root) if root.is_dir() else Path(path.name)).as_posix()
        if root.is_dir() and asks(path):  # nobody has queries run by looking into a folder
            why = "asks a database; name it alone and it is asked."
            made.append(File(name, "rows", problems=(Problem(why, name),)))
            continue
        made.append(_read(path, name.encode("utf-8", "backslashreplace").decode()))
    if files:
        progress("reading", len(files), len(files))
    notes, problems = left_out(root)
    return Survey(str(root), tuple(made), (*notes, *map(str, problems)))


def _read(path: Path, name: str) -> File:
    if isinstance(open_reader(path), RowReader):
        rows = read_examples(path, name)
        size = sum(len(d.example.question) + sum(map(len, d.example.targets)) for d in rows.drafts)
        problems = list(rows.problems)
        notes = list(rows.notes)
        if rows.dropped:
            reasons = Counter(d.reason for d in rows.dropped).most_common(3)
            said = "; ".join(f"{n}: {reason}" for reason, n in reasons)
            notes.append(f"{name}: {len(rows.dropped)} rows dropped ({said})")
        return File(name, "rows", len(rows.drafts), size, tuple(problems), tuple(notes))
    found = list(read_document(path, name))
    documents = [d for d in found if isinstance(d, Document)]
    problems = [p for p in found if isinstance(p, Problem)]
    notes = [f"{f.where}: {f.what}" for f in found if not isinstance(f, Document | Problem)]
    return File(name, "documents", len(documents), sum(len(d.text) for d in documents), tuple(problems), tuple(notes))


def _why(file: File) -> str:
    said: Sequence[str] = [f"{p.what} {p.do}".strip() for p in file.problems]
    said = said or [note.partition(": ")[2] or note for note in file.notes]
    return " ".join(said)[:300] or "nothing was found in it."


def _suffix(file: File) -> str:
    return Path(file.name).suffix.lower() or "none"
