"""What people are asked to decide, and what they decided: one SQLite file.

An item is a text with its passage, a proposal and where that comes from. People accept, edit, refuse or skip; each
decision is a row with who and when, which is on the disk when the call returns (WAL, synchronous), so that a kill
loses none. Nothing is deleted: an undone decision stays, marked. Several people may decide on one item; where as many
as were asked for are divided, one person more is asked, before anything else.

A queue with ``classes`` asks which of them a text is of. It holds what else that takes: rows whose label is known
before (they teach the guesses), each annotator's group, and the order in which items are asked for.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from sharpen.errors import UserError

ACTIONS = ("accept", "edit", "refuse", "skip")

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    place INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, text TEXT NOT NULL, passage TEXT NOT NULL, proposal TEXT,
    origin TEXT NOT NULL, meta TEXT NOT NULL, added TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL REFERENCES items (id), who TEXT NOT NULL,
    at TEXT NOT NULL, action TEXT NOT NULL, value TEXT, text TEXT, undone TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS once ON decisions (item, who) WHERE undone IS NULL;
CREATE INDEX IF NOT EXISTS whose ON decisions (who, number);
CREATE TABLE IF NOT EXISTS ranks (item TEXT PRIMARY KEY, rank INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS known (text TEXT PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS people (who TEXT PRIMARY KEY, grp TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL);
"""


@dataclass(frozen=True)
class Item:
    """Something to decide. ``origin`` says what proposed it; ``meta`` is JSON-like and comes back as it was."""

    id: str
    text: str
    passage: str = ""
    proposal: str | None = None
    origin: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Decision:
    """Who decided what on an item, and when (UTC, ISO 8601); ``value`` is what stands after accept or edit.

    ``text`` is how the item's text should read, where an edit changed it.
    """

    item: str
    who: str
    at: str
    action: str
    value: str | None
    text: str | None = None


@dataclass(frozen=True)
class Progress:
    """Of one annotator: decisions by action (skip included), and how many items are left for them."""

    done: Mapping[str, int]
    left: int


