"""How documents are cut into passages, chosen among several ways by what is then found.

Where gold spans are known: by the share of questions of train and dev whose gold spans lie whole within the first words
of what is found, as many words for each way, so that larger passages are no advantage by themselves; all ways on a
third of the questions, the better half on all of them (successive halving). Else by the answers on dev. Either is
tried on documents of train and dev alone where their names are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from sharpen.errors import UserError
from sharpen.retrieval import WAYS_TO_CUT, Chunking, Index, Wording, build
from sharpen.techniques._finding import known
from sharpen.techniques._options import LONGEST, counts
from sharpen.techniques.bench import Bench
from sharpen.types import Document, Example, Retriever, Span, System

LEAST = 24  # questions of the first round


@dataclass(frozen=True)
class Searching:
    """How what was cut is searched: ``how`` as the option of retrieve, for at most ``k`` passages."""

    how: str
    k: int
    wording: Wording
    embed: Callable[..., Any]


def cuttings(
    size: int | Sequence[int], longest: int | Sequence[int], chunk: str | Sequence[str], parent: int | Sequence[int]
) -> list[Chunking]:
    """All combinations of options, in the order given.

    Raises:
        UserError: an option is not one.
    """
    ways = tuple(chunk) if isinstance(chunk, list | tuple) else (chunk,)
    if not ways or not all(type(w) is str and w in WAYS_TO_CUT for w in ways):
        raise UserError(f"the option chunk is {chunk!r}.", do=f"It is one or several of: {', '.join(WAYS_TO_CUT)}.")
    sizes, longests = counts("size", size, most=LONGEST), counts("longest", longest, most=LONGEST)
    around = counts("parent", parent, least=0, most=LONGEST)
    return [Chunking(s, most, way, p) for way, s, most, p in product(dict.fromkeys(ways), sizes, longests, around)]


def chosen(ways: Sequence[Chunking], program: System, bench: Bench, searching: Searching) -> Chunking:
    """The best of several ways to cut; earlier ones win ties."""
    if len(ways) == 1:
        return ways[0]
    asked = known(bench)
    names = {s.source for e in asked for s in e.gold} | {e.source for e in (*bench.train, *bench.dev)}
    documents = [d for d in bench.documents if d.source in names] or list(bench.documents)
    if not asked:
        return _by_answers(ways, program, bench, searching, documents)
    bench.rng("chunking").shuffle(asked)
    left = list(ways)
    budget = searching.k * ways[0].size
    for number, part in enumerate((asked[: max(LEAST, len(asked) // 3)], asked)):
        shares = []
        for way in left:
            index = _index(documents, bench, way, searching)
            shares.append(held(index, part, _way(searching, index), budget))
            facts = {"what": "chunking", "candidate": _named(way), "n": len(part), "round": number}
            bench.note("tried", {**facts, "values": {f"gold within {budget} words": shares[-1]}})
        order = sorted(range(len(left)), key=lambda i: (-shares[i], i))
        left = [left[i] for i in (order if number else sorted(order[: max(2, (len(order) + 1) // 2)]))]
    bench.note("chose", {"what": "chunking", "candidate": _named(left[0])})
    return left[0]


def held(index: Index, examples: Sequence[Example], how: str, budget: int) -> float:
    """Share of examples whose gold spans lie whole within the first ``budget`` words of what is found.

    The passage that the words end in counts up to there; the first one counts whole.
    """
    most = min(50, len(index.passages))
    found = index.search([e.question for e in examples], most, how)
    good = 0
    for example, passages in zip(examples, found, strict=True):
        inside, left = list[Span](), budget
        for p in passages:
            words = len(p.text.split())
            if inside and words > left:
                break
            inside.append(p.span)
            left -= words
        good += all(_covered(span, inside) for span in example.gold)
    return good / (len(examples) or 1)


def _covered(span: Span, spans: Sequence[Span]) -> bool:
    """Whether all characters of a span stand in some of others; passages leave out white space between them."""
    mine = sorted((s.start, s.end) for s in spans if s.source == span.source)
    at = span.start
    for start, end in mine:
        if start > at + 2:
            break
        at = max(at, end)
    return at >= span.end - 1


def _by_answers(
    ways: Sequence[Chunking], program: System, bench: Bench, searching: Searching, documents: Sequence[Document]
) -> Chunking:
    candidates = []
    for way in ways:
        index = build(documents, bench.store, _embed(searching), way, searching.wording)
        how = _way(searching, bench.engines.index(index))
        candidates.append((_named(way), replace(program, retriever=Retriever(index, searching.k, how))))
    best = bench.best(candidates, "chunking")
    return next(way for way, (_, made) in zip(ways, candidates, strict=True) if made.retriever == best.retriever)


def _index(documents: Sequence[Document], bench: Bench, way: Chunking, searching: Searching) -> Index:
    return bench.engines.index(build(documents, bench.store, _embed(searching), way, searching.wording))


def _embed(searching: Searching) -> Callable[..., Any] | None:
    return None if searching.how == "bm25" else searching.embed


def _way(searching: Searching, index: Index) -> str:
    if searching.how != "auto":
        return searching.how
    return "hybrid" if "hybrid" in index.can else "bm25"


def _named(way: Chunking) -> str:
    """A way as the report names it."""
    parent = f" parent={way.parent}" if way.parent else ""
    return f"{way.by} size={way.size} longest={way.longest}{parent}"
