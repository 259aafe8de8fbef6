"""A model in OpenVINO's own form: made once from GGUF, kept by content in the cache of models."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.models._gguf import head_size, rope, unwritable, write_gguf
from sharpen.models._local import Local, cache
from sharpen.store import beside, clear, hash_folder, locked, sync

WRITER = 1  # raise when the written form changes
HINTS: dict[str, dict[str, Any]] = {
    "f16": {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f16"},
    "q8_0": {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f16"},
}
"""Per precision, what keeps the engine from rounding more than the weights were."""

KEPT = 8  # merged forms (one per set of adapters) that stay in the cache
HOUR = 3600.0


def off() -> None:
    """Switch OpenVINO's telemetry off; to be called before OpenVINO is imported.

    ``openvino_telemetry`` reports to Google Analytics unless a file in the home folder declines it. Here it cannot be
    imported, in this process only, and OpenVINO falls back on its own stub, which sends nothing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def refused(config: Mapping[str, Any], precision: str = "f16") -> str | None:
    """Return why the engine cannot carry a model of this configuration; None: it can."""
    if precision not in HINTS:
        return f"there is no precision {precision!r} on OpenVINO here; there are: {', '.join(HINTS)}."
    why = unwritable(config)
    if why:
        return f"OpenVINO gets its models as GGUF, and {why}"
    if rope(config)["rope_type"] != "default":
        return "OpenVINO's GGUF reader leaves out how this model scales its positions."
    if config["model_type"] != "qwen3" and head_size(config) * config["num_attention_heads"] != config["hidden_size"]:
        return "OpenVINO's GGUF reader expects heads that together are as wide as the model."
    return None


def form(local: Local, adapters: Sequence[Path], precision: str) -> str:
    """Return the digest of a model's weights, its adapters and their precision."""
    parts = [local.digest, *(hash_folder(Path(a)) for a in adapters), precision]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def compiled(local: Local, adapters: Sequence[Path], precision: str) -> Path:
    """Return the folder with OpenVINO's form of a model, making it when it is not there, whole or not at all."""
    engine = version("openvino-genai")
    name = f"{form(local, adapters, precision)[:32]}-{precision}-{engine}-{WRITER}"
    kind = "merged" if adapters else "plain"
    final = cache() / "gguf" / kind / name
    if _used(final):  # before a lock is asked for, which a folder that is only read does not give
        return final
    with locked(final):
        if _used(final):
            return final
        shutil.rmtree(final, ignore_errors=True)  # a power cut may have left half of it
        clear(final.parent, name)
        try:
            with beside(final) as temporary:
                _make(local, adapters, precision, temporary)
                _check_whole(temporary)
                sync(temporary)
                temporary.rename(final)
        except (OSError, RuntimeError) as e:
            if not _full(e):
                raise
            raise UserError(
                "the disk is full; the model could not be written for OpenVINO.",
                str(final.parent),
                "Free some space, or set SHARPEN_MODELS to a folder on another disk.",
            ) from None
    if adapters:
        _let_go(final.parent)
    return final


def _used(form: Path) -> bool:
    """Whether a form is here and whole; it then is the one used last."""
    try:
        _check_whole(form)
    except OSError:
        return False
    with contextlib.suppress(OSError):  # another user's
        os.utime(form)
    return True


def _make(local: Local, adapters: Sequence[Path], precision: str, folder: Path) -> None:
    off()
    import openvino_genai

    if adapters and precision == "f16":
        from sharpen.models._openvino_merge import merge_form

        if merge_form(compiled(local, (), precision), local, adapters, folder):
            return
    gguf = folder / "model.gguf"
    write_gguf(local, gguf, precision, adapters)
    schedule = openvino_genai.SchedulerConfig()
    schedule.num_kv_blocks, schedule.cache_size = 1, 0
    try:
        openvino_genai.ContinuousBatchingPipeline(str(gguf), schedule, "CPU", {"enable_save_ov_model": True})
    except RuntimeError as e:
        if _full(e):
            raise
        raise UserError(
            f"OpenVINO cannot read {local.ref}: {str(e).strip().splitlines()[-1]}", do="Use the transformers engine."
        ) from None
    gguf.unlink()  # it can be written again; the other form is what is read
    if not (folder / "openvino_model.xml").is_file():
        raise UserError(f"OpenVINO did not write its form of {local.ref}.", do="Use the transformers engine.")


def _full(error: Exception) -> bool:
    """Whether something could not be written for want of space; OpenVINO says no more than that a stream failed."""
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT} or "iostream" in str(error)


def _check_whole(folder: Path) -> None:
    """Raise that the disk is full unless all that OpenVINO's graph names was written: not all its versions tell."""
    graph = (folder / "openvino_model.xml").read_text(encoding="utf-8", errors="replace")
    wanted = 0
    for constant in re.findall(r"<data [^>]*>", graph):
        numbers = dict(re.findall(r'\b(offset|size)="(\d+)"', constant))
        wanted = max(wanted, int(numbers.get("offset", 0)) + int(numbers.get("size", 0)))
    written = (folder / "openvino_model.bin").stat().st_size
    if not graph.rstrip().endswith("</net>") or not wanted or written < wanted:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _let_go(folder: Path) -> None:
    """Delete the merged forms beyond :data:`KEPT` that were not used for an hour, oldest first."""
    made = [p for p in folder.iterdir() if not p.name.startswith(".")]  # others are being written
    with contextlib.suppress(OSError):  # another process lets go as well
        made.sort(key=lambda p: p.stat().st_mtime, reverse=True)
        for old in made[KEPT:]:
            if time.time() - old.stat().st_mtime > HOUR:
                shutil.rmtree(old, ignore_errors=True)
