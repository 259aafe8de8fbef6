"""Personal data and secrets out of everything that a preparation writes, or said to be there where that is not wanted.

Done when spans are known and before anything is split, compared or written: texts are replaced, spans move along.
Names of sources, groups and rows keep what is told apart apart: one that holds personal data becomes a keyed hash. The
key is ``SHARPEN_PRIVACY_KEY`` or a file of the store, so that the same data give the same pseudonyms again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from sharpen.errors import Problem, UserError
from sharpen.guards import Finding, Protector, all_recognisers, find
from sharpen.inputs import Privacy
from sharpen.store import write_text
from sharpen.types import Document, Example, Message, Span

LOOKED_AT = 1_000_000
"""Characters that are looked at where nothing is to be protected."""
PUBLIC = frozenset({"PERSON", "ADDRESS"})
"""Types that encyclopedias and newspapers are full of: alone they are no reason to say anything."""
OURS = re.compile(r"[A-Za-z]\w*(Error|Exception)|PDFium|Mend|else")
"""Words of our own messages, and of the libraries', that a recogniser of names takes for one."""
SHORTEST = 16  # bytes of a key


@dataclass
class Protected:
    """Everything, protected, and how often each type of personal data was found."""

    examples: list[Example]
    documents: list[Document]
    found: Counter[str] = field(default_factory=Counter)


def key_of(root: Path) -> bytes:
    """The secret of pseudonyms: from the environment, or from the store, where it is made once.

    Raises:
        UserError: the one in the environment is too short.
    """
    given = os.environ.get("SHARPEN_PRIVACY_KEY", "")
    if given:
        if len(given.encode()) < SHORTEST:
            do = f"Give {SHORTEST} characters or more, from a password manager for instance."
            raise UserError("the key of pseudonyms is too short.", "SHARPEN_PRIVACY_KEY", do)
        return given.encode()
    file = root / "privacy.key"
    if not file.is_file():
        root.mkdir(parents=True, exist_ok=True)
        write_text(file, secrets.token_hex(32))
        file.chmod(0o600)
    return file.read_bytes()


class Shield:
    """Protects whatever a preparation holds, in one way and with one key."""

    def __init__(self, privacy: Privacy, key: bytes) -> None:
        self.key = key
        self.types = privacy.types
        self.texts = Protector(privacy.how, key, privacy.types)
        self.found: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """A text without what was found in it."""
        return self.moved(text)[0]

    def moved(self, text: str) -> tuple[str, Callable[[int, int], tuple[int, int]]]:
        """A text without what was found in it, and where a stretch of the old text stands in the new one.

        A stretch that begins or ends within something that was replaced takes all of its replacement.
        """
        new, found = self.texts.text(text)
        self.found.update(f.type for f in found)
        return new, _mover(found, [self.texts.replaced(text[f.start : f.end], [_whole(f)]) for f in found])

    def name(self, name: str) -> str:
        """A name of a source, group or row: itself, or a keyed hash where personal data stand in it."""
        if not name or not find(name, self.types):
            return name
        return f"hidden-{hmac.new(self.key, name.encode(), hashlib.sha256).hexdigest()[:12]}"

    def document(self, document: Document) -> tuple[Document, Callable[[int, int], tuple[int, int]]]:
        """A document, and how its spans move."""
        text, move = self.moved(document.text)
        made = replace(
            document,
            source=self.name(document.source),
            text=text,
            title=self.text(document.title),
            meta=self._record(dict(document.meta)),
        )
        return made, move

    def example(self, example: Example, moves: Mapping[str, Callable[[int, int], tuple[int, int]]]) -> Example:
        """An example; its classes stay what they are."""
        return replace(
            example,
            id=self.name(example.id),
            messages=tuple(self._message(m) for m in example.messages),
            targets=tuple(t if t in example.labels else self.text(t) for t in example.targets),
            rejected=tuple(map(self.text, example.rejected)),
            gold=tuple(self._span(g, moves) for g in example.gold),
            source=self.name(example.source),
            group=self.name(example.group),
            meta=self._record(dict(example.meta)),
        )

    def _record(self, record: Any) -> Any:
        """Nested fields without what was found in them."""
        new, found = self.texts.record(record)
        self.found.update(f.type for _, f in found)
        return new

    def _message(self, message: Message) -> Message:
        calls = tuple(self._record(list(message.tool_calls)))
        return replace(message, content=self.text(message.content), tool_calls=calls)

    def _span(self, span: Span, moves: Mapping[str, Callable[[int, int], tuple[int, int]]]) -> Span:
        start, end = moves[span.source](span.start, span.end) if span.source in moves else (span.start, span.end)
        return Span(self.name(span.source), start, end)

    def said(self, text: str) -> str:
        """A message without what was found in it; our own words are no names."""
        found = [f for f in find(text, self.types) if f.type not in PUBLIC or not OURS.fullmatch(text[f.start : f.end])]
        return self.texts.replaced(text, found)

    def problem(self, problem: Problem) -> Problem:
        """A problem, which may quote what stands in a row."""
        return Problem(*map(self.said, (problem.what, problem.where, problem.do)))


