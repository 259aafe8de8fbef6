"""The three usual measures of data quality (ISO/IEC 25012), of train and dev.

Completeness is the share of rows with nothing missing: question, answer, the source where any row has one, and every
column that at least half of the rows fill, or that a rule of the use case names. Consistency is the share of questions
that are asked more than once and answered alike each time; accuracy the share of what can be checked that is right (a
marked passage holds its answer, a class is one of train's). The organisation's own rules count in the last two.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sharpen.data.dataset import Dataset
from sharpen.data.page.obeying import OWN, value
from sharpen.data.wording import words
from sharpen.types import Example

USUAL = 0.5
"""Share of rows that fill a column from which it is missing in the others."""
BOOKS = frozenset({"origin", "confirmed", "confirmed_by", "confirmed_at", "edited", "passage"})
"""Columns that the annotation queue writes; they say how a row came about, not what it holds."""


def quality_of(data: Dataset, checked: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return completeness, consistency and accuracy, each with what it was counted of.

    Args:
        data: as prepared.
        checked: what the organisation's own rules found (see :func:`sharpen.data.page.obeying.obeyed`).

    Returns:
        The three measures; ``missing``, rows by what they lack; ``columns``, how many rows fill each column, and
        whether it counts (``usual``); ``rules``, as given.
    """
    every, documents, labels = (*data.train, *data.dev), data.documents, data.labels
    columns = _columns(every, {str(c["field"]) for c in checked})
    usual = [c["name"] for c in columns if c["usual"]]
    missing = Counter[str]()
    whole = 0
    with_source = any(e.source for e in every)
    for e in every:
        there: dict[str, Any] = {"question": e.question.strip(), "answer": e.targets or e.answerable is False}
        there |= {"source": e.source} if with_source else {}
        there |= {name: value(e, name) for name in usual}
        lacks = [name for name, held in there.items() if not held]
        missing.update(lacks)
        whole += not lacks
    answers: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    times = Counter[tuple[str, ...]]()
    for e in every:
        answers[words(e.question)].add(min((words(t) for t in e.targets), default=()))
        times[words(e.question)] += 1
    again = [key for key, n in times.items() if n > 1]
    known, text = set(labels), {d.source: d.text for d in documents}
    kept = [ok for e in every for ok in _rules(e, known, text)]
    own = {kind: [c for c in checked if c["kind"] == kind] for kind in ("consistency", "accuracy")}
    n = {kind: sum(c["n"] for c in some) for kind, some in own.items()}
    of = {kind: sum(c["of"] for c in some) for kind, some in own.items()}
    alike = sum(len(answers[key]) == 1 for key in again)
    return {
        "completeness": _share(whole, len(every)),
        "missing": dict(missing.most_common()),
        "columns": columns,
        "consistency": _share(alike + n["consistency"], len(again) + of["consistency"]),
        "accuracy": _share(sum(kept) + n["accuracy"], len(kept) + of["accuracy"]),
        "rules": list(checked),
    }


def _columns(every: Sequence[Example], named: set[str]) -> list[dict[str, Any]]:
    """Each column with the rows that fill it, the emptiest first."""
    keys = sorted({key for e in every for key in e.meta} - BOOKS - OWN.keys())
    made = []
    for key in keys:
        n = sum(bool(value(e, key)) for e in every)
        usual = key in named or n >= USUAL * len(every)
        made.append({"name": key, **_share(n, len(every)), "usual": usual})
    return sorted(made, key=lambda c: (float(c["share"]), str(c["name"])))


def _rules(example: Example, labels: set[str], text: Mapping[str, str]) -> list[bool]:
    """What can be checked of a row without knowing its answer."""
    found = [label in labels for label in example.labels]
    if example.gold and example.targets:
        said = [words(text.get(g.source, "")[g.start : g.end]) for g in example.gold]
        found.append(any(" ".join(words(t)) in " ".join(s) for t in example.targets for s in said))
    return found


def _share(n: int, of: int) -> dict[str, Any]:
    return {"n": n, "of": of, "share": round(n / of, 4) if of else None}
