"""Artefacts by content: the only code that turns a ref such as ``adapter:3f2a…`` into a path.

A folder is written under a temporary name, hashed, and renamed into place, so a kill or a full disk leaves either
the whole artefact or none. What is stored is never changed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from sharpen.errors import UserError
from sharpen.types import Ref

REF = re.compile(r"([a-z][a-z0-9_-]*):([0-9a-f]{64})")
LEFT = re.compile(r"\.(?:new-|(.+)\.)[0-9a-f]{8,16}")  # what ``replacing``, ``beside`` and ``put_aside`` write under
NO_ARTEFACTS = ("data", "pages", "work")  # folders of the store whose entries no ref names
STALE_SECONDS = 24 * 3600  # what is older and not named belongs to nobody who still writes
REBUILD = (
    "Run the study again, without done.json in its folder if it was finished; it rebuilds what is missing. "
    "Where sharpen was changed since its test was opened this takes --out: a new run, and another look at the test."
)
T = TypeVar("T")
Lines = Mapping[tuple[Any, ...], int]
"""Where keys of a file stand: ``("data", "split", "seed")`` and its line."""
log = logging.getLogger("sharpen.store")


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def hash_files(paths: Iterable[Path]) -> str:
    """Return one sha256 over the contents of files, in this order."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def hash_folder(folder: Path) -> str:
    """Return one sha256 over the relative names and contents of all files below ``folder``."""
    h = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        h.update(f"{path.relative_to(folder).as_posix()}\0{hash_file(path)}\n".encode())
    return h.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write ``path`` whole or not at all: yields a temporary file that takes its place when the block succeeds."""
    if path.is_dir():  # said before the work is done
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb+") as f:
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as e:
        if e.filename == str(temporary):
            e.filename = str(path)  # the name that its user knows
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _on_disk(path: Path) -> None:
    """See that a file, or a folder's list of names, outlives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(folder: Path) -> None:
    """See that a folder with all that is in it outlives a power cut."""
    for path in (*folder.rglob("*"), folder):
        _on_disk(path)


