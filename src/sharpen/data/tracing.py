"""One row or document: where it comes from, what was done to it, by which rule or person, and where it is used.

Of rows in train and dev and of documents the text is shown, as it is now and as it was read where its file is still
what it was. Of a test row it never is, nor of a row that was dropped: it may have been dropped for being like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sharpen.data.dataset import load
from sharpen.data.documents import files_below, read_document
from sharpen.data.gathering import gather, items_of
from sharpen.data.lineage import lines_of, names_below
from sharpen.data.tables import files_of, names
from sharpen.data.versions import folders, told
from sharpen.errors import UserError
from sharpen.store import hash_file
from sharpen.types import Document, Example

COMPARED = 20_000
"""Ids that an unknown one is compared with."""
SEALED = "It is a test row: its text stays sealed. Its file and place say where to look."
DROPPED = "It was dropped; its text is not shown, for it may be like a test row. Its file and place say where to look."


def trace(folder: Path, id: str, base: Path | None = None, raw: bool = False) -> list[dict[str, Any]]:
    """What is known of a row or document, or of both where they are called alike.

    Args:
        folder: prepared data.
        id: of a row, source of a document, or the file and line of a row: ``questions.jsonl, line 7``.
        base: the folder of the use case, for the text as it was read.
        raw: show that also where personal data were taken out of it.

    Raises:
        UserError: nothing is called so, with what is called alike.
    """
    lines, origin = told(folder)
    found = [line for line in lines if line["id"] == id] or [line for line in lines if _at(line) == _place(id)]
    if not found:
        raise _unknown(id, [line["id"] for line in lines], folder)
    texts = _texts(folder)
    made = []
    for line in found:
        now = texts.get((line["kind"], line["id"])) if line["content"] and line["split"] != "test" else None
        said = "" if now else SEALED if line["split"] == "test" else DROPPED if not line["content"] else ""
        before: Any = None
        if now is not None:
            before, why = _as_read(line, base, origin, raw)
            said = why
        made.append({**line, "version": folder.name, "text": now, "as_read": before, "said": said})
        made[-1]["versions"] = versions_of(folder.parent, line)
    return made


def versions_of(root: Path, line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """In which prepared folders a row or document is, in which split, and whether its content is the same there."""
    found = []
    for folder in folders(root):
        for other in lines_of(folder):
            if (other["kind"], other["id"]) == (line["kind"], line["id"]):
                same = other["content"] == line["content"]
                found.append(
                    {"version": folder.name, "split": other["split"], "same": same, "kept": bool(other["content"])}
                )
    return found


def _at(line: Mapping[str, Any]) -> str:
    return _place(f"{line['file']} {line['place']}")


def _place(text: str) -> str:
    """A file and a place in it, however people write them: ``a.csv:7``, ``a.csv, line 7``, ``a.csv line 7``."""
    return re.sub(r"[\s,:]+", " ", re.sub(r"[\s,:]+(?:line|row)?\s*(\d+)$", r" \1", text)).strip()


def _unknown(id: str, ids: Sequence[str], folder: Path) -> UserError:
    near = get_close_matches(id, ids[:COMPARED], n=3, cutoff=0.5)
    near = near or [i for i in ids if id.lower() in i.lower()][:3]
    do = f"Did you mean {' or '.join(near)}?" if near else f"It has rows like {', '.join(ids[:3])}."
    return UserError(f"no row or document is called {id!r}.", folder.name[:12], do)


def _texts(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    made = load(folder)
    found = {("example", e.id): _said(e) for e in (*made.train, *made.dev)}
    return found | {("document", d.source): {"title": d.title, "text": d.text} for d in made.documents}


def _said(example: Example) -> dict[str, Any]:
    turns = [f"{m.role}: {m.content}" for m in example.messages]
    asked = example.question if len(turns) == 1 else "\n".join(turns)
    return {"question": asked, "answers": list(example.targets), "labels": list(example.labels)}


def _as_read(line: Mapping[str, Any], base: Path | None, origin: Mapping[str, Any], raw: bool) -> tuple[Any, str]:
    """The text as its file has it, or why it is not shown."""
    settings = origin["settings"]
    if not line["file"]:
        return None, "It was made of the rows' contexts."
    if base is None:
        return None, "As it was read it can be shown where the use case is named: --data USECASE."
    if settings["privacy"]["how"] != "off" and not raw:
        return None, "As it was read it holds personal data that were taken out; --raw shows it."
    try:
        path = _file(line, base, settings)
        if path is None or not path.is_file():
            return None, "Its file is no longer there."
        if hash_file(path) not in origin["inputs"].values():
            return None, "Its file was changed since."
        return _read_again(line, path, base, settings), ""
    except OSError as e:
        return None, f"Its file cannot be read: {e.strerror}."


def _file(line: Mapping[str, Any], base: Path, settings: Mapping[str, Any]) -> Path | None:
    if line["kind"] == "example":
        return next(iter(files_of(str(line["file"]), base).values()), None)
    root = base / str(settings["documents"] or "")
    names = dict(zip(names_below(root), files_below(root) if root.exists() else [], strict=True))
    return names.get(line["file"])


def _read_again(line: Mapping[str, Any], path: Path, base: Path, settings: Mapping[str, Any]) -> Any:
    if line["kind"] == "document":
        read: Iterable[Any] = read_document(path, line["file"])
        return next(({"title": d.title, "text": d.text} for d in read if _is(d, line["source"])), None)
    for use in ("examples", "train", "dev", "test", "replay"):
        items = [i for i in items_of(settings[use]) if names(i.file, line["file"], base)] if settings.get(use) else []
        for item in items:
            columns = {**(settings["columns"] if use != "replay" else {}), **item.columns}
            drafts = gather((item.model_copy(update={"columns": {}}),), base, columns).drafts
            here = (d for d in drafts if (d.file, d.place) == (line["file"], line["place"]))
            if found := next(here, None):
                return _said(found.example)
    return None


def _is(found: Any, source: str) -> bool:
    return isinstance(found, Document) and found.source == source
