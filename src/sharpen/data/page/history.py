"""Three questions about a data set: where is it from, who touched it, and did they bias it.

Answered from its lineage in numbers. Of rows of the test only counts are said; sources are named where they are in
train or dev.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sharpen.data.bias import wilson
from sharpen.data.examples import Dropped
from sharpen.data.lineage import confirmed
from sharpen.data.sampling import variation
from sharpen.data.versions import plain_rule
from sharpen.types import Example

PLACES = 3
"""Places that are named for a reason."""
LEAST = 10
"""Rows of a source or of a person below which nothing is said of them."""
SHOWN = 20
"""Files, sources and people that are listed."""

Line = Mapping[str, Any]


def history(lines: Sequence[Line], seen: Sequence[Example]) -> dict[str, Any] | None:
    """The three answers; None where a folder was prepared before lineage was kept.

    Args:
        lines: of the lineage.
        seen: rows of train and dev.
    """
    if not lines:
        return None
    return {"files": _files(lines), "steps": _steps(lines), "people": _people(seen), **_uneven(lines, seen)}


def _files(lines: Sequence[Line]) -> dict[str, Any]:
    """Where from: rows read and kept by file of examples, documents by reader."""
    rows: dict[str, dict[str, Any]] = {}
    readers: dict[str, dict[str, Any]] = {}
    for line in lines:
        by = line["steps"][0]["by"].removeprefix("reader ") if line["steps"] else ""
        held, name = (rows, line["file"]) if line["kind"] == "example" else (readers, by)
        one = held.setdefault(name, {"name": name, "reader": by, "read": 0, "kept": 0})
        one["read"] += 1
        one["kept"] += bool(line["content"])
    documents = sorted(readers.values(), key=lambda r: -int(r["read"]))
    return {"examples": list(rows.values())[:SHOWN], "documents": documents[:SHOWN]}


def _steps(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Who touched it: each step and rule with the rows and documents that it changed or dropped."""
    counted: Counter[tuple[str, str, str]] = Counter()
    for line in lines:
        steps = {(s["by"], plain_rule(s["rule"]), s["did"]) for s in line["steps"]}
        counted.update(s for s in steps if s[2] not in ("read", "made"))
    return [{"by": by, "rule": rule, "did": did, "n": n} for (by, rule, did), n in counted.most_common(SHOWN)]


def _people(seen: Sequence[Example]) -> list[dict[str, Any]]:
    """Who stands behind rows, and how far the classes that a person gave are from those of the others."""
    of: dict[str, list[Example]] = defaultdict(list)
    known = [(e, confirmed(e).get("confirmed_by", [])) for e in seen]
    for e, people in known:
        for who in people:
            of[who].append(e)
    made = []
    for who, rows in sorted(of.items(), key=lambda pair: -len(pair[1]))[:SHOWN]:
        others = Counter(label for e, people in known if people and who not in people for label in e.labels)
        own = Counter(label for e in rows for label in e.labels)
        distance = variation(own, others) if len(rows) >= LEAST and others and own else None
        made.append({"who": who, "rows": len(rows), "distance": None if distance is None else round(distance, 4)})
    return made


def _uneven(lines: Sequence[Line], seen: Sequence[Example]) -> dict[str, Any]:
    """Did they bias it: sources of which far more or fewer rows were dropped than of all, and those that are gone.

    A source is named where it is in train or dev, or in no split any more; one that only the test has is counted.
    """
    rows = [line for line in lines if line["kind"] == "example"]
    known = [line for line in rows if line["source"]]
    read = Counter(line["source"] for line in known)
    gone = Counter(line["source"] for line in known if not line["content"])
    share = gone.total() / max(1, read.total())
    lost = [source for source, n in read.items() if gone[source] == n]
    named = {e.source for e in seen} | set(lost)
    uneven: list[dict[str, Any]] = []
    for source, n in read.items():
        low, high = wilson(gone[source], n)
        if source in named and n >= LEAST and not low <= share <= high:
            uneven.append({"source": source, "read": n, "dropped": gone[source], "share": round(gone[source] / n, 4)})
    uneven.sort(key=lambda r: -abs(r["share"] - share))
    dropped = sum(not line["content"] for line in rows)
    return {
        "read": len(rows),
        "dropped": dropped,
        "dropped_share": round(dropped / max(1, len(rows)), 4),
        "uneven": uneven[:SHOWN],
        "lost": [{"source": s, "read": read[s]} for s in sorted(lost, key=lambda s: (-read[s], s))[:SHOWN]],
        "n_lost": len(lost),
        "unknown": dropped - gone.total(),
    }


def places(dropped: Sequence[Dropped]) -> dict[str, list[str]]:
    """Where rows were dropped, by reason (see :attr:`Dropped.kind`): the first few places of each."""
    found: dict[str, list[str]] = defaultdict(list)
    for d in dropped:
        if len(found[d.kind]) < PLACES:
            found[d.kind].append(", ".join(filter(None, (d.file, d.place))))
    return dict(found)
