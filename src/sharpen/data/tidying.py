"""Cleaning and deduplication of what a study learns from and searches; the test is asked as people asked it.

Documents are changed or dropped, and the places of gold passages move along. Rows are touched in train alone: a
question that is answered for a user tomorrow is not cleaned before, so those of dev and test are not either. Cleaners
that learn what is usual learn it from documents and train. Every step is on record: what it hit, how often, and where.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path

from sharpen.data.alike import EXACT, Contamination, RepeatedSentences, RepeatedSpans, duplicates, without_spans
from sharpen.data.asked import OWN, Asked, check_fields, cleaned, row_of
from sharpen.data.cleaning import Change, Cleaned, clean
from sharpen.data.evidence import nearest
from sharpen.data.leaks import near_duplicates
from sharpen.inputs import Duplicates
from sharpen.types import Document, Example, Span

MOST_LINES = 20_000
"""Lines of a document up to which its changes are followed line by line."""


@dataclass(frozen=True)
class Step:
    """What was done to a row or document: ``did`` is changed, flagged or dropped, ``reason`` says why with figures."""

    kind: str
    id: str
    by: str
    rule: str
    did: str
    reason: str = ""


@dataclass(frozen=True)
class Scored:
    """A cleaner's measure of a row or document that it kept; ``of`` is "documents", "questions" or "answers"."""

    kind: str
    id: str
    of: str
    cleaner: str
    score: float


@dataclass
class Tidied:
    """What came of it. ``counts`` has every rule by ``what.cleaner.rule``, those without a hit included."""

    steps: list[Step] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    scores: list[Scored] = field(default_factory=list)
    unplaced: int = 0  # gold passages that were cleaned away

    def take(self, what: str, made: Cleaned, ids: Sequence[str]) -> None:
        """Note what a run of cleaners did to documents, questions or answers."""
        self.counts.update({f"{what}.{rule}": n for rule, n in made.counts.items()})
        for rule in made.counts:
            self.counts.setdefault(f"{what}.{rule}", 0)
        self.changes.update({f"{what}.{rule}": shown for rule, shown in made.changes.items()})
        kind = "document" if what == "documents" else "example"
        dropped = {gone.at: gone for gone in made.dropped}
        for by, each in made.scores.items():
            self.scores += [Scored(kind, ids[at], what, by, score) for at, score in each.items() if at not in dropped]
        for at, rules in (made.hits or {}).items():
            for rule in dict.fromkeys(rules):
                by, _, name = rule.partition(".")
                gone = dropped.get(at)
                went = gone is not None and gone.rule == rule
                kept = "flagged" if (at, rule) in made.flagged else "changed"
                did, reason = ("dropped", gone.reason) if gone and went else (kept, "")
                self.steps.append(Step(kind, ids[at], f"cleaner {by}", name, did, reason))

    def drop(self, kind: str, name: str, by: str, rule: str, reason: str) -> None:
        """Note that a row or document is gone."""
        self.counts[f"{kind}s.{by}.{rule}"] += 1
        self.steps.append(Step(kind, name, by, rule, "dropped", reason))


def tidy_documents(
    documents: Sequence[Document], asked: Asked, alike: Duplicates, into: Tidied
) -> tuple[list[Document], Mapping[str, Callable[[Span], Span | None]]]:
    """Clean documents and take out what stands there twice.

    Args:
        documents: as read.
        asked: the cleaners of documents.
        alike: what the use case takes for a duplicate.
        into: where every step is noted.

    Returns:
        The documents, and for each source that changed where a span of it stands now (None: nowhere).
    """
    was = {d.source: d.text for d in documents}
    now = list(documents)
    if asked:
        rows = [{"text": d.text, "source": d.source, "title": d.title} for d in now]
        check_fields(asked, rows, "data.clean.documents", ("text", "source", "title"))
        made = clean(rows, asked, each=True)
        into.take("documents", made, [d.source for d in now])
        now = [replace(now[at], text=str(r["text"])) for at, r in zip(made.places, made.kept, strict=True)]
    twins: dict[str, str] = {}
    if alike.documents is not None:
        now, twins = _first_ones(now, alike.documents, into)
    if alike.sentences is not None:
        now = _without_sentences(now, alike.sentences, into)
    if alike.spans is not None:
        now = _without_runs(now, alike.spans, into)
    texts = {d.source: d.text for d in now}
    moves: dict[str, Callable[[Span], Span | None]] = {}
    for source, old in was.items():
        at = twins.get(source, source)
        if at != source or texts.get(source) != old:
            moves[source] = mover(old, at, texts.get(at))
    return now, moves


