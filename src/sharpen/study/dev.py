"""Built arms on dev: answered in rounds of whole clusters, dropped where dev shows that they cannot win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.data import cluster
from sharpen.study.building import Built
from sharpen.study.setting import Setting
from sharpen.techniques import Bench


@dataclass
class DevRace:
    """What the race on dev did: who is left, who was dropped and why, and how much asking that saved."""

    left: list[str]
    dropped: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    n: int = 0
    saved_dev: int = 0
    saved_test: int = 0
    on: bool = True


def race_on_dev(setting: Setting, bench: Bench, built: Sequence[Built]) -> tuple[list[Built], DevRace]:
    """Return the arms that go to the test, and what dev said of each."""
    ready = [b for b in built if b.status == "built"]
    race = DevRace(left=[b.name for b in ready], n=len(bench.dev), on=setting.use_case.racing)
    for b in ready:
        assert b.program is not None
        answers = bench.answer(b.program, bench.dev, f"dev {b.name}")
        race.values[b.name] = {m.name: m.aggregate(m.score(bench.dev, answers)) for m in setting.metrics}
    left = [b for b in built if b.name in race.left or b.status == "given"]
    return left, race


def clusters_of(examples: Sequence[Any], by: str) -> list[str]:
    """The cluster of each example: what is flipped as a whole."""
    return [cluster(e, by) for e in examples]
