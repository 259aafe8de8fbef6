"""From a file of rows to what people are asked to label: texts, the label that a row brings along, and the classes.

The text is in the column ``text`` or ``question``, or in the only one; a label in ``label``, ``category`` or
``intent``. Other columns are kept and come back with the label. A row that stands there twice is asked about once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharpen.data.labels.queue import Item, Queue
from sharpen.data.reading import Row, RowReader, open_reader
from sharpen.errors import Problem, UserError
from sharpen.types import digest

TEXTS = ("text", "question", "utterance", "sentence", "message")
LABELS = ("label", "category", "intent", "class")
MOST = 2_000  # classes, as the floors have it
LONGEST = 200  # characters of a class's name


@dataclass
class Pool:
    """Texts in the order of the file, each once, and what else a row held; ``labels`` by position, where it had one."""

    texts: list[str] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    columns: tuple[str, str] = ("text", "label")
    twice: int = 0
    problems: list[Problem] = field(default_factory=list)


def read_pool(path: Path, columns: tuple[str, str] = ("", "")) -> Pool:
    """Read rows to label; ``columns`` names those of the text and of the label, where they are called otherwise.

    Raises:
        UserError: there is no such file, its format holds no rows, or no row has a text.
    """
    if not path.is_file():
        raise UserError("there is no such file.", str(path), "Give rows as jsonl, csv or another table.")
    reader = open_reader(path)
    if isinstance(reader, Problem):
        raise UserError(reader.what, str(path), reader.do)
    if not isinstance(reader, RowReader):
        do = "Give rows as jsonl or csv; of documents, sharpen data draft proposes questions."
        raise UserError("holds documents, not rows.", str(path), do)
    made, seen = Pool(), dict[str, int]()
    for found in reader.rows(path, path.name):
        if isinstance(found, Problem):
            made.problems.append(found)
        elif isinstance(found, Row):
            if not made.rows:
                made.columns = _columns(found.fields, columns, path)
            _add(made, found, seen, path.name)
    if not made.texts:
        raise UserError(made.problems or "holds no row.", str(path), "Give rows with a column text.")
    return made


def _columns(row: Mapping[str, Any], asked: tuple[str, str], path: Path) -> tuple[str, str]:
    """The columns of the text and of the label; the second is empty where no row brings one."""
    there = list(row)
    wrong = [
        Problem(f"there is no column {c!r}.", path.name, f"There are: {', '.join(there)}.")
        for c in asked
        if c and c not in row
    ]
    text = asked[0] or next((c for c in TEXTS if c in row), there[0] if len(there) == 1 else "")
    if not text:
        do = f"Call one {TEXTS[0]!r}, or name it: --column. There are: {', '.join(there)}."
        wrong.append(Problem("no column is known to hold the text.", path.name, do))
    if wrong:
        raise UserError(wrong)
    return text, asked[1] or next((c for c in LABELS if c in row and c != text), "")


def _add(made: Pool, row: Row, seen: dict[str, int], name: str) -> None:
    text, label = (row.fields.get(c) for c in made.columns)
    said = text.strip() if isinstance(text, str) else ""
    if not said:
        made.problems.append(Problem(f"the column {made.columns[0]!r} holds no text.", f"{name}, {row.at}"))
        return
    if said in seen:
        made.twice += 1
        return
    at = seen[said] = len(made.texts)
    made.texts.append(said)
    made.rows.append({k: v for k, v in row.fields.items() if k not in made.columns})
    if isinstance(label, str | int) and str(label).strip():
        made.labels[at] = str(label).strip()


def read_classes(said: str) -> list[str]:
    """Classes as the command line names them: separated by commas, or a file with one a line, or a list in JSON.

    Raises:
        UserError: it is no such file, or names no class, one twice, or one that is no name.
    """
    path = Path(said)
    names: Any = [c for c in said.split(",") if c.strip()]
    if path.suffix and "," not in said:
        try:
            text = path.read_text(encoding="utf-8-sig")
            names = json.loads(text) if path.suffix == ".json" else text.splitlines()
        except (OSError, ValueError, RecursionError) as e:
            raise UserError(f"cannot be read as classes: {e}.", said, "Write one class a line.") from None
    if not isinstance(names, list) or not all(isinstance(c, str) for c in names):
        raise UserError("is no list of names.", said, 'Write one class a line, or ["one", "other"] as JSON.')
    return checked([c.strip() for c in names if c.strip()], said)


def checked(classes: Sequence[str], where: str) -> list[str]:
    """Return the classes.

    Raises:
        UserError: there are fewer than two, too many, one twice, or one too long for a name.
    """
    wrong = [f"the class {c!r} is named twice." for i, c in enumerate(classes) if c in classes[:i]]
    wrong += [f"a class has a name of {len(c)} characters." for c in classes if len(c) > LONGEST]
    if not 2 <= len(classes) <= MOST:
        wrong.append(f"{len(classes)} classes: 2 to {MOST:,} can be told apart.")
    if wrong:
        raise UserError([Problem(w, where, "Name each class once: --labels one,other") for w in wrong])
    return list(classes)


def as_items(pool: Pool, classes: Sequence[str]) -> list[Item]:
    """Items of a queue; the label that a row brings is proposed, where it is a class."""
    column, known = pool.columns[1], set(classes)
    made = []
    for i, text in enumerate(pool.texts):
        own = pool.labels.get(i, "")
        origin = f"column {column}" if own in known else ""
        meta = {"row": pool.rows[i]} if pool.rows[i] else {}
        made.append(Item(f"row-{digest([text])[:16]}", text, "", own if origin else None, origin, meta))
    return made


def fill(queue: Queue, pool: Pool, classes: Sequence[str], known: Pool | None = None) -> int:
    """Put a pool into a queue, with its classes and what is known beforehand; return how many items are new.

    A text whose label is known is not asked about.

    Raises:
        UserError: the queue asks about other things, no class is known, or a label is none of them.
    """
    before = queue.classes
    if not before and queue.items():
        do = "Name another file with --queue."
        raise UserError("holds questions that a person accepts or edits, no rows to label.", str(queue.path), do)
    if not (classes or before or pool.labels or (known and known.labels)):
        raise UserError("no class is known.", str(queue.path), "Name them: --labels one,other or --labels classes.txt")
    said = dict.fromkeys([*(known.labels.values() if known else ()), *pool.labels.values()])
    wanted = list(classes) or before or checked(sorted(said), "the labels that are there")
    taken = {d.value for d in queue.decisions() if d.value is not None}
    gone = sorted(taken - set(wanted))
    strange = sorted(set(said) - set(wanted))
    wrong = [Problem(f"{c!r} was decided on and is no class any more.", str(queue.path), "Name it, too.") for c in gone]
    wrong += [Problem(f"the label {c!r} is no class.", "the rows", "Name it, too, or mend the row.") for c in strange]
    if wrong:
        raise UserError(wrong[:20])
    queue.keep("classes", wanted)
    queue.keep("columns", list(pool.columns))
    if known:
        queue.teach({known.texts[i]: label for i, label in known.labels.items()})
    told = queue.taught()
    return queue.add(item for item in as_items(pool, wanted) if item.text not in told)
