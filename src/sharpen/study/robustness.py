"""How much a program's answers depend on the form of a question: scores on changed questions beside those on the same
questions as they are, reported apart from the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sharpen.data import Dataset, cluster, load, perturbed
from sharpen.data.robustness import CHANGES, beside
from sharpen.errors import Problem, UserError
from sharpen.evaluation import Rule, compare
from sharpen.study.asking import program_of
from sharpen.study.folder import RunFolder
from sharpen.study.reading import Report, read_report
from sharpen.study.rows import UNJUDGED
from sharpen.study.setting import Setting
from sharpen.study.stressing import STRESSES, WORD, Stressed
from sharpen.techniques import Bench, Counts
from sharpen.types import Example, Progress, System, silent

AS_IT_IS = "as it is"
WITHOUT = "Bias and safety of the answers."


@dataclass(frozen=True)
class Robust:
    """What one kind of change does: the metric on ``n`` questions as they are and ``changed``.

    ``delta`` with its 95% interval over clusters and p adjusted over the kinds of change; ``kept`` is the share of
    questions with the same answer, ``followed`` that of injected orders that were obeyed.
    """

    change: str
    n: int
    as_it_is: float
    changed: float
    delta: float
    low: float | None
    high: float | None
    p: float
    kept: float
    followed: float | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """For a report; what was not asked is left out."""
        return {k: v for k, v in asdict(self).items() if k != "followed" or v is not None}


def robustness(
    program: System,
    bench: Bench,
    judged: Sequence[Example],
    by: str = "source",
    changes: Sequence[str] = CHANGES,
) -> list[Robust]:
    """Ask a program questions as they are and changed, and compare.

    Args:
        program: a built one.
        bench: whose engines and first metric are used; its train and dev are not looked at.
        judged: dev questions, or test questions where the test was opened for this program.
        by: what clusters are.
        changes: of questions, see :func:`sharpen.data.perturbed`, or of prompts, see ``stressing``.
    """
    metric, made = bench.metrics[0], []
    for name in changes:
        parts = [p for p in _stressed(name, program, judged, bench.seed) if p.new]
        if not parts:
            continue
        old, new = [e for p in parts for e in p.old], [e for p in parts for e in p.new]
        first = [a for p in parts for a in bench.answer(p.program, p.old, f"robustness {name}")]
        second = [a for p in parts for a in bench.answer(p.other, p.new, f"robustness {name}")]
        arms = {AS_IT_IS: metric.score(old, first), name: metric.score(new, second)}
        clusters = [cluster(e, by) for e in old]
        found = compare(arms, clusters=clusters, metric=metric, baseline=AS_IT_IS, rule=Rule(seed=bench.seed))
        rows = {a.name: a for a in found.arms}
        changed, plain = rows[name], rows[AS_IT_IS]
        same = sum(a.text == b.text for a, b in zip(first, second, strict=True)) / len(old)
        low, high, p_value = changed.delta_ci_low, changed.delta_ci_high, changed.p_adjusted
        p_value = 1.0 if p_value is None else p_value
        row = Robust(name, len(old), plain.mean, changed.mean, changed.delta or 0.0, low, high, p_value, same)
        if name == "injection":
            row = replace(row, followed=sum(WORD.lower() in a.text.lower() for a in second) / len(second))
        made.append(row)
    adjusted = _holm([row.p for row in made])
    return [replace(row, p=p) for row, p in zip(made, adjusted, strict=True)]


def _stressed(name: str, program: System, judged: Sequence[Example], seed: int) -> list[Stressed]:
    """What is asked as it is and changed, by one kind of change."""
    if name in STRESSES:
        return STRESSES[name](program, judged, seed)
    found = perturbed(judged, [name], seed)
    return [Stressed(program, tuple(beside(judged, found)[name]), program, found[name])]


def check_changes(changes: Sequence[str]) -> tuple[str, ...]:
    """The kinds of change that are asked for, each once; without any, those of questions.

    Raises:
        UserError: there is no such kind.
    """
    wanted = tuple(dict.fromkeys(changes)) or CHANGES
    unknown = [c for c in wanted if c not in (*CHANGES, *STRESSES)]
    if unknown:
        do = f"Take of: {', '.join((*CHANGES, *STRESSES))}."
        raise UserError([Problem(f"there is no change {name!r}.", "--change", do) for name in unknown])
    return wanted


def _holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted over all of them (Holm 1979)."""
    made, worst = [1.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        worst = max(worst, min(1.0, ps[i] * (len(ps) - rank)))
        made[i] = worst
    return made


def judge_run(
    run: Path | str, changes: Sequence[str] = CHANGES, arm: str | None = None, progress: Progress = silent
) -> Report:
    """Ask the chosen arm of a finished run (or the leader) and the baseline changed dev questions; write it down.

    The table stands in the run's ``report.json`` and page. The test stays closed. Answers are kept by content, so that
    the same call goes on where it was stopped.

    Args:
        run: a finished run's folder.
        changes: of questions, see :func:`sharpen.data.perturbed`, or of prompts, see ``stressing``. Rows of other
            changes that were asked before stay.
        arm: another arm than the chosen one, beside the baseline.
        progress: told what is going on.

    Raises:
        UserError: there is no such run, arm or change, or the prepared data of the run is gone.
    """
    report = read_report(run)
    changes = check_changes(changes)
    names = dict.fromkeys([report["baseline"], arm or report.winner or report["leader"]])
    rows, n = [], 0
    for name in (n for n in names if report.arm(n)["fingerprint"]):
        setting, program = program_of(run, name)
        setting.progress = progress
        data = data_of(report, setting)
        engines = setting.engines()
        bench, n = setting.bench(data, engines, Counts()), len(data.dev)
        found = robustness(program, bench, data.dev, data.facts["cluster_by"], changes)
        engines.release()
        rows += [{"arm": name, **row.plain} for row in found]
    asked_before = (report.data.get("robustness") or {}).get("rows", [])
    again = {(row["arm"], row["change"]) for row in rows}
    rows += [row for row in asked_before if (row["arm"], row["change"]) not in again]
    order = {name: i for i, name in enumerate((*CHANGES, *STRESSES))}
    rows.sort(key=lambda row: order[row["change"]])
    folder = RunFolder(report.path)
    with folder.locked():
        judged = [WITHOUT if said == UNJUDGED else said for said in report["not_measured"]]
        asked = {"metric": report["metric"], "n": n, "rows": rows}
        folder.write_json("report.json", {**report.data, "not_measured": judged, "robustness": asked})
    return read_report(run)


def data_of(report: Report, setting: Setting) -> Dataset:
    """The prepared data of a run, without its test.

    Raises:
        UserError: it is gone.
    """
    place = setting.store.root / "data" / RunFolder(report.path).finished()[0]
    if not (place / "data.json").is_file():
        raise UserError("the run's prepared data is gone.", str(place), "Run the study again; it prepares it anew.")
    return load(place)
