"""What a prepared data set is like, as numbers: of train, dev and documents; of the sealed test its size alone.

Quality has the three usual measures (ISO/IEC 25012): completeness, the share of rows with nothing missing; consistency,
the share of questions that are asked more than once and answered alike each time; accuracy against rules, the share of
rows that keep what can be checked (a marked passage holds its answer, a class is one of train's).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sharpen.data.augmentations.counterfactual import OTHER, PAIRS
from sharpen.data.bias import probes
from sharpen.data.dataset import Dataset
from sharpen.data.leaks import near_duplicates
from sharpen.data.lineage import lines_of
from sharpen.data.page.coverage import FACET, coverage, criteria, dialogue
from sharpen.data.page.history import history, places
from sharpen.data.wording import words
from sharpen.types import Document, Example

SHOWN = 20
"""Sources, classes and values that are listed; the rest is summed."""
ONE_SOURCE = 0.5
"""Share of one source above which a data set is said to be that source's."""
IMBALANCED = 10.0
"""Times that the largest class may be the smallest before it is said."""
MOST = 20_000
"""Questions that are compared with each other."""
FIRST = frozenset(a for a, _ in PAIRS)

Tokens = Callable[[str], int]
Personal = Callable[[Sequence[str]], Mapping[str, int]]
Language = Callable[[str], str]


