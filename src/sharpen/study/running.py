"""``run``: from a use case to a run folder, in the one order; going on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharpen.config import Arm, UseCase, arm_name
from sharpen.data import Dataset
from sharpen.errors import UserError
from sharpen.floors import open_floor
from sharpen.study import preflight
from sharpen.study.assembling import assemble
from sharpen.study.building import Builder, Built
from sharpen.study.dev import DevRace, race_on_dev
from sharpen.study.engine import choose_engine
from sharpen.study.environment import environment
from sharpen.study.folder import RunFolder, arm_folder
from sharpen.study.latency import measure
from sharpen.study.oracles import oracle_programs
from sharpen.study.reading import Report, read_report
from sharpen.study.results import Results
from sharpen.study.sealing import Opened, open_test
from sharpen.study.setting import Setting, baseline_of, resolve
from sharpen.techniques import Bench
from sharpen.types import Answer, Example, Progress, System, digest, plain, silent


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
    with folder.locked():
        folder.adopt(setting.use_case, setting.base)
        setting.folder = folder
        found = preflight.inspect(setting)
        if folder.read_json("report.json") and (folder.read_json("done.json") or {}).get("key") == found.key:
            return read_report(folder.path)
        return _run(setting, found)


def _run(setting: Setting, found: preflight.Found) -> Report:
    folder, data = setting.folder, found.data
    assert folder is not None
    folder.event("started", key=found.key)
    choose_engine(setting)
    engines = setting.engines()
    plan = preflight.calibrate(setting, data, engines)
    bench = setting.bench(data, engines, plan.counts)
    env = environment(setting, engines)
    folder.write_json("environment.json", env)

    built = build_all(setting, bench, found.key)
    left, race, seen = race_on_dev(setting, bench, built)
    latencies = measure_all(setting, bench, left)
    leader = leader_on_dev(setting, left, race)
    family = [b.name for b in left]
    test = open_test(setting, data, family, race, seen)
    answered = answer_test(setting, bench, built, left, leader, test)
    race.saved_test = len(race.dropped) * data.seal.n
    made = Results(setting, data, built, left, race, latencies, test, plan, answered, leader, env)
    report = {**assemble(made), "hours": round(folder.hours(), 4), "spent_seconds": folder.spent()}
    folder.write_json("report.json", report)
    _write_page(folder)
    folder.write_json("done.json", {"key": found.key, "data": found.data.folder.name})
    folder.event("finished", verdict=report["verdict"], winner=report["winner"])
    return read_report(folder.path)


def build_all(setting: Setting, bench: Bench, data_key: str) -> list[Built]:
    """Build every arm, and trained arms again with other seeds where the use case asks for that."""
    folder = setting.folder
    assert folder is not None
    builder = Builder(setting.use_case, setting.base, bench, data_key)
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
                built.append(replace(again, name=f"{name} (seed {seed})", status="seed"))
    programs = {b.name: plain(b.program) for b in built if b.program}
    folder.write_json("programs.json", programs)
    return built


def measure_all(setting: Setting, bench: Bench, left: Sequence[Built]) -> dict[str, dict[str, Any]]:
    """Latency and memory of each arm, measured once and kept with the run."""
    folder = setting.folder
    assert folder is not None
    known: dict[str, dict[str, Any]] = folder.read_json("latency.json") or {}
    todo = [b for b in left if b.program and known.get(b.name, {}).get("fingerprint") != b.program.fingerprint]
    for n, b in enumerate(todo):
        assert b.program is not None
        setting.progress("measure latency", n, len(todo))
        with folder.spending(b.name, "latency"):
            known[b.name] = {"fingerprint": b.program.fingerprint, **measure(b.program, bench.train, bench.engines)}
        folder.write_json("latency.json", known)
    return known


def leader_on_dev(setting: Setting, left: Sequence[Built], race: DevRace) -> str | None:
    """The retrieving arm that was best on dev: the one whose oracles are asked."""
    names = [b.name for b in left if b.program is not None and b.program.retriever is not None]
    sign = 1 if setting.metrics[0].higher_is_better else -1

    def value(name: str) -> list[float]:
        return [sign * race.values[name][m.name] for m in setting.metrics]

    return max(names, key=value, default=None)


def answer_test(
    setting: Setting, bench: Bench, built: Sequence[Built], left: Sequence[Built], leader: str | None, test: Opened
) -> dict[str, dict[str, list[Answer]]]:
    """Answer the opened test: the arms left, oracles of the leader, floors, other seeds. Kept per arm as JSON lines."""
    folder = setting.folder
    assert folder is not None
    answered: dict[str, dict[str, list[Answer]]] = {"arms": {}, "oracles": {}, "floors": {}, "seeds": {}}
    for b in left:
        answers = given_answers(setting, b, test.examples) if b.answers else None
        if answers is None:
            assert b.program is not None
            with folder.spending(b.name, "test"):
                answers = bench.answer(b.program, test.examples, f"test {b.name}")
        answered["arms"][b.name] = answers
        keep_answers(folder, b.name, test.examples, answers, setting)
    for b in left:
        if b.name == leader and b.program is not None:
            known = [e for e in test.examples if e.gold]  # without a known passage there is no oracle to ask
            for name, program in oracle_programs(b.program).items() if known else ():
                answered["oracles"][name] = bench.answer(program, known, f"test oracle: {name}")
                keep_answers(folder, f"oracle {name}", known, answered["oracles"][name], setting)
    for b in built:
        if b.status == "seed" and b.program is not None:
            answered["seeds"][b.name] = bench.answer(b.program, test.examples, f"test {b.name}")
    blind = [e.blind() for e in test.examples]
    for name in setting.task.floors:
        setting.progress(f"floor {name}", 0, None)
        predict = open_floor(name)(bench)
        if predict is not None:
            answered["floors"][name] = predict(blind)
    return answered


def given_answers(setting: Setting, built: Built, examples: Sequence[Example]) -> list[Answer]:
    """Read answers that were given elsewhere; a question without one is not judged, and counts as wrong."""
    path = setting.base / str(built.answers)
    given: dict[str, str] = {}
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            given[str(row["id"])] = str(row["answer"])
        except (json.JSONDecodeError, KeyError, TypeError):
            raise UserError("is not an object with id and answer.", f"{path}, line {n}", "Mend that line.") from None
    return [
        Answer(given[e.id], given[e.id]) if e.id in given else Answer("", error="no answer was given") for e in examples
    ]


def keep_answers(
    folder: RunFolder, name: str, examples: Sequence[Example], answers: Sequence[Answer], setting: Setting
) -> None:
    """Write an arm's answers and scores, one JSON line a question."""
    from sharpen.store import write_text

    scores = {m.name: m.score(examples, answers) for m in setting.metrics}
    lines = []
    for i, (e, a) in enumerate(zip(examples, answers, strict=True)):
        row = {
            "id": e.id,
            "answer": a.text,
            "raw": a.raw,
            "scores": {m: s[i].value for m, s in scores.items()},
            "passages": [p.id for p in a.passages],
            "error": a.error,
        }
        lines.append(json.dumps(row, ensure_ascii=False))
    write_text(folder.path / "arms" / arm_folder(name) / "answers.jsonl", "\n".join(lines) + "\n")


def _write_page(folder: RunFolder) -> None:
    from sharpen.study.page import write_page

    write_page(folder.path)


__all__ = ["Arm", "Dataset", "System", "baseline_of", "digest", "run"]
