"""What a technique works with: train, dev, documents, judges, engines and counts. No test split."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.metrics import value_of
from sharpen.runtime import Answers, Engines, answer_all
from sharpen.store import Store
from sharpen.techniques.labels import rules
from sharpen.types import (
    Answer,
    Decoding,
    Document,
    Example,
    Metric,
    Model,
    Progress,
    Prompt,
    Ref,
    Score,
    System,
    Task,
    silent,
)

GROUPS = 10  # parts that dev is cut into to see how far a difference is noise


class NotAvailable(UserError):
    """A technique cannot be used with this data or on this machine. The sentence says why: it stands in the report."""


@dataclass(frozen=True)
class Counts:
    """What a budget became, once, before anything was built.

    ``trials``: candidates a search may score on dev; ``epochs`` scales training; ``dev`` questions a trial sees.
    """

    trials: int = 8
    epochs: float = 1.0
    dev: int | None = None


@dataclass(frozen=True)
class Tried:
    """A program, what dev said of it (one number a metric, higher is better), and on how many questions.

    ``judged``: the scores of each question, for every metric.
    """

    program: System
    values: tuple[float, ...]
    n: int
    label: str = ""
    judged: tuple[Sequence[Score], ...] = field(default=(), repr=False)


@dataclass
class Bench:
    """Everything a technique may use; ``replay`` are rows of other jobs, which the sampler ``mix`` puts into train."""

    task: Task
    goal: str
    metrics: Sequence[Metric]
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    documents: tuple[Document, ...]
    engines: Engines
    store: Store
    answers: Answers | None = None
    counts: Counts = Counts()
    seed: int = 0
    max_new_tokens: int = 48
    progress: Progress = silent
    note: Callable[[str, dict[str, Any]], None] = lambda kind, facts: None
    work: Path | None = None
    labels: tuple[str, ...] = field(default=())
    replay: tuple[Example, ...] = ()

    def rng(self, purpose: str) -> random.Random:
        """A stream of random numbers that depends on the study's seed and the purpose alone."""
        return random.Random(f"{self.seed} {purpose}")

    def model(self, program: System) -> Model:
        """The program's model, opened."""
        return self.engines.model(program.model, program.adapters)

    def first(self, model: str) -> System:
        """The baseline: the model, asked as the task asks."""
        can = self.engines.model(model).can
        choices = self.labels if self.task.chooses else ()
        by_text = bool(choices) and "score" not in can
        # Who writes the class has to be told which there are; who ranks them is not.
        told = next((t for t in self.task.instructions if by_text and "{labels}" in t), self.task.instructions[0])
        prompt = Prompt(self.fill(told), self.task.template, self.task.context_template)
        decoding = Decoding(self.max_new_tokens, choices=choices, by_text=by_text, one_line=self.task.one_line)
        return System(model, prompt=prompt, decoding=decoding)

    def fill(self, instruction: str) -> str:
        """Put the goal and the labels into an instruction template."""
        goal = self.goal or "Do the task well."
        return instruction.replace("{goal}", goal).replace("{labels}", ", ".join(self.labels))

    def answer(self, program: System, examples: Sequence[Example], stage: str = "") -> list[Answer]:
        """Answer questions, each once ever: the cache knows what was answered before."""
        total = len(examples)
        return answer_all(program, examples, self.engines, self.answers, lambda n: self.progress(stage, n, total))

    def score(self, program: System, examples: Sequence[Example] | None = None, label: str = "") -> Tried:
        """Answer and judge; by default all of dev.

        Where answers are chosen by likelihood, a program is judged by the rule that suits it best, as the finished arm
        will be: a rule that is settled afterwards would have its candidates chosen under another one.
        """
        examples = self.dev if examples is None else examples
        answers = self.answer(program, examples, f"try {label}" if label else "try")
        tried = [self.judge(program, examples, said, label) for _, said in rules(program, answers)]
        return max(tried, key=lambda t: t.values)

    def judge(self, program: System, examples: Sequence[Example], answers: Sequence[Answer], label: str = "") -> Tried:
        """Judge given answers. One that could not be judged counts as wrong, as it does in the comparison."""
        judged = tuple(metric.score(examples, answers) for metric in self.metrics)
        values = tuple(
            _upward(m, scores, [e.weight for e in examples]) for m, scores in zip(self.metrics, judged, strict=True)
        )
        return Tried(program, values, len(examples), label, judged)

    def best(self, candidates: Sequence[tuple[str, System]], what: str, cheapest_first: bool = False) -> System:
        """Choose among programs on dev by successive halving; earlier candidates win ties.

        All are tried on a third of dev, the better half of them on all of it. Every trial is noted.
        Jamieson and Talwalkar 2016, "Non-stochastic best arm identification".

        Args:
            candidates: labels and programs, at most ``counts.trials`` of them are tried.
            what: names the choice in the notes.
            cheapest_first: they stand from the cheapest to the dearest, and a dearer one has to be better by more than
                a standard error (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3).
        """
        candidates = list(candidates)[: max(1, self.counts.trials)]
        if len(candidates) == 1 or not self.dev:
            return candidates[0][1]
        dev = list(self.dev)
        self.rng(f"best {what}").shuffle(dev)
        dev = dev[: self.counts.dev]
        rounds = [dev[: max(len(dev) // 3, min(len(dev), 24))], dev] if len(candidates) > 2 else [dev]
        for number, part in enumerate(rounds):
            tried = [self.score(p, part, f"{what} {label}") for label, p in candidates]
            labels = [label for label, _ in candidates]
            order = sorted(range(len(tried)), key=lambda i: (tuple(-v for v in tried[i].values), i))
            names = [m.name for m in self.metrics]
            for i in order:
                facts = {"what": what, "candidate": labels[i], "n": tried[i].n, "round": number}
                values = {n: v for n, v in zip(names, tried[i].values, strict=True) if math.isfinite(v)}
                self.note("tried", {**facts, "values": values})
            leader = order[0]
            if cheapest_first:
                weights = [e.weight for e in part]
                worse = {i for i in order if worse_than(tried[i], tried[order[0]], self.metrics, weights)}
                order = [*sorted(set(order) - worse), *(i for i in order if i in worse)]
            if number < len(rounds) - 1:
                # Who leads goes on, however dear. Who goes on keeps the given order: a tie on all of dev is not broken
                # by a part of it.
                half = max(2, (len(order) + 1) // 2)
                order = sorted([leader, *(i for i in order if i != leader)][:half])
            candidates = [candidates[i] for i in order]
        self.note("chose", {"what": what, "candidate": candidates[0][0]})
        return candidates[0][1]

    def keep(self, kind: str, fill: Callable[[Path], None]) -> Ref:
        """Keep a folder in the store by its content."""
        return self.store.keep(kind, fill)


def _upward(metric: Metric, scores: Sequence[Score], weights: Sequence[float]) -> float:
    """A metric's value, turned so that higher is better; what nobody could judge is below everything."""
    value = value_of(metric, scores, weights)
    return -math.inf if value is None else value if metric.higher_is_better else -value


def _gain(
    metric: Metric, a: Sequence[Score], b: Sequence[Score], weights: Sequence[float], kept: Sequence[int]
) -> float:
    """How much better ``b`` is than ``a`` on the questions that are kept; 0 where neither could be judged."""
    x, y = (_upward(metric, [scores[i] for i in kept], [weights[i] for i in kept]) for scores in (a, b))
    return 0.0 if x == y else y - x


def worse_than(one: Tried, other: Tried, metrics: Sequence[Metric], weights: Sequence[float]) -> bool:
    """Whether ``one`` is worse by more than a standard error, on the first metric that tells the two apart.

    The error is that of the paired difference, by the delete-a-group jackknife, since not every metric is a mean.
    Questions count singly here, not by clusters: this chooses a setting on dev and claims nothing.
    """
    for n, metric in enumerate(metrics):
        whole, error = difference(one, other, metric, weights, n)
        if math.isinf(whole):
            return whole > 0
        if math.isfinite(error) and abs(whole) > error * (1 + 1e-9):  # of a single question the difference is its error
            return whole > 0
    return False


def difference(one: Tried, other: Tried, metric: Metric, weights: Sequence[float], n: int = 0) -> tuple[float, float]:
    """How much better ``other`` is than ``one`` on their ``n``-th metric, and the standard error of that.

    The error is that of the paired difference, by the delete-a-group jackknife; infinite where it cannot be told.
    """
    a, b = one.judged[n], other.judged[n]
    groups = min(GROUPS, one.n)
    whole = _gain(metric, a, b, weights, range(one.n))
    kept = [[i for i in range(one.n) if i % groups != left_out] for left_out in range(groups)]
    parts = [g for g in (_gain(metric, a, b, weights, k) for k in kept if k) if math.isfinite(g)]
    if math.isinf(whole) or not parts:
        return whole, math.inf
    mean = sum(parts) / len(parts)
    return whole, math.sqrt((len(parts) - 1) / len(parts) * sum((g - mean) ** 2 for g in parts))
