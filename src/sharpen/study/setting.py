"""What a study works with, opened once: the use case, its data, its engines and its bench."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sharpen import config, parts
from sharpen.config import Arm, UseCase
from sharpen.data import Dataset
from sharpen.errors import Problem, UserError
from sharpen.metrics import open_metric
from sharpen.models import is_hosted, open_model, open_reranker, pull
from sharpen.retrieval import Index
from sharpen.runtime import Answers, Engines
from sharpen.store import Lines, Store
from sharpen.study.augmenting import kind_of
from sharpen.study.folder import RunFolder
from sharpen.study.memory import available_gb
from sharpen.tasks import open_task
from sharpen.techniques import Bench, Counts
from sharpen.types import Metric, Passage, Progress, Ref, Task

MOST_HELD = 4


@dataclass(frozen=True)
class Engine:
    """What answers for a model, and why it was chosen."""

    name: str = "auto"
    why: str = ""


@dataclass
class Setting:
    """See the module's page."""

    use_case: UseCase
    base: Path
    task: Task
    metrics: list[Metric]
    arms: list[Arm]
    store: Store
    progress: Progress
    folder: RunFolder | None = None
    engines_of: dict[str, Engine] = field(default_factory=dict)  # of each model that is asked
    problems: list[Problem] = field(default_factory=list)  # metrics that cannot be had: pre-flight says all at once
    file: Path | None = None
    settings: Sequence[str] = ()
    leaves_out: dict[Ref, Callable[[Passage], bool]] = field(default_factory=dict)  # of indexes, see allowing.py
    lent: dict[Ref, Index] = field(default_factory=dict)  # indexes that are not the store's, see living.py

    def placed(self, problems: Sequence[Problem]) -> list[Problem]:
        """The same problems, with file and line where they name one of its keys: ``arms: lora``."""
        lines: Lines = config.lines_of(self.file, self.settings)[0] if self.file and problems else {}
        made = []
        for problem in problems:
            key, _, value = problem.where.partition(": ")
            at = tuple(key.split("."))
            line = lines.get((*at, value), lines.get(at)) if key else None
            made.append(replace(problem, where=f"{self.file}, line {line}: {problem.where}") if line else problem)
        return made

    def opener(self, ref: str, adapters: Sequence[Path]) -> Any:
        """Open a model on its engine: one for all arms of a model. One that a technique took instead has none yet."""
        return open_model(ref, adapters=adapters, engine=self.engines_of.get(ref, Engine()).name)

    @property
    def asked(self) -> list[str]:
        """References of the models that answer, the study's own first; the embedding model is none of them."""
        return list(dict.fromkeys([self.use_case.model, *(a.model for a in self.arms if a.model)]))

    @property
    def engine(self) -> Engine:
        """The engine of the study's own model."""
        return self.engines_of.get(self.use_case.model, Engine())

    def embedder(self) -> Any:
        """Open the embedding model."""
        if self.folder and not embeds(self):  # then it is no part of what the study is, nor was it fetched
            do = "Write EMBEDS = True into the file of the technique that does, as parts that embed have it."
            raise UserError("a technique embeds texts, and none of this study says so.", "arms", do)
        if self.use_case.embeddings.startswith("fake:"):
            return open_model(self.use_case.embeddings)
        from sharpen.models.embedder import open_embedder

        return open_embedder(self.use_case.embeddings)

    def reranker(self, ref: Ref) -> Any:
        """Open what reads questions and passages together: a model, or one that was trained and lies in the store."""
        return open_reranker(str(self.store.path(ref)) if ref.startswith("reranker:") else ref)

    def engines(self) -> Engines:
        """Engines over the study's store."""
        return Engines(self.store, self.opener, self.embedder, self._held(), self.leaves_out, self.reranker, self.lent)

    def _held(self) -> int:
        """How many models may stay open: the arms take turns, and opening a tuned one again costs seconds."""
        if is_hosted(self.use_case.model):
            return MOST_HELD
        free = available_gb()
        weights = max(pull(self.use_case.model).fp32_bytes, 1) / 1e9
        # Each with as much again for keys and values, and half of the memory left alone.
        return MOST_HELD if free is None else max(2, min(MOST_HELD, int(free / 2 / (2 * weights))))

    def bench(self, data: Dataset, engines: Engines, counts: Counts) -> Bench:
        """The bench that techniques see: no test split."""
        return Bench(
            task=self.task,
            goal=self.use_case.goal,
            metrics=self.metrics,
            train=tuple(data.train),
            dev=tuple(data.dev),
            documents=tuple(data.documents),
            engines=engines,
            store=self.store,
            # An answer's key does not say what its search left out.
            answers=None if self.leaves_out else Answers(self.store.root / "answers.sqlite"),
            counts=counts,
            seed=self.use_case.seed,
            max_new_tokens=self.use_case.max_new_tokens or self.task.max_new_tokens,
            progress=self.progress,
            labels=data.labels if self.task.chooses else (),
            replay=tuple(data.replay),
        )


def resolve(
    use_case: UseCase | Path | str, settings: Sequence[str], progress: Progress, base: Path | None = None
) -> Setting:
    """Read a use case, fill in its task's defaults, and find its store."""
    problems: list[Problem] = []
    file: Path | None = None
    if isinstance(use_case, UseCase):
        uc, base = use_case, (base or Path()).resolve()
        if settings:
            raw = uc.model_dump(mode="json")
            config.override(raw, settings)
            uc = config.validate(raw)
    else:
        file = Path(use_case)
        if file.is_dir() and (file / "usecase.yaml").exists():
            file = file / "usecase.yaml"
        (uc, problems), base = config.read(file, settings), file.resolve().parent
    _no_nul(uc.model_dump(mode="json"), "use case")
    uc = _beside(uc, base)
    try:
        task = open_task(uc.task, base)
    except UserError as e:  # what else is wrong is said with it
        problems += [replace(p, where=p.where or "task") for p in e.problems]
        task = open_task("question-answering")
    metrics, more = _metrics(uc, task, base)
    problems += more
    arms = list(uc.arms) or [Arm(does=a) for a in task.arms]
    if not any(_plain(a) for a in arms):
        arms.insert(0, Arm(does="baseline"))
    store = Store(store_root(base))
    return Setting(uc, base, task, metrics, arms, store, progress, problems=problems, file=file, settings=settings)


