"""Before anything is computed: every problem at once, what the data is, and what to expect of time and proof."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sharpen import data as data_room
from sharpen import parts
from sharpen.config import Arm, arm_name, parse_sum
from sharpen.data import Dataset
from sharpen.data.page import unfit
from sharpen.errors import Problem, UserError
from sharpen.inputs import Given
from sharpen.metrics import with_labels
from sharpen.models import Local, expect_causal, expect_embedding, expect_reranker, is_hosted, open_model, pull
from sharpen.runtime import Engines
from sharpen.store import hash_file, is_text
from sharpen.study.augmenting import kind_of, nothing_learns, open_step, unwritten
from sharpen.study.estimates import Asked, Sketch, estimate, fit
from sharpen.study.folds import fold_data, problems_of, together
from sharpen.study.given import as_answers, given_of, n_cut
from sharpen.study.memory import available_gb, resident_gb
from sharpen.study.setting import (
    Setting,
    baseline_of,
    content_of,
    models_of,
    rerankers_of,
    steps_of,
    weights_of,
    writers_of,
)
from sharpen.study.speeds import measure_speeds
from sharpen.techniques import Bench, Counts, placed
from sharpen.types import Decoding, Example, Generate, Message, Model, digest

log = logging.getLogger("sharpen.study")

FOLDS = "data.split: folds"


@dataclass(frozen=True)
class Found:
    """The data, the problems that a study can live with, and the key of everything that the study depends on."""

    data: Dataset
    problems: tuple[Problem, ...]
    key: str
    given: dict[str, dict[str, str]] = field(default_factory=dict)  # answers by arm and id
    weights: dict[str, str] = field(default_factory=dict)  # what each model is, by reference
    folds: tuple[Dataset, ...] = ()  # that ``data`` is the whole of; itself alone where there are none


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
    problems = [*setting.problems, *arm_problems(setting), *model_problems(setting)]
    uc = setting.use_case
    if uc.data.split.folds and not uc.data.examples:
        do = "Leave folds out, or give one file as data.examples."
        problems.append(Problem("train, dev and test are files of their own, so there is nothing to deal.", FOLDS, do))
    root = setting.store.root / "data"
    made = data_room.examine_folds(fold_data(uc.data), setting.base, root, setting.progress)
    said = problems_of([m.problems for m in made])
    known = [data_room.load(m.folder) for m in made if m.folder]
    if len(known) < len(fold_data(uc.data)):  # what ends the preparing of one ends that of all
        raise UserError(setting.placed([*problems, *said]))
    data = together(known)
    settle(setting, data)
    problems += [*document_problems(setting, data), *given_problems(setting, data)]
    problems += unfit(data, uc.data.quality, setting.base)
    if problems:
        raise UserError(setting.placed([*problems, *said, *_also_long(setting, data)]))
    answers = [hash_file(setting.base / a.answers) for a in setting.arms if a.answers]
    labels = data.labels if setting.task.chooses else ()
    given = {arm_name(a): given_of(setting, a, labels)[0] for a in setting.arms if a.answers}
    weights = {ref: weights_of(ref) for ref in models_of(setting)}
    files = [d.facts["files"] for d in known] if len(known) > 1 else data.facts["files"]
    parts_of_it = [data.seal.content, files, answers, own_parts(setting), weights]
    key = digest([uc.model_dump(mode="json"), *parts_of_it])
    return Found(data, said, key, given, weights, tuple(known))


def own_parts(setting: Setting) -> list[str]:
    """Content of those parts that are not ours: who edits or upgrades one has another study."""
    steps = [step for arm in setting.arms for step in steps_of(arm)]
    named = [(kind_of(step), step) for step in steps]
    named += [("metric", name) for name in setting.use_case.metrics or setting.task.metrics]
    named += [("floor", name) for name in setting.task.floors]
    files = [h for arm in setting.arms if not arm.answers for h in _files_of(arm, setting.base)]
    return [*content_of([*named, ("task", setting.use_case.task)], setting.base), *files]


def _files_of(arm: Arm, base: Path) -> list[str]:
    """Content of the files that an arm's techniques name."""
    steps = [(step, options) for step, options in parse_sum(arm.does) if kind_of(step) == "technique"]
    return [h for step, options in steps for h in placed(parts.find("technique", step, base), options, base)[1]]