def profile(
    data: Dataset,
    tokens: Tokens | None = None,
    context: int | None = None,
    personal: Personal | None = None,
    language: Language | None = None,
    goal: str = "",
) -> dict[str, Any]:
    """Return what the page shows.

    Args:
        data: as prepared.
        tokens: how many tokens of a model a text has; without it lengths are in words.
        context: tokens that the model reads.
        personal: personal data by type in some texts, as they are after preparation.
        language: the language of a text, as a code.
        goal: what the data are for, against which sources are held.
    """
    rows = {"train": data.train, "dev": data.dev}
    every = [e for part in rows.values() for e in part]
    by = str(data.facts["cluster_by"])
    texts = [t for e in every for t in (e.question, *e.targets)] + [d.text for d in data.documents]
    lines = lines_of(data.folder)
    documents = [line for line in lines if line["kind"] == "document" and not line["content"]]
    gone = {line["id"]: line["steps"][-1]["rule"] for line in documents}
    return {
        "version": data.folder.name,
        "splits": {name: _size(data.facts[name]) for name in ("train", "dev", "test")},
        "cluster_by": by,
        "documents": len(data.documents),
        "sources": _sources(rows, by),
        "tables": list(data.facts.get("tables", [])),
        "history": history(lines, every),
        "criteria": criteria(every, data.documents, [goal], gone),
        "coverage": coverage(rows, language),
        "dialogue": dialogue(every),
        "dropped": dict(data.facts["dropped"]),
        "places": places(data.dropped),
        "leaks": dict(data.facts["leaks"]),
        "alike": dict(data.facts["alike"]),
        "labels": _labels(rows),
        "lengths": _lengths(every, data.documents, tokens, context),
        "languages": _languages(rows, language),
        "repeated": _repeated(every),
        "personal": dict(personal(texts)) if personal else None,
        "quality": quality_of(data),
        "facets": _facets(rows),
        "protected": dict(data.facts.get("personal", {})),
        "bias": {**_bias(every), **probes(every, data.documents)},
        "problems": [str(p) for p in data.problems],
        "notes": list(data.notes),
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
    counted = {name: Counter(_belongs(e, by) for e in part if by != "row") for name, part in rows.items()}
    total = sum(counted.values(), Counter[str]())
    largest = max(total.values(), default=0) / max(1, sum(total.values()))
    return {**_table(counted), "largest_share": round(largest, 4), "one_source": largest > ONE_SOURCE}


def _belongs(example: Example, by: str) -> str:
    """What a row is split by, as people call it."""
    given = example.labels[:1] if by == "label" else (example.source if by == "source" else example.group,)
    return "".join(given) or "(none)"


def _labels(rows: Mapping[str, Sequence[Example]]) -> dict[str, Any] | None:
    counted = {name: Counter(label for e in part for label in e.labels) for name, part in rows.items()}
    if not counted["train"]:
        return None
    ratio = max(counted["train"].values()) / min(counted["train"].values())
    return {**_table(counted), "imbalance": round(ratio, 2), "imbalanced": ratio > IMBALANCED}


def _lengths(
    every: Sequence[Example], documents: Sequence[Document], tokens: Tokens | None, context: int | None
) -> dict[str, Any]:
    size = tokens or (lambda text: len(text.split()))
    asked, told = [size(e.question) for e in every], [size(e.targets[0]) for e in every if e.targets]
    made = {
        "unit": "tokens" if tokens else "words",
        "questions": histogram(asked),
        "answers": histogram(told),
        "documents": histogram([len(d.text.split()) for d in documents]),
        "context": context if tokens else None,
        "too_long": None,
    }
    if tokens and context:
        both = [size(e.question) + (size(e.targets[0]) if e.targets else 0) for e in every]
        made["too_long"] = sum(n > context for n in both)
    return made


def histogram(values: Sequence[int], bins: int = 16) -> dict[str, Any]:
    """Counts of values in equal steps from 0, with median, 95th percentile and greatest; the last step holds the tail.

    Steps end at the 99th percentile, or a single long one would leave a chart empty.
    """
    if not values:
        return {"n": 0, "step": 0, "counts": []}
    ordered = sorted(values)
    at = {name: ordered[min(len(ordered) - 1, int(q * len(ordered)))] for name, q in (("median", 0.5), ("p95", 0.95))}
    top = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    step = max(1, -(-top // bins))
    counted = Counter(min(v // step, bins) for v in values)
    last = max(counted)
    return {"n": len(values), "step": step, **at, "max": ordered[-1], "counts": [counted[i] for i in range(last + 1)]}


def _languages(rows: Mapping[str, Sequence[Example]], language: Language | None) -> dict[str, Any] | None:
    if language is None:
        return None
    return _table({name: Counter(language(e.question) for e in part) for name, part in rows.items()})


def _repeated(every: Sequence[Example]) -> dict[str, Any]:
    """Questions that stand there more than once or nearly so, within what may be seen."""
    some = [e.question for e in every[:MOST]]
    alike = {i for i, j, _ in near_duplicates(some, some) if i != j}
    return {"n": len(alike), "of": len(some), "share": round(len(alike) / max(1, len(some)), 4)}


def quality_of(data: Dataset) -> dict[str, Any]:
    """Completeness, consistency and accuracy of train and dev, each with what it was counted of."""
    every, documents, labels = (*data.train, *data.dev), data.documents, data.labels
    missing = Counter[str]()
    whole = 0
    with_source = any(e.source for e in every)
    for e in every:
        there = {"question": e.question.strip(), "answer": e.targets or e.answerable is False}
        there |= {"source": e.source} if with_source else {}
        lacks = [name for name, value in there.items() if not value]
        missing.update(lacks)
        whole += not lacks
    answers: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    times = Counter[tuple[str, ...]]()
    for e in every:
        answers[words(e.question)].add(min((words(t) for t in e.targets), default=()))
        times[words(e.question)] += 1
    again = [key for key, n in times.items() if n > 1]
    known, text = set(labels), {d.source: d.text for d in documents}
    checked = kept = 0
    for e in every:
        for ok in _rules(e, known, text):
            checked, kept = checked + 1, kept + ok
    return {
        "completeness": _share(whole, len(every)),
        "missing": dict(missing),
        "consistency": _share(sum(len(answers[key]) == 1 for key in again), len(again)),
        "accuracy": _share(kept, checked),
    }


def _rules(example: Example, labels: set[str], text: Mapping[str, str]) -> list[bool]:
    """What can be checked of a row without knowing its answer."""
    found = [label in labels for label in example.labels]
    if example.gold and example.targets:
        said = [words(text.get(g.source, "")[g.start : g.end]) for g in example.gold]
        found.append(any(" ".join(words(t)) in " ".join(s) for t in example.targets for s in said))
    return found


def _share(n: int, of: int) -> dict[str, Any]:
    return {"n": n, "of": of, "share": round(n / of, 4) if of else None}


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
