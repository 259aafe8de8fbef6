"""What needs all files together: cleaners that learn, duplicates, sentences and runs of words that are repeated.

One process goes through what the files gave, in their order, as often as it must and never with all of it in memory, so
the result is the same whichever engine cleaned the files.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sharpen.data.alike import (
    EXACT,
    KEPT,
    Duplicates,
    Found,
    Repeated,
    RepeatedSentences,
    RepeatedSpans,
    Rule,
    sentences,
)
from sharpen.data.bulk.files import BATCH, CHARACTERS, Facts, line, said
from sharpen.data.bulk.steps import Steps, alone
from sharpen.data.cleaning import Cleaned, Cleaning
from sharpen.data.wording import words
from sharpen.types import Progress

MOST = 10_000
"""Different sentences that were taken out and are written where dropped things are, each once."""

Unit = tuple[int, dict[str, Any]]
"""The number of the file that it is of, and the document or row as its file gave it."""


@dataclass
class Together:
    """Everything so far: the files' facts, where what they kept lies, and the counts of what is done here."""

    steps: Steps
    facts: Sequence[Facts]
    work: Path
    rules: dict[str, Counter[str]] = field(default_factory=lambda: {"documents": Counter(), "rows": Counter()})
    changes: dict[str, dict[str, list[Any]]] = field(default_factory=lambda: {"documents": {}, "rows": {}})
    counts: dict[str, dict[str, Any]] = field(default_factory=dict)
    learned: dict[int, Path] = field(default_factory=dict)
    scored: int = 0

    def units(self, kind: str) -> Iterator[Unit]:
        """All documents, or all rows, that are left, in order."""
        for n, facts in enumerate(self.facts):
            if facts.kind == kind and facts.key:
                with self.learned.get(n, self.work / f"{facts.key}.kept").open(encoding="utf-8") as f:
                    for text in f:
                        yield n, json.loads(text)

    def values(self, kind: str, files: frozenset[int]) -> Iterator[Mapping[str, Any]]:
        """What cleaners see of the documents or rows of these files."""
        return (value_of(unit) for n, unit in self.units(kind) if n in files)

    def kept(self, kind: str) -> int:
        """How many the files kept."""
        return sum(f.kept for f in self.facts if f.kind == kind and f.key)

    def columns(self) -> list[tuple[str, str]]:
        """Which kinds there are, and the field of each that is cleaned; tables of another field are another group."""
        there = {(f.kind, f.column) for f in self.facts if f.key and f.kind}
        return sorted(there)


def learn(made: Together, dropped: TextIO, scores: Path, progress: Progress) -> None:
    """Run the cleaners that have to read all texts, and those after them; what they score is written to ``scores``."""
    for kind, name in made.columns():
        cleaners = alone((made.steps.rows if kind == "rows" else made.steps.documents).cleaners)[1]
        if not cleaners:
            continue
        cleaning = Cleaning(cleaners, name)
        files = [n for n, f in enumerate(made.facts) if (f.kind, f.column) == (kind, name) and f.key]
        progress(f"reading all {kind}", 0, None)
        cleaning.learn(partial(made.values, kind, frozenset(files)))
        for k, n in enumerate(files):
            progress(f"cleaning {kind} once more", k, len(files))
            _cleaned(made, n, cleaning, dropped, scores)


def value_of(unit: Mapping[str, Any]) -> Mapping[str, Any]:
    """What cleaners see: a row's own fields, or a document as it is."""
    value: Mapping[str, Any] = unit.get("fields", unit)
    return value


def _cleaned(made: Together, n: int, cleaning: Cleaning, dropped: TextIO, scores: Path) -> None:
    facts, into = made.facts[n], Cleaned()
    path = made.work / "learned" / facts.key
    path.parent.mkdir(exist_ok=True)
    with (made.work / f"{facts.key}.kept").open(encoding="utf-8") as read, path.open("w", encoding="utf-8") as kept:
        at = 0
        while batch := [json.loads(text) for text in islice(read, BATCH)]:
            cleaning.batch([value_of(u) for u in batch], at, into)
            for place, value in zip(into.places, into.kept, strict=True):
                unit = batch[place - at]
                kept.write(line({**unit, "fields": value} if "fields" in unit else value))
            dropped.writelines(line(said(facts.name, batch[g.at - at], g, into)) for g in into.dropped)
            _score(made, n, into, [unit["place"] for unit in batch], at, scores)
            at += len(batch)
            for held in (into.kept, into.places, into.dropped, into.scores, into.said):
                held.clear()
    made.learned[n] = path
    made.rules[facts.kind].update(into.counts)
    for rule, some in into.changes.items():
        made.changes[facts.kind].setdefault(rule, []).extend({**asdict(c), "file": facts.name} for c in some)


def _score(made: Together, n: int, into: Cleaned, places: Sequence[str], first: int, scores: Path) -> None:
    """Write the scores of what is kept of a file, each with its place in it."""
    kept = set(into.places)
    found = [(by, at, score) for by, each in into.scores.items() for at, score in each.items() if at in kept]
    if found:
        made.scored += len(found)
        with scores.open("a", encoding="utf-8") as f:
            begin = {"file": made.facts[n].name}
            f.writelines(line({**begin, "place": places[at - first], "cleaner": b, "score": s}) for b, at, s in found)


