"""A frozen snapshot of passages, searched by words (BM25), by meaning (unit vectors) or by both.

Both: each list's scores are scaled to 0..1 over its best candidates and averaged. Saved as JSON lines and ``.npy``
without pickle; word statistics (bm25s, Lucene's formula, k1 1.5, b 0.75) are counted at the first search.
"""

from __future__ import annotations

import json
import shutil
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.errors import UserError
from sharpen.retrieval.chunking import Chunking, chunk, parents
from sharpen.retrieval.nearest import EXACT, Found, nearest, top_of
from sharpen.retrieval.wording import Wording
from sharpen.store import Store
from sharpen.types import Document, Passage, Ref, Span

Embed = Callable[..., Any]
CANDIDATES = 50  # how many of each list take part in fusion
OWN_EMBEDDER = "embedder"  # the folder of an index's own model
BATCH = 256  # queries whose scores against all passages are held at once


def build(
    documents: Sequence[Document],
    store: Store,
    embed: Embed | None,
    options: Chunking | None = None,
    wording: Wording | None = None,
) -> Ref:
    """Chunk documents and keep an index over them; without ``embed`` it is searched by words alone."""
    options = options or Chunking()
    if options.by == "meaning" and embed is None:
        do = "Search by meaning too, or cut by paragraphs, sentences or headings."
        raise UserError("documents are cut by meaning with an embedding model, and there is none.", do=do)
    passages = chunk(documents, options, embed)
    if not options.parent:
        return build_passages(passages, store, embed, wording)
    given, parts = parents(passages, documents, options.parent)
    return build_passages(given, store, embed, wording, [[passages[n] for n in some] for some in parts])


def build_passages(
    passages: Sequence[Passage],
    store: Store,
    embed: Embed | None,
    wording: Wording | None = None,
    parts: Sequence[Sequence[Passage]] = (),
    embedder: Path | None = None,
) -> Ref:
    """Keep an index over given passages. Identical passages are embedded once.

    ``parts`` are what is searched of each passage; without them it is searched as it is given. ``embedder`` is the
    folder of a model of its own that ``embed`` is of: it is kept with the index, whose questions it has to embed.
    """
    searched = [p for some in parts for p in some] if parts else passages

    def fill(folder: Path) -> None:
        _write(folder / "passages.jsonl", passages)
        if parts:
            _write(folder / "parts.jsonl", searched)
            (folder / "parts.json").write_text(json.dumps([len(some) for some in parts]), encoding="utf-8")
        if wording not in (None, Wording()):
            (folder / "words.json").write_text(json.dumps(vars(wording)), encoding="utf-8")
        if embedder is not None:
            shutil.copytree(embedder, folder / OWN_EMBEDDER)
        if embed is not None and searched:
            texts = [p.headed for p in searched]
            distinct = sorted(set(texts))
            rows = {t: i for i, t in enumerate(distinct)}
            vectors = np.asarray(embed(distinct), np.float32)
            np.save(folder / "vectors.npy", vectors[[rows[t] for t in texts]], allow_pickle=False)

    return store.keep("index", fill)


def load_index(folder: Path, embed: Embed | None = None) -> Index:
    """Open a kept index; ``embed`` is needed to search it by meaning."""
    passages = _read(folder / "passages.jsonl")
    vectors = folder / "vectors.npy"
    dense = np.load(vectors, mmap_mode="r", allow_pickle=False) if vectors.exists() else None
    index = Index(passages, dense, embed, wording_of(folder))
    index.graph = folder.parent.parent / "work" / f"graph-{folder.name}" / "graph.usearch"
    if (folder / "parts.jsonl").exists():
        index.search_in(_read(folder / "parts.jsonl"), json.loads((folder / "parts.json").read_text(encoding="utf-8")))
    return index


def wording_of(folder: Path) -> Wording:
    """What counts as a word in a kept index."""
    said = folder / "words.json"
    return Wording(**json.loads(said.read_text(encoding="utf-8"))) if said.exists() else Wording()


