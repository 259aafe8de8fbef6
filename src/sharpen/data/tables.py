"""Tables of rows, wherever they are: files, folders, patterns, zip archives, workbooks, data sets with splits.

What lies in something else is called by it and its own name: ``tables.zip/faq.csv``, ``faq.xlsx/Prices``,
``intents.json/train``, ``my_set/validation``. Such a name can be given like that of a file.
"""

from __future__ import annotations

import glob
import posixpath
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from sharpen.data.documents import files_below
from sharpen.data.hub import PREFIX, card_splits, locate
from sharpen.data.naming import split_of
from sharpen.data.readers._archives import BROKEN
from sharpen.data.reading import SAVED, Note, Row, RowReader, Unpacked, asks, open_reader, plain_characters
from sharpen.errors import Problem

BOOKS = (".xlsx", ".xlsm", ".xltx", ".xls")
MOST = 20_000
"""Files that are looked at in one archive at most."""

DICT = "dataset_dict.json"
"""The file that a folder of several saved splits holds."""

Read: TypeAlias = Iterable[Row | Problem | Note]


@dataclass(frozen=True)
class Found:
    """A table: what messages call it, the file on disk, how it is read, the split that its name says it is.

    ``named``: the user said its name, rather than that of a folder or an archive that it is in.
    """

    name: str
    path: Path
    read: Callable[[], Read]
    split: str = ""
    named: bool = True


def files_of(given: str, base: Path) -> dict[str, Path]:
    """The files and folders on disk that a name stands for, by how they are called; none where there is nothing."""
    found = _resolve(given, base)
    return {} if isinstance(found, Problem) else {name: path for path, name, _ in found}


def names(given: str, table: str, base: Path) -> bool:
    """Whether a table may be one of those that a name stands for."""
    return any(table == name or table.startswith(f"{name}/") for name in [given, *files_of(given, base)])


def find(given: str, base: Path, hold: ExitStack) -> Iterator[Found | Problem | Note]:
    """Yield the tables that a name stands for, by name.

    Args:
        given: a file, a folder, a pattern with ``*`` and ``?``, ``hf:NAME``, or what is in one of these.
        base: the folder that names are relative to.
        hold: keeps what is unpacked as long as tables are read.
    """
    resolved = _resolve(given, base)
    if isinstance(resolved, Problem):
        yield resolved
        return
    several = len(resolved) > 1
    for path, name, inner in resolved:
        yield from _tables(path, name, inner, not several, hold)


def _resolve(given: str, base: Path) -> list[tuple[Path, str, str]] | Problem:
    """(path, how it is called, what is meant inside it) of what is there."""
    if given.startswith(PREFIX):
        found, inner = locate(given)
        return found if isinstance(found, Problem) else [(found, given, inner)]
    path = base / given
    if path.exists() or not given.strip():
        return [(path, given, "")]
    if glob.has_magic(given):
        files = sorted(glob.glob(given, root_dir=base, recursive=True))
        kept = [f for f in files if (base / f).is_file() or (base / f / SAVED).is_file()]
        what = "no file fits this pattern."
        return [(base / f, Path(f).as_posix(), "") for f in kept] or Problem(what, given, "Check its name under data.")
    for parent in Path(given).parents:
        if (base / parent).exists() and parent != Path("."):
            holds = (base / parent).is_file() or _has_splits(base / parent)
            inner = Path(given).relative_to(parent).as_posix()
            return [(base / parent, parent.as_posix(), inner)] if holds else _missing(given)
    return _missing(given)


def _missing(given: str) -> Problem:
    return Problem("there is no such file.", given, "Check its name under data.")


def _has_splits(folder: Path) -> bool:
    return bool(card_splits(folder)) or any(split_of(p.stem) for p in files_below(folder))


def _tables(path: Path, name: str, inner: str, named: bool, hold: ExitStack) -> Iterator[Found | Problem | Note]:
    suffix = path.suffix.lower()
    if path.is_dir():
        yield from _folder(path, name, inner, hold)
    elif suffix == ".zip":
        yield from _archive(path, name, inner, hold)
    elif suffix in BOOKS:
        yield from _book(path, name, inner)
    else:
        yield from _file(path, name, inner, named)


def _file(path: Path, name: str, inner: str, named: bool) -> Iterator[Found | Problem | Note]:
    reader = open_reader(path) if path.is_file() else None
    if reader is None:
        what = "is not a file that can be read." if path.exists() or path.is_symlink() else "there is no such file."
        yield Problem(what, name, "Check its name under data.")
    elif isinstance(reader, Problem):
        yield Problem(reader.what, name, reader.do)
    elif not isinstance(reader, RowReader):
        do = "Use jsonl, csv, xlsx or parquet."
        yield Problem(f"{path.suffix} files hold documents, not examples.", name, do)
    else:
        rows = reader.rows
        whole = Found(name, path, lambda: rows(path, name), split_of(path.name.partition(".")[0]), named)
        if inner:  # a list within a JSON file, or the rows whose column `split` says so
            whole = replace(whole, name=f"{name}/{inner}", read=lambda: _of_split(rows(path, name), inner, name))
        yield whole


def _of_split(rows: Read, wanted: str, name: str) -> Read:
    """Rows of one split alone."""
    there: dict[str, None] = {}
    found = False
    for each in rows:
        if isinstance(each, Row):
            there[str(each.fields.get("split", ""))] = None
            if str(each.fields.get("split", "")) != wanted:
                continue
            found = True
        if not isinstance(each, Note):  # which tells of all lists
            yield each
    if not found:
        known = ", ".join(sorted(filter(None, there))[:20])
        do = f"It has {known}." if known else "Its rows say no split."
        yield Problem(f"holds no rows of {wanted!r}.", name, do)


