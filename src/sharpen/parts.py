"""A part by its name: techniques, metrics, readers, cleaners, augmentations, samplers, models, floors, tasks and more.

A part is a file in its room's folder; the file's name is the part's name; the function of that name is its factory;
the module docstring is its manual page; ``NEEDS`` names the heavy packages it imports, as ``{"package": "extra"}``.
Names, pages and needs are read from the syntax tree, so listing parts imports none of them. Other packages add
parts through the entry-point group ``sharpen.<kind>``; a part may also be a file of the user's own, named by path.
"""

from __future__ import annotations

import ast
import errno
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType, NoneType
from typing import Any, get_args, get_origin, get_type_hints

from sharpen.errors import MissingExtra, PluginError, UserError

ROOMS = {
    "task": "tasks",
    "metric": "metrics",
    "reader": "data/readers",
    "recogniser": "guards/recognisers",
    "cleaner": "data/cleaners",
    "model": "models",
    "technique": "techniques",
    "floor": "floors",
    "augmentation": "data/augmentations",
    "sampler": "data/samplers",
}
OWN = ("technique", "metric", "task")  # kinds that a use case may name by a path
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """A part as listed: where it comes from (``sharpen``, a distribution, or a file) and its manual page."""

    kind: str
    name: str
    origin: str
    path: Path | None
    module: str

    @property
    def page(self) -> str:
        """The module docstring."""
        with blamed(self):
            return (ast.get_docstring(_tree(self.path)) or "") if self.path else ""

    @property
    def usage(self) -> str:
        """How its factory is called, and the factory's docstring."""
        with blamed(self):
            for node in _tree(self.path).body if self.path else []:
                if isinstance(node, ast.FunctionDef) and node.name == self.name:
                    return f"{self.name}({ast.unparse(node.args)})\n\n{ast.get_docstring(node) or ''}".rstrip()
        return ""

    @property
    def summary(self) -> str:
        """The first line of the page."""
        return self.page.partition("\n")[0]

    @property
    def needs(self) -> dict[str, str]:
        """Heavy packages and the extra that installs each."""
        with blamed(self):
            return _as_needs(self._constant("NEEDS", {}))

    @property
    def embeds(self) -> bool:
        """Whether it embeds texts, so that the embedding model is fetched beforehand and belongs to the study."""
        with blamed(self):
            return self._constant("EMBEDS", False) is True

    @property
    def reranks(self) -> str:
        """The reranker that it takes where its option ``model`` names no other; empty: it takes none."""
        with blamed(self):
            return str(self._constant("RERANKS", ""))

    @property
    def texts(self) -> tuple[str, ...]:
        """Its options that are texts, for which a use case may name a file."""
        with blamed(self):
            return tuple(self._constant("TEXTS", ()))

    @property
    def files(self) -> tuple[str, ...]:
        """Its options that may name files, relative to the use-case file."""
        with blamed(self):
            return tuple(self._constant("FILES", ()))

    def _constant(self, name: str, default: Any) -> Any:
        """A constant of the part's file."""
        for node in _tree(self.path).body if self.path else []:
            names = [t.id for t in node.targets if isinstance(t, ast.Name)] if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.Assign) and name in names:
                return ast.literal_eval(node.value)
        return default


def _as_needs(given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or not all(isinstance(x, str) for pair in given.items() for x in pair):
        raise TypeError(f'NEEDS is {given!r}, and should be {{"package": "extra"}}')
    return given


@contextmanager
def blamed(part: Part) -> Iterator[None]:
    """Whatever fails in here is the part's fault, also where it would end the program; our own bugs go through.

    So do an interruption, what the part says to the user itself, and a machine that is full.

    Raises:
        PluginError: a part that is not ours failed.
    """
    try:
        yield
    except (KeyboardInterrupt, UserError, PluginError, MemoryError):
        raise
    except BaseException as e:
        full = isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT)
        if part.origin == "sharpen" or full:
            raise
        raise PluginError(f"{part.kind} {part.name}", part.origin, e) from e


