"""Before anything is computed: every problem at once, what the data is, and what to expect of time and proof."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sharpen import data as data_room
from sharpen import parts
from sharpen.config import Arm, arm_name, parse_sum
from sharpen.data import Dataset
from sharpen.errors import Problem, UserError
from sharpen.models import Local, pull
from sharpen.runtime import Engines
from sharpen.study.estimates import estimate, fit, sketch
from sharpen.study.memory import available_gb
from sharpen.study.setting import Setting, baseline_of
from sharpen.study.speeds import measure_speeds
from sharpen.techniques import Bench, Counts, open_technique
from sharpen.types import Example, Message, Model, digest


@dataclass(frozen=True)
class Found:
    """The data, the problems that a study can live with, and the key of everything that the study depends on."""

    data: Dataset
    problems: tuple[Problem, ...]
    key: str


@dataclass(frozen=True)
class Plan:
    """What the budget became, what was estimated before anything was built, and what speeds that rests on."""

    counts: Counts = field(default_factory=Counts)
    budget: str = ""
    estimates: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    speeds: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def inspect(setting: Setting) -> Found:
    """Check everything; raise all problems together.

    Raises:
        UserError: with every problem of arms, models and data, where no study is possible.
    """
    problems = [*arm_problems(setting), *model_problems(setting)]
    uc = setting.use_case
    made = data_room.examine(uc.data, setting.base, setting.store.root / "data", setting.progress)
    if made.folder is None or problems:
        raise UserError([*problems, *made.problems])
    data = data_room.load(made.folder)
    answers = [setting.base / a.answers for a in setting.arms if a.answers]
    key = digest(
        [uc.model_dump(mode="json"), data.seal.content, data.facts["files"], [p.read_bytes().hex() for p in answers]]
    )
    return Found(data, made.problems, key)


def arm_problems(setting: Setting) -> list[Problem]:
    """Unknown techniques and options, floors that lack a package, answers that are not there."""
    found: list[Problem] = []
    where = "arms"
    try:
        baseline_of(setting.arms)
    except UserError as e:
        found += e.problems
    for arm in setting.arms:
        place = f"{where}: {arm_name(arm)}"
        if arm.answers:
            if not (setting.base / arm.answers).is_file():
                found.append(Problem(f"there is no file {arm.answers}.", place, "Paths are relative to the use case."))
            continue
        try:
            for name, options in parse_sum(arm.does):
                open_technique(name, options, setting.base)
                if name == "retrieve" and not setting.use_case.data.documents:
                    do = "Name them under data: documents."
                    found.append(Problem("retrieve needs documents, and there are none.", place, do))
        except UserError as e:
            found += [Problem(p.what, place, p.do) for p in e.problems]
    for name in setting.task.floors:
        lack = parts.missing(parts.find("floor", name))
        if lack:
            do = f"Install it with: pip install 'sharpen[{lack[1]}]'"
            found.append(Problem(f"the floor {name} needs the package {lack[0]}.", "task", do))
    return found


def model_problems(setting: Setting) -> list[Problem]:
    """Models that cannot be had. Local ones are fetched here, once, since every estimate needs them."""
    refs = dict.fromkeys([setting.use_case.model, *(a.model for a in setting.arms if a.model)])
    if any("retrieve" in a.does or "nearest_shots" in a.does for a in setting.arms):
        refs[setting.use_case.embeddings] = None
    found: list[Problem] = []
    for ref in refs:
        if ref.startswith(("fake:", "openai:")):
            continue
        try:
            found += memory_problems(pull(ref, setting.progress))
        except UserError as e:
            found += e.problems
    return found


def memory_problems(local: Local) -> list[Problem]:
    """Whether a model's weights fit into the memory that is free, in fp32 and with a quarter to work in."""
    free = available_gb()
    needed = 1.25 * local.bytes / 1e9
    if free is None or needed <= free:
        return []
    what = f"{local.ref} needs about {needed:.1f} GB of memory and {free:.1f} GB are free."
    return [Problem(what, "model", "Use a smaller model, close other programs, or use a larger machine.")]


def length_problems(bench: Bench, model: str) -> list[Problem]:
    """Examples whose question and answer alone are longer than what the model reads: no prompt can hold them."""
    opened = bench.engines.model(model)
    found = []
    for name, examples in (("train", bench.train), ("dev", bench.dev)):
        long = [e.id for e in examples if e.targets and _tokens(opened, e) > opened.context]
        if long:
            what = f"{len(long)} examples are longer than the {opened.context} tokens that the model reads"
            do = "Shorten or drop them, or use a model that reads more."
            found.append(Problem(f"{what} (first: {', '.join(long[:3])}).", name, do))
    return found


def _tokens(model: Model, example: Example) -> int:
    # A token is at least one byte, so short texts need no tokenizer.
    text = example.question + example.targets[0]
    if len(text.encode("utf-8", "replace")) < model.context:
        return 0
    return len(model.render([*example.messages, Message("assistant", example.targets[0])]).ids)


def calibrate(setting: Setting, data: Dataset, engines: Engines) -> Plan:
    """Measure this machine, estimate every arm, and turn the budget into counts, once.

    A run that goes on uses what it wrote down before: after pre-flight nothing is decided by the clock.
    """
    folder = setting.folder
    known = folder.read_json("budget.json") if folder else None
    if known:
        return Plan(**{**known, "counts": Counts(**known["counts"]), "estimates": tuple(known["estimates"])})
    bench = setting.bench(data, engines, Counts())
    words = " ".join(a.does for a in setting.arms)
    speeds = measure_speeds(setting, bench, engines, "lora" in words, "retrieve" in words)
    problems = length_problems(bench, setting.use_case.model)
    drawn = sketch(setting, bench, data.seal.n)
    counts, why = fit(setting.use_case.budget.minutes, speeds, drawn, setting.arms)
    rows, seconds = estimate(speeds, drawn, setting.arms, counts)
    plan = Plan(counts, why, tuple(rows), seconds, asdict(speeds), tuple(str(p) for p in problems))
    if folder:
        folder.write_json("budget.json", asdict(plan))
    return plan


__all__ = ["Arm", "Found", "Plan", "arm_problems", "calibrate", "inspect", "model_problems"]
