"""A frozen snapshot of passages, searched by words (BM25), by meaning (unit vectors) or by both.

Both: each list's scores are scaled to 0..1 over its best candidates and averaged. Saved as JSON lines and ``.npy``
without pickle; word statistics (bm25s, Lucene's formula, k1 1.5, b 0.75) are counted at the first search.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.errors import UserError
from sharpen.retrieval.chunking import Chunking, chunk
from sharpen.retrieval.wording import Wording
from sharpen.store import Store
from sharpen.types import Document, Passage, Ref, Span

Embed = Callable[..., Any]
CANDIDATES = 50  # how many of each list take part in fusion
BATCH = 256  # queries whose scores against all passages are held at once


def build(
    documents: Sequence[Document],
    store: Store,
    embed: Embed | None,
    options: Chunking | None = None,
    wording: Wording | None = None,
) -> Ref:
    """Chunk documents and keep an index over them; without ``embed`` it is searched by words alone."""
    return build_passages(chunk(documents, options), store, embed, wording)


def build_passages(
    passages: Sequence[Passage], store: Store, embed: Embed | None, wording: Wording | None = None
) -> Ref:
    """Keep an index over given passages. Identical passages are embedded once."""

    def fill(folder: Path) -> None:
        with (folder / "passages.jsonl").open("w", encoding="utf-8", errors="surrogatepass") as f:
            for p in passages:
                span = [p.span.source, p.span.start, p.span.end]
                row = {"id": p.id, "text": p.text, "span": span, "meta": dict(p.meta)}
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
        if wording not in (None, Wording()):
            (folder / "words.json").write_text(json.dumps(vars(wording)), encoding="utf-8")
        if embed is not None and passages:
            texts = [indexed(p) for p in passages]
            distinct = sorted(set(texts))
            rows = {t: i for i, t in enumerate(distinct)}
            vectors = np.asarray(embed(distinct), np.float32)
            np.save(folder / "vectors.npy", vectors[[rows[t] for t in texts]], allow_pickle=False)

    return store.keep("index", fill)


def load_index(folder: Path, embed: Embed | None = None) -> Index:
    """Open a kept index; ``embed`` is needed to search it by meaning."""
    passages = []
    with (folder / "passages.jsonl").open(encoding="utf-8", errors="surrogatepass") as f:
        for line in f:
            row = json.loads(line)
            passages.append(Passage(row["id"], row["text"], Span(*row["span"]), meta=row["meta"]))
    vectors = folder / "vectors.npy"
    dense = np.load(vectors, mmap_mode="r", allow_pickle=False) if vectors.exists() else None
    return Index(passages, dense, embed, wording_of(folder))


def wording_of(folder: Path) -> Wording:
    """What counts as a word in a kept index."""
    said = folder / "words.json"
    return Wording(**json.loads(said.read_text(encoding="utf-8"))) if said.exists() else Wording()


def indexed(passage: Passage) -> str:
    """What is searched: the passage under its title and section, which often hold the subject that it only means."""
    head = [str(passage.meta[k]) for k in ("title", "section") if passage.meta.get(k)]
    return "\n".join([*(h for h in head if h not in passage.text), passage.text])


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
        self._embed = embed
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

    def without(self, out: Callable[[Passage], bool]) -> Index:
        """The same index as if the passages of which ``out`` is true had never been in it."""
        kept = [i for i, p in enumerate(self.passages) if not out(p)]
        vectors = None if self.vectors is None else np.asarray(self.vectors)[kept]
        return Index([self.passages[i] for i in kept], vectors, self._embed, self.wording)

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
        for begin in range(0, len(queries), BATCH):
            part = list(queries[begin : begin + BATCH])
            lists = []
            if how in ("bm25", "hybrid"):
                lists.append(self._words(part))
            if how in ("dense", "hybrid"):
                lists.append(np.asarray(self._embed(part, query=True), np.float32) @ np.asarray(self.vectors).T)  # type: ignore[misc]
            lists = lists if among is None else [scores[:, among] for scores in lists]
            scores = lists[0] if len(lists) == 1 else sum(_scaled(s) for s in lists) / 2
            found.extend(self._best(row, k, among) for row in scores)
        return found

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
            ids = [[vocabulary.setdefault(w, len(vocabulary)) for w in words(indexed(p))] for p in self.passages]
            ranker = bm25s.BM25()
            if vocabulary:
                ranker.index((ids, vocabulary), show_progress=False)
            self._lexical = (ranker, vocabulary)  # whole, because other threads may search meanwhile
        ranker, vocabulary = self._lexical
        rows = []
        for query in queries:
            known = [vocabulary[w] for w in words(query) if w in vocabulary]
            rows.append(ranker.get_scores_from_ids(known) if known else np.zeros(len(self.passages), np.float32))
        return np.stack(rows)

    def _best(self, scores: Any, k: int, among: Any = None) -> tuple[Passage, ...]:
        k = min(k, len(scores))
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        above = sorted(np.flatnonzero(scores > least).tolist(), key=lambda i: (-scores[i], i))
        equal = np.flatnonzero(scores == least)[: k - len(above)].tolist()
        best = [(i if among is None else int(among[i]), float(scores[i])) for i in (*above, *equal)]
        return tuple(replace(self.passages[i], score=round(score, 6)) for i, score in best)


def _value(passage: Passage, name: str) -> str:
    return passage.span.source if name == "source" else str(passage.meta.get(name, ""))


def _scaled(scores: Any) -> Any:
    """Scale each row's best candidates to 0..1; the rest get 0."""
    n = scores.shape[1]
    c = min(CANDIDATES, n)
    floor = np.partition(scores, n - c, axis=1)[:, n - c][:, None]
    top = scores.max(axis=1, keepdims=True)
    return np.clip((scores - floor) / np.maximum(top - floor, 1e-9), 0, 1)