@contextmanager
def beside(final: Path, name: str = "") -> Iterator[Path]:
    """An empty folder beside ``final``, to be filled and renamed to it; whatever is left of it is removed.

    Others may read it as far as the umask says, unlike one of ``tempfile``.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    folder = final.with_name(f"{name or f'.{final.name}.'}{secrets.token_hex(8)}")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Write a text file whole or not at all; ``errors`` as for ``open``."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=errors)


def read_whole(path: Path, make: Callable[[str], T], do: str, errors: str = "strict") -> T:
    """Read a text file that was written here, and return what ``make`` makes of it.

    Raises:
        UserError: it is damaged: no file, no UTF-8, or ``make`` cannot use it; ``do`` says what helps.
    """
    try:
        if not path.is_file():  # a named pipe would be waited for
            raise ValueError
        return make(path.read_text(encoding="utf-8", errors=errors))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UserError):
        raise UserError("is damaged: it was cut short or changed.", str(path), do) from None


def read_json(path: Path, make: Callable[[Any], T], do: str) -> T:
    """The same for JSON: ``make`` gets what the file holds."""
    return read_whole(path, lambda text: make(json.loads(text)), do)


def read_cached(path: Path, make: Callable[[Any], T]) -> T | None:
    """The same for JSON that can be had again: None where it is not there or damaged."""
    try:
        return read_json(path, make, "It is made anew.") if path.exists() else None
    except UserError as e:
        log.warning("%s", e)
        return None


def clear(folder: Path, held: str = "") -> None:
    """Delete what killed processes left in a folder: what is older than a day, and all that was to become ``held``,
    whose lock the caller holds."""
    for left in folder.glob(".*"):
        match = LEFT.fullmatch(left.name)
        with suppress(FileNotFoundError):  # another process was faster
            if match and (match[1] == held or time.time() - left.stat().st_mtime > STALE_SECONDS):
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


def is_text(path: Path) -> bool:
    """Whether a path is UTF-8; what reads and writes weights opens no other."""
    return not re.search("[\ud800-\udfff]", str(path))


def put_aside(folder: Path) -> None:
    """Take a damaged folder out of the way of the whole one that is about to be put there."""
    aside = folder.with_name(f".new-{secrets.token_hex(8)}")
    with suppress(FileNotFoundError):  # another process was faster
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


class Store:
    """A folder of artefacts, ``<root>/<kind>/<sha256>/``."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        self._seen: set[Ref] = set()  # artefacts that were read once and are what their names say

    def keep(self, kind: str, fill: Callable[[Path], None]) -> Ref:
        """Let ``fill`` write into an empty folder, then store that folder by its content and return its ref."""
        parent = self.root / kind
        with beside(parent / kind, ".new-") as temporary:
            fill(temporary)
            name = hash_folder(temporary)
            sync(temporary)
            final = parent / name
            if final.is_dir() and not self.verify(f"{kind}:{name}"):
                put_aside(final)
            try:
                temporary.rename(final)
            except OSError:
                if not final.is_dir():  # otherwise it was here already, or another process was faster
                    raise
            os.utime(final)  # it is in use from now on, also where it was here before
            _on_disk(parent)
        return f"{kind}:{name}"

    def has(self, ref: Ref) -> bool:
        """Whether the artefact is here."""
        match = REF.fullmatch(ref)
        return match is not None and (self.root / match[1] / match[2]).is_dir()

    def whole(self, ref: Ref) -> bool:
        """Whether the artefact is here and still what its name says; its content is read once."""
        if ref not in self._seen and self.has(ref) and self.verify(ref):
            self._seen.add(ref)
        return ref in self._seen and self.has(ref)

    def path(self, ref: Ref) -> Path:
        """Return the folder of an artefact.

        Raises:
            UserError: the store does not hold it, or not as it was made.
        """
        if not self.has(ref):
            raise UserError(f"the store has no {ref}.", str(self.root), REBUILD)
        if not self.whole(ref):
            raise UserError("is damaged: its content is not what its name says.", str(self._folder(ref)), REBUILD)
        return self._folder(ref)

    def _folder(self, ref: Ref) -> Path:
        kind, _, name = ref.partition(":")
        return self.root / kind / name

    def verify(self, ref: Ref) -> bool:
        """Whether the artefact's content still is what its name says."""
        try:
            return hash_folder(self._folder(ref)) == ref.partition(":")[2]
        except FileNotFoundError:  # another process is just replacing it
            return False

    def refs(self) -> Iterator[Ref]:
        """All artefacts here; prepared data and the checkpoints of an interrupted training are none."""
        for folder in sorted(f for f in self.root.glob("*/*") if f.parent.name not in NO_ARTEFACTS):
            ref = f"{folder.parent.name}:{folder.name}"
            if self.has(ref):
                yield ref

    def loose(self, keep: Iterable[Ref]) -> list[Ref]:
        """Artefacts that ``keep`` does not name and that are older than a day."""
        wanted, now = set(keep), time.time()
        unnamed = (ref for ref in self.refs() if ref not in wanted)
        return [ref for ref in unnamed if now - self._folder(ref).stat().st_mtime > STALE_SECONDS]

    def gc(self, keep: Iterable[Ref]) -> list[Ref]:
        """Delete the artefacts that ``keep`` does not name, and what killed runs left; return what was deleted.

        What is younger than a day stays: a study may be under way that has not written down yet what it made.
        """
        gone = self.loose(keep)
        for ref in gone:
            shutil.rmtree(self._folder(ref))
        for kind in self.root.glob("*"):
            clear(kind)
        return gone