def arm_problems(setting: Setting) -> list[Problem]:
    """Unknown techniques and options, floors that lack a package, answers that are not there."""
    found: list[Problem] = []
    where = "arms"
    try:
        baseline_of(setting.arms)
    except UserError as e:
        found += e.problems
    if [arm_name(a) for a in setting.arms].count("baseline") > 1:
        what = "an arm is called baseline and is not the plain model, which every study compares with."
        found.append(Problem(what, where, "Give it another name."))
    for arm in setting.arms:
        place = f"{where}: {arm_name(arm)}"
        if arm.answers:
            found += given_of(setting, arm)[1]
            idle = [key for key in ("does", "model", "costs") if getattr(arm, key) != getattr(Arm(), key)]
            if idle:
                what = f"its answers are given, so {' and '.join(idle)} would say nothing."
                do = f"Leave {' and '.join(idle)} out, or answers; what a model does is an arm of its own."
                found.append(Problem(what, place, do))
            continue
        try:
            for name, options in parse_sum(arm.does):
                open_step(name, options, setting.base)
                if unwritten(name, options):
                    do = f"Name one: {name}(model='openai:http://host/v1#name'), or any other reference."
                    found.append(Problem(f"{name} needs a model that writes, and none is named.", place, do))
                if setting.use_case.seeds > 1 and "seed" in options:
                    what = f"{name} has a seed of its own, so all {setting.use_case.seeds} seeds would build the same."
                    found.append(Problem(what, place, "Leave that seed out, or leave out seeds."))
            if alone := nothing_learns(steps_of(arm)):
                do = f"Write what does, as in: {alone} + lora."
                found.append(Problem(f"nothing after {alone} learns from examples.", place, do))
        except UserError as e:
            found += [Problem(p.what, place, p.do) for p in e.problems]
    for name in setting.task.floors:
        lack = parts.missing(parts.find("floor", name))
        if lack:
            do = f"Install it with: pip install 'sharpen[{lack[1]}]'"
            found.append(Problem(f"the floor {name} needs the package {lack[0]}.", "task", do))
    return found


def settle(setting: Setting, data: Dataset) -> None:
    """Settle what only the data can tell: default arms where there are documents, and the classes of a metric."""
    if not setting.use_case.arms and data.documents and setting.task.arms_with_documents:
        setting.arms = [Arm(does=a) for a in setting.task.arms_with_documents]
    # Scores of different questions fit together only where a metric knows all classes beforehand.
    setting.metrics = [with_labels(m, data.labels) for m in setting.metrics]


def document_problems(setting: Setting, data: Dataset) -> list[Problem]:
    """Arms that retrieve where there is nothing to retrieve from."""
    named = [arm_name(a) for a in setting.arms if "retrieve" in steps_of(a)]
    do = "Name them under data: documents, or give each row its context."
    what = "retrieve needs documents, and there are none."
    return [] if data.documents else [Problem(what, f"arms: {name}", do) for name in named]


def _stem(given: Given | None) -> str:
    return Path(given).stem if isinstance(given, str) else "FILE"


def given_problems(setting: Setting, data: Dataset) -> list[Problem]:
    """Given answers to none of the test questions; which ones they are stays sealed."""
    found = []
    labels = data.labels if setting.task.chooses else ()
    for arm in (a for a in setting.arms if a.answers):
        given, unread = given_of(setting, arm, labels)
        hit = sum(map(data.seal.holds, given))
        if given and not hit:
            first = next(iter(given))
            what = f"none of its {len(given)} ids (first: {first[:60]!r}) is one of the {data.seal.n} test questions."
            files = setting.use_case.data
            given_by = f"where a row has none, its id is {_stem(files.examples or files.test)}:N, N its line or row."
            do = f"Give each answer the id that its question has in the examples; {given_by}"
            found.append(Problem(what, str(arm.answers), do))
        elif hit < data.seal.n and not unread:  # else the lines that cannot be read are what is missing
            log.warning("%s answers %d of %d test questions; the others count as wrong.", arm.answers, hit, data.seal.n)
        answers = as_answers(given, filter(data.seal.holds, given), setting.task, labels)
        if cut := n_cut(answers):
            what = f"{cut} of {hit} answers of {arm_name(arm)} have more than one line; only the first is judged."
            log.warning("%s Put the answer itself into its `answer`, and nothing before it.", what)
    return found


def model_problems(setting: Setting) -> list[Problem]:
    """Models that cannot be had, or not tuned. Local ones are fetched here, once: every estimate needs them."""
    found: list[Problem] = []
    writers = {ref for arm in setting.arms for ref in writers_of(arm)} - set(setting.asked)
    readers = {ref for arm in setting.arms for ref in rerankers_of(arm, setting.base)} - set(setting.asked)
    for ref, place in models_of(setting).items():
        if ref.startswith("fake:"):
            continue
        try:
            if is_hosted(ref):
                found += reach_problems(ref)
            else:
                local = pull(ref, setting.progress)
                expect = expect_embedding if place == "embeddings" else expect_causal
                (expect_reranker if ref in readers else expect)(local)
                found += memory_problems(local)
        except UserError as e:
            # Who reads that a server is away has to find it among the options of an arm.
            more = f"{place}: " if ref in writers else ""
            found += [replace(p, where=f"{more}{p.where}" if p.where else place) for p in e.problems]
    if not is_text(setting.store.root) and not all(map(is_hosted, setting.asked)):
        do = "Move the use case, or name another folder for the store by SHARPEN_HOME."
        what = "has a name that is not UTF-8, and tuned weights can be read from no such folder."
        found.append(Problem(what, str(setting.store.root), do))
    return found


