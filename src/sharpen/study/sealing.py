"""The opening of the test: what will be tested is written down first, then the seal is opened once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sharpen.data import Dataset, load_sealed
from sharpen.study.dev import DevRace, clusters_of
from sharpen.study.setting import Setting
from sharpen.techniques import Bench
from sharpen.types import Example


@dataclass(frozen=True)
class Opened:
    """The test questions, their clusters, when they were opened, and how often these questions were opened so far."""

    examples: list[Example]
    clusters: list[str]
    opened_at: str
    looks: int
    plan: dict[str, Any]


def open_test(setting: Setting, data: Dataset, family: Sequence[str], race: DevRace, bench: Bench) -> Opened:
    """Write the plan, then open the test."""
    uc, folder = setting.use_case, setting.folder
    assert folder is not None
    plan = folder.read_json("plan.json")
    if plan is None:
        plan = {
            "metric": setting.metrics[0].name,
            "worth": uc.worth,
            "alpha": uc.alpha,
            "cluster_by": uc.data.split.by,
            "clusters": data.seal.n_clusters,
            "questions": data.seal.n,
            "content": data.seal.content,
            "arms": list(family),
            "race": asdict(race),
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        folder.write_json("plan.json", plan)
    examples = load_sealed(data.seal)
    folder.event("test opened", questions=len(examples))
    return Opened(examples, clusters_of(examples, uc.data.split.by), plan["written_at"], 1, plan)