def models_of(setting: Setting) -> dict[str, str]:
    """References of all models that the study asks, and where the use case names each."""
    refs = {a.model: f"arms: {config.arm_name(a)}" for a in setting.arms if a.model} | {setting.use_case.model: "model"}
    for arm in setting.arms:
        for ref in writers_of(arm):
            refs.setdefault(ref, f"arms: {config.arm_name(arm)}")
        for ref in rerankers_of(arm, setting.base):
            refs.setdefault(ref, f"arms: {config.arm_name(arm)}")
    if embeds(setting):
        refs.setdefault(setting.use_case.embeddings, "embeddings")
    return refs


def rerankers_of(arm: Arm, base: Path) -> list[str]:
    """References of the models that read questions and passages together for an arm."""
    try:
        steps = [] if arm.answers else config.parse_sum(arm.does)
        named = [(parts.find("technique", step, base).reranks, o) for step, o in steps if kind_of(step) == "technique"]
    except UserError:  # said elsewhere
        return []
    return [str(options.get("model") or default) for default, options in named if default]


def writers_of(arm: Arm) -> list[str]:
    """References of the models that write for an arm's augmentations."""
    try:
        steps = [] if arm.answers else config.parse_sum(arm.does)
    except UserError:  # said elsewhere
        return []
    return [str(o["model"]) for step, o in steps if o.get("model") and kind_of(step) == "augmentation"]


def weights_of(ref: str) -> str:
    """What a model is, as far as can be known: of a local one its files, of a hosted one its name."""
    return ref if is_hosted(ref) else pull(ref).digest


def embeds(setting: Setting) -> bool:
    """Whether a part of the study says that it embeds texts."""
    named = [("floor", name) for name in setting.task.floors]
    named += [("technique", step) for arm in setting.arms for step in steps_of(arm)]
    return any(_embeds(kind, name, setting.base) for kind, name in named)


def _embeds(kind: str, name: str, base: Path) -> bool:
    """Whether a part says that it embeds; one that cannot be had embeds nothing, and is a problem said elsewhere."""
    try:
        part = parts.find(kind, name, base)
    except UserError:
        return False
    return part.embeds and not parts.missing(part)


def steps_of(arm: Arm) -> list[str]:
    """The techniques of an arm; none where they cannot be read, which is said elsewhere."""
    try:
        return [] if arm.answers else [step for step, _ in config.parse_sum(arm.does)]
    except UserError:
        return []


def _no_nul(value: Any, where: str) -> None:
    """Refuse NUL characters, which no path can hold."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _no_nul(inner, f"{where}: {key}")
    elif isinstance(value, list):
        for inner in value:
            _no_nul(inner, where)
    elif isinstance(value, str) and "\0" in value:
        raise UserError("holds a NUL character, which no path can.", where, "Take it out.")


def _beside(use_case: UseCase, base: Path) -> UseCase:
    """Models that lie beside the use case, named in full: a folder means the same from wherever a command is given."""

    def place(ref: str) -> str:
        return ref if ":" in ref or not (base / ref).exists() else str(base / ref)

    arms = tuple(
        a.model_copy(update={"name": config.arm_name(a), "model": place(a.model)}) if a.model else a
        for a in use_case.arms
    )
    found = {"model": place(use_case.model), "embeddings": place(use_case.embeddings)}
    return use_case.model_copy(update={**found, "arms": arms})


def _metrics(use_case: UseCase, task: Task, base: Path) -> tuple[list[Metric], list[Problem]]:
    """Open the metrics; every one that cannot be had is a problem."""
    made: list[Metric] = []
    problems: list[Problem] = []
    for name in use_case.metrics or task.metrics:
        try:
            made.append(open_metric(name, base))
        except UserError as e:
            problems += [Problem(p.what, p.where or f"metrics: {name}", p.do) for p in e.problems]
    if not made and not problems:
        problems.append(
            Problem(f"the task {task.name} names no metric.", "metrics", "Name one: metrics: [exact_match]")
        )
    return made, problems


def _plain(arm: Arm) -> bool:
    """Whether an arm is the model as it is, asked as the task asks."""
    try:
        return not arm.answers and not arm.model and config.parse_sum(arm.does) == []
    except UserError:  # pre-flight says it, with all the rest
        return False


def content_of(named: Iterable[tuple[str, str]], base: Path) -> list[str]:
    """Content of those parts (kind, name) that are not ours: one that was edited or upgraded is another part."""
    return [what for kind, name in named if (what := parts.content(parts.find(kind, name, base)))]


def store_root(base: Path) -> Path:
    """Where artefacts lie: ``SHARPEN_HOME``, or ``.sharpen`` beside the use-case file."""
    return Path(os.environ.get("SHARPEN_HOME") or base / ".sharpen")


def baseline_of(arms: Sequence[Arm]) -> Arm:
    """The arm that all others are compared with."""
    for arm in arms:
        if _plain(arm):
            return arm
    raise UserError("there is no baseline among the arms.", do="Add the arm: baseline")
