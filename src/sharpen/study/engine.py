"""Which engine a study runs on: one for all arms of a model, chosen once and written down with the reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sharpen.metrics import value_of
from sharpen.models import agreement, is_hosted, open_model, openvino_refuses, pull
from sharpen.runtime import Engines, answer_all
from sharpen.study.folder import RunFolder
from sharpen.study.setting import Engine, Setting
from sharpen.techniques import Bench
from sharpen.types import Answer, Example

ASKED = 16  # questions
CHECKED = ("n", "changed_between_cold_runs", "other_than_fp32", "value", "value_in_fp32")


def choose_engines(setting: Setting) -> None:
    """Set ``engines_of`` of a setting, for every model that it asks; a run that goes on keeps what it wrote down.

    ``auto`` takes OpenVINO on a CPU where it can carry the model and the task, and where its answers to a fixed set
    agree with those of fp32 transformers; otherwise transformers, and the reason says why.
    """
    folder = setting.folder
    known = engines_written(folder) if folder else None
    if known is None:
        known = {ref: Engine(*_choose(setting, ref)) for ref in setting.asked}
        if folder:
            folder.write_json("engine.json", {ref: asdict(engine) for ref, engine in known.items()})
    setting.engines_of = known


def engines_written(folder: RunFolder) -> dict[str, Engine] | None:
    """What a run wrote down of its engines, by the model's reference; None where it has not yet."""

    def made(data: Any) -> dict[str, Engine]:
        if not data:
            raise ValueError  # every study has a model
        return {str(ref): Engine(str(row["name"]), str(row["why"])) for ref, row in data.items()}

    return folder.read_json("engine.json", made)


def _choose(setting: Setting, ref: str) -> tuple[str, str]:
    uc = setting.use_case
    if is_hosted(ref):
        return ref.partition(":")[0], "the model brings its own"
    if uc.engine != "auto":
        return uc.engine, "asked for"
    if setting.task.chooses:
        return "transformers", "answers are chosen by likelihood, which it computes for all choices at once"
    if importlib.util.find_spec("openvino_genai") is None:
        return "transformers", "openvino-genai is not installed"
    import torch

    if torch.cuda.is_available():
        return "transformers", "there is a CUDA device"
    local = pull(ref)
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
    chosen = setting.engine.name
    if chosen != "openvino" or not bench.dev:
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

    first = answers(asked, chosen, "the engine, cold")
    second = answers(asked[::-1], chosen, "the engine, cold again")
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
