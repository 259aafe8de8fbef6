"""Which engine a study runs on: one for all arms of a model, chosen once and written down with the reason."""

from __future__ import annotations

import importlib.util

from sharpen.models import agreement, openvino_refuses, pull
from sharpen.study.setting import Setting


def choose_engine(setting: Setting) -> None:
    """Set ``engine`` and ``engine_why`` of a setting; a run that goes on keeps what it wrote down.

    ``auto`` takes OpenVINO on a CPU where it can carry the model and the task, and where its answers to a fixed set
    agree with those of fp32 transformers; otherwise transformers, and the reason says why.
    """
    folder = setting.folder
    known = folder.read_json("engine.json") if folder else None
    if known:
        setting.engine, setting.engine_why = known["engine"], known["why"]
        return
    setting.engine, setting.engine_why = _choose(setting)
    if folder:
        folder.write_json("engine.json", {"engine": setting.engine, "why": setting.engine_why})


def _choose(setting: Setting) -> tuple[str, str]:
    uc = setting.use_case
    if uc.model.startswith(("fake:", "openai:")):
        return uc.model.partition(":")[0], "the model brings its own"
    if uc.engine != "auto":
        return uc.engine, "asked for"
    if setting.task.chooses:
        return "transformers", "answers are chosen by likelihood, which OpenVINO does not tell"
    if importlib.util.find_spec("openvino_genai") is None:
        return "transformers", "openvino-genai is not installed"
    import torch

    if torch.cuda.is_available():
        return "transformers", "there is a CUDA device"
    local = pull(uc.model)
    why = openvino_refuses(local)
    if why:
        return "transformers", why
    setting.progress("compare engines", 0, None)
    found = agreement(local)
    said = f"its answers are those of fp32 transformers on {found.equal} of {found.n} questions"
    if not found.enough:
        return "transformers", f"OpenVINO was left out: {said}"
    return "openvino", said
