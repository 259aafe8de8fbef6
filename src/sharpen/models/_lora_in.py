"""Adapters: LoRA folders in peft's format, merged into a module's weights."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

from sharpen.errors import MissingExtra, UserError


def merge(module: Any, folder: Path) -> Any:
    """Merge one adapter (LoRA, rsLoRA, DoRA) into ``module`` and return the plain module.

    Raises:
        UserError: the folder is no adapter of this model, or holds it as pickle only.
    """
    if importlib.util.find_spec("peft") is None:
        raise MissingExtra("opening an adapter", "peft", "local")
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    folder = Path(folder)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise UserError(f"this adapter has no {name}.", str(folder), "Save it in peft's format with safetensors.")
    before = sum(1 for _ in module.named_parameters())
    try:
        with warnings.catch_warnings():  # what peft warns of is refused below
            warnings.simplefilter("ignore")
            wrapped = PeftModel.from_pretrained(module, str(folder), local_files_only=True)
            wanted = set(get_peft_model_state_dict(wrapped, save_embedding_layers=False))
        with safe_open(str(folder / "adapter_model.safetensors"), framework="pt") as file:
            held = set(file.keys())
        lacks, loose = sorted(wanted - held), sorted(n for n in held - wanted if ".lora_" in n)
        if lacks or loose:
            what = f"it lacks {lacks[0]}" if lacks else f"there is no place for {loose[0]}"
            raise ValueError(f"{what} (and {len(lacks) + len(loose) - 1} more).")
    except (RuntimeError, ValueError, KeyError) as e:
        raise UserError(
            f"the adapter does not fit this model: {str(e).splitlines()[0]}",
            str(folder),
            "Open it over the model that it was trained on.",
        ) from None
    merged = wrapped.merge_and_unload(safe_merge=True)
    if sum(1 for _ in merged.named_parameters()) != before:
        raise UserError("this adapter changes the model's shape and cannot be merged.", str(folder), "Use plain LoRA.")
    return merged
