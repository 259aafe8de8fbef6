"""Everything that one preparation knows, and what of it may be said of the sealed test: counts and hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sharpen.data.asked import files_of
from sharpen.data.examples import Dropped
from sharpen.data.gathering import TABLE, inputs
from sharpen.data.governing import Rules
from sharpen.data.labels.origins import came_about
from sharpen.data.lineage import Lineage
from sharpen.data.protecting import Shield
from sharpen.data.splitting import cluster
from sharpen.data.synthetic import is_synthetic
from sharpen.data.tidying import Scored, Tidied
from sharpen.errors import Problem
from sharpen.inputs import Data, Given
from sharpen.types import Document, Example, digest


@dataclass
class Work:
    """Everything that one preparation knows; it lives in this process only."""

    data: Data
    base: Path
    rows: dict[str, list[Example]] = field(default_factory=dict)
    by: str = ""  # what rows are never torn from
    where: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> file and place
    documents: list[Document] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leaked: Counter[str] = field(default_factory=Counter)
    alike: Counter[str] = field(default_factory=Counter)  # looks like a leak, is none, and was kept
    kin: dict[str, Any] = field(default_factory=dict)  # what splits have in common, and was kept
    shield: Shield | None = None  # where personal data are not wanted
    personal: Counter[str] = field(default_factory=Counter)
    lineage: Lineage = field(default_factory=Lineage)
    inputs: dict[str, str] = field(default_factory=dict)  # hashes of the files that are read
    tidied: Tidied = field(default_factory=Tidied)
    rules: Rules = field(default_factory=lambda: Rules(()))
    tables: list[dict[str, Any]] = field(default_factory=list)  # what each file of rows gave
    replay: list[Example] = field(default_factory=list)  # rows of other jobs, for the sampler mix

    @property
    def files(self) -> dict[str, Given]:
        """Where rows are, by what they are for."""
        named = {use: getattr(self.data, use) for use in ("examples", "train", "dev", "test", "replay")}
        return {use: given for use, given in named.items() if given}

    @property
    def named(self) -> dict[str, str]:
        """The names of all files that are read, by what they are for."""
        found = {n: path for use, given in self.files.items() for n, path in inputs(use, given, self.base).items()}
        return found | self.others

    @property
    def others(self) -> dict[str, str]:
        """What is read besides, by what it is for."""
        named = {f"benchmark {n}": name for n, name in enumerate(self.data.benchmarks)}
        named |= {"documents": self.data.documents} if self.data.documents else {}
        return named | files_of(self.data.clean)

    @property
    def scores(self) -> list[Scored]:
        """What cleaners measured of the rows of train and the documents that are left."""
        left = {("example", e.id) for e in self.rows["train"]} | {("document", d.source) for d in self.documents}
        return [s for s in self.tidied.scores if (s.kind, s.id) in left]


def facts_of(work: Work, sealed: str) -> dict[str, Any]:
    """What ``data.json`` says; ``sealed`` is the hash of the sealed file."""
    by, test = work.by, work.rows["test"]
    return {
        "cluster_by": by,
        "train": {**_counts(work.rows["train"], by), **_shown(work.rows["train"])},
        "dev": {**_counts(work.rows["dev"], by), **_shown(work.rows["dev"])},
        "test": {
            **_counts(test, by),
            "content": sealed,
            "questions": digest(sorted(e.question for e in test)),
        },
        "documents": {"n": len(work.documents), "characters": _lengths([len(d.text) for d in work.documents])},
        "dropped": dict(Counter(d.kind for d in work.dropped).most_common()),
        "leaks": dict(work.leaked),
        "alike": dict(work.alike),
        "kin": work.kin,
        "personal": {"how": work.data.privacy.how, "found": dict(work.personal.most_common())},
        "rules": dict(sorted(work.tidied.counts.items())),
        "changes": {rule: [asdict(c) for c in shown] for rule, shown in work.tidied.changes.items()},
        "sources": work.rules.facts(),
        "tables": work.tables if len(work.tables) > len(work.files) or work.replay else [],
        "replay": dict(Counter(str(e.meta.get(TABLE, "")) for e in work.replay)),
        "problems": [asdict(p) for p in work.problems],
        "notes": work.notes,
    }


def _counts(rows: Sequence[Example], by: str) -> dict[str, Any]:
    """What may be said of any split, the sealed one included."""
    return {
        "n": len(rows),
        "cluster_sizes": sorted(Counter(cluster(e, by) for e in rows).values(), reverse=True),
        "n_unanswerable": sum(e.answerable is False for e in rows),
        "n_with_gold": sum(bool(e.gold) for e in rows),
        "came_about": came_about(rows),
    }


def _shown(rows: Sequence[Example]) -> dict[str, Any]:
    return {
        "synthetic": sum(map(is_synthetic, rows)),
        "labels": dict(Counter(label for e in rows for label in e.labels).most_common()),
        "question_words": _lengths([len(e.question.split()) for e in rows]),
        "answer_words": _lengths([len(e.targets[0].split()) for e in rows]),
    }


def _lengths(values: Sequence[int]) -> dict[str, float]:
    """Mean, median, 95th percentile and greatest of some lengths."""
    if not values:
        return {}
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.95)]
    return {"mean": round(sum(ordered) / len(ordered), 1), "median": at[0], "p95": at[1], "max": ordered[-1]}
