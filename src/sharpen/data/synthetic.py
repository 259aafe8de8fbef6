"""Rows that were made and not asked: they are learned from, if at all, and never chosen or tested on.

A row says so itself, in a column ``synthetic``: people's own, and what ``sharpen data augment`` writes. It goes where
its original is, known by the text in ``original``, or by the id in ``of``: to train with one of train, and nowhere with
one of dev or test, for it would tell what that one asks. Where it names none, its source or group says where it goes.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.data.augmenting import MARK
from sharpen.data.examples import Draft, Dropped
from sharpen.data.lineage import Lineage
from sharpen.data.placing import ONE_FILE, Placed
from sharpen.data.splitting import CLUSTER, cluster, clustered
from sharpen.data.wording import words
from sharpen.errors import Problem
from sharpen.inputs import Data
from sharpen.types import Example

NO = frozenset({"", "false", "no", "n", "f", "0", "0.0", "none", "null", "nan", "real", "human", "original"})
"""What a column says of rows that are not synthetic, in small letters; anything else says that they are."""
JUDGES = ("dev", "test")


def is_synthetic(example: Example) -> bool:
    """Whether a row says that it was made."""
    return str(example.meta.get(MARK, "")).strip().lower() not in NO


@dataclass
class Apart:
    """Rows that were asked, with what each was read from and is for; and beside them those that were made."""

    real: list[Example] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    made: list[tuple[Example, Draft, str]] = field(default_factory=list)


def parted(examples: Sequence[Example], drafts: Sequence[Draft], uses: Sequence[str]) -> Apart:
    """Part rows that were asked from rows that were made; arguments as for :func:`sharpen.data.placing.place`."""
    found = Apart()
    for e, draft, use in zip(examples, drafts, uses, strict=True):
        if is_synthetic(e):
            found.made.append((e, draft, use))
        else:
            found.real.append(e)
            found.drafts.append(draft)
            found.uses.append(use)
    return found


def follow(placed: Placed, apart: Apart, data: Data, lineage: Lineage) -> None:
    """Put rows that were made into train where they may be learned from; drop all others, and say so in ``placed``.

    Args:
        placed: the rows that were asked, in their splits.
        apart: those and the others.
        data: the settings; ``data.synthetic`` is the most of them, as a share of the rows of train that were asked.
        lineage: told of every one.
    """
    if not apart.made:
        return
    family = _Family(placed, apart)
    stays: list[tuple[Example, Draft]] = []
    why: Counter[str] = Counter()

    def drop(e: Example, draft: Draft, reason: str) -> None:
        why[reason] += 1
        placed.dropped.append(Dropped(draft.file, draft.place, "", f"is synthetic: {reason}"))
        lineage.dropped(e.id, "synthetic", reason)

    for e, draft, use in apart.made:
        if reason := family.why_not(e, use):
            drop(e, draft, reason)
        else:
            stays.append((family.of_its_cluster(e), draft))
    most = int(data.synthetic * len(placed.rows["train"]))
    if len(stays) > most:
        order = sorted(range(len(stays)), key=lambda i: _order(data.split.seed, stays[i][1].content or stays[i][0].id))
        kept = set(order[:most])
        for i, (e, draft) in enumerate(stays):
            if i not in kept:
                drop(e, draft, f"train has enough of them (data.synthetic: {data.synthetic:g})")
        stays = [pair for i, pair in enumerate(stays) if i in kept]
    for e, _ in stays:
        lineage.did(e.id, "synthetic", "learned from only", 0, what="put into train")
    placed.rows["train"] += [e for e, _ in stays]
    placed.notes.append(_said(len(apart.made), len(stays), why, family.orphans))


def only_synthetic(apart: Apart) -> Problem | None:
    """A problem where no row was asked; None where some were."""
    if apart.real or not apart.made:
        return None
    do = 'Add rows that people asked; or, if the column means something else, have it passed over: {synthetic: ""}.'
    return Problem(f"all {len(apart.made)} rows are synthetic: nothing can be tested.", apart.made[0][1].file, do)


def _said(n: int, kept: int, why: Mapping[str, int], orphans: int) -> str:
    dropped = "".join(f", {k} not: {reason}" for reason, k in why.items())
    lost = f" {orphans} of them name no original that is here: what they are like is told by their texts alone."
    head = f"{n} rows are marked synthetic: {kept} are learned from, none is chosen or tested on{dropped}."
    return head + (lost if orphans else "")


class _Family:
    """Where rows that were asked are, and which of them rows that were made go back to."""

    def __init__(self, placed: Placed, apart: Apart) -> None:
        self.by = placed.by
        self.one_file = ONE_FILE in apart.uses or any(use == ONE_FILE for *_, use in apart.made)
        self.split = {e.id: name for name, rows in placed.rows.items() for e in rows}
        self.placed = {e.id: e for rows in placed.rows.values() for e in rows}
        self.every = {e.id: e for e in apart.real} | {e.id: e for e, _, _ in apart.made}
        self.texts: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for e in self.every.values():
            self.texts[words(e.question)].append(e.id)
        self.judged = {cluster(e, self.by) for name in JUDGES for e in placed.rows[name]}
        self.orphans = 0

    def why_not(self, e: Example, use: str) -> str:
        """Why a row that was made is not learned from; empty where it is. Says nothing of which row it is like."""
        if use in JUDGES:
            return f"it stands in the file of {use}"
        originals = self.originals(e)
        self.orphans += not originals
        if any(self.split.get(i) in JUDGES for i in originals):
            return "its original is in dev or test"
        if originals and not any(i in self.split for i in originals):
            return "its original is left out"
        if self.one_file and cluster(e, self.by) in self.judged:
            return f"its {self.by} is in dev or test"
        return ""

    def of_its_cluster(self, e: Example) -> Example:
        """A row that was made, which belongs to what its original belongs to."""
        of = next((self.placed[i] for i in sorted(self.originals(e)) if i in self.placed), None)
        return clustered(e, str(of.meta.get(CLUSTER, "")) if of else "")

    def originals(self, e: Example) -> set[str]:
        """Ids of the rows that were asked and that this one goes back to, by way of others that were made."""
        found: set[str] = set()
        left, seen = [e], {e.id}
        while left:
            for i in self._parents(left.pop()):
                if not is_synthetic(self.every[i]):
                    found.add(i)
                elif i not in seen:
                    seen.add(i)
                    left.append(self.every[i])
        return found

    def _parents(self, e: Example) -> list[str]:
        """What a row was made of: by its original's text, by its id, or by the beginning of its own."""
        of: Any = e.meta.get("of")
        named = [str(of), str(of).split("~")[0]] if of else []
        named += [e.id.split("~")[0]] if "~" in e.id else []
        ids = [i for i in named if i in self.every and i != e.id][:1]
        text = e.meta.get("original")
        same = [i for i in self.texts.get(words(text), ()) if i != e.id] if isinstance(text, str) and text else []
        return [i for i in ids if i in same] or same or ids


def _order(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0synthetic\0{name}".encode()).digest()
