"""``run``: from a use case to a run folder, in the one order; going on where it was stopped."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.config import UseCase, arm_name
from sharpen.data import Dataset
from sharpen.data.page import first_remarks
from sharpen.evaluation import Seen
from sharpen.floors import Predict, open_floor
from sharpen.runtime import Engines
from sharpen.store import write_text
from sharpen.study import preflight
from sharpen.study.assembling import assemble
from sharpen.study.building import Builder, Built
from sharpen.study.dev import DevRace, race_on_dev
from sharpen.study.diagnosis import diagnosis
from sharpen.study.engine import check_engine, choose_engines
from sharpen.study.environment import code_hash, environment, machine
from sharpen.study.folder import RunFolder, arm_folder
from sharpen.study.folds import fold_settings, named, pooled, races
from sharpen.study.given import as_answers
from sharpen.study.latency import QUESTIONS, WARM, measure, measured
from sharpen.study.looking import PAGE, look, write_page
from sharpen.study.oracles import oracle_programs
from sharpen.study.proof import proof
from sharpen.study.reading import Report, read_report
from sharpen.study.requesting import requested
from sharpen.study.results import Results
from sharpen.study.sealing import Opened, code_as_planned, open_test, write_plan
from sharpen.study.setting import Setting, embeds, rerankers_of, resolve
from sharpen.techniques import Bench, Counts
from sharpen.types import Answer, Progress, digest, plain, silent

log = logging.getLogger("sharpen.study")


def run(
    use_case: UseCase | Path | str,
    out: Path | str | None = None,
    settings: Sequence[str] = (),
    progress: Progress = silent,
    base: Path | None = None,
) -> Report:
    """Run a study, or go on with one; a finished one is read, not run.

    Args:
        use_case: the file, its folder, or the settings themselves (then ``base`` is where relative paths begin).
        out: the run's folder; default ``runs/<name>`` beside the use case.
        settings: overrides, each ``key.sub=value``.
        progress: told what is going on.

    Returns:
        The report; ``report.path`` is the run's folder.

    Raises:
        UserError: with every problem of use case and data at once, before anything is computed.
    """
    setting = resolve(use_case, settings, progress, base)
    folder = RunFolder(Path(out) if out else setting.base / "runs" / setting.use_case.name)
    began = time.time()
    with folder.locked():
        found = preflight.inspect(setting)  # before anything is written: a mended use case is not another one
        folder.adopt(setting.use_case, setting.base, setting.store.root)
        setting.folder = folder
        done = folder.read_measured("done.json", lambda data: data["key"])
        if done == found.key and all((folder.path / name).exists() for name in ("report.json", "programs.json")):
            log.info("This study is finished; nothing was run. --out makes another run of it.")
            return read_report(folder.path)
        folder.belong(found.key)
        code_as_planned(folder)
        folder.event("started", key=found.key, began=round(began, 3))
        return _run(setting, found)


@dataclass(frozen=True)
class Ready:
    """What stands before a test is opened: arms built on train and chosen on dev, measured; floors fitted.

    A study is one of these; a study in folds is one for each.
    """

    setting: Setting
    data: Dataset
    bench: Bench
    built: Sequence[Built]
    left: Sequence[Built]
    race: DevRace
    seen: Seen
    latencies: dict[str, dict[str, Any]]
    floors: dict[str, Predict]

    def programs(self, family: Sequence[str]) -> dict[str, str]:
        """Fingerprints of all programs that are to be asked, by name."""
        return {b.name: b.program.fingerprint for b in self.built if b.program and (b.seed_of or b.name) in family}


def _run(setting: Setting, found: preflight.Found) -> Report:
    folder, data = setting.folder, found.data
    assert folder is not None
    shape = proof(setting, data)
    if not shape.possible and len(setting.arms) > 1 and not folder.planned:
        log.warning("%s", " ".join(shape.says[1:]))
        log.warning("This study will cost its time and a look at the test, and decide nothing. Ctrl-C stops it now.")
    choose_engines(setting)
    engines = setting.engines()
    plan = preflight.calibrate(setting, found.folds[0], engines, len(found.folds))
    for problem in (*map(str, found.problems), *plan.problems):
        log.warning(problem)
    if plan.budget:
        log.info(f"The budget: {plan.budget}.")
    bench = setting.bench(found.folds[0], engines, plan.counts)
    engines.release()
    env = {**environment(setting, engines), "engine_check": check_engine(setting, bench)}
    folder.write_json("environment.json", env)
    known = look(setting.use_case, setting.base, found.folds[0], setting.store.root, setting.progress)
    for remark in first_remarks(known):
        log.info("The data: %s", remark)
    write_page(known, setting.use_case, folder.path / PAGE)

    settings = fold_settings(setting, found.folds) if len(found.folds) > 1 else [setting]
    ready = []
    for k, (s, d) in enumerate(zip(settings, found.folds, strict=True), 1):
        ready.append(_ready(s, d, engines, plan.counts))
        folder.event("ready", fold=k)
    made = _tested(setting, found, ready, plan, env)
    keep_answers(folder, made)
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in data.dropped]
    write_text(folder.path / "dropped.jsonl", "".join(f"{line}\n" for line in lines))
    spent = Counter[str]()
    for place in {id(s.folder): s.folder for s in (setting, *settings) if s.folder}.values():
        spent.update(place.spent())
    asked = {"requests": requested(made, ready[0].data, ready[0].built, ready[0].bench), "data_page": PAGE}
    asked["diagnosis"] = diagnosis(made, [r.bench for r in ready])
    report = {**assemble(made), **asked, "hours": round(folder.hours(), 4), "spent_seconds": dict(spent)}
    folder.write_json("report.json", report)
    _write_page(folder)
    others = {b.program.model for r in ready for b in r.built if b.program} - found.weights.keys()  # a technique's own
    weights = {**found.weights, **{ref: preflight.weights_of(ref) for ref in sorted(others)}}
    folder.write_json("done.json", {"key": found.key, "data": found.data.folder.name, "weights": weights})
    folder.event("finished", verdict=report["verdict"], winner=report["winner"])
    return read_report(folder.path)


def _ready(setting: Setting, data: Dataset, engines: Engines, counts: Counts) -> Ready:
    """Build, choose on dev, measure: all that is done before a test is opened."""
    bench = setting.bench(data, engines, counts)
    built = build_all(setting, bench)
    left, race, seen = race_on_dev(setting, bench, built, data.facts["cluster_by"])
    latencies = measure_all(setting, bench, left)
    return Ready(setting, data, bench, built, left, race, seen, latencies, fit_floors(setting, bench))


def _tested(
    setting: Setting, found: preflight.Found, ready: Sequence[Ready], plan: preflight.Plan, env: dict[str, Any]
) -> Results:
    """Open the test, once, and answer it; of folds one after the other, when all of them are ready and planned."""
    folder, folded = setting.folder, len(ready) > 1
    assert folder is not None
    every = [{b.name for b in r.left} for r in ready]
    ready = [replace(r, left=[b for b in r.left if all(b.name in names for names in every)]) for r in ready]
    family = [b.name for b in ready[0].left]
    race = races([r.race for r in ready], family) if folded else ready[0].race
    leader = leader_on_dev(setting, ready[0].left, race)
    written: dict[str, Any] = {}
    if folded:
        folder.write_json("programs.json", _programs(ready))
        programs = {named(b, k): p for k, r in enumerate(ready, 1) for b, p in r.programs(family).items()}
        write_plan(setting, found.data, family, programs, race, ready[0].seen, found.folds)
        written = folder.read_json("plan.json", dict) or {}
    parts = []
    for r in ready:
        test = open_test(r.setting, r.data, family, r.programs(family), r.race, r.seen)
        answered = answer_test(r.setting, r.bench, r.built, r.left, leader, test, found.given)
        answered["floors"] = {name: predict([e.blind() for e in test.examples]) for name, predict in r.floors.items()}
        r.race.saved_test = len(r.race.dropped) * r.data.seal.n
        results = Results(r.setting, r.data, r.built, r.left, r.race, r.latencies, test, plan, answered, leader, env)
        parts.append(results)
    return pooled(setting, found.data, parts, written) if folded else parts[0]


def _programs(ready: Sequence[Ready]) -> dict[str, Any]:
    """The programs of all folds by the name under which each can be asked."""
    return {named(b.name, k): plain(b.program) for k, r in enumerate(ready, 1) for b in r.built if b.program}


def build_all(setting: Setting, bench: Bench) -> list[Built]:
    """Build every arm, and trained arms again with other seeds where the use case asks for that."""
    folder = setting.folder
    assert folder is not None
    embeddings = preflight.weights_of(setting.use_case.embeddings) if embeds(setting) else ""
    readers = sorted({ref for arm in setting.arms for ref in rerankers_of(arm, setting.base)})
    embeddings += "".join(map(preflight.weights_of, readers))
    builder = Builder(setting.use_case, setting.base, bench, embeddings)
    built = []
    for arm in setting.arms:
        name = arm_name(arm)
        setting.progress(f"build {name}", 0, None)
        with folder.spending(name, "build"):
            one = builder.arm(arm)
        built.append(one)
        folder.event("built", arm=name, status=one.status, seconds=round(one.seconds, 2), why=one.why)
        if one.trained:
            for seed in range(1, setting.use_case.seeds):
                again = builder.arm(arm, seed)
                built.append(replace(again, name=f"{name} (seed {seed})", seed_of=name))
    programs = {b.name: plain(b.program) for b in built if b.program}
    folder.write_json("programs.json", programs)
    return built


def measure_all(setting: Setting, bench: Bench, left: Sequence[Built]) -> dict[str, dict[str, Any]]:
    """Latency and memory of each arm, measured once on a machine and kept with the run."""
    folder = setting.folder
    assert folder is not None
    known = folder.read_measured("latency.json", measured) or {}
    on = digest([machine(), code_hash()])  # those of two machines cannot be compared
    made = {b.name: {"fingerprint": b.program.fingerprint, "on": on} for b in left if b.program}
    todo = [b for b in left if b.program and not made[b.name].items() <= known.get(b.name, {}).items()]
    each = min(QUESTIONS + WARM, len(bench.train))

    for n, b in enumerate(todo):
        assert b.program is not None
        same = next((m for m in known.values() if made[b.name].items() <= m.items()), None)
        if same:  # a technique that keeps what was there: the engine would remember all that it was just asked
            known[b.name] = same
            folder.write_json("latency.json", known)
            continue
        before = n * each

        def told(answered: int, before: int = before) -> None:
            setting.progress("measure latency", before + answered, len(todo) * each)

        with folder.spending(b.name, "latency"):
            found = measure(b.program, bench.train, bench.engines, told)
        known[b.name] = {**made[b.name], **found}
        folder.write_json("latency.json", known)
    return known


def leader_on_dev(setting: Setting, left: Sequence[Built], race: DevRace) -> str | None:
    """The retrieving arm that was best on dev: the one whose oracles are asked."""
    names = [b.name for b in left if b.program is not None and b.program.retriever is not None]
    sign = 1 if setting.metrics[0].higher_is_better else -1

    def value(name: str) -> list[float]:
        known = [race.values[name][m.name] for m in setting.metrics]
        return [-math.inf if v is None else sign * v for v in known]

    return max(names, key=value, default=None)


def answer_test(
    setting: Setting,
    bench: Bench,
    built: Sequence[Built],
    left: Sequence[Built],
    leader: str | None,
    test: Opened,
    given: Mapping[str, dict[str, str]],
) -> dict[str, dict[str, list[Answer]]]:
    """Answer the opened test: the arms left, oracles of the leader, other seeds."""
    folder = setting.folder
    assert folder is not None
    answered: dict[str, dict[str, list[Answer]]] = {"arms": {}, "oracles": {}, "floors": {}, "seeds": {}}
    for b in left:
        if b.answers:
            answers = as_answers(given[b.name], (e.id for e in test.examples), setting.task, bench.labels)
        else:
            assert b.program is not None
            with folder.spending(b.name, "test"):
                answers = bench.answer(b.program, test.examples, f"test {b.name}")
        answered["arms"][b.name] = answers
    for b in left:
        if b.name == leader and b.program is not None:
            known = [e for e in test.examples if e.gold]  # without a known passage there is no oracle to ask
            for name, program in oracle_programs(b.program).items() if known else ():
                answered["oracles"][name] = bench.answer(program, known, f"test oracle: {name}")
    tested = {b.name for b in left}
    for b in built:
        if b.program is not None and b.seed_of in tested:
            answered["seeds"][b.name] = bench.answer(b.program, test.examples, f"test {b.name}")
    return answered


def fit_floors(setting: Setting, bench: Bench) -> dict[str, Predict]:
    """Fit the floors on train and dev, before the test is opened: what cannot be fitted is found out in time."""
    fitted = {}
    for name in setting.task.floors:
        setting.progress(f"floor {name}", 0, None)
        with parts.blamed(parts.find("floor", name, setting.base)):
            predict = open_floor(name)(bench)
        if predict is not None:
            fitted[name] = predict
    return fitted


def keep_answers(folder: RunFolder, made: Results) -> None:
    """Write what arms, oracles, floors and other seeds answered, and how it was judged, one JSON line a question."""
    fold_of = {e.id: k for k, part in enumerate(made.folds, 1) for e in part.test.examples}
    for kind, answered in made.answered.items():
        for name, answers in answered.items():
            scores = made.scores(kind, name)
            lines = []
            for i, (e, a) in enumerate(zip(made.asked(kind), answers, strict=True)):
                row = {
                    "id": e.id,
                    **({"fold": fold_of[e.id]} if fold_of else {}),
                    "answer": a.text,
                    "raw": a.raw,
                    "scores": {m.name: s[i].value for m, s in zip(made.setting.metrics, scores, strict=True)},
                    "passages": [p.id for p in a.passages],
                    "citations": list(a.citations),
                    "findings": list(a.findings),
                    "error": a.error,
                }
                lines.append(json.dumps(row, ensure_ascii=False))
            place = name if kind == "arms" else f"{kind[:-1]} {name}"
            write_text(folder.path / "arms" / arm_folder(place) / "answers.jsonl", "\n".join(lines) + "\n")


def _write_page(folder: RunFolder) -> None:
    from sharpen.study.page import write_page

    write_page(folder.path)


__all__ = ["run"]
