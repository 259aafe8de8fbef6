"""What a prepared data set is like, as numbers: of train, dev and documents; of the sealed test its size alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sharpen.data.augmentations.counterfactual import OTHER, PAIRS
from sharpen.data.bias import probes
from sharpen.data.dataset import Dataset
from sharpen.data.lineage import lines_of
from sharpen.data.page.coverage import FACET, coverage, criteria, dialogue
from sharpen.data.page.history import history, places
from sharpen.data.page.lengths import Tokens, lengths
from sharpen.data.page.quality import quality_of
from sharpen.data.page.repeats import changes, repeated
from sharpen.data.wording import words
from sharpen.types import Example

SHOWN = 20
"""Sources, classes and values that are listed; the rest is summed."""
ONE_SOURCE = 0.5
"""Share of one source above which a data set is said to be that source's."""
IMBALANCED = 10.0
"""Times that the largest class may be the smallest before it is said."""
FIRST = frozenset(a for a, _ in PAIRS)

Personal = Callable[[Sequence[str]], Mapping[str, int]]
Language = Callable[[str], str]


def profile(
    data: Dataset,
    tokens: Tokens | None = None,
    context: int | None = None,
    personal: Personal | None = None,
    language: Language | None = None,
    goal: str = "",
    checked: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return what the page shows.

    Args:
        data: as prepared.
        tokens: how many tokens of a model a text has; without it lengths are in words.
        context: tokens that the model reads.
        personal: personal data by type in some texts, as they are after preparation.
        language: the language of a text, as a code.
        goal: what the data are for, against which sources are held.
        checked: what the organisation's own rules found (see :func:`sharpen.data.page.obeying.obeyed`).
    """
    rows = {"train": data.train, "dev": data.dev}
    every = [e for part in rows.values() for e in part]
    texts = [t for e in every for t in (e.question, *e.targets)] + [d.text for d in data.documents]
    lines = lines_of(data.folder)
    documents = [line for line in lines if line["kind"] == "document" and not line["content"]]
    gone = {line["id"]: line["steps"][-1]["rule"] for line in documents}
    return {
        **brief(data),
        "version": data.folder.name,
        "splits": {name: _size(data.facts[name]) for name in ("train", "dev", "test")},
        "cluster_by": str(data.facts["cluster_by"]),
        "documents": len(data.documents),
        "tables": list(data.facts.get("tables", [])),
        "criteria": criteria(every, data.documents, [goal], gone),
        "coverage": coverage(rows, language),
        "dropped": dict(data.facts["dropped"]),
        "places": places(data.dropped),
        "leaks": dict(data.facts["leaks"]),
        "alike": dict(data.facts["alike"]),
        "lengths": lengths(rows, data.documents, tokens, context),
        "languages": _languages(rows, language),
        "document_languages": dict(Counter(language(d.text) for d in data.documents).most_common()) if language else {},
        "repeated": repeated(data),
        "rules": dict(data.facts.get("rules", {})),
        "changes": changes(data.facts.get("changes", {})),
        "owners": list(data.facts.get("sources", ())),
        "personal": dict(personal(texts)) if personal else None,
        "quality": quality_of(data, checked),
        "facets": _facets(rows),
        "protected": dict(data.facts.get("personal", {})),
        "sufficiency": None,
        "doubts": None,
        "problems": [str(p) for p in data.problems],
        "notes": list(data.notes),
    }


def brief(data: Dataset) -> dict[str, Any]:
    """What one pass over the rows tells: sources, classes, conversations, bias, and what is gone."""
    rows = {"train": data.train, "dev": data.dev}
    every = [e for part in rows.values() for e in part]
    return {
        "sources": _sources(rows, str(data.facts["cluster_by"])),
        "history": history(lines_of(data.folder), every),
        "labels": _labels(rows),
        "dialogue": dialogue(every),
        "bias": {**_bias(every), **probes(every, data.documents)},
    }


def _size(facts: Mapping[str, Any]) -> dict[str, int]:
    """What may be said of any split, the sealed one included."""
    clusters = facts["cluster_sizes"]
    sizes = {"n": facts["n"], "clusters": len(clusters), "largest": max(clusters, default=0)}
    return {**sizes, "unanswerable": facts["n_unanswerable"], "with_gold": facts["n_with_gold"]}


def _table(counted: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """The most frequent values by split, and how many more there are."""
    total: Counter[str] = Counter()
    for counter in counted.values():
        total.update(counter)
    top = total.most_common(SHOWN)
    rows = [{"name": name, **{split: c[name] for split, c in counted.items()}} for name, _ in top]
    return {"rows": rows, "values": len(total), "rest": sum(total.values()) - sum(n for _, n in top)}


def _sources(rows: Mapping[str, Sequence[Example]], by: str) -> dict[str, Any]:
    """Rows by source, or by what they are split by where none has a source; and whether one source prevails."""
    every = [e for part in rows.values() for e in part]
    by = "source" if any(e.source for e in every) else by
    shown = by in ("source", "group", "similar", "time")  # classes have a chart of their own
    counted = {
        name: Counter((e.source if by == "source" else e.group) or "(none)" for e in part if shown)
        for name, part in rows.items()
    }
    return {**_table(counted), "by": by, **single(every)}


def single(every: Sequence[Example]) -> dict[str, Any]:
    """The source with the most rows and its share of all, whatever rows are split by."""
    counted = Counter(e.source for e in every if e.source)
    largest, n = next(iter(counted.most_common(1)), ("", 0))
    share = n / max(1, len(every))
    return {"largest": largest, "largest_share": round(share, 4), "one_source": share > ONE_SOURCE}


def _labels(rows: Mapping[str, Sequence[Example]]) -> dict[str, Any] | None:
    counted = {name: Counter(label for e in part for label in e.labels) for name, part in rows.items()}
    if not counted["train"]:
        return None
    ratio = max(counted["train"].values()) / min(counted["train"].values())
    return {**_table(counted), "imbalance": round(ratio, 2), "imbalanced": ratio > IMBALANCED}


def _languages(rows: Mapping[str, Sequence[Example]], language: Language | None) -> dict[str, Any] | None:
    if language is None:
        return None
    return _table({name: Counter(language(e.question) for e in part) for name, part in rows.items()})


def _facets(rows: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
    """Columns of the rows with few values: segment, language, department, complexity."""
    values: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: {name: Counter() for name in rows})
    for name, part in rows.items():
        for e in part:
            for key, value in e.meta.items():
                if isinstance(value, str | int | bool) and len(str(value)) <= 60:
                    values[key][name][str(value)] += 1
    few = {k: v for k, v in values.items() if 1 < len(v["train"] | v["dev"]) <= FACET}
    return {key: _table(counted) for key, counted in sorted(few.items())}


def _bias(every: Sequence[Example]) -> dict[str, Any]:
    """How often words of either gender stand in questions and answers, and the classes in which one prevails."""
    sides = {True: Counter[str](), False: Counter[str]()}
    for e in every:
        for word in words(" ".join((e.question, *e.targets))):
            if word in OTHER or word in ("his", "her", "hers"):
                sides[word in FIRST or word == "his"][e.labels[0] if e.labels else ""] += 1
    skewed = []
    for label in sorted(set(sides[True]) | set(sides[False])):
        he, she = sides[True][label], sides[False][label]
        if label and he + she >= 10 and max(he, she) >= 4 * max(1, min(he, she)):
            skewed.append({"label": label, "masculine": he, "feminine": she})
    return {"masculine": sides[True].total(), "feminine": sides[False].total(), "skewed": skewed}