def expect(value: Any, kind: Any, where: str) -> None:
    """See that what a part gave is a noun of this type, and so on for all its fields. A list will do for a tuple.

    Raises:
        TypeError: it is not; the sentence begins with ``where`` it is not.
    """
    inner = get_args(kind)
    if NoneType in inner:
        if value is not None:
            expect(value, next(k for k in inner if k is not NoneType), where)
        return
    outer: Any = get_origin(kind) or kind
    allowed = {tuple: (tuple, list), float: (float, int)}.get(outer, (outer,))
    if not isinstance(value, allowed):
        raise TypeError(f"{where} is of the type {type(value).__name__}, and should be a {outer.__name__}")
    if is_dataclass(outer):
        hints = get_type_hints(outer)
        for field in fields(outer):
            expect(getattr(value, field.name), hints[field.name], f"{where}.{field.name}")
    elif isinstance(value, tuple | list):
        for i, each in enumerate(value):
            expect(each, inner[0], f"{where}[{i}]")


def _tree(path: Path) -> ast.Module:
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, changed: int) -> ast.Module:
    """Parse a file once; ``changed`` makes an edited file another one."""
    return ast.parse(path.read_bytes(), filename=str(path))


def _is_part(path: Path) -> bool:
    """A file is a part when it defines the function of its own name; other files are the room's private helpers."""
    return any(isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == path.stem for n in _tree(path).body)


@cache
def all_parts(kind: str) -> dict[str, Part]:
    """Return the parts of one kind by name, ours first, then those of other installed packages."""
    room = ROOMS[kind]
    module = "sharpen." + room.replace("/", ".")
    found = {
        path.stem: Part(kind, path.stem, "sharpen", path, f"{module}.{path.stem}")
        for path in sorted((HERE / room).glob("*.py"))
        if not path.stem.startswith("_") and _is_part(path)
    }
    for point in entry_points(group=f"sharpen.{kind}"):
        origin = point.dist.name if point.dist else "another package"
        name = point.name.replace("-", "_")
        found.setdefault(name, Part(kind, name, origin, _source(point), point.value))
    return found


def _source(point: EntryPoint) -> Path | None:
    """The file of another package's part, found without importing it; None where it does not lie open."""
    stem = point.module.replace(".", "/")
    for name in (f"{stem}.py", f"{stem}/__init__.py"):
        path = Path(str(point.dist.locate_file(name))) if point.dist else None
        if path and path.is_file():
            return path
    return None


def find(kind: str, name: str, base: Path | None = None) -> Part:
    """Return the part called ``name`` (hyphens and underscores are alike), or the user's own file of that path.

    Options that stand behind the name in brackets do not belong to it.

    Raises:
        UserError: there is none; the sentence lists the nearest names.
    """
    name = name.partition("(")[0].strip() if name.endswith(")") else name
    if name.endswith(".py"):
        path = ((base or Path()) / name).resolve()
        if not path.is_file():
            raise UserError(f"there is no file {name}.", do=f"Paths of a {kind} are relative to the use-case file.")
        try:
            ok = _is_part(path)
        except SyntaxError as e:
            where = f"{name}, line {e.lineno}" if e.lineno else name
            raise UserError(f"is not Python: {e.msg}.", where, "Mend the file.") from None
        except (OSError, ValueError, RecursionError) as e:
            raise UserError(f"cannot be read: {e}.", name, "Mend the file.") from None
        if not ok:
            raise UserError(f"{name} has no function {path.stem}.", do="A part's factory has the name of its file.")
        return Part(kind, path.stem, str(path), path, "")
    known = all_parts(kind)
    key = name.replace("-", "_")
    if key not in known:
        near = get_close_matches(key, known, n=3)
        names = [n.replace("_", "-") if kind == "task" else n for n in near or known]  # as the documents write them
        hint = f"Did you mean {' or '.join(names)}?" if near else f"There are: {', '.join(names)}."
        own = f" One of your own is named by its path: ./{Path(key).stem}.py" if kind in OWN and not near else ""
        raise UserError(f"there is no {kind} called {name!r}.", do=hint + own)
    return known[key]