def _folder(path: Path, name: str, inner: str, hold: ExitStack) -> Iterator[Found | Problem | Note]:
    if (path / SAVED).is_file():
        yield from _saved(path, name, split_of(path.name))
        return
    if (path / DICT).is_file():
        for part in sorted(p.parent for p in path.glob(f"*/{SAVED}")):
            yield from _saved(part, f"{name}/{part.name}", split_of(part.name))
        return
    told = card_splits(path)
    if isinstance(told, Problem):
        yield told
        return
    made, other = list[Found | Problem | Note](), list[str]()
    for file in told or files_below(path):
        rest = file.relative_to(path).as_posix()
        split = split_of(told[file]) if told else _split_in(rest)
        if not _holds_rows(file):
            other.append(rest)
        elif not inner or split == split_of(inner):
            found = _tables(file, f"{name}/{rest}", "", False, hold)
            made += [replace(f, split=f.split or split, named=False) if isinstance(f, Found) else f for f in found]
    if not made:
        what = f"holds no rows of {inner!r}." if inner else "is a folder, not a file of examples: no file has rows."
        yield Problem(what, name, "Name a table: jsonl, csv, xlsx, parquet; documents have a folder.")
        return
    yield from made
    if other and not told:
        what = f"{len(other)} files that hold no rows are left out (first: {other[0][:80]})."
        yield Note(what, name)


def _split_in(rest: str) -> str:
    """The split that a file of a folder is of: by its own name, or else by the nearest folder that says one."""
    parts = [Path(rest).name.partition(".")[0], *reversed(Path(rest).parts[:-1])]
    return next(filter(None, map(split_of, parts)), "")


def _saved(path: Path, name: str, split: str) -> Iterator[Found | Problem]:
    reader = open_reader(path)
    if isinstance(reader, RowReader):
        rows = reader.rows
        yield Found(name, path, lambda: rows(path, name), split)
    elif isinstance(reader, Problem):
        yield Problem(reader.what, name, reader.do)


def _holds_rows(path: Path) -> bool:
    """Whether a file in a folder or an archive is a table; one that asks a database is asked by its own name alone."""
    suffix = path.suffix.lower()
    return suffix in (".zip", *BOOKS) or (not asks(path) and isinstance(open_reader(path), RowReader))


def _book(path: Path, name: str, inner: str) -> Iterator[Found | Problem | Note]:
    from sharpen.data.readers import _sheets

    reader = open_reader(path)
    if isinstance(reader, Problem):  # its package is not installed
        yield Problem(reader.what, name, reader.do)
        return
    titles = []
    for each in _sheets.sheets(path, name):
        if not isinstance(each, _sheets.Sheet):
            yield each
            continue
        titles.append(each.title)
        if not inner or each.title == inner:
            rows = each.rows
            yield Found(f"{name}/{each.title}", path, lambda rows=rows: rows, named=bool(inner))  # type: ignore[misc]
    if inner and titles and inner not in titles:
        yield Problem(f"has no sheet {inner!r}.", name, f"It has {', '.join(titles)[:300]}.")


def _archive(path: Path, name: str, inner: str, hold: ExitStack) -> Iterator[Found | Problem | Note]:
    """Tables of a zip archive, unpacked where only this user sees them; nothing in it says where to."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {_inside(m.filename): m for m in archive.infolist() if not m.is_dir()}
            kept = {n: m for n, m in sorted(members.items()) if not any(p[:1] in ".~_" for p in n.split("/"))}
            size = sum(m.file_size for m in kept.values())  # zipfile gives no more of a file than its size says
            if len(kept) > MOST or size > Unpacked.limit(path.stat().st_size):
                yield Problem(f"unpacks to {len(kept):,} files of {size / 1e6:,.0f} MB.", name, "Check what it is.")
                return
            folder = Path(hold.enter_context(tempfile.TemporaryDirectory(prefix="sharpen-")))
            wanted = [n for n in kept if _holds_rows(Path(n)) and Path(n).suffix.lower() != ".zip"]
            wanted = [n for n in wanted if not inner or n == inner or inner.startswith(f"{n}/")]
            if not wanted:
                what = f"holds no table {inner!r}." if inner else "holds no table."
                yield Problem(what, name, f"It has {', '.join(kept)[:300] or 'no file'}.")
            elif any(kept[n].flag_bits & 1 for n in wanted):
                yield Problem("is locked with a password.", name, "Pack it anew without one.")
            else:
                for number, n in enumerate(wanted):
                    out = folder / f"{number}{''.join(Path(n).suffixes)[-20:]}"
                    out.write_bytes(archive.read(kept[n]))
                    within = inner[len(n) + 1 :] if inner.startswith(f"{n}/") else ""
                    for f in _tables(out, f"{name}/{n}", within, bool(inner), hold):
                        yield replace(f, path=path, split=_split_in(n)) if isinstance(f, Found) else f
    except BROKEN as e:
        yield Problem(f"is not a zip archive that can be read ({type(e).__name__}).", name, "Pack it anew.")


def _inside(name: str) -> str:
    return posixpath.normpath("/" + plain_characters(name).replace("\\", "/")).lstrip("/")
