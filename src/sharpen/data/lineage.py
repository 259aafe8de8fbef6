"""Where each row and document of a prepared folder comes from, and what was done to it by which rule or person.

``sealed/lineage.jsonl`` holds one line for each row that was read, kept or not, and for each document: ``id``, ``kind``
(example or document), ``file`` and ``place``, ``source``, ``group`` where there is one, ``split`` ("" where it was
dropped), ``content``, ``steps`` (``by``, ``rule``, ``did``, ``n``) and ``who`` confirmed it. It holds no text. It lies
below ``sealed`` because it names rows of the test. ``sealed/origin.jsonl`` holds the settings and the hash of each file
that was read.

``content`` is the first 16 hex digits of the sha256 of the final row without its id: a row without an id of its own is
called by its line, and is no other row because one was put in above it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from sharpen.data.dataset import example_row
from sharpen.data.documents import files_below
from sharpen.data.examples import Rows
from sharpen.data.linking import Linked
from sharpen.data.protecting import Shield
from sharpen.data.reading import content, suffixes
from sharpen.types import Document, Example

LINEAGE = "sealed/lineage.jsonl"
ORIGIN = "sealed/origin.jsonl"

Key: TypeAlias = str | tuple[str, str]
"""The id of a row or the source of a document; before rows have ids, their file and place."""


@dataclass(slots=True)
class Entry:
    """One row or document; a step is (by, rule, did, n), and n is 0 where nothing was counted."""

    id: str
    kind: str
    file: str
    place: str
    source: str = ""
    steps: list[tuple[str, str, str, int]] = field(default_factory=list)


class Lineage:
    """Written to while data are prepared: each step says by itself what it did to which row.

    ``read`` makes an entry, ``did`` adds a step to it, ``dropped`` its last one. A key that nobody has read is passed
    over: lineage never stops a preparation.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._held: dict[tuple[str, Key], Entry] = {}
        self._twice: dict[tuple[str, Key], list[Entry]] = {}  # a file that is named for two splits

    def read(self, id: str, file: str, place: str, by: str, kind: str = "example") -> None:
        """A row or document was read by ``by``, a reader's name."""
        entry = Entry(id, kind, file, place, steps=[(f"reader {by}".strip(), "", "read", 0)])
        self.entries.append(entry)
        key = (kind, id if kind == "document" else (file, place))
        if self._held.setdefault(key, entry) is not entry:
            self._twice.setdefault(key, []).append(entry)

    def did(self, key: Key, by: str, rule: str = "", n: int = 1, *, what: str = "changed", of: str = "example") -> None:
        """Something was done to a row or document (``of``): by which step, its rule, how often."""
        if entry := self._held.get((of, key)):
            entry.steps.append((by, rule, what, n))

    def dropped(self, key: Key, by: str, rule: str, of: str = "example") -> None:
        """A row or document is not used; ``rule`` says why and quotes nothing of it."""
        self.did(key, by, rule, 0, what="dropped", of=of)

    def named(self, key: Key, name: str, of: str = "example") -> None:
        """A row or document is called ``name`` from now on."""
        more = self._twice.get((of, key))
        if entry := more.pop() if more else self._held.get((of, key)):
            entry.id = name
            self._held[of, name] = entry

    def rows(self, path: Path, name: str, rows: Rows) -> None:
        """All rows of a file of examples, those that were refused included."""
        by = reader_of(path)
        for draft in rows.drafts:
            self.read(draft.example.id, name, draft.place, by)
            self.entries[-1].source = draft.example.source
        for d in rows.dropped:
            self.read(", ".join(filter(None, (name, d.place))), name, d.place, by)
            self.entries[-1].steps.append((f"reader {by}".strip(), f"{d.field} {d.reason}".strip(), "dropped", 0))

    def documents(self, root: Path, documents: Sequence[Document]) -> None:
        """All documents of a folder, and the files of it that none came out of."""
        of = {file: file for file in names_below(root)}
        empty = dict.fromkeys(of)
        for d in documents:
            file = file_of(d.source, of)
            empty.pop(file, None)
            self.read(d.source, file, d.source.removeprefix(file).strip("/#!: "), reader_of(Path(file)), "document")
        for file in empty:
            self.read(file, file, "", reader_of(Path(file)), "document")
            self.dropped(file, "reader", "nothing was read", of="document")

    def linked(self, linked: Linked) -> None:
        """Which rows had their answer found in a document; documents that were made of the contexts of rows."""
        for d in linked.documents:
            if ("document", d.source) not in self._held:
                self.read(d.source, "", "", "", "document")
                self.entries[-1].steps = [("linking", "contexts of rows", "made", 0)]
        for e in linked.examples:
            if entry := self._held.get(("example", e.id)):
                entry.source = e.source
            if e.gold:
                self.did(e.id, "linking", "its answer stands in a document", len(e.gold), what="marked")

    def write(
        self, rows: Mapping[str, Sequence[Example]], documents: Sequence[Document], shield: Shield | None
    ) -> Iterator[dict[str, Any]]:
        """The lines of the file. ``shield`` hides what names and reasons hold of personal data."""
        split = {e.id: (name, e) for name, part in rows.items() for e in part}
        shelf = {d.source: d for d in documents}
        hide = _hider(shield)
        for entry in self.entries:
            line: dict[str, Any] = {
                "id": entry.id,
                "kind": entry.kind,
                "file": hide(entry.file),
                "place": hide(entry.place),
            }
            line |= {"source": "", "split": "", "content": ""}
            if entry.kind == "document":
                held = shelf.get(entry.id)
                line |= {"source": entry.id, "content": content_of(asdict(held), "source") if held else ""}
            elif entry.id in split and entry is self._held.get(("example", entry.id)):
                name, e = split[entry.id]
                line |= {"source": e.source, "split": name, "content": content_of(example_row(e), "id")}
                line |= {"group": e.group} if e.group else {}
                line |= {"who": who} if (who := confirmed(e)) else {}
            else:
                line |= {"id": hide(entry.id), "source": hide(entry.source)}
            line["steps"] = [
                _step(by, hide(rule) if did == "dropped" else rule, did, n) for by, rule, did, n in entry.steps
            ]
            yield line


