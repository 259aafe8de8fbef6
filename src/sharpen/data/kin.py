"""Sources that two splits have in common, under one name or two, and questions that stand within longer texts.

Near-duplicate questions are dropped (:mod:`sharpen.data.leaks`). What is found here is said and kept: whether a source
in train and in test is a fault depends on what is to be shown, and a long text that holds a question may be a form
that everybody fills in.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sharpen.data.alike import Contamination, duplicates
from sharpen.data.leaks import asked, shingles
from sharpen.data.splitting import SPLITS
from sharpen.data.wording import words
from sharpen.types import Document, Example

LEAST = 8
"""Words below which two documents of the same words are two stubs and not copies."""
SHOWN = 5
"""Names in a sentence."""
LISTED = 1000
"""Names in the facts."""


def copies(documents: Sequence[Document]) -> dict[str, str]:
    """Return, of each document that says what an earlier one says (case, punctuation and space apart), that one."""
    first: dict[bytes, str] = {}
    made = {}
    for d in documents:
        said = words(d.text)
        name = hashlib.sha256(" ".join(said).encode("utf-8", "surrogatepass")).digest()
        if len(said) >= LEAST and first.setdefault(name, d.source) != d.source:
            made[d.source] = first[name]
    return made


class Relatives:
    """Documents that are nearly the same, in groups: each is like some other of its group, not like all of them."""

    def __init__(self, documents: Sequence[Document], threshold: float) -> None:
        self.threshold = threshold
        self.texts = {d.source: d.text for d in documents if len(words(d.text)) >= LEAST}
        names = list(self.texts)
        twin = duplicates(self.texts.values(), threshold).twin.tolist()
        sizes = Counter(twin)
        self.group = {name: names[t] for name, t in zip(names, twin, strict=True) if sizes[t] > 1}
        self._known: dict[str, frozenset[tuple[str, ...]]] = {}

    def _shingles(self, name: str) -> frozenset[tuple[str, ...]]:
        if name not in self._known:
            self._known[name] = shingles(words(self.texts[name]))
        return self._known[name]

    def alike(self, name: str, others: Sequence[str]) -> str:
        """The first of ``others`` that a document is nearly the same as; empty where there is none."""
        for other in others:
            one, two = self._shingles(name), self._shingles(other)
            common = len(one & two)
            if common >= self.threshold * (len(one) + len(two) - common) - 1e-9:
                return other
        return ""


@dataclass(frozen=True)
class Torn:
    """A source (``name``, ``other`` where it has another name there) with ``rows`` in ``split`` and some in ``judge``.

    ``near``: the two are documents that are nearly, not wholly, the same.
    """

    split: str
    judge: str
    name: str
    other: str
    rows: int
    near: bool = False


def torn(
    rows: Mapping[str, Sequence[Example]], by: str, same: Mapping[str, str], near: Relatives | None = None
) -> list[Torn]:
    """Return what stands in two splits although rows are split ``by`` it; nothing where rows stand alone.

    Args:
        rows: examples of each split.
        by: source or group.
        same: document -> the one that it is a copy of.
        near: of the documents.
    """
    if by not in ("source", "group"):
        return []
    held = {s: Counter(name for e in rows[s] if (name := str(getattr(e, by)))) for s in SPLITS}
    found = []
    for split, judge in (("train", "test"), ("train", "dev"), ("dev", "test")):
        called: dict[str, str] = {}
        grouped: dict[str, list[str]] = defaultdict(list)
        for name in held[judge]:
            called.setdefault(same.get(name, name), name)
            if near and name in near.group:
                grouped[near.group[name]].append(name)
        for name, n in held[split].items():
            other = name if name in held[judge] else called.get(same.get(name, name), "")
            is_near = not other
            if near and is_near and name in near.group:
                other = near.alike(name, grouped[near.group[name]])
            if other:
                found.append(Torn(split, judge, name, other, n, is_near))
    return sorted(found, key=lambda t: (SPLITS.index(t.split), -SPLITS.index(t.judge), t.near))


def sentences(found: Sequence[Torn], by: str) -> list[str]:
    """Say what stands in two splits, one sentence for each two."""
    said = []
    for split, judge, near in dict.fromkeys((t.split, t.judge, t.near) for t in found):
        some = [t for t in found if (t.split, t.judge, t.near) == (split, judge, near)]
        named = [t.name if t.name == t.other else f"{t.name} as {t.other}" for t in some[:SHOWN]]
        more = " …" if len(some) > SHOWN else ""
        n, rows = len(some), sum(t.rows for t in some)
        one, be, stand = (by, "is", "stands") if n == 1 else (f"{by}s", "are", "stand")
        what = f"{n} {one} of {split} {be} nearly the same as one of {judge}" if near else ""
        what = what or f"{n} {one} {stand} in {split} and in {judge}"
        why = f"what is learned of a {by} is judged on it" if split == "train" else "the choice is made on it"
        do = f"If it is to hold for others, give one file (data.examples), which is split by {by}"
        do = f"If that is too near, give both the same {by}" if near else do
        do = f"{do}, or take those rows out of {split}"
        said.append(f"{what} ({', '.join(named)}{more}), {rows} rows of {split}: {why}. {do}.")
    return said


@dataclass(frozen=True)
class Holding:
    """A row of train (``row``) within whose text nearly all of question ``other`` of ``judge`` stands."""

    row: int
    judge: str
    other: int
    share: float


def holding(rows: Mapping[str, Sequence[Example]], share: float) -> list[Holding]:
    """Return training rows whose text, answers included, holds a longer question of dev or test.

    Long is at least 8 words; ``share`` of its word n-grams have to stand there (see
    :mod:`sharpen.data.alike.contamination`). One entry a row, the question of which most stands there.
    """
    search = Contamination({name: [asked(e) for e in rows[name]] for name in ("test", "dev")})
    best: dict[int, Holding] = {}
    texts = ["\n".join([asked(e), *e.targets]) for e in rows["train"]]
    for o in search.search(texts):
        if o.shared >= share and (o.row not in best or best[o.row].share < o.shared):
            best[o.row] = Holding(o.row, o.name, o.other, o.shared)
    return list(best.values())


def said_of(
    rows: Mapping[str, Sequence[Example]], documents: Sequence[Document], by: str, threshold: float, where: Any
) -> tuple[list[str], dict[str, Any]]:
    """Return notes and facts on what train, dev and test have in common.

    Args:
        rows: examples of each split, leaks dropped.
        documents: all of them.
        by: what rows are split by.
        threshold: ``data.near_duplicates``.
        where: from an example's id to its file and place.
    """
    same = copies(documents)
    found = torn(rows, by, same, Relatives(documents, threshold)) if by == "source" else torn(rows, by, {})
    notes, held = sentences(found, by), holding(rows, threshold)
    if held:
        file, place = where[rows["train"][held[0].row].id]
        what = "a training row holds" if len(held) == 1 else f"{len(held)} training rows hold"
        notes.append(
            f"{what} nearly all of a question of test or dev within a longer text (first: {file}, {place}); "
            "kept, since a form that everybody fills in looks like that. Take them out where they give answers away."
        )
    facts: dict[str, Any] = {"torn": [asdict(t) for t in found[:LISTED]], "copies": len(same)}
    facts["holding"] = [":".join(where[rows["train"][h.row].id]) for h in held[:LISTED]]
    return notes, facts
