"""Consent, retention and allowed use per source, enforced before anything is learned from, asked or searched.

What is not allowed is dropped with the reason and counted: rows of a source that may not be trained on stay out of
train, those that may not be evaluated on out of dev and test, and its documents out of the index. Where no entry of
``data.sources`` matches, all is allowed; a last entry ``match: "*"`` says otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from sharpen.inputs import Source
from sharpen.types import Document, Example

USE = {"train": "train", "dev": "evaluate", "test": "evaluate"}
"""What a row of each split is used for."""


class Rules:
    """The entries of ``data.sources`` on one day, and how often each has been asked for."""

    def __init__(self, sources: Sequence[Source], today: date | None = None) -> None:
        self.sources = sources
        self.today = today or datetime.now(UTC).date()
        self.counts: Counter[tuple[int, str]] = Counter()  # (entry, what was allowed or refused)

    @property
    def expired(self) -> list[str]:
        """The entries whose last day has passed: they make other data of the same files."""
        return [s.match for s in self.sources if s.keep_until and s.keep_until < self.today]

    def refused(self, names: Sequence[str], use: str) -> str:
        """Why data may not be put to a use (train, evaluate, index); empty: they may.

        Args:
            names: the source and the file by which entries know them.
            use: train, evaluate or index.
        """
        known = (i for i, s in enumerate(self.sources) if any(fnmatchcase(n, s.match) for n in names if n))
        entry = next(known, None)
        if entry is None:
            return ""
        source = self.sources[entry]
        why = ""
        if not source.consent:
            why = "there is no consent"
        elif source.keep_until and source.keep_until < self.today:
            why = f"it was to be kept until {source.keep_until.isoformat()}"
        elif use not in source.allowed:
            why = f"it is not allowed to {use}"
        self.counts[entry, why or use] += 1
        return f"sources: {why} ({source.match})" if why else ""

    @property
    def unmatched(self) -> list[str]:
        """Entries that nothing belonged to: they may be misspelt."""
        asked = {i for i, _ in self.counts}
        return [s.match for i, s in enumerate(self.sources) if i not in asked]

    def facts(self) -> list[dict[str, object]]:
        """Each entry with what it said and how often, as JSON can hold it."""
        return [
            {
                **s.model_dump(mode="json"),
                "counts": {what: n for (i, what), n in sorted(self.counts.items()) if i == entry},
            }
            for entry, s in enumerate(self.sources)
        ]


def allowed_rows(
    rows: Mapping[str, Sequence[Example]], files: Mapping[str, str], rules: Rules
) -> tuple[dict[str, list[Example]], list[tuple[str, str]]]:
    """Return the rows that may be used for what their split is for, and the ids of the others with the reason.

    Args:
        rows: by split.
        files: the file of each id.
        rules: what is allowed.
    """
    kept: dict[str, list[Example]] = {}
    gone = []
    for split, some in rows.items():
        kept[split] = []
        for e in some:
            why = rules.refused((e.source, files.get(e.id, "")), USE[split])
            if why:
                gone.append((e.id, why))
            else:
                kept[split].append(e)
    return kept, gone


def allowed_documents(documents: Sequence[Document], rules: Rules) -> tuple[list[Document], list[tuple[str, str]]]:
    """Return the documents that may be searched, and the sources of the others with the reason."""
    kept, gone = [], []
    for d in documents:
        why = rules.refused((d.source,), "index")
        if why:
            gone.append((d.source, why))
        else:
            kept.append(d)
    return kept, gone
