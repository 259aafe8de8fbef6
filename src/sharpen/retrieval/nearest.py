"""The vectors nearest to a question's, by inner product: exactly in numpy, or by a graph (usearch) or PostgreSQL.

One small interface: ``top(queries, n)``. Up to ``EXACT`` vectors numpy reads them all; beyond it the graph of usearch
(HNSW; Malkov and Yashunin 2020) is asked where the package is there, which finds at least ``RECALL`` of the true
nearest.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sharpen.errors import MissingExtra

log = logging.getLogger("sharpen.retrieval")

EXACT = 200_000  # vectors up to which all are read for each question
RECALL = 0.95  # share of the ten nearest that an approximate search has to find; see benchmarks/search.py
LINKS, BUILT, ASKED = 16, 128, 128  # of the graph: links a vector, candidates while building and while searching
ROWS = 5_000  # sent to PostgreSQL at once

Found = tuple[NDArray[np.int64], NDArray[np.float32]]


class Nearest(Protocol):
    """What finds nearest vectors."""

    def top(self, queries: NDArray[np.float32], n: int) -> Found:
        """Places and inner products of the ``n`` nearest of each query, nearest first: two arrays (queries, n)."""
        ...


def top_of(scores: NDArray[np.float32], n: int) -> Found:
    """The ``n`` highest of each row (or all, where there are fewer), highest first; of equal ones the earlier."""
    n = min(n, scores.shape[1])
    places = np.empty((len(scores), n), np.int64)
    for row, into in zip(scores, places, strict=True):
        least = np.partition(row, len(row) - n)[len(row) - n]
        above = np.flatnonzero(row > least)
        above = above[np.argsort(-row[above], kind="stable")]
        into[: len(above)] = above
        into[len(above) :] = np.flatnonzero(row == least)[: n - len(above)]
    return places, np.take_along_axis(scores, places, axis=1)


class Exact:
    """All vectors are read; ties go to the earlier one."""

    def __init__(self, vectors: Any) -> None:
        self.vectors = np.asarray(vectors, np.float32)

    def top(self, queries: NDArray[np.float32], n: int) -> Found:
        """See :class:`Nearest`."""
        return top_of(queries @ self.vectors.T, n)


class Graph:
    """An HNSW graph of the package usearch, kept in a file where one is named: built once, read into memory later."""

    def __init__(self, vectors: Any, file: Path | None = None) -> None:
        if importlib.util.find_spec("usearch") is None:
            raise MissingExtra("searching among very many passages", "usearch", "search")
        from usearch.index import Index

        self._graph = Index(
            ndim=vectors.shape[1],
            metric="ip",
            dtype="f32",
            connectivity=LINKS,
            expansion_add=BUILT,
            expansion_search=ASKED,
        )
        if file is not None and file.is_file():
            self._graph.load(str(file))
            if len(self._graph) == len(vectors):
                return
            self._graph.clear()
        self._graph.add(np.arange(len(vectors)), np.asarray(vectors, np.float32))
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.{os.getpid()}")
            self._graph.save(str(part))
            part.replace(file)  # whole or not at all

    def top(self, queries: NDArray[np.float32], n: int) -> Found:
        """See :class:`Nearest`."""
        n = min(n, len(self._graph))
        found = self._graph.search(queries, n)
        keys, far = (
            np.asarray(found.keys).reshape(len(queries), n),
            np.asarray(found.distances).reshape(len(queries), n),
        )
        return keys.astype(np.int64), (1 - far).astype(np.float32)


class Postgres:
    """A table of PostgreSQL with the extension pgvector and its HNSW index; ``url`` as psycopg reads it.

    The table is named by the content of the vectors, so that two indexes in one database are two tables, and filled
    once, in one transaction.
    """

    def __init__(self, vectors: Any, url: str) -> None:
        if importlib.util.find_spec("psycopg") is None:
            raise MissingExtra("searching in PostgreSQL", "psycopg", "postgres")
        vectors = np.ascontiguousarray(vectors, np.float32)
        self._url = url
        self._n = len(vectors)
        self.table = "vectors_" + hashlib.sha256(vectors.tobytes()).hexdigest()[:32]
        with self._connected() as db:
            db.execute("CREATE EXTENSION IF NOT EXISTS vector")
            if db.execute("SELECT to_regclass(%s)", [self.table]).fetchone() != (None,):
                return
            db.execute(f"CREATE TABLE {self.table} (id bigint, vector vector({vectors.shape[1]}))")
            with db.cursor().copy(f"COPY {self.table} FROM STDIN") as copy:
                for at in range(0, len(vectors), ROWS):
                    rows = (f"{i}\t{_text(v)}\n" for i, v in enumerate(vectors[at : at + ROWS], at))
                    copy.write("".join(rows))
            how = f"WITH (m = {LINKS}, ef_construction = {BUILT})"
            db.execute(f"CREATE INDEX ON {self.table} USING hnsw (vector vector_ip_ops) {how}")

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import psycopg

        with psycopg.connect(self._url) as db:
            yield db

    def top(self, queries: NDArray[np.float32], n: int) -> Found:
        """See :class:`Nearest`."""
        n = min(n, self._n)
        places, scores = np.zeros((len(queries), n), np.int64), np.zeros((len(queries), n), np.float32)
        with self._connected() as db:
            db.execute(f"SET LOCAL hnsw.ef_search = {min(1000, max(ASKED, n))}")
            db.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            for q, query in enumerate(queries):
                asked = (
                    f"SELECT id, -(vector <#> %s::vector) FROM {self.table} ORDER BY vector <#> %s::vector LIMIT {n}"
                )
                for i, (place, score) in enumerate(db.execute(asked, [_text(query)] * 2).fetchall()):
                    places[q, i], scores[q, i] = place, score
        return places, scores

    def drop(self) -> None:
        """Take the table out of the database."""
        with self._connected() as db:
            db.execute(f"DROP TABLE IF EXISTS {self.table}")


def _text(vector: NDArray[np.float32]) -> str:
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def nearest(vectors: Any, file: Path | None = None) -> Nearest:
    """What is suited to so many vectors; ``file`` is where a graph is kept."""
    if len(vectors) <= EXACT:
        return Exact(vectors)
    if importlib.util.find_spec("usearch") is None:
        say = "%d passages are searched one by one; pip install 'sharpen[search]' makes that faster."
        log.warning(say, len(vectors))
        return Exact(vectors)
    return Graph(vectors, file)