def reach_problems(ref: str) -> list[Problem]:
    """Whether a hosted model answers at all: asked once, for one token, with less patience than a study has."""
    request = Generate(ref, (), (Message("user", "Hello"),), Decoding(1))
    options: dict[str, Any] = {}
    if ref.startswith("openai:"):  # other packages' backends have a patience of their own
        from sharpen.models.openai import BRIEF

        options = {"patience": BRIEF}
    for _, completion in open_model(ref, **options).generate([request]):
        if completion.error:
            do = "Check the address, the model's name and the key, and that the server runs."
            return [Problem(f"does not answer: {completion.error}", ref, do)]
    return []


def memory_problems(local: Local) -> list[Problem]:
    """Whether a model's weights fit into the memory that is free, in fp32 and with a quarter to work in."""
    free = available_gb()
    needed = 1.25 * local.fp32_bytes / 1e9
    if free is None or needed <= free:
        return []
    what = f"{local.ref} needs about {needed:.1f} GB of memory and {free:.1f} GB are free."
    return [Problem(what, do="Use a smaller model, close other programs, or use a larger machine.")]


def tight_problems(rows: Sequence[Mapping[str, Any]], most: float | None) -> list[Problem]:
    """Arms that are estimated to need more memory (gigabytes) than this process could hold."""
    do = "Close other programs, take a smaller model or a smaller per_device_train_batch_size, or a larger machine."
    return [
        Problem(f"about {row['memory_gb']:.1f} GB of memory are needed and {most:.1f} GB can be had.", row["arm"], do)
        for row in rows
        if most is not None and row["memory_gb"] > most
    ]


def length_problems(data: Dataset | Bench, model: Model) -> list[Problem]:
    """Examples whose question and answer alone are longer than what the model reads: no prompt can hold them."""
    found = []
    for name, examples in (("train", data.train), ("dev", data.dev)):
        long = [e.id for e in examples if e.targets and _tokens(model, e) > model.context]
        if long:
            what = f"{len(long)} examples are longer than the {model.context} tokens that the model reads"
            do = "Shorten or drop them, or use a model that reads more."
            found.append(Problem(f"{what} (first: {', '.join(long[:3])}).", name, do))
    return found


def _also_long(setting: Setting, data: Dataset) -> list[Problem]:
    """The same where no study is possible, so that all is said at once. A model that is not there is said elsewhere."""
    ordinary = 512  # bytes, so no more tokens, which every model reads: none is opened for these
    texts = (e.question + e.targets[0] for e in (*data.train, *data.dev) if e.targets)
    if all(len(text.encode("utf-8", "replace")) <= ordinary for text in texts):
        return []
    try:
        return length_problems(data, open_model(setting.use_case.model))
    except UserError:
        return []


def _tokens(model: Model, example: Example) -> int:
    # A token is at least one byte, so short texts need no tokenizer.
    text = example.question + example.targets[0]
    if len(text.encode("utf-8", "replace")) < model.context:
        return 0
    return len(model.render([*example.messages, Message("assistant", example.targets[0])]).ids)


def _plan(known: Any) -> Plan:
    """The plan that was written down."""
    return Plan(**{**known, "counts": Counts(**known["counts"]), "estimates": tuple(known["estimates"])})


def calibrate(setting: Setting, data: Dataset, engines: Engines, times: int = 1) -> Plan:
    """Measure this machine, estimate every arm, and turn the budget into counts, once.

    A run that goes on uses what it wrote down before: after pre-flight nothing is decided by the clock. Where there are
    folds, ``data`` is that of one, and each is taken to need as much: ``times`` their number.
    """
    folder = setting.folder
    known = folder.read_json("budget.json", _plan) if folder else None
    if known:
        return known
    bench = setting.bench(data, engines, Counts())
    uc, arms = setting.use_case, setting.arms
    models: dict[str, Asked] = {}
    for ref in setting.asked:
        steps = {step for a in arms if (a.model or uc.model) == ref for step in steps_of(a)}
        speeds = measure_speeds(setting, bench, engines, ref, steps)
        models[ref] = Asked(speeds, Sketch(bench, engines.model(ref), data.seal.n))
    problems = list(dict.fromkeys(p for m in models.values() for p in length_problems(bench, m.sketch.model)))
    held = (available_gb(), resident_gb())
    minutes = uc.budget.minutes
    counts, why = fit(minutes if minutes is None else minutes / times, models, arms, uc.seeds)
    rows, seconds = estimate(models, arms, counts, uc.seeds)
    if times > 1:
        for row in (row for row in rows if row["seconds"]):  # answers that are given are built nowhere
            row |= {"seconds": times * row["seconds"], "why": f"{times} times: {row['why']}"}
        once = sum(m.speeds.measuring_seconds for m in models.values())
        seconds, why = times * (seconds - once) + once, f"each of {times} folds {why}" if why else ""
    speeds = models[uc.model].speeds
    problems += tight_problems(rows, sum(x for x in held if x is not None) if None not in held else None)
    plan = Plan(counts, why, tuple(rows), seconds, asdict(speeds), tuple(str(p) for p in problems))
    if folder:
        folder.write_json("budget.json", asdict(plan))
    return plan


__all__ = ["Found", "Plan", "arm_problems", "calibrate", "inspect", "model_problems", "weights_of"]
