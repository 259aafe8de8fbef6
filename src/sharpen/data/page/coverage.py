"""How varied the data are by facet, where the gaps are, and what each source is worth by three criteria.

Evenness is the entropy of the shares over its greatest value (Pielou 1966): 1 where every value is as frequent as every
other. A gap is a value with fewer than :data:`THIN` rows of train, or one that dev has and train has not.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sharpen.data.cleaners.quality import quality
from sharpen.data.features import kind
from sharpen.data.wording import words
from sharpen.types import Document, Example

THIN = 5
"""Rows of train below which a value is thin."""
NAMED = 5
"""Gaps that are named."""
FACET = 30  # values that a column may have to be a facet
DIALOGUE = 0.5
"""Share of conversations above which a model may take every text for the beginning of one."""
LOOKED_AT = 20_000
"""Characters of a source that are scored for relevance and quality."""
WEAK = 0.5  # of the median relevance of all sources
BUCKETS = (5, 10, 20, 40, 80)

Language = Callable[[str], str]


def looks(
    rows: Mapping[str, Sequence[Example]], language: Language | None = None
) -> dict[str, Callable[[Example], Iterable[str]]]:
    """What rows may differ in: a name, and the values that a row has of it."""
    facets: dict[str, Callable[[Example], Iterable[str]]] = {
        "class": lambda e: e.labels,
        "source": lambda e: filter(None, [e.source]),
        "way of asking": lambda e: [kind(e.question)],
        "length of the question": lambda e: [bucket(len(e.question.split()))],
    }
    if language:
        facets["language"] = lambda e: [language(e.question)]
    for key in columns(rows):
        facets[key] = lambda e, key=key: [str(e.meta[key])] if key in e.meta else []  # type: ignore[misc]
    return facets


def coverage(rows: Mapping[str, Sequence[Example]], language: Language | None = None) -> list[dict[str, Any]]:
    """One line a facet: how many values it has, how even they are, the largest share, and its gaps."""
    made = []
    for name, of in looks(rows, language).items():
        counted = {split: Counter(v for e in part for v in of(e)) for split, part in rows.items()}
        if len(counted["train"] | counted["dev"]) > 1:
            made.append(_line(name, counted["train"], counted["dev"]))
    return made


def columns(rows: Mapping[str, Sequence[Example]]) -> list[str]:
    """Columns with few values, such as segment, department or complexity."""
    values: dict[str, set[str]] = defaultdict(set)
    for part in rows.values():
        for e in part:
            for key, value in e.meta.items():
                if isinstance(value, str | int | bool) and len(str(value)) <= 60:
                    values[key].add(str(value))
    return sorted(key for key, found in values.items() if 1 < len(found) <= FACET)


def bucket(words: int) -> str:
    """A length in words as a range: ``6 to 10 words``."""
    low = 1
    for high in BUCKETS:
        if words <= high:
            return f"{low} to {high} words"
        low = high + 1
    return f"over {BUCKETS[-1]} words"


def _line(name: str, train: Counter[str], dev: Counter[str]) -> dict[str, Any]:
    both = train + dev
    # A few rows of a language are most often a wrong guess; and a whole source is in one split only.
    thin = sorted((n, v) for v, n in train.items() if n < THIN and name != "language")
    absent = sorted(set(dev) - set(train)) if name not in ("language", "source") else []
    gaps = [f"{v}: {n}" for n, v in thin] + [f"{v}: 0, and dev has {dev[v]}" for v in absent]
    return {
        "facet": name,
        "values": len(both),
        "evenness": round(evenness(both), 4),
        "largest": both.most_common(1)[0][0],
        "largest_share": round(max(both.values()) / both.total(), 4),
        "gaps": gaps[:NAMED],
        "n_gaps": len(gaps),
    }


def evenness(counts: Mapping[str, int]) -> float:
    """Pielou's evenness; 1 where there is one value."""
    total = sum(counts.values())
    entropy = -sum(n / total * math.log(n / total) for n in counts.values() if n)
    return entropy / math.log(len(counts)) if len(counts) > 1 else 1.0