@contextmanager
def locked(path: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock on ``path`` among processes; the lock ends with the process, however that ends.

    Args:
        path: need not exist; the lock is a hidden file beside it.
        waits: called once where another process holds it.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        f = (path.parent / f".{path.name}.lock").open("w")
    except OSError as e:
        raise UserError(
            f"cannot be written: {e.strerror}.", str(path.parent), "Mend that, or choose another place."
        ) from e
    with f:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            msvcrt.locking(f.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
        else:
            try:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
                fcntl.flock(f, fcntl.LOCK_EX)
            except OSError as e:
                do = "Choose a place on a local disk, by SHARPEN_HOME for the store or SHARPEN_MODELS for models."
                raise UserError(f"cannot be locked: {e.strerror}.", str(path.parent), do) from None
        yield


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without two readings of numbers that nobody means: ``1:30`` as 90 and ``010`` as 8.

    Says where a value stands that is none: a date of month 13, a number of 5,000 digits, ``!!timestamp x``.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError) as e:  # the last are PyYAML's own, of a wrong tag
            raise ConstructorError(None, None, str(e).partition(";")[0], node.start_mark) from None


NUMBERS = {  # tag: how it is written
    "tag:yaml.org,2002:int": r"[-+]?(?:0|[1-9][0-9_]*)$",
    "tag:yaml.org,2002:float": r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*|\.inf|\.nan)$",
}
_Loader.yaml_implicit_resolvers = {
    letter: [known for known in resolvers if known[0] not in NUMBERS]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _written in NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_written), list("-+.0123456789"))


def read_yaml(path: Path) -> Any:
    """Parse a YAML file, with a sentence for everything that can be wrong with it."""
    if not path.is_file():
        raise UserError("there is no such file.", str(path), "Start one with: sharpen init DIR")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"cannot be read: {e}.", str(path), "Save it as UTF-8 text.") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML; ``where`` is named in problems."""
    try:
        return _Loader(text).get_single_data()
    except RecursionError:
        raise UserError("is nested too deeply.", where, "Nest less in it.") from None
    except ReaderError as e:
        line, what = text.count("\n", 0, e.position) + 1, f"is not YAML: the character #x{e.character:04x} is in it."
        raise UserError(what, f"{where}, line {line}", "Mend that line.") from None
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where, do = (f"{where}, line {mark.line + 1}", "Mend that line.") if mark else (where, "Mend it.")
        what = str(getattr(e, "problem", None) or e)
        if what == "mapping values are not allowed here":
            do = 'Indent it as its neighbours are, or put text with a colon in quotes, as in model: "fake:".'
        raise UserError(f"is not YAML: {what}.", where, do) from None


def yaml_lines(path: Path) -> tuple[Lines, list[tuple[str, int]]]:
    """Where each key of a file stands, and keys that stand twice in one mapping, with the line of the second.

    What stands in a list is found by its number and by its text, or by what it says of its name.
    """
    found: dict[tuple[Any, ...], int] = {}
    twice: list[tuple[str, int]] = []
    seen: set[int] = set()

    def walk(node: yaml.Node, at: tuple[Any, ...]) -> None:
        if id(node) in seen:  # an alias: what it names was walked where it stands
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key.value, str):
                    if (*at, key.value) in found:
                        twice.append((".".join(map(str, (*at, key.value))), key.start_mark.line + 1))
                    found[(*at, key.value)] = key.start_mark.line + 1
                    walk(value, (*at, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for i, value in enumerate(node.value):
                named = dict.fromkeys((i, *_names_in(value)), value.start_mark.line + 1)
                found.update({(*at, name): line for name, line in named.items() if (*at, name) not in found})
                walk(value, (*at, i))

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}, []  # line numbers are a kindness; what is wrong has been said already
    if root is not None:
        walk(root, ())
    return found, twice


def _names_in(node: yaml.Node) -> list[str]:
    """What an item of a list may be called by: its text, or that of its ``name`` and of what it ``does``."""
    if isinstance(node, yaml.ScalarNode):
        return [node.value]
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [v.value for k, v in pairs if k.value in ("name", "does") and isinstance(v, yaml.ScalarNode)]
