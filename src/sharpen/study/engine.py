"""Which engine a study runs on: one for all arms of a model, chosen once and written down with the reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from sharpen.metrics import value_of
from sharpen.models import agreement, is_hosted, open_model, openvino_refuses, pull
from sharpen.runtime import Engines, answer_all
from sharpen.study.setting import Setting
from sharpen.techniques import Bench
from sharpen.types import Answer, Example

ASKED = 16  # questions
CHECKED = ("n", "changed_between_cold_runs", "other_than_fp32", "value", "value_in_fp32")


def choose_engine(setting: Setting) -> None:
    """Set ``engine`` and ``engine_why`` of a setting; a run that goes on keeps what it wrote down.

    ``auto`` takes OpenVINO on a CPU where it can carry the model and the task, and where its answers to a fixed set
    agree with those of fp32 transformers; otherwise transformers, and the reason says why.
    """
    folder = setting.folder
    known = folder.read_json("engine.json", lambda data: (str(data["engine"]), str(data["why"]))) if folder else None
    if known:
        setting.engine, setting.engine_why = known
        return
    setting.engine, setting.engine_why = _choose(setting)
    if folder:
        folder.write_json("engine.json", {"engine": setting.engine, "why": setting.engine_why})


def _choose(setting: Setting) -> tuple[str, str]:
    uc = setting.use_case
    if is_hosted(uc.model):
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
    said = found.said
    if not found.enough:
        return "transformers", f"OpenVINO was left out: {said}"
    return "openvino", said


def check_engine(setting: Setting, bench: Bench) -> dict[str, Any] | None:
    """Ask the baseline some dev questions twice on this engine, each time cold and in other batches, and once in fp32.

    None where the engine is the reference itself. How many answers change between cold runs is the engine's own noise;
    the two values are what its speed costs.
    """
    folder = setting.folder
    assert folder is not None
    if setting.engine != "openvino" or not bench.dev:
        return None
    known = folder.read_measured("engine_check.json", lambda data: {k: data[k] for k in CHECKED})
    if known:
        return known
    ref, metric = setting.use_case.model, setting.metrics[0]
    program, asked = bench.first(ref), list(bench.dev[:ASKED])

    def answers(questions: Sequence[Example], engine: str, stage: str) -> dict[str, Answer]:
        engines = Engines(setting.store, lambda r, adapters: open_model(r, adapters=adapters, engine=engine))
        told = answer_all(program, questions, engines, None, lambda n: setting.progress(stage, n, len(questions)))
        return {e.id: a for e, a in zip(questions, told, strict=True)}

    first = answers(asked, setting.engine, "the engine, cold")
    second = answers(asked[::-1], setting.engine, "the engine, cold again")
    exact = answers(asked, "transformers", "the same in fp32")
    values = [metric.score(asked, [run[e.id] for e in asked]) for run in (first, exact)]
    found = {
        "n": len(asked),
        "changed_between_cold_runs": sum(first[e.id].text != second[e.id].text for e in asked),
        "other_than_fp32": sum(first[e.id].text != exact[e.id].text for e in asked),
        "value": value_of(metric, values[0]),
        "value_in_fp32": value_of(metric, values[1]),
    }
    folder.write_json("engine_check.json", found)
    return found
