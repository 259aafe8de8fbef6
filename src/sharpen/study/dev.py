"""Built arms on dev: answered in rounds of whole clusters, dropped where dev shows that they cannot win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.config import arm_name
from sharpen.data import TABLE, cluster
from sharpen.evaluation import Seen, race
from sharpen.metrics import value_of
from sharpen.study.building import Built
from sharpen.study.setting import Setting, baseline_of
from sharpen.techniques import Bench
from sharpen.types import Example, Metric, Score


@dataclass
class DevRace:
    """What the race on dev did: who is left, who was dropped and why, and how much asking that saved.

    ``values``: each arm's metrics on the dev questions that it was asked; ``seen``: what planning may learn from;
    ``tables``: by table of examples the questions of dev (``n``) and each arm's first metric (``arms``), so that it is
    seen whether what a model could do is kept.
    """

    left: list[str]
    dropped: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, float | None]] = field(default_factory=dict)
    n: int = 0
    saved_dev: int = 0
    saved_test: int = 0
    on: bool = True
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For the report."""
        return dict(vars(self))


def race_on_dev(setting: Setting, bench: Bench, built: Sequence[Built], by: str) -> tuple[list[Built], DevRace, Seen]:
    """Return the arms that go to the test, what the race did, and the dev scores of the arms that are left.

    ``by``: what questions are never torn from.

    Where the plan stands already the race was run, and is not run again: an answer that could not be had then, and can
    now, might end it otherwise.
    """
    metric, dev = setting.metrics[0], bench.dev
    baseline = arm_name(baseline_of(setting.arms))
    assert setting.folder is not None
    ran_before = setting.folder.read_json("plan.json", lambda data: DevRace(**data["race"]))
    if ran_before:
        return going_on(built, ran_before), ran_before, Seen({}, (), metric, baseline)
    programs = {b.name: b.program for b in built if b.program is not None and not b.seed_of}
    clusters, weights = clusters_of(dev, by), [e.weight for e in dev]
    scores: dict[str, dict[int, Score]] = {name: {} for name in programs}

    def ask(name: str, positions: Sequence[int]) -> list[Score]:
        program = programs[name]
        assert program is not None
        questions = [dev[i] for i in positions]
        assert setting.folder is not None
        with setting.folder.spending(name, "dev"):
            found = metric.score(questions, bench.answer(program, questions, f"dev {name}"))
        scores[name].update(zip(positions, found, strict=True))
        return found

    done = DevRace(left=list(programs), n=len(dev), on=setting.use_case.racing)
    if done.on:
        ran = race(
            ask,
            list(programs),
            clusters=clusters,
            metric=metric,
            baseline=baseline,
            seed=bench.seed,
            weights=weights,
        )
        done.left, done.saved_dev = list(ran.running), ran.saved
        done.dropped = {d.arm: d.reason for d in ran.dropped.values()}
    else:
        for name in programs:
            ask(name, range(len(dev)))
    for name, program in programs.items():
        assert program is not None
        asked = [dev[i] for i in sorted(scores[name])]
        answers = bench.answer(program, asked, f"dev {name}")
        each = [e.weight for e in asked]
        _by_table(done, name, asked, metric.score(asked, answers), metric)
        done.values[name] = {m.name: value_of(m, m.score(asked, answers), each) for m in setting.metrics}
    whole = {name: [scores[name][i] for i in range(len(dev))] for name in done.left}
    return going_on(built, done), done, Seen(whole, clusters, metric, baseline, weights)


def _by_table(done: DevRace, arm: str, asked: Sequence[Example], scores: Sequence[Score], metric: Metric) -> None:
    """An arm's metric on the questions of each table, where examples come from several."""
    rows: dict[str, list[int]] = {}
    for i, e in enumerate(asked):
        if name := str(e.meta.get(TABLE, "")):
            rows.setdefault(name, []).append(i)
    for name, some in sorted(rows.items()):
        value = value_of(metric, [scores[i] for i in some], [asked[i].weight for i in some])
        line = done.tables.setdefault(name, {"n": 0, "arms": {}})
        line["n"] = max(line["n"], len(some))
        line["arms"][arm] = value


def going_on(built: Sequence[Built], done: DevRace) -> list[Built]:
    """The arms that go to the test: those that the race left, and those whose answers are given."""
    return [b for b in built if b.name in done.left or b.status == "given"]


def clusters_of(examples: Sequence[Any], by: str) -> list[str]:
    """The cluster of each example: what is flipped as a whole."""
    return [cluster(e, by) for e in examples]
