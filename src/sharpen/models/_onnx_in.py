"""Reading a small BERT cross-encoder out of an ONNX file, as a plain folder of fp32 safetensors.

Weights that were made 8-bit integers are multiplied out again. What such a file does beyond that, rounding the numbers
between layers by the range of a whole batch, makes a score depend on its neighbours in the batch, and is left out.
Format: github.com/onnx/onnx, onnx.proto3.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.errors import UserError

TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 10: np.float16, 11: np.float64}
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
Array = NDArray[Any]


def onnx_in(path: Path, folder: Path, ref: str) -> None:
    """Write the model of ``path`` into an existing folder, with the tokenizer that lies beside it.

    Raises:
        UserError: the file cannot be read, or is not a BERT that gives one score.
    """
    try:
        kept, nodes = _graph(path.read_bytes())
        weights = dict(_weights(kept, nodes))
        config = _config(weights, nodes, kept)
    except (ValueError, LookupError, struct.error, TypeError) as e:
        what = f"{ref} cannot be read as a BERT cross-encoder ({type(e).__name__}: {e})."
        do = "Choose a folder of a sequence classification model in safetensors."
        raise UserError(what, path.name, do) from None
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(w, np.float32) for name, w in weights.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    for name in TOKENIZER:
        if (path.parent / name).is_file():
            shutil.copy2(path.parent / name, folder / name)


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: numbers, or the bytes of what has a length."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _number(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("it is no ONNX file")
        if at + size > len(data):
            raise ValueError("it ends too early")
        yield key >> 3, data[at : at + size]
        at += size


def _number(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("it is no ONNX file")


def _tensor(data: memoryview) -> tuple[str, Array]:
    dims: list[int] = []
    name, kind, raw = "", 0, memoryview(b"")
    more: list[Array] = []
    for field, value in _fields(data):
        if field == 1:
            dims += [value] if isinstance(value, int) else _numbers(value)
        elif field == 2:
            kind = value
        elif field == 8:
            name = bytes(value).decode()
        elif field == 9:
            raw = value
        elif field == 4:
            more.append(np.frombuffer(value, np.float32))
        elif field in (5, 7):
            more.append(np.array([value] if isinstance(value, int) else _numbers(value)))
    if kind not in TYPES:
        return name, np.zeros(0)
    made = np.frombuffer(raw, TYPES[kind]) if len(raw) or not more else np.concatenate(more).astype(TYPES[kind])
    return name, made.reshape(dims)


def _numbers(data: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = _number(data, at)
        found.append(value)
    return found


def _graph(data: bytes) -> tuple[dict[str, Array], list[tuple[str, str, list[str], list[str]]]]:
    """Kept tensors by name, and nodes as (name, kind, inputs, outputs); constants count as kept tensors."""
    graph = next((v for n, v in _fields(memoryview(data)) if n == 7), None)
    if graph is None:
        raise ValueError("it holds no graph")
    kept: dict[str, Array] = {}
    nodes = []
    for field, value in _fields(graph):
        if field == 5:
            name, tensor = _tensor(value)
            kept[name] = tensor
        elif field == 1:
            node: dict[int, list[Any]] = {}
            for n, v in _fields(value):
                node.setdefault(n, []).append(v)
            texts = {n: [bytes(v).decode() for v in node.get(n, [])] for n in (1, 2, 3, 4)}
            nodes.append(("".join(texts[3]), "".join(texts[4]), texts[1], texts[2]))
            for attribute in node.get(5, []):
                held = next((v for n, v in _fields(attribute) if n == 5), None)
                if texts[4] == ["Constant"] and held is not None:
                    kept[texts[2][0]] = _tensor(held)[1]
    return kept, nodes


def _whole(kept: dict[str, Array], name: str) -> Array:
    """A tensor, multiplied out where it was made integers: scale × (value - zero point)."""
    base = name.removesuffix("_quantized")
    if base == name and f"{name}_quantized" not in kept:
        return kept[name]
    scale, zero = kept[f"{base}_scale"], kept[f"{base}_zero_point"].astype(np.float32)
    whole: Array = scale * (kept[f"{base}_quantized"].astype(np.float32) - zero)
    return whole


def _weights(kept: dict[str, Array], nodes: list[tuple[str, str, list[str], list[str]]]) -> Iterator[tuple[str, Array]]:
    """Weights by the names that they have in transformers; products stand in the graph under their layer's path."""
    for name in kept:
        bare = name.removesuffix("_quantized")
        if re.match(r"(bert|classifier)\.", bare) and not bare.endswith(("_scale", "_zero_point")):
            yield bare, _whole(kept, name)
    for name, kind, inputs, _ in nodes:
        if kind in ("MatMul", "MatMulInteger") and len(inputs) > 1 and inputs[1] in kept:
            place = re.sub(r"/(MatMul|Gemm)(_MatMul)?(_quant)?$", "", name).strip("/").replace("/", ".")
            if place.startswith(("bert.", "classifier")):
                yield f"{place}.weight", _whole(kept, inputs[1]).T


def _config(weights: dict[str, Array], nodes: list[Any], kept: dict[str, Array]) -> dict[str, Any]:
    """The configuration that the weights' shapes say; how many heads there are, the shapes within the attention."""
    words = weights["bert.embeddings.word_embeddings.weight"].shape
    layers = 1 + max(int(m[1]) for n in weights if (m := re.match(r"bert\.encoder\.layer\.(\d+)\.", n)))
    scores = weights["classifier.weight"].shape[0]
    if scores != 1 or "bert.pooler.dense.weight" not in weights:
        raise ValueError(f"it gives {scores} scores, not one")
    shapes = [t.ravel().tolist() for n, t in kept.items() if "layer.0/attention/self/" in n and t.dtype == np.int64]
    heads = [a for a, b in pairwise(n for shape in shapes for n in shape) if a * b == words[1]]
    if not heads:
        raise ValueError("it does not say how many heads it has")
    return {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "vocab_size": words[0],
        "hidden_size": words[1],
        "num_hidden_layers": layers,
        "num_attention_heads": heads[0],
        "intermediate_size": weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        "max_position_embeddings": weights["bert.embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": weights["bert.embeddings.token_type_embeddings.weight"].shape[0],
        "num_labels": 1,
        "id2label": {"0": "LABEL_0"},
        "hidden_act": "gelu",
    }
