"""The opening of the test: what will be tested is written down first, then the seal is opened once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sharpen import evaluation
from sharpen.data import Dataset
from sharpen.errors import UserError
from sharpen.evaluation import Ledger, Seen
from sharpen.metrics import bounds_of
from sharpen.study.dev import DevRace, clusters_of
from sharpen.study.environment import code_hash
from sharpen.study.folder import AGAIN, OPENED, RunFolder
from sharpen.study.setting import Setting
from sharpen.types import Example


@dataclass(frozen=True)
class Opened:
    """The test questions, their clusters, when they were opened, which look at these questions this is, and at which
    share of them somebody looked before."""

    examples: list[Example]
    clusters: list[str]
    opened_at: str
    looks: int
    plan: dict[str, Any]
    seen: float = 0.0


def open_test(
    setting: Setting, data: Dataset, family: Sequence[str], programs: Mapping[str, str], race: DevRace, seen: Seen
) -> Opened:
    """Write the plan (metric, margin, alpha, clusters, arms, and what the test can show), then open the test.

    Args:
        setting: of the study.
        data: whose test it is.
        family: names of the arms that are compared.
        programs: fingerprints of all programs that will be asked, by name.
        race: what the race on dev did.
        seen: what planning may learn from dev.

    Raises:
        UserError: another plan stands here, and the test was opened for that one.
    """
    folder = setting.folder
    assert folder is not None
    write_plan(setting, data, family, programs, race, seen)
    opened = evaluation.open_test(data.seal, folder.path, _ledger(setting), folder.look_id())
    folder.event("test opened", questions=len(opened.examples), look=opened.look)
    examples = list(opened.examples)
    clusters = clusters_of(examples, data.facts["cluster_by"])
    return Opened(examples, clusters, opened.opening.opened_at, opened.look, dict(opened.plan), opened.opening.share)


def _ledger(setting: Setting) -> Ledger:
    return Ledger(setting.store.root / "ledger.sqlite")


def write_plan(
    setting: Setting,
    data: Dataset,
    family: Sequence[str],
    programs: Mapping[str, str],
    race: DevRace,
    seen: Seen,
    folds: Sequence[Dataset] = (),
) -> None:
    """Write the plan where there is none yet, and see that what stands there is what would be tested.

    Args:
        setting, data, family, programs, race, seen: as for :func:`open_test`.
        folds: the parts of ``data`` that are opened one by one, each for this plan and for one of its own.
    """
    uc, folder = setting.use_case, setting.folder
    assert folder is not None
    if not folder.planned:
        looked = [o for d in folds or (data,) for o in _ledger(setting).openings(d.seal.questions)]
        mine = folder.look_id()
        if any(o.run == mine or (folds and o.run.startswith(f"{mine}/")) for o in looked):
            raise UserError("the plan is gone.", str(folder.path / "plan.json"), OPENED)
        can_show = evaluation.plan(
            data.seal.cluster_sizes, len(family), seen, uc.worth, uc.alpha, bounds_of(setting.metrics[0])
        )
        folder.write_json(
            "plan.json",
            {
                "metric": setting.metrics[0].name,
                "worth": uc.worth,
                "alpha": uc.alpha,
                "cluster_by": data.facts["cluster_by"],
                "cluster_sizes": list(data.seal.cluster_sizes),
                "questions": data.seal.n,
                "content": data.seal.content,
                "arms": list(family),
                "programs": dict(programs),
                "code": code_hash(),
                "race": race.facts(),
                "can_show": asdict(can_show),
                "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        )
    as_planned(folder, family, programs)


def code_as_planned(folder: RunFolder) -> None:
    """See, before anything is built again, that the code is the one with which a plan was written, where there is one.

    Raises:
        UserError: it is not, and what was planned would be built and asked by other code.
    """
    code = folder.read_json("plan.json", lambda data: str(data["code"]))
    if code not in (None, code_hash()):
        what = "sharpen itself was changed after this plan had been written."
        raise UserError(what, str(folder.path / "plan.json"), AGAIN.capitalize())


def as_planned(folder: RunFolder, family: Sequence[str], programs: Mapping[str, str]) -> None:
    """See that what would be tested now is what the plan says, down to the programs.

    Raises:
        UserError: it is not. Going on would be another look at the test that nobody counts.
    """

    def made(data: Any) -> tuple[list[str], dict[str, str]]:
        return [str(name) for name in data["arms"]], dict(data["programs"])

    planned = folder.read_json("plan.json", made)
    assert planned is not None  # written before
    names, before = planned
    what = ""
    if names != list(family):
        what = f"what would be tested now ({', '.join(family)}) is not what was planned ({', '.join(names)})."
    elif other := [name for name in {**before, **programs} if programs.get(name) != before.get(name)]:
        what = f"what was built now is not what was planned: {', '.join(other)}."
    if what:
        raise UserError(what, str(folder.path / "plan.json"), AGAIN.capitalize())