def protect(examples: Sequence[Example], documents: Sequence[Document], shield: Shield) -> Protected:
    """Protect examples and documents together, spans included."""
    pairs = [shield.document(d) for d in documents]
    moves = {old.source: move for old, (_, move) in zip(documents, pairs, strict=True)}
    made = [shield.example(e, moves) for e in examples]
    return Protected(made, [d for d, _ in pairs], shield.found)


def said_of(found: Mapping[str, int], how: str) -> str:
    """What was found and what became of it, in a sentence."""
    listed = ", ".join(f"{n} {kind}" for kind, n in Counter(found).most_common())
    done = {"mask": "masked", "remove": "removed", "pseudonymise": "pseudonymised"}[how]
    return f"personal data and secrets were {done}: {listed or 'none was found'}."


@cache
def telling() -> tuple[str, ...]:
    """The types of findings that are worth saying."""
    return tuple(sorted({t for r in all_recognisers() for t in r.types} - PUBLIC))


def look(examples: Sequence[Example], documents: Sequence[Document]) -> tuple[Counter[str], str]:
    """Look into a million characters where nothing is to be protected; what is worth saying, or nothing."""
    found: Counter[str] = Counter()
    left, types = LOOKED_AT, telling()
    texts = [m.content for e in examples for m in e.messages] + [t for e in examples for t in e.targets]
    for text in (*texts, *(d.text for d in documents)):
        if left <= 0:
            break
        found.update(f.type for f in find(text[:left], types))
        left -= len(text)
    if not found:
        return found, ""
    listed = ", ".join(f"{n} {kind}" for kind, n in found.most_common())
    where = f"in the first {LOOKED_AT:,} characters" if left <= 0 else "in the texts"
    return found, f"personal data stand {where}: {listed}. To have them masked: data.privacy: {{how: mask}}."


def _whole(finding: Finding) -> Finding:
    return replace(finding, start=0, end=finding.end - finding.start)


def _mover(found: Sequence[Finding], replaced: Sequence[str]) -> Callable[[int, int], tuple[int, int]]:
    starts, ends = [f.start for f in found], [f.end for f in found]
    shifts = [0]
    for f, new in zip(found, replaced, strict=True):
        shifts.append(shifts[-1] + len(new) - (f.end - f.start))

    def move(start: int, end: int) -> tuple[int, int]:
        i = bisect_right(starts, start) - 1  # the last finding that begins at or before it
        within = i >= 0 and start < ends[i]
        new_start = starts[i] + shifts[i] if within else start + shifts[i + 1]
        j = bisect_right(starts, end - 1) - 1 if end > start else i
        cut = j >= 0 and end < ends[j]
        new_end = ends[j] + shifts[j + 1] if cut else end + shifts[j + 1]
        return new_start, max(new_start, new_end)

    return move