class Noting(Shield):
    """A shield that says of each row and document what it took out of it."""

    def __init__(self, shield: Shield, how: str, lineage: Lineage) -> None:
        self.key, self.types, self.texts, self.found = shield.key, shield.types, shield.texts, shield.found
        self.how, self.lineage = {"mask": "masked", "remove": "removed"}.get(how, "pseudonymised"), lineage

    def document(self, document: Document) -> tuple[Document, Callable[[int, int], tuple[int, int]]]:
        """A document, and how its spans move."""
        before = self.found.copy()
        made, move = super().document(document)
        self._note(document.source, made.source, before, document != made, "document")
        return made, move

    def example(self, example: Example, moves: Mapping[str, Callable[[int, int], tuple[int, int]]]) -> Example:
        """An example; its classes stay what they are."""
        before = self.found.copy()
        made = super().example(example, moves)
        old, new = (replace(e, gold=(), source="") for e in (example, made))  # these follow the documents
        self._note(example.id, made.id, before, old != new, "example")
        return made

    def _note(self, old: str, new: str, before: Mapping[str, int], changed: bool, of: str) -> None:
        found = {kind: n - before.get(kind, 0) for kind, n in self.found.items() if n > before.get(kind, 0)}
        for kind, n in sorted(found.items()):
            self.lineage.did(old, "privacy", kind, n, what=self.how, of=of)
        if changed and not found:  # in its name, or in what else its row holds
            self.lineage.did(old, "privacy", "name or other columns", 0, what=self.how, of=of)
        if new != old:
            self.lineage.named(old, new, of)


def _step(by: str, rule: str, did: str, n: int) -> dict[str, Any]:
    return {"by": by, "rule": rule, "did": did, **({"n": n} if n else {})}


def _hider(shield: Shield | None) -> Callable[[str], str]:
    """What a name or a reason is called where personal data are not wanted; each is looked at once."""
    known: dict[str, str] = {}

    def hide(text: str) -> str:
        if shield is None or not text:
            return text
        if text not in known:
            hidden = shield.name(text)
            known[text] = shield.said(text) if hidden != text and " " in text else hidden
        return known[text]

    return hide


def content_of(row: Mapping[str, Any], but: str) -> str:
    """The first 16 hex digits of the sha256 of a row without one of its fields."""
    kept = {k: v for k, v in row.items() if k != but}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def confirmed(example: Example) -> dict[str, Any]:
    """Who stands behind a row, and since when, where its own columns say so (as the annotation queue writes them).

    Where personal data are not wanted these are masked or pseudonymised, like every other name.
    """
    by, when = example.meta.get("confirmed_by"), example.meta.get("confirmed_at")
    people = [by] if isinstance(by, str) else list(by) if isinstance(by, list | tuple) else []
    return {"confirmed_by": [str(p) for p in people], "when": str(when or "")} if people else {}


def reader_of(path: Path) -> str:
    """The name of the reader that a file's ending chooses."""
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    return suffixes().get(suffix.lower(), suffixes().get(".arrow", "") if path.is_dir() else "")


def names_below(root: Path) -> list[str]:
    """The files of a folder of documents as sources call them."""
    found = files_below(root) if root.exists() else []
    names = [(p.relative_to(root) if root.is_dir() else Path(p.name)).as_posix() for p in found]
    return [os.fsencode(name).decode("utf-8", "backslashreplace") for name in names]


def file_of(source: str, files: Mapping[str, Any]) -> str:
    """The file that a document came out of: one file may hold several, which are called by it and a place in it."""
    at = len(source)
    while at > 0 and source[:at] not in files:
        at -= 1
    return source[:at] or source


def inputs_of(base: Path, named: Mapping[str, str]) -> dict[str, str]:
    """The hash of every file that is read, by what it is for and its name: ``documents/fees.md``."""
    found = {}
    for use, name in named.items():
        path = base / name
        root = path if path.is_dir() else path.parent
        for file in files_below(path) if path.exists() else []:
            try:
                held = content(file)
            except OSError as e:
                held = f"unreadable: {e.errno}"
            found[f"{use}/{file.relative_to(root).as_posix()}"] = held
    return found


def origin(settings: Mapping[str, Any], inputs: Mapping[str, str], shield: Shield | None) -> dict[str, Any]:
    """What a folder was made of, as its file says it: settings, and hashes of files."""
    hide = _hider(shield)

    def hidden(value: Any) -> Any:
        if isinstance(value, list):
            return [{k: hidden(v) for k, v in x.items()} if isinstance(x, dict) else hidden(x) for x in value]
        return hide(value) if isinstance(value, str) else value

    said = {k: hidden(v) for k, v in settings.items()}
    files = {}
    for name, held in inputs.items():
        use, _, rest = name.partition("/")
        files[f"{use}/{hide(rest)}".encode("utf-8", "backslashreplace").decode()] = held
    return {"settings": said, "inputs": files}


def lines_of(folder: Path, name: str = LINEAGE) -> list[dict[str, Any]]:
    """The lines of one of the two files; none where a folder was prepared before they were kept."""
    path = folder / name
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