def _first_ones(documents: list[Document], least: float, into: Tidied) -> tuple[list[Document], dict[str, str]]:
    found = duplicates([d.text for d in documents], least)
    twins = {}
    for i, d in enumerate(documents):
        if not found.kept[i]:
            first = documents[int(found.twin[i])].source
            rule = "exact" if found.how[i] == EXACT else "near"
            into.drop("document", d.source, "duplicates", rule, f"{found.similarity[i]:.2f} like {first}")
            twins[d.source] = first
    return [d for d, kept in zip(documents, found.kept.tolist(), strict=True) if kept], twins


def _without_sentences(documents: list[Document], many: int, into: Tidied) -> list[Document]:
    texts = [d.text for d in documents]
    with tempfile.TemporaryDirectory(prefix="alike-") as folder:
        search = RepeatedSentences(Path(folder), many)
        search.add(texts)
        found = search.find()
    into.counts["documents.sentences.exact"] += found.exact
    into.counts["documents.sentences.near"] += found.near
    return _changed(documents, found.strip(texts), "sentences", "repeated", into)


def _without_runs(documents: list[Document], length: int, into: Tidied) -> list[Document]:
    texts = [d.text for d in documents]
    with tempfile.TemporaryDirectory(prefix="alike-") as folder:
        search = RepeatedSpans(Path(folder), length)
        search.add(texts)
        found = search.find()
    into.counts["documents.spans.repeated"] += len(found)
    by = defaultdict(list)
    for span in found:
        by[span.row].append(span)
    return _changed(documents, [without_spans(t, by[i]) for i, t in enumerate(texts)], "spans", "repeated", into)


def _changed(documents: list[Document], texts: Sequence[str], by: str, rule: str, into: Tidied) -> list[Document]:
    kept = []
    for d, text in zip(documents, texts, strict=True):
        if text != d.text:
            did = "changed" if text.strip() else "dropped"
            reason = "" if text.strip() else "nothing else stood in it"
            into.steps.append(Step("document", d.source, by, rule, did, reason))
        if text.strip():
            kept.append(replace(d, text=text) if text != d.text else d)
    return kept


def mover(old: str, source: str, new: str | None) -> Callable[[Span], Span | None]:
    """Return where a span of a text stands in what became of it.

    Lines that are the same carry their spans over exactly. Within a line that changed its words are looked for near the
    place where they stood; a span that is not found there is nowhere.
    """
    if new is None:
        return lambda _: None
    lines_old, lines_new = old.splitlines(keepends=True), new.splitlines(keepends=True)
    few = max(len(lines_old), len(lines_new)) <= MOST_LINES
    blocks = SequenceMatcher(None, lines_old, lines_new, autojunk=False).get_matching_blocks() if few else []
    begins_old, begins_new = _begins(lines_old), _begins(lines_new)
    spans = [(begins_old[b.a], begins_old[b.a + b.size], begins_new[b.b]) for b in blocks if b.size]
    starts = [s for s, _, _ in spans]

    def move(span: Span) -> Span | None:
        at = bisect_right(starts, span.start) - 1
        begin_old, end_old, begin_new = spans[at] if at >= 0 else (0, 0, 0)
        if span.end <= end_old:
            shift = begin_new - begin_old
            return Span(source, span.start + shift, span.end + shift)
        low = begin_new + end_old - begin_old if span.start >= end_old else begin_new
        high = next((new_at for old_at, _, new_at in spans[at + 1 :] if old_at >= span.end), len(new))
        place = nearest(old[span.start : span.end], new[low:high], max(span.start - end_old, 0))
        return Span(source, low + place[0], low + place[1]) if place and place[1] > place[0] else None

    return move


