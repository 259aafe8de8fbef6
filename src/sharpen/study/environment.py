"""What a run ran on: versions, machine, engine, model identities. No names of people, hosts or folders."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sharpen
from sharpen.models import public_name
from sharpen.runtime import Engines
from sharpen.study.setting import Setting

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "openvino-genai",
    "sentence-transformers",
    "bm25s",
    "numpy",
    "scikit-learn",
)
INSTRUCTIONS = {"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16"}
"""Those on which the speed of arithmetic on small numbers depends, as Linux names them (the last three on Arm)."""


def environment(setting: Setting, engines: Engines) -> dict[str, Any]:
    """Describe the machine, the code and the engine of a run."""
    return {
        "sharpen": sharpen.__version__,
        "code": code_hash(),
        "python": platform.python_version(),
        "packages": packages(),
        "machine": machine(),
        "engine": setting.engine.name,
        "engine_why": setting.engine.why,
        "model": public_name(setting.use_case.model),
        "model_identity": engines.identity(setting.use_case.model),
        "embeddings": public_name(setting.use_case.embeddings),
        "other_models": [
            {"model": public_name(ref), "engine": engine.name, "engine_why": engine.why}
            for ref, engine in setting.engines_of.items()
            if ref != setting.use_case.model
        ],
    }


def packages() -> dict[str, str]:
    """Versions of those packages that results depend on, as far as they are installed."""
    return {p: v for p in PACKAGES if (v := _version(p))}


def machine() -> dict[str, Any]:
    """Processor, cores, memory and accelerator."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9 if hasattr(os, "sysconf") else None
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _cpuinfo("model name") or platform.processor(),
        "instructions": sorted(INSTRUCTIONS.intersection((_cpuinfo("flags") or _cpuinfo("Features")).split())),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(memory, 1) if memory else None,
    }


@cache
def code_hash() -> str:
    """sha256 over sharpen's own source, so that a result names the code that made it.

    Read once: what is written there while a process runs is not what it runs.
    """
    here = Path(sharpen.__file__).parent
    h = hashlib.sha256()
    for path in sorted(p for p in here.rglob("*") if p.suffix in (".py", ".html", ".css", ".yaml") and p.is_file()):
        h.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    return h.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpuinfo(field: str) -> str:
    """What the kernel says of the first processor; empty where there is no such file or field."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
