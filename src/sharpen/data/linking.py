"""What rows say about documents, made into spans: contexts, evidence and gold.

Where there is no documents folder, the contexts in the rows become the documents: those of one source together, apart
by blank lines and in the order of their first row; a context without a source becomes a document of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from sharpen.data.evidence import Shelf, locate, nearest
from sharpen.data.examples import Draft
from sharpen.types import Document, Example, Span

BETWEEN = "\n\n"

Offsets: TypeAlias = Mapping[tuple[str, str], tuple[str, int]]
"""(source, context) -> the document that holds the context, and where it begins there."""


@dataclass
class Linked:
    """Examples with gold spans, all documents, and how many rows could not be placed, by reason."""

    examples: list[Example]
    documents: list[Document]
    unplaced: dict[str, list[str]] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """One sentence a reason."""
        return [
            f"{len(places)} rows: {reason} (first: {places[0]})." if len(places) > 1 else f"{places[0]}: {reason}."
            for reason, places in self.unplaced.items()
        ]


def link(drafts: Sequence[Draft], documents: Sequence[Document], from_contexts: bool) -> Linked:
    """Finish examples with what the documents know.

    Args:
        drafts: rows as read.
        documents: of the documents folder.
        from_contexts: there is no documents folder; the contexts of the rows are the documents.
    """
    offsets: dict[tuple[str, str], tuple[str, int]] = {}
    if from_contexts:
        documents, offsets = _documents_of(drafts)
    shelf = Shelf(documents)
    linked = Linked([], list(documents))
    for draft in drafts:
        spans, missing = _spans(draft, shelf, offsets)
        for reason in missing:
            linked.unplaced.setdefault(reason, []).append(f"{draft.file}, {draft.place}")
        example = draft.example
        known = shelf.find(example.source) if example.source else None
        source = known.source if known else example.source
        if not source and spans:
            source = spans[0].source
        context = draft.rest.get("context")
        if not source and context:  # rows on one passage are not independent of each other
            source = offsets.get((_name("", context), context), ("", 0))[0]
        linked.examples.append(replace(example, gold=tuple(dict.fromkeys(spans)), source=source))
    return linked


def _name(source: str, context: str) -> str:
    return source or f"context-{hashlib.sha256(context.encode()).hexdigest()[:12]}"


def _documents_of(drafts: Iterable[Draft]) -> tuple[list[Document], dict[tuple[str, str], tuple[str, int]]]:
    """Make documents of contexts; and say, by (source, context), in which document and where each begins."""
    texts: dict[str, list[str]] = {}
    offsets: dict[tuple[str, str], tuple[str, int]] = {}
    lengths: dict[str, int] = {}
    for draft in drafts:
        context = draft.rest.get("context")
        if not context:
            continue
        name = _name(draft.example.source, context)
        if (name, context) not in offsets:
            start = lengths[name] + len(BETWEEN) if name in lengths else 0
            offsets[name, context] = (name, start)
            lengths[name] = start + len(context)
            texts.setdefault(name, []).append(context)
    return [Document(name, BETWEEN.join(found), name) for name, found in texts.items()], offsets


def _spans(
    draft: Draft, shelf: Shelf, offsets: Mapping[tuple[str, str], tuple[str, int]]
) -> tuple[list[Span], list[str]]:
    found: list[Span] = []
    missing: list[str] = []
    example, rest = draft.example, draft.rest
    if rest.get("context"):
        spans, why = _from_context(example, rest["context"], rest.get("starts", ()), shelf, offsets)
        found += spans
        missing += why
    for words in _texts(rest.get("evidence")):
        span = _from_evidence(words, example.source, shelf)
        if span:
            found.append(span)
        else:
            missing.append("its evidence does not stand in its source document")
    if rest.get("gold") is not None:
        spans, why = _given(rest["gold"], example.source, shelf)
        found += spans
        missing += why
    return found, list(dict.fromkeys(missing))


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str) and v.strip()]


def _from_context(
    example: Example,
    context: str,
    starts: Sequence[int | None],
    shelf: Shelf,
    offsets: Offsets,
) -> tuple[list[Span], list[str]]:
    place = offsets.get((_name(example.source, context), context))
    if place is None:
        document = shelf.find(example.source)
        at = locate(context, document.text) if document else None
        if document is None or at is None:
            return [], ["its context does not stand in its source document"]
        if _flat(context.strip()) != _flat(document.text[slice(*at)]):  # positions inside it do not carry over
            return [Span(document.source, *at)], []
        place = (document.source, at[0] - (len(context) - len(context.lstrip())))
    name, start = place
    spans = []
    for target, begin in zip(example.targets, starts, strict=False):
        inside = nearest(target, context, begin)
        if inside:
            spans.append(Span(name, start + inside[0], start + inside[1]))
    wanted = any(s is not None for s in starts) and example.answerable is not False
    return spans, ["its answer does not stand in its context"] if wanted and not spans else []


def _flat(text: str) -> str:
    """The text with each white space as a blank; nothing moves."""
    return re.sub(r"\s", " ", text)


def _from_evidence(words: str, source: str, shelf: Shelf) -> Span | None:
    document = shelf.find(source) if source else None
    if document is None and not source:
        holders = [d for d in shelf.documents.values() if words.strip() in d.text]
        document = holders[0] if len(holders) == 1 else None
    at = locate(words, document.text) if document else None
    return shelf.span(document, *at) if document and at else None


def _given(value: Any, source: str, shelf: Shelf) -> tuple[list[Span], list[str]]:
    """Read spans as objects (source, start, end) or lists of these three; source defaults to the row's."""
    items = [value] if isinstance(value, Mapping) else value
    found: list[Span] = []
    for item in items if isinstance(items, list) else [None]:
        if isinstance(item, list) and len(item) == 3:
            item = dict(zip(("source", "start", "end"), item, strict=True))
        numbers = [item.get(k) for k in ("start", "end")] if isinstance(item, Mapping) else []
        whole = len(numbers) == 2 and all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)
        document = shelf.find(str(item.get("source") or source)) if isinstance(item, Mapping) and whole else None
        span = shelf.span(document, *numbers) if document else None  # type: ignore[arg-type]
        if span is None:
            return found, ["a gold span is not a place in a document"]
        found.append(span)
    return found, []