def dialogue(every: Sequence[Example]) -> dict[str, Any]:
    """How many rows are conversations, with a reply in what is given, and whether that is too large a part."""
    n = sum(any(m.role == "assistant" for m in e.messages) for e in every)
    share = n / max(1, len(every))
    return {"n": n, "of": len(every), "share": round(share, 4), "too_much": share > DIALOGUE, "limit": DIALOGUE}


def criteria(
    every: Sequence[Example], documents: Sequence[Document], about: Sequence[str], gone: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Each source by relevance, quantity and quality, whether it is kept, and what speaks against it.

    Relevance is the share of its words' weight that the goal or questions of other sources have, too; quality the
    share of its paragraphs that keep the rules of :mod:`sharpen.data.cleaners.quality`; quantity its rows and
    characters.

    Args:
        every: rows of train and dev.
        documents: all documents.
        about: texts of the task, other than the sources and questions: its goal.
        gone: sources that were dropped, with the reason.
    """
    rows = Counter(e.source for e in every if e.source)
    texts = {d.source: d.text for d in documents}
    for e in every:
        if e.source and e.source not in texts:
            texts[e.source] = ""
    if len(texts) < 2:
        return []
    asked: dict[str, list[str]] = defaultdict(list)
    for e in every:
        asked[e.source].append(e.question)
    held = {s: (t or "\n".join(asked[s]))[:LOOKED_AT] for s, t in texts.items()}
    relevant = _relevance(held, list(about), asked)
    usual = sorted(relevant.values())[len(relevant) // 2]
    made: list[dict[str, Any]] = []
    for source, text in texts.items():
        good = _quality(held[source])
        size = len(text) or len(held[source])
        against = [
            *([f"its words are less the task's than usual ({usual:.0%})"] if relevant[source] < WEAK * usual else []),
            *(["half of its paragraphs break a rule of quality"] if good is not None and good < 0.5 else []),
        ]
        made.append(
            {
                "source": source,
                "relevance": round(relevant[source], 4),
                "rows": rows[source],
                "characters": size,
                "quality": None if good is None else round(good, 4),
                "verdict": "kept",
                "against": against,
            }
        )
    made.sort(key=lambda r: (-len(r["against"]), -r["rows"], r["source"]))
    lost = {"relevance": None, "rows": 0, "characters": 0, "quality": None, "verdict": "dropped"}
    return [{"source": s, **lost, "against": [why]} for s, why in sorted((gone or {}).items())] + made


def _relevance(texts: Mapping[str, str], about: Iterable[str], asked: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The share of the weight of a source's words that the goal or questions of other sources have, too.

    A word weighs the more the fewer sources have it, and one that all have weighs nothing. A source's own questions
    do not count, or sources of the test would seem to be off topic.
    """
    held = {source: frozenset(words(text)) for source, text in texts.items()}
    having = Counter(word for found in held.values() for word in found)
    of = {source: frozenset(w for q in questions for w in words(q)) for source, questions in asked.items()}
    asking = Counter(word for found in of.values() for word in found)
    goal = frozenset(w for text in about for w in words(text))
    scores = {}
    for source, found in held.items():
        own: frozenset[str] = of.get(source, frozenset())
        weight = {w: math.log((len(held) + 1) / (having[w] + 1)) for w in found}
        shared = sum(n for w, n in weight.items() if w in goal or asking[w] > (w in own))
        scores[source] = shared / sum(weight.values()) if sum(weight.values()) else 0.0
    return scores


def _quality(text: str) -> float | None:
    paragraphs = [p for p in text.split("\n\n") if p.strip()]
    cleaner = quality(off=("few_words",))
    return sum(o.value is not None for o in cleaner.texts(paragraphs)) / len(paragraphs) if paragraphs else None
