"""All that a study made, before it is written down; what follows from it is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from sharpen.config import arm_name
from sharpen.data import Dataset
from sharpen.evaluation import Comparison, Facts, Rule, compare
from sharpen.metrics import bounds_of, open_metric, value_of, without_thoughts, worst
from sharpen.study.building import Built
from sharpen.study.costs import constraints_of, cost_of
from sharpen.study.dev import DevRace
from sharpen.study.sealing import Opened
from sharpen.study.setting import Setting, baseline_of
from sharpen.types import Answer, Example, Score


@dataclass
class Results:
    """``left``: the arms that were tested; ``answered``: kind -> name -> answers (arms, oracles, floors, seeds);
    ``retriever``: the arm whose oracles were asked."""

    setting: Setting
    data: Dataset
    built: Sequence[Built]
    left: Sequence[Built]
    race: DevRace
    latencies: Mapping[str, Mapping[str, Any]]
    test: Opened
    plan: Any
    answered: Mapping[str, Mapping[str, list[Answer]]]
    retriever: str | None
    environment: Mapping[str, Any]
    folds: tuple[Results, ...] = ()  # of which this is the whole
    _scores: dict[tuple[str, str], list[list[Score]]] = field(default_factory=dict)

    @cached_property
    def baseline(self) -> str:
        """The arm that all others are compared with."""
        return arm_name(baseline_of(self.setting.arms))

    @cached_property
    def judged(self) -> dict[str, list[Score]]:
        """Each tested arm's scores on the metric that decides."""
        return {b.name: self.scores("arms", b.name)[0] for b in self.left}

    def asked(self, kind: str) -> Sequence[Example]:
        """The questions that a kind was asked: all, or for oracles those whose gold passage is known."""
        return [e for e in self.test.examples if e.gold] if kind == "oracles" else self.test.examples

    def scores(self, kind: str, name: str) -> list[list[Score]]:
        """The scores of one list of answers on each metric, judged once: a metric that draws lots says one thing."""
        known = self._scores.get((kind, name))
        if known is None:
            answers = self.answered[kind][name]
            known = [metric.score(self.asked(kind), answers) for metric in self.setting.metrics]
            self._scores[kind, name] = known
        return known

    def values(self, kind: str, name: str) -> dict[str, float | None]:
        """Each metric's value of one list of answers, counted as the comparison counts."""
        weights = [e.weight for e in self.asked(kind)]
        found = zip(self.setting.metrics, self.scores(kind, name), strict=True)
        return {metric.name: value_of(metric, scores, weights) for metric, scores in found}

    @cached_property
    def cost(self) -> dict[str, dict[str, float | None]]:
        """Each tested arm's costs."""
        return {b.name: cost_of(self.setting, b, self.latencies.get(b.name)) for b in self.left}

    @cached_property
    def compared(self) -> Comparison:
        """The comparison, and with it the verdict."""
        uc = self.setting.use_case
        facts = {
            b.name: Facts(
                self.cost[b.name]["total"],
                not constraints_of(self.setting, self.latencies.get(b.name), self.cost[b.name])[0],
                contains_of(self.test.examples, self.answered["arms"][b.name]),
            )
            for b in self.left
        }
        return compare(
            self.judged,
            clusters=self.test.clusters,
            metric=self.setting.metrics[0],
            baseline=self.baseline,
            rule=Rule(uc.worth, uc.alpha, seed=uc.seed),
            facts=facts,
            weights=[e.weight for e in self.test.examples],
        )

    @cached_property
    def compared_rows(self) -> dict[str, dict[str, Any]]:
        """The comparison's rows by arm."""
        return {r.name: asdict(r) for r in self.compared.arms}

    @cached_property
    def wrong(self) -> float:
        """What an unjudged answer counts as: the worst possible score, or the worst seen where there is none."""
        metric = self.setting.metrics[0]
        seen = [s.value for scores in self.judged.values() for s in scores if s.value is not None]
        return worst(bounds_of(metric), metric.higher_is_better, seen)

    @property
    def leader(self) -> str:
        """The chosen arm, or the one that leads where none was chosen."""
        return self.compared.winner or self.compared.leader

    def change(self, arm: str, i: int) -> float:
        """By how much an arm is better than the baseline on question ``i``; unjudged counts as wrong."""
        mine, base = self.judged[arm][i].value, self.judged[self.baseline][i].value
        sign = 1 if self.setting.metrics[0].higher_is_better else -1
        return sign * ((self.wrong if mine is None else mine) - (self.wrong if base is None else base))


def contains_of(examples: Sequence[Example], answers: Sequence[Answer]) -> list[float]:
    """For each question 1 if a reference stands in the raw answer, else 0; what was only thought is no part of it."""
    raw = [Answer(without_thoughts(a.raw) if a.raw else a.text, a.raw, error=a.error) for a in answers]
    return [s.value or 0.0 for s in open_metric("contains").score(examples, raw)]