def content(part: Part) -> str:
    """What a part that is not ours consists of, as a hash: who changes it has another part.

    Of a file of the user's own that file and those beside it that it imports; of another package's part all of that
    package's files. Ours are sharpen's own code, which is known as a whole.
    """
    if part.origin == "sharpen":
        return ""
    top, h = part.module.partition(":")[0].partition(".")[0], hashlib.sha256()
    with blamed(part):
        for path in sorted(_imported(part.path, set()) if part.path and not part.module else _package(top)):
            h.update(path.name.encode() + b"\0" + path.read_bytes())
    return h.hexdigest()


def _imported(path: Path, found: set[Path]) -> set[Path]:
    """A file and the files beside it that it imports, and so on."""
    found.add(path)
    for node in ast.walk(_tree(path)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for top in (name.partition(".")[0] for name in names):
            for other in (path.parent / f"{top}.py", *(path.parent / top).rglob("*.py")):
                if other.is_file() and other not in found:
                    _imported(other, found)
    return found


def _package(top: str) -> set[Path]:
    """All Python files of an installed package, or of a module that is one by itself."""
    spec = importlib.util.find_spec(top)
    folders = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    inside = {path for folder in folders for path in folder.rglob("*.py")}
    return inside or ({Path(spec.origin)} if spec and spec.origin else set())


def missing(part: Part) -> tuple[str, str] | None:
    """Return the first package that the part needs and that is not installed, with its extra; None if all are."""
    with blamed(part):
        return next(((package, extra) for package, extra in part.needs.items() if not _installed(package)), None)


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a parent package is absent, or only pretends to be there
        return False


def module(part: Part) -> ModuleType:
    """Import the part's module.

    Raises:
        MissingExtra: one of its packages is not installed.
        PluginError: a part that is not ours failed to import.
    """
    lack = missing(part)
    if lack:
        raise MissingExtra(f"{part.kind} {part.name}", *lack)
    with blamed(part):
        if part.module:
            return importlib.import_module(part.module.partition(":")[0])
        return load_file(f"own_{part.kind}_{part.name}", str(part.path))


class _AsItStands(SourceFileLoader):
    """Compiles a file anew: what Python has compiled goes by a file's second and size, which an edit can keep."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_file(name: str, path: str) -> ModuleType:
    """Import a file of the user's own, as it stands."""
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItStands(name, path))
    assert spec is not None
    assert spec.loader is not None
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look it up
    spec.loader.exec_module(loaded)
    return loaded


def factory(kind: str, name: str, base: Path | None = None) -> Callable[..., Any]:
    """Return the function that makes the part."""
    part = find(kind, name, base)
    attribute = part.module.partition(":")[2] or part.name
    made: Callable[..., Any] | None = getattr(module(part), attribute, None)
    if not callable(made):
        missed = AttributeError(f"it has no function {attribute}")
        raise PluginError(f"{kind} {part.name}", part.origin, missed)
    return made


def make(kind: str, name: str, options: Mapping[str, Any], base: Path | None = None) -> Any:
    """Return a part made with options, as a use case names them.

    Raises:
        UserError: there is none, or an option is not one of its parameters.
        PluginError: one that is not ours fails, or is no function.
    """
    part = find(kind, name, base)
    maker = factory(kind, name, base)
    known_options(part, maker, options)
    with blamed(part):
        made = maker(**options)
        if not callable(made):
            raise TypeError(f"its factory made {made!r}, which is no function")
    return made


def known_options(part: Part, maker: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """See that a part has these options.

    Raises:
        UserError: one is not among its parameters.
        PluginError: one that is not ours is no function.
    """
    with blamed(part):
        known = inspect.signature(maker).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in known.values())
    strange = [k for k in options if k not in known]
    if strange and not open_ended:
        raise UserError(
            f"the {part.kind} {part.name} has no option {', '.join(strange)}.",
            do=f"It has: {', '.join(known) or 'none'}. See: sharpen parts show {part.kind}/{part.name}",
        )