def batches(units: Iterator[Unit], text: Callable[[Mapping[str, Any]], str]) -> Iterator[list[tuple[Unit, str]]]:
    """Units with their texts, so many at a time."""
    batch: list[tuple[Unit, str]] = []
    size = 0
    for unit in units:
        batch.append((unit, text(unit[1])))
        size += len(batch[-1][1])
        if len(batch) >= 4 * BATCH or size >= CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def text_of(unit: Mapping[str, Any]) -> str:
    """The text of a document."""
    return str(unit["text"])


def row_text(unit: Mapping[str, Any]) -> str:
    """All texts of a row, as near-duplicates are looked for in them."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Mapping | list):
            for inner in value.values() if isinstance(value, Mapping) else value:
                walk(inner)

    walk({k: v for k, v in unit["fields"].items() if k != "id"})
    return "\n".join(found)


class Alike:
    """Which documents, or rows, are left out as duplicates of an earlier one."""

    def __init__(self, made: Together, kind: str, progress: Progress) -> None:
        settings = made.steps.rows if kind == "rows" else made.steps.documents
        self.made, self.kind, self.how = made, kind, settings.duplicates
        self.found: Found | None = None
        self.total = sum(1 for _ in made.units(kind)) if made.learned else made.kept(kind)
        if self.how == "off" or not self.total:
            return
        if kind == "rows" and self.how == "exact":
            self.found = self._same(progress)
            return
        threshold = settings.near if self.how == "near" else 1.0
        search, done = Duplicates(made.work / f"alike-{kind}", Rule(threshold)), 0
        for batch in batches(made.units(kind), row_text if kind == "rows" else text_of):
            progress(f"comparing {kind}", done, self.total)
            search.add([text for _, text in batch])
            done += len(batch)
        progress(f"joining alike {kind}", 0, None)
        self.found = search.find()
        made.counts[kind] = {"compared": self.found.compared, "uncompared": self.found.uncompared}

    def _same(self, progress: Progress) -> Found:
        """Rows of which all fields but the id are the same: 16 bytes each are compared."""
        keys = bytearray()
        for at, (_, unit) in enumerate(self.made.units(self.kind)):
            progress("comparing rows", at, self.total)
            fields = {k: v for k, v in unit["fields"].items() if k != "id"}
            keys += blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=16).digest()
        pairs = np.frombuffer(bytes(keys), np.uint64).reshape(-1, 2)
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))  # equal ones stay in their order
        fresh = np.ones(len(order), dtype=bool)
        fresh[1:] = (pairs[order][1:] != pairs[order][:-1]).any(axis=1)
        begins = np.flatnonzero(fresh)
        twin = np.empty(len(order), dtype=np.int64)
        twin[order] = np.repeat(order[begins], np.diff(np.append(begins, len(order))))
        how = np.where(twin == np.arange(len(order)), KEPT, EXACT).astype(np.uint8)
        return Found(twin, how, np.ones(len(order), dtype=np.float32))

    @property
    def left_over(self) -> int:
        """How many are kept."""
        return self.total if self.found is None else int(self.found.kept.sum())

    def left(self) -> Iterator[Unit]:
        """Those that are kept."""
        for at, unit in enumerate(self.made.units(self.kind)):
            if self.found is None or self.found.kept[at]:
                yield unit

    def drop(self, dropped: TextIO) -> None:
        """Write those that are not kept, each with what it is a duplicate of, and count them."""
        if self.how != "off":
            self.made.rules[self.kind].update({"duplicates.exact": 0, "duplicates.near": 0})
        if self.found is None:
            return
        wanted = set(np.unique(self.found.twin[~self.found.kept]).tolist())
        named: dict[int, str] = {}
        for at, (n, unit) in enumerate(self.made.units(self.kind)):
            row = "fields" in unit
            if at in wanted:
                named[at] = f"{self.made.facts[n].name}, {unit['place']}" if row else str(unit["source"])
            if self.found.kept[at]:
                continue
            rule = "exact" if self.found.how[at] == EXACT else "near"
            figure, first = round(float(self.found.similarity[at]), 4), named[int(self.found.twin[at])]
            same = "is the same as" if row and self.how == "exact" else "has the same words as"
            reason = f"{same} {first}" if rule == "exact" else f"is {figure:.0%} like {first}"
            begin = {"file": self.made.facts[n].name, "place": unit["place"], "rule": f"duplicates.{rule}"}
            dropped.write(line({**begin, "reason": reason, "figure": figure, "of": first, **whole(unit)}))
            self.made.rules[self.kind][f"duplicates.{rule}"] += 1


def whole(unit: Mapping[str, Any]) -> dict[str, Any]:
    """All of a document or row, as it is written where dropped things are."""
    return {"row": unit["fields"]} if "fields" in unit else {k: unit[k] for k in ("source", "title", "text")}


class Thinned:
    """Documents without sentences and runs of words that stood in others before."""

    def __init__(self, made: Together, alike: Alike, progress: Progress) -> None:
        self.made, self.left, self.total, self.progress = made, alike.left, alike.left_over, progress
        self.repeated: Repeated | None = None
        self.spans: dict[int, list[tuple[int, int]]] = {}
        self.uncut = 0
        steps = made.steps.documents
        self.out: Counter[str] = Counter()
        least = max(steps.sentences, math.ceil(steps.sentences_share * self.total))
        if steps.sentences > 1 and self.total >= least:
            folder = made.work / "sentences"
            folder.mkdir(exist_ok=True)
            self.repeated = self._sentences(RepeatedSentences(folder, least, steps.sentences_near))
        if steps.spans:
            search, done = RepeatedSpans(made.work / "spans", steps.spans), 0
            for batch in self.stripped():
                progress("looking for repeated runs of words", done, self.total)
                search.add([text for _, text in batch])
                done += len(batch)
            for row, spans in groupby(search.find(), key=lambda s: s.row):
                self.spans[row] = [(s.start, s.end) for s in spans]

    def _sentences(self, search: RepeatedSentences) -> Repeated:
        done = 0
        for batch in batches(self.left(), text_of):
            self.progress("looking for repeated sentences", done, self.total)
            search.add([text for _, text in batch])
            done += len(batch)
        found = search.find()
        self.made.rules["documents"].update({"sentences.exact": found.exact, "sentences.near": found.near})
        return found

    def stripped(self) -> Iterator[list[tuple[Unit, str]]]:
        """Documents without repeated sentences; each of these is counted in ``out``."""
        at = 0
        self.out.clear()
        for batch in batches(self.left(), text_of):
            texts = [text for _, text in batch]
            if self.repeated is not None:
                self._note(texts, at, self.repeated)
                texts = self.repeated.strip(texts, at)
            yield [(unit, text) for (unit, _), text in zip(batch, texts, strict=True)]
            at += len(batch)

    def _note(self, texts: Sequence[str], first: int, repeated: Repeated) -> None:
        for i, text in enumerate(texts, first):
            gone = repeated.gone[repeated.offsets[i] : repeated.offsets[i + 1]]
            for each in (s.strip() for s, out in zip(sentences(text), gone, strict=True) if out) if gone.any() else ():
                if each in self.out or len(self.out) < MOST:
                    self.out[each] += 1

    def final(self, dropped: TextIO) -> Iterator[tuple[Unit, str]]:
        """Documents as they are kept; one of which nothing is left is dropped."""
        at, cut_out = 0, 0
        for batch in self.stripped():
            for unit, text in batch:
                spans = self.spans.get(at, [])
                n, held = unit
                made, gone = cut(text, spans) if spans else (text, [])
                self.uncut += bool(spans) and not gone
                cut_out += len(gone)
                for each in gone:
                    begin = {"file": self.made.facts[n].name, "place": held["place"], "rule": "spans", "figure": None}
                    dropped.write(line({**begin, "reason": "these words stood before, in this order", "text": each}))
                at += 1
                if made.strip():
                    yield unit, made
                    continue
                rule = "sentences.empty" if not text.strip() else "spans.empty"
                begin = {"file": self.made.facts[n].name, "place": held["place"], "rule": rule, "figure": None}
                begin["reason"] = "all of it stands in other documents before it"
                dropped.write(line({**begin, **whole(held)}))
                self.made.rules["documents"][rule] += 1
        for text, n in self.out.most_common():
            begin = {"file": "", "place": "", "rule": "sentences", "reason": f"stood in {n} documents after the first"}
            dropped.write(line({**begin, "figure": n, "text": text}))
        if self.made.steps.documents.spans:
            self.made.rules["documents"].update({"spans.cut": cut_out, "spans.left": self.uncut})


_TOKEN = re.compile(r"\S+")


def cut(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, list[str]]:
    """Return a text without runs of words, counted as ``words`` finds them, and these runs.

    What white space does not part stays together: of a run go the pieces that lie in it as a whole. Nothing goes where
    the words of a text cannot be told by its pieces.
    """
    pieces = [(m.start(), m.end(), len(words(m[0]))) for m in _TOKEN.finditer(text)]
    if sum(n for *_, n in pieces) != len(words(text)):  # letters that join across white space when made comparable
        return text, []
    out, gone, at, word, k = [], [], 0, 0, 0
    for start, end in spans:
        begin = None
        while k < len(pieces) and word + pieces[k][2] <= end:
            inside = word >= start and pieces[k][2] > 0
            if inside and begin is None:
                begin = pieces[k][0]
            last = pieces[k][1]
            word += pieces[k][2]
            k += 1
            if inside:
                stop = last
        if begin is not None:
            out.append(text[at:begin].rstrip(" \t") + " ")
            gone.append(text[begin:stop])
            at = stop + (text[stop : stop + 1] == " ")
    out.append(text[at:])
    return "".join(out).strip(), gone