def _write(path: Path, passages: Sequence[Passage]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogatepass") as f:
        for p in passages:
            span = [p.span.source, p.span.start, p.span.end]
            row = {"id": p.id, "text": p.text, "span": span, "meta": dict(p.meta)}
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


def _read(path: Path) -> list[Passage]:
    with path.open(encoding="utf-8", errors="surrogatepass") as f:
        rows = map(json.loads, f)
        return [Passage(row["id"], row["text"], Span(*row["span"]), meta=row["meta"]) for row in rows]


def words(text: str) -> list[str]:
    """Lower-case words (letters, in scripts without spaces); a plural and its singular are the same word."""
    return Wording().words(text)


class Index:
    """Passages and two ways to find them."""

    def __init__(
        self,
        passages: Sequence[Passage],
        vectors: Any = None,
        embed: Embed | None = None,
        wording: Wording | None = None,
    ) -> None:
        self.wording = wording or Wording()
        self.passages = list(passages)
        self.vectors = vectors
        self.graph: Path | None = None  # where a graph of very many vectors is kept
        self.searched = self.passages  # what is searched of them
        self._firsts: Any = None  # the places of the first part of each passage in what is searched
        self._embed = embed
        self._nearest: Any = None
        self._lexical: Any = None
        self._filtered: dict[tuple[tuple[str, str], ...], Any] = {}
        in_source: dict[str, list[int]] = {}
        for i, p in enumerate(self.passages):
            in_source.setdefault(p.span.source, []).append(i)
        self._by_source: dict[str, tuple[list[int], list[int], list[int]]] = {}
        for source, places in in_source.items():
            places.sort(key=lambda i: self.passages[i].span.start)
            spans = [self.passages[i].span for i in places]
            furthest = list(accumulate((s.end for s in spans), max))
            self._by_source[source] = (places, [s.start for s in spans], furthest)

    @property
    def can(self) -> frozenset[str]:
        """The ways that this index can be searched."""
        return frozenset({"bm25", "dense", "hybrid"} if self.vectors is not None and self._embed else {"bm25"})

    def search_in(self, parts: Sequence[Passage], counts: Sequence[int]) -> None:
        """Search in these parts of the passages, the first ``counts[0]`` of which are those of the first passage."""
        self.searched = list(parts)
        self._firsts = np.cumsum([0, *counts[:-1]])

    def without(self, out: Callable[[Passage], bool]) -> Index:
        """The same index as if the passages of which ``out`` is true had never been in it."""
        kept = [i for i, p in enumerate(self.passages) if not out(p)]
        spans = self._parts_of(kept)
        places = [n for start, end in spans for n in range(start, end)]
        vectors = None if self.vectors is None else np.asarray(self.vectors)[places]
        made = Index([self.passages[i] for i in kept], vectors, self._embed, self.wording)
        if self._firsts is not None:
            made.search_in([self.searched[n] for n in places], [end - start for start, end in spans])
        return made

    @property
    def parts(self) -> list[list[Passage]]:
        """What is searched of each passage; none where they are searched as they are given."""
        whole = [] if self._firsts is None else self._parts_of(range(len(self.passages)))
        return [self.searched[start:end] for start, end in whole]

    def _parts_of(self, passages: Sequence[int]) -> list[tuple[int, int]]:
        """Where the parts of passages stand in what is searched."""
        if self._firsts is None:
            return [(i, i + 1) for i in passages]
        ends = [*self._firsts[1:].tolist(), len(self.searched)]
        return [(int(self._firsts[i]), ends[i]) for i in passages]

    def search(
        self, queries: Sequence[str], k: int, how: str = "hybrid", where: Mapping[str, str] | None = None
    ) -> list[tuple[Passage, ...]]:
        """Return the ``k`` best passages of each query, best first; ties go to the earlier passage.

        Args:
            queries: what is searched for.
            k: how many passages at most.
            how: hybrid, bm25 or dense.
            where: values that a passage's ``meta`` must have (as text), ``source`` its document's name.

        Raises:
            UserError: this index cannot be searched in the way ``how``.
        """
        if not self.passages or k < 1:
            return [() for _ in queries]
        if how not in self.can:
            ways = ", ".join(sorted(self.can))
            raise UserError(f"this index cannot be searched by {how!r}.", do=f"It can be by: {ways}.")
        among = self._where(where) if where else None
        if among is not None and not len(among):
            return [() for _ in queries]
        found: list[tuple[Passage, ...]] = []
        n = min(k if how != "hybrid" else max(k, CANDIDATES), len(self.passages) if among is None else len(among))
        for begin in range(0, len(queries), BATCH):
            part = list(queries[begin : begin + BATCH])
            lists = []
            if how in ("bm25", "hybrid"):
                lists.append(self._top(self._words(part), n, among))
            if how in ("dense", "hybrid"):
                lists.append(self._dense(part, n, among))
            ranked = zip(*lists[0], strict=True) if len(lists) == 1 else _fused(lists, k, among, len(self.passages))
            found.extend(self._given(places[:k], scores[:k]) for places, scores in ranked)
        return found

    def _given(self, places: Any, scores: Any) -> tuple[Passage, ...]:
        pairs = zip(places.tolist(), scores.tolist(), strict=True)
        return tuple(replace(self.passages[i], score=round(score, 6)) for i, score in pairs)

    def _top(self, scores: Any, n: int, among: Any) -> Found:
        """The best passages by the scores of all that is searched; a passage is as good as the best of its parts."""
        if self._firsts is not None:
            scores = np.maximum.reduceat(scores, self._firsts, axis=1)
        places, best = top_of(scores if among is None else scores[:, among], n)
        return (places if among is None else among[places]), best

    def _dense(self, queries: list[str], n: int, among: Any) -> Found:
        vectors = np.asarray(self._embed(queries, query=True), np.float32)  # type: ignore[misc]
        if len(self.searched) <= EXACT or among is not None:  # of a part of them all are read
            return self._top(vectors @ np.asarray(self.vectors).T, n, among)
        if self._nearest is None:
            self._nearest = nearest(self.vectors, self.graph)
        if self._firsts is None:
            found: Found = self._nearest.top(vectors, n)
            return found
        most = int(np.diff([*self._firsts, len(self.searched)]).max())
        places, scores = self._nearest.top(vectors, n * most)  # so many parts are of n passages at least
        rows = [self._firsts.searchsorted(row, "right") - 1 for row in places]
        first = [np.sort(np.unique(row, return_index=True)[1])[:n] for row in rows]
        return (
            np.stack([row[at] for row, at in zip(rows, first, strict=True)]),
            np.stack([row[at] for row, at in zip(scores, first, strict=True)]),
        )

    def count(self, where: Mapping[str, str]) -> int:
        """How many passages have these values."""
        return len(self._where(where))

    def _where(self, where: Mapping[str, str]) -> Any:
        """The places of the passages that have these values."""
        items = tuple(sorted(where.items()))
        if items not in self._filtered:
            kept = [i for i, p in enumerate(self.passages) if all(_value(p, k) == v for k, v in items)]
            self._filtered[items] = np.asarray(kept, np.int64)
        return self._filtered[items]

    def covering(self, gold: Sequence[Span], k: int) -> tuple[Passage, ...]:
        """Return up to ``k`` passages that hold the gold spans, each the one that holds most of its span."""
        best: dict[int, None] = {}
        for span in gold:
            held = [(self._overlap(i, span), -i) for i in self._near(span)]
            if held and max(held)[0] > 0:
                best[-max(held)[1]] = None
        return tuple(self.passages[i] for i in list(best)[:k])

    def _near(self, span: Span) -> Iterator[int]:
        """The passages of the span's source that overlap it, and perhaps others."""
        places, starts, ends = self._by_source.get(span.source, ([], [], []))
        at = bisect_left(starts, span.end)
        while at and ends[at - 1] > span.start:  # ends are the furthest so far
            at -= 1
            yield places[at]

    def _overlap(self, i: int, span: Span) -> int:
        mine = self.passages[i].span
        return min(mine.end, span.end) - max(mine.start, span.start)

    def _words(self, queries: Sequence[str]) -> Any:
        import bm25s

        words = self.wording.words
        if self._lexical is None:
            vocabulary: dict[str, int] = {}
            ids = [[vocabulary.setdefault(w, len(vocabulary)) for w in words(p.headed)] for p in self.searched]
            ranker = bm25s.BM25()
            if vocabulary:
                ranker.index((ids, vocabulary), show_progress=False)
            self._lexical = (ranker, vocabulary)  # whole, because other threads may search meanwhile
        ranker, vocabulary = self._lexical
        rows = []
        for query in queries:
            known = [vocabulary[w] for w in words(query) if w in vocabulary]
            rows.append(ranker.get_scores_from_ids(known) if known else np.zeros(len(self.searched), np.float32))
        return np.stack(rows)


def _value(passage: Passage, name: str) -> str:
    return passage.span.source if name == "source" else str(passage.meta.get(name, ""))


def _fused(lists: Sequence[Found], k: int, among: Any, n: int) -> Iterator[tuple[Any, Any]]:
    """Of each query the passages of all lists by the mean of their scaled scores; where too few have any, others."""
    for row in range(len(lists[0][0])):
        total: dict[int, float] = {}
        for places, scores in lists:
            best = scores[row][:CANDIDATES]
            scaled = np.clip((best - best[-1]) / max(float(best[0] - best[-1]), 1e-9), 0, 1)
            for place, score in zip(places[row].tolist(), scaled.tolist(), strict=False):
                if score > 0:
                    total[place] = total.get(place, 0.0) + score / len(lists)
        order = sorted(total, key=lambda i: (-total[i], i))[:k]
        rest = (int(i) for i in (range(n) if among is None else among) if int(i) not in total)
        order += islice(rest, k - len(order))
        yield np.array(order), np.array([total.get(i, 0.0) for i in order])
