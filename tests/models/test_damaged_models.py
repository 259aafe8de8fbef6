"""Damaged files of a model's folder: a sentence that names the file, before or when the model is opened."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.errors import UserError
from sharpen.models import open_model, openvino_refuses, pull
from sharpen.models._gguf import write_gguf

Damage = Callable[[Path], object]


def cut(name: str, to: int = 200) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:to])


def put(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def sized(size: int) -> Damage:
    """A configuration of a nonsensical size over weights that hold no tensor."""

    def damage(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config |= dict.fromkeys(("hidden_size", "vocab_size", "num_hidden_layers"), size)
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")

    return damage


def pipe(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return damage


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "m"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut("tokenizer.json"), r"tokenizer\.json of .* is not JSON"),
        (put("tokenizer.json", b"{}"), r"tokenizer\.json of .* is damaged"),
        (put("tokenizer.json", b"[]"), r"tokenizer\.json of .* is not an object"),
        (put("tokenizer.json", b"5"), r"tokenizer\.json of .* is not an object"),
        (put("tokenizer.json", b""), r"tokenizer\.json of .* is not JSON"),
        (put("tokenizer.json", b"\xff\xfe"), r"tokenizer\.json of .* is not JSON"),
        (put("tokenizer.json", b'{"model": {}}'), "transformers cannot open"),
        (put("tokenizer_config.json", b"[]"), "cannot open|is not an object"),
        (put("tokenizer_config.json", b"\xff\xfe"), r"tokenizer_config\.json of .* is not JSON"),
        (put("generation_config.json", b"5"), r"generation_config\.json of .* is not an object|cannot open"),
        (put("config.json", b'{"architectures": 5}'), "is not a language model"),
        (put("config.json", b'{"architectures": [5]}'), "is not a language model"),
        (put("config.json", b'{"architectures": ["LlamaForCausalLM"]}'), "transformers cannot open"),
        (sized(-1), "says that hidden_size is -1"),
        (sized(99_999_999_999), "holds no weights"),
        (pipe("config.json"), "config.json of .* is not a regular file"),
        (pipe("generation_config.json"), "generation_config.json of .* is not a regular file"),
        (pipe("model.safetensors"), "holds no weights"),
    ],
)
def test_a_damaged_folder_is_a_sentence(damage: Damage, says: str, folder: Path) -> None:
    damage(folder)
    with pytest.raises(UserError, match=says):
        open_model(str(folder), engine="transformers")


@pytest.mark.parametrize("field", ["hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size"])
def test_sizes_that_are_nonsense_are_a_sentence(field: str, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, field: -1}))
    with pytest.raises(UserError, match=f"says that {field} is -1"):
        open_model(str(folder), engine="transformers")


def test_a_pipe_beside_the_files_is_passed_over(folder: Path) -> None:
    for name in ("README.md", "other.gguf", "notes.txt"):
        os.mkfifo(folder / name)
    assert pull(str(folder)).fp32_bytes


@pytest.mark.parametrize("content", [b"{", b"[]", b"5", b"\xff"])
def test_a_cached_configuration_that_was_damaged_is_a_sentence(content: bytes, folder: Path) -> None:
    local = pull(str(folder))
    (folder / "config.json").write_bytes(content)
    for use in (openvino_refuses, lambda model: write_gguf(model, folder / "x.gguf")):
        with pytest.raises(UserError, match=r"config\.json of .* is not"):
            use(local)


@pytest.mark.parametrize("keep", [0, 3, 4, 8, 20, 24, 40, 200, 2000, -1, -100])
def test_a_gguf_that_was_cut_is_a_sentence(keep: int, tiny_folder: Path, tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("gguf")
    path = tmp_path / "m.gguf"
    write_gguf(tiny_folder, path, "f32")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="cannot read the"):
        pull(str(path))


@pytest.mark.parametrize("at", [4, 8, 16, 24, 32])
def test_a_gguf_with_a_damaged_header_is_a_sentence(at: int, tiny_folder: Path, tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("gguf")
    path = tmp_path / "m.gguf"
    write_gguf(tiny_folder, path, "f32")
    data = bytearray(path.read_bytes())
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(UserError, match="cannot read the"):
        pull(str(path))