def _begins(lines: Sequence[str]) -> list[int]:
    made = [0]
    for line in lines:
        made.append(made[-1] + len(line))
    return made


def moved(
    examples: Sequence[Example],
    moves: Mapping[str, Callable[[Span], Span | None]],
    known: frozenset[str],
    into: Tidied,
) -> list[Example]:
    """Return examples whose gold passages stand where the documents have them now.

    Args:
        examples: of one split.
        moves: of the sources that changed.
        known: the sources that there are; passages of others are gone.
        into: counts those that are.
    """
    made = []
    for e in examples:
        found = [moves[s.source](s) if s.source in moves else s for s in e.gold]
        gold = tuple(dict.fromkeys(s for s in found if s is not None and s.source in known))
        into.unplaced += len(e.gold) - len([s for s in found if s is not None and s.source in known])
        made.append(replace(e, gold=gold) if gold != e.gold else e)
    return made


def tidy_rows(
    train: Sequence[Example],
    asked: Mapping[str, Asked],
    alike: Duplicates,
    banned: Mapping[str, Sequence[str]],
    near: float,
    into: Tidied,
    places: Mapping[str, str],
) -> list[Example]:
    """Clean training rows, and take out those that stand there twice or in a benchmark.

    Args:
        train: rows to learn from.
        asked: the cleaners of questions and of answers.
        alike: what the use case takes for a duplicate.
        banned: questions of benchmarks by the name of their file.
        near: similarity from which a short question is a benchmark's.
        into: where every step is noted.
        places: where each row stands, by id, so that a duplicate names its twin.
    """
    now = list(train)
    if asked["questions"]:
        rows = [row_of(e) for e in now]
        check_fields(asked["questions"], rows, "data.clean.questions", OWN)
        made = clean(rows, asked["questions"], text="question", each=True)
        into.take("questions", made, [e.id for e in now])
        now = [cleaned(now[at], r) for at, r in zip(made.places, made.kept, strict=True)]
    if asked["answers"]:
        rows = [row_of(e) for e in now]
        check_fields(asked["answers"], rows, "data.clean.answers", list(dict.fromkeys(k for r in rows for k in r)))
        made = clean(rows, asked["answers"], text="answer", each=True)
        gone = {g.at for g in made.dropped}
        hits = {at: [r for r in rs if at in gone or (at, r) in made.flagged] for at, rs in (made.hits or {}).items()}
        made.hits = {at: rules for at, rules in hits.items() if rules}
        made.changes = {}  # none was changed
        into.take("answers", made, [e.id for e in now])
        now = [e for at, e in enumerate(now) if at not in gone]
    if alike.questions is not None:
        found = duplicates([f"{e.question}\n{e.targets[0] if e.targets else ''}" for e in now], alike.questions)
        for i, e in enumerate(now):
            if not found.kept[i]:
                rule = "exact" if found.how[i] == EXACT else "near"
                twin = now[int(found.twin[i])].id
                like = f"{found.similarity[i]:.2f} like {places.get(twin, twin)}"
                into.drop("example", e.id, "duplicates", rule, like)
        now = [e for e, kept in zip(now, found.kept.tolist(), strict=True) if kept]
    return _clear_of(now, banned, near, into) if banned else now


def _clear_of(rows: Sequence[Example], banned: Mapping[str, Sequence[str]], near: float, into: Tidied) -> list[Example]:
    """Rows in which no question of a benchmark stands, nor one nearly the same."""
    texts = ["\n".join((*(m.content for m in e.messages), *e.targets)) for e in rows]
    hits = {
        o.row: f"{o.shared:.2f} of a question of {o.name} stands in it" for o in Contamination(banned).search(texts)
    }
    for name, questions in banned.items():
        for i, _, s in near_duplicates([e.question for e in rows], questions, near):
            hits.setdefault(i, f"{s:.2f} like a question of {name}")
    for i, why in sorted(hits.items()):
        into.drop("example", rows[i].id, "benchmarks", "contamination", why)
    return [e for i, e in enumerate(rows) if i not in hits]
