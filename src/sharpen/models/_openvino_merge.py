"""A tuned model in OpenVINO's form out of the plain one's: the same graph with other weights, and no GGUF between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sharpen.models._gguf import folder_arrays, merged_arrays
from sharpen.models._local import Local


def merge_form(plain: Path, local: Local, adapters: Sequence[Path], to: Path) -> bool:
    """Write the form of a model with its adapters into the folder ``to``; False: it cannot be made this way.

    Every constant of the graph that bears a parameter's name gets the merged weights, after a check that it held that
    parameter's own. If one does not, or an adapter changes what is not found in the graph, nothing is written.
    """
    import numpy as np
    import openvino

    model = openvino.Core().read_model(plain / "openvino_model.xml")
    base, merged = folder_arrays(local.folder), merged_arrays(local, adapters)
    found = set()
    for constant in model.get_ops():
        name = _parameter(constant)
        if name is None or name not in merged:
            continue
        shape, kind = tuple(constant.get_output_shape(0)), constant.data.dtype
        was = base[name]().reshape(shape).astype(kind) if name in base else None
        if was is None or not np.array_equal(was, constant.data):
            return False
        now = np.ascontiguousarray(merged[name]().reshape(shape).astype(kind))
        found.add(name)
        if not np.array_equal(now, was):
            _replace(constant, openvino.op.Constant(openvino.Tensor(now)))
    for name in set(merged) - found - {"lm_head.weight" if "lm_head.weight" not in base else ""}:
        if name not in base or not np.array_equal(base[name](), merged[name]()):  # norms bear no names in the graph
            return False
    openvino.serialize(model, to / "openvino_model.xml", to / "openvino_model.bin")
    return True


def _parameter(constant: Any) -> str | None:
    """The parameter whose name a constant bears: ``model.layers[3].mlp.up_proj.weight`` is number 3's."""
    if constant.get_type_name() != "Constant":
        return None
    return re.sub(r"\[(\d+)\]", r".\1", constant.get_friendly_name())


def _replace(old: Any, new: Any) -> None:
    new.set_friendly_name(old.get_friendly_name())
    for target in old.output(0).get_target_inputs():
        target.replace_source_output(new.output(0))