class Queue:
    """The queue in ``path``; made where there is none. Threads and processes may share it.

    ``per_item`` is how many people are to decide on each item (skips do not count).
    """

    def __init__(self, path: Path, per_item: int = 1) -> None:
        self.path = path
        self.per_item = per_item
        self._lock = RLock()
        with self._said():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(SCHEMA)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as e:
            do = "See that it is an annotation queue, that you may write it, and that there is space."
            raise UserError(f"cannot be used: {e}.", str(self.path), do) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, which no other process can come between."""
        with self._said():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; the queue cannot be used afterwards."""
        with self._said():
            self._db.close()

    def add(self, items: Iterable[Item]) -> int:
        """Add items; those whose id is there already stay as they are. Return how many are new."""
        rows = [(i.id, i.text, i.passage, i.proposal, i.origin, json.dumps(dict(i.meta)), _now()) for i in items]
        with self._writing():
            before = self._db.total_changes
            say = (
                "INSERT OR IGNORE INTO items (id, text, passage, proposal, origin, meta, added) VALUES (?,?,?,?,?,?,?)"
            )
            self._db.executemany(say, rows)
            return self._db.total_changes - before

    def next(self, who: str) -> Item | None:
        """Return the first item that this person has not decided on and that still needs somebody, or None.

        What others are divided about comes first, then what others decided on, what :meth:`order` names, the rest.
        """
        with self._said():
            row = self._db.execute(f"{_OPEN} {_FIRST} LIMIT 1", self._open(who)).fetchone()
        return _item(row) if row else None

    def _open(self, who: str) -> dict[str, Any]:
        return {"who": who, "per": self.per_item}

    def item(self, id: str) -> Item:
        """Return an item.

        Raises:
            UserError: there is none of that id.
        """
        with self._said():
            row = self._db.execute(f"SELECT {_FIELDS} FROM items WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise UserError(f"there is no item {id!r}.", str(self.path), "Take an id that was added.")
        return _item(row)

    def decide(self, id: str, who: str, action: str, value: str | None = None, text: str | None = None) -> Decision:
        """Write a decision down; a person's earlier one on the same item is marked as undone.

        Args:
            id: of the item.
            who: decides.
            action: accept (the proposal stands), edit (``value`` stands), refuse (nothing stands), skip.
            value: what stands after an edit.
            text: how the item's text should read after an edit, where it is to change.

        Raises:
            UserError: no such item or action, nothing to accept, an edit to nothing, or nobody who decides.
        """
        item = self.item(id)
        problem = _problem(item, who, action, value)
        if problem:
            raise UserError(problem[0], f"item {id}", problem[1])
        stands = item.proposal if action == "accept" else value if action == "edit" else None
        changed = text if action == "edit" and (text or "").strip() and text != item.text else None
        made = Decision(id, who, _now(), action, stands, changed)
        with self._writing():
            again = "UPDATE decisions SET undone = ? WHERE item = ? AND who = ? AND undone IS NULL"
            self._db.execute(again, (made.at, id, who))
            new = "INSERT INTO decisions (item, who, at, action, value, text) VALUES (?,?,?,?,?,?)"
            self._db.execute(new, (made.item, made.who, made.at, made.action, made.value, made.text))
        return made

    def undo(self, who: str) -> Item | None:
        """Take back this person's last decision that stands; return its item, or None where there is none."""
        with self._writing():
            last = "SELECT number, item FROM decisions WHERE who = ? AND undone IS NULL ORDER BY number DESC LIMIT 1"
            row = self._db.execute(last, (who,)).fetchone()
            if row is None:
                return None
            self._db.execute("UPDATE decisions SET undone = ? WHERE number = ?", (_now(), row[0]))
        return self.item(row[1])

    def progress(self, who: str) -> Progress:
        """Count what this person has done and what is left for them."""
        with self._said():
            count = "SELECT action, COUNT(*) FROM decisions WHERE who = ? AND undone IS NULL GROUP BY action"
            done = {str(a): int(n) for a, n in self._db.execute(count, (who,))}
            left = self._db.execute(f"SELECT COUNT(*) FROM ({_OPEN})", self._open(who)).fetchone()[0]
        return Progress({a: done.get(a, 0) for a in ACTIONS}, int(left))

    def items(self) -> list[Item]:
        """Return all items in the order in which they were added."""
        with self._said():
            return [_item(row) for row in self._db.execute(f"SELECT {_FIELDS} FROM items ORDER BY place")]

    def decisions(self) -> list[Decision]:
        """Return the decisions that stand, the oldest first."""
        with self._said():
            say = "SELECT item, who, at, action, value, text FROM decisions WHERE undone IS NULL ORDER BY number"
            return [Decision(*row) for row in self._db.execute(say)]

    def ratings(self) -> tuple[list[str], list[str], list[list[str | None]]]:
        """Return ids, annotators, and what each says of each item, as ``agreement`` takes it: skips are missing.

        A refusal is a label too, told apart from every value by its first character, a NUL.
        """
        given = self.decisions()
        people = sorted({d.who for d in given})
        said = {(d.item, d.who): "\0refuse" if d.action == "refuse" else d.value for d in given if d.action != "skip"}
        ids = [i.id for i in self.items()]
        return ids, people, [[said.get((i, who)) for who in people] for i in ids]

    def export(self, path: Path) -> int:
        """Write all items with their decisions as jsonl, whole or not at all; return the number of rows."""
        given: dict[str, list[dict[str, Any]]] = {}
        for d in self.decisions():
            row = {"who": d.who, "at": d.at, "action": d.action, "value": d.value, "text": d.text}
            given.setdefault(d.item, []).append(row)
        items = self.items()
        with self._said():
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".export-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as f:
                    for i in items:
                        made: dict[str, Any] = {
                            "id": i.id,
                            "text": i.text,
                            "passage": i.passage,
                            "proposal": i.proposal,
                        }
                        made |= {"origin": i.origin, "meta": dict(i.meta), "decisions": given.get(i.id, [])}
                        f.write(json.dumps(made, ensure_ascii=True) + "\n")
                    f.flush()
                    os.fsync(f.fileno())
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return len(items)

    def setting(self, name: str) -> Any:
        """Return what was kept under a name (JSON-like), or None."""
        with self._said():
            row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def keep(self, name: str, value: Any) -> None:
        """Keep something JSON-like under a name; it replaces what was there."""
        self._put("settings", [(name, json.dumps(value))])

    @property
    def classes(self) -> list[str]:
        """What may be said of an item; empty where people write what is right."""
        return list(self.setting("classes") or [])

    def teach(self, rows: Mapping[str, str]) -> None:
        """Keep labels by text that are known without this queue."""
        self._put("known", list(rows.items()))

    def taught(self) -> dict[str, str]:
        """Labels by text that are known without this queue."""
        return dict(self._pairs("SELECT text, label FROM known ORDER BY rowid"))

    def group(self, groups: Mapping[str, str]) -> None:
        """Note which group each of these annotators is of."""
        self._put("people", list(groups.items()))

    def groups(self) -> dict[str, str]:
        """The group of each annotator for whom one was named."""
        return dict(self._pairs("SELECT who, grp FROM people ORDER BY who"))

    def vectors(self) -> dict[str, bytes]:
        """Embeddings that were kept, by key."""
        return dict(self._pairs("SELECT key, vector FROM vectors"))

    def keep_vectors(self, rows: Mapping[str, bytes]) -> None:
        """Keep embeddings, so that the next start need not calculate them again."""
        self._put("vectors", list(rows.items()))

    def order(self, ids: Sequence[str]) -> None:
        """Ask for these first, in this order; an earlier order is forgotten."""
        with self._writing():
            self._db.execute("DELETE FROM ranks")
            self._db.executemany("INSERT OR REPLACE INTO ranks VALUES (?,?)", [(i, n) for n, i in enumerate(ids)])

    def propose(self, items: Iterable[Item]) -> None:
        """Replace proposal, origin and meta of items that nobody has decided on; others stay as they were judged."""
        rows = [(i.proposal, i.origin, json.dumps(dict(i.meta)), i.id) for i in items]
        say = "UPDATE items SET proposal = ?, origin = ?, meta = ? WHERE id = ? AND NOT EXISTS"
        with self._writing():
            self._db.executemany(f"{say} (SELECT 1 FROM decisions d WHERE d.item = items.id)", rows)

    def _put(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._writing():
            self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?,?)", rows)

    def _pairs(self, say: str) -> list[tuple[Any, Any]]:
        with self._said():
            return [(a, b) for a, b in self._db.execute(say)]


_FIELDS = "id, text, passage, proposal, origin, meta"
# How many have decided on an item, and whether those who say most often the same are as many as those who say another.
_OPEN = f"""WITH votes AS (
    SELECT item, action = 'refuse' AS no, value, text AS wording, COUNT(*) AS n FROM decisions
    WHERE undone IS NULL AND action != 'skip' GROUP BY item, no, value, wording),
tops AS (SELECT item, SUM(n) AS said, MAX(n) AS top FROM votes GROUP BY item),
states AS (SELECT item, said, SUM(n = top) > 1 AS divided FROM votes JOIN tops USING (item) GROUP BY item)
SELECT {_FIELDS} FROM items LEFT JOIN states ON states.item = items.id LEFT JOIN ranks ON ranks.item = items.id
WHERE NOT EXISTS (SELECT 1 FROM decisions d WHERE d.item = items.id AND d.who = :who AND d.undone IS NULL)
AND COALESCE(said, 0) < :per + COALESCE(divided, 0)"""
# What is divided, then what others have begun on, so that few items have too few answers when people stop.
_FIRST = (
    """ORDER BY COALESCE(divided AND said >= :per, 0) DESC, COALESCE(said, 0) > 0 DESC, rank IS NULL, rank, place"""
)


def _item(row: tuple[Any, ...]) -> Item:
    id, text, passage, proposal, origin, meta = row
    return Item(id, text, passage, proposal, origin, json.loads(meta))


def _problem(item: Item, who: str, action: str, value: str | None) -> tuple[str, str] | None:
    if not who.strip():
        return "nobody decides.", "Say who."
    if action not in ACTIONS:
        return f"there is no action {action!r}.", f"Take one of {', '.join(ACTIONS)}."
    if action == "accept" and item.proposal is None:
        return "there is no proposal to accept.", "Edit it: write what is right."
    if action == "edit" and not (value or "").strip():
        return "an edit to nothing.", "Write what is right, or refuse."
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
