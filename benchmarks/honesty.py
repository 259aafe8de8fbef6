"""Is the comparison honest? Simulated studies with a known truth through the very ``compare`` and ``race`` of studies.

Over a grid of clusters, correlation, metrics and arms, at each point:

a. null: no arm is better than the baseline; how often is the verdict "better"? At most 66 in 1,000.
   The same is asked where arms differ and some are below the baseline: how often is one of these called better?
b. simultaneous 95% intervals: how often do all pairs' intervals hold the truth, with equal and with unequal arms? From
   93 to 97% from 14 clusters up, at least 92% at 8; wider is allowed.
c. an arm said to be as good as the best: how often is it ``worth`` or more below it? In at most 5% of studies; beside
   it stands how many studies said so at all, and the share of those. Where fewer than 20 did, there is nothing to hold
   against the demand: it could hardly be missed. Arms have costs, drawn at random, and the cheapest that is as good is
   chosen, as in studies.
d. racing: how often is an arm dropped that leads all others by ``worth`` (also where most are far behind, so that the
   race does drop some; and where each of the others is the best of six on the very questions of the race, as techniques
   choose on dev), and one that is as good as all others? At most 2% each. Macro-F1 is no mean and is not raced; where
   the race dropped nothing at all, there is nothing to hold against the demand.
e. power: with a true gain of the stated minimum detectable difference, how often "better"? At least 75%. Where the
   leader would come too close to a perfect score, it has .97 and the others as much less as is stated for them. This
   bounds power from below only: far above 75% the stated difference is larger than it needs to be. Where most studies
   state no difference ("nothing stated"), there is none to hold them to.

Arms are as alike as real ones (``docs/LOG.md``, xquad and policyqa): scores of two arms correlate by .15 to .33 in
exact match, where real ones have -.05 to .44 and mostly little, so 36 points have arms that are hardly alike.

The correlation within clusters that names a point is that of the hidden number that decides whether an answer is right.
Scores are correlated less; how much (``icc_scores``), and how much differences are (``icc_differences``), is recorded.

A point at which a demand is not met is measured again with ``--only POINT --studies 10000``, whose random numbers are
others, and both stand in ``docs/LOG.md``: of so many comparisons some fail by luck.

Beside these stand, and no demand is made of them: how often the smallest adjusted p was below 0.05 where no arm was
better (a verdict asks for p and interval), how often the arms' own intervals hold their truth, how often "better" named
another arm than the leader, and the difference that a plan states from dev.

A point's line is appended to ``results/honesty-points.jsonl`` as soon as it is done; the same command goes on where it
stopped. Points of another version of the code are used where that version says the same numbers, to the last digit, in
a few studies of every condition at four points (``results/honesty-code.json``), and not otherwise. The table and
``results/honesty.json`` are made from them. The exit status is 1 where a demand is not met.

    python benchmarks/honesty.py [--studies 1000] [--seconds 450] [--processes 2] [--only TEXT]
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import platform
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # points run side by side, so each takes one core

import numpy as np

import sharpen.evaluation
import sharpen.metrics
from sharpen.evaluation import Comparison, Rule, Seen, plan
from sharpen.testing import simulate
from sharpen.testing.simulate import Study, World, draw, effects_of

HERE = Path(__file__).parent
POINTS = HERE / "results" / "honesty-points.jsonl"
RESULT = HERE / "results" / "honesty.json"
CODE = HERE / "results" / "honesty-code.json"
SHAPES = {8: 25.0, 14: 25.0, 40: 15.0, 200: 6.0}  # clusters: mean questions each
KINDS = {  # name: kind, level of the baseline, how far arms differ in "spread"
    "exact match near 0": ("exact_match", 0.02, 0.015),
    "exact match 0.5": ("exact_match", 0.5, 0.05),
    "exact match 0.97": ("exact_match", 0.97, 0.015),
    "F1": ("token_f1", 0.4, 0.05),
    "macro-F1": ("macro_f1", 0.7, 0.05),
}
CORRELATIONS = (0.0, 0.1, 0.4)
HARDLY = {  # where arms are hardly alike (scores correlate by .06, the median of real ones), and at which of these
    "exact match near 0, arms hardly alike": (0.1,),
    "exact match 0.5, arms hardly alike": (0.1, 0.4),
}
KINDS |= {name: KINDS[name.partition(",")[0]] for name in HARDLY}
ALIKE = dict.fromkeys(HARDLY, 0.1)  # of the hidden number; elsewhere 0.5: scores by .33, and by .15 near 0 and 1
ARMS = (2, 6, 12)
STUDIES = 1_000  # a point
FLIPS = 2_000  # beyond 16 clusters; studies take 20,000; a p of 0.05 then has a standard error of 0.005
CEILING = 0.99
HIGH = 0.97  # what the leader has where the baseline and the stated difference would be more than the ceiling
SALT = "final"  # other random numbers than those with which the formulas were tried
TRIED = 6  # of so many each arm is the best in the race with chosen ones: few_shot draws as many
FAR = 0.6  # by how much the leader of the race with far ones leads these
FEW = 20  # claims: with fewer, the demand on them could hardly be missed
ROUNDS, TRIES, LAST = 4, 40, 600  # rounds of so many studies in which the difference stated below ``HIGH`` is found


@dataclass(frozen=True)
class Point:
    """A point of the grid."""

    clusters: int
    correlation: float
    name: str
    arms: int

    @property
    def key(self) -> str:
        return f"{self.clusters} clusters, correlation {self.correlation}, {self.name}, {self.arms} arms"

    @property
    def world(self) -> World:
        kind, base, _ = KINDS[self.name]
        alike = ALIKE.get(self.name, World.alike)
        return World(self.clusters, SHAPES[self.clusters], icc=self.correlation, kind=kind, base=base, alike=alike)


def grid() -> list[Point]:
    """All points, the cheap ones first."""
    points = itertools.product(SHAPES, CORRELATIONS, KINDS, ARMS)
    return [Point(*p) for p in points if p[1] in HARDLY.get(p[2], CORRELATIONS)]


def code_hash() -> str:
    """Hash of all that a result depends on."""
    rooms = [Path(str(room.__file__)).parent for room in (sharpen.evaluation, sharpen.metrics)]
    files = [f for room in rooms for f in sorted(room.glob("*.py"))] + [Path(str(simulate.__file__))]
    found = hashlib.sha256(np.__version__.encode())
    for path in [Path(__file__), *(f for f in files if f.stem not in ("ledger", "opening", "__init__"))]:
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


PROBES = (
    Point(8, 0.1, "exact match 0.5, arms hardly alike", 6),
    Point(14, 0.4, "F1", 12),
    Point(40, 0.1, "macro-F1", 2),
    Point(200, 0.0, "exact match 0.97", 6),
)
PROBED = 12  # studies a condition


def numbers_of(code: str) -> dict[str, str]:
    """What each version of the code says at the probes, as a hash; this version is asked where it has not been."""
    known: dict[str, str] = json.loads(CODE.read_text()) if CODE.exists() else {}
    if code not in known:
        print("This version of the code is asked for a few studies first, some 30 seconds.", file=sys.stderr)
        said = [{**measure(p, PROBED), "cpu_seconds": None} for p in PROBES]
        known[code] = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
        CODE.write_text(json.dumps(known, indent=1) + "\n")
    return known


def measure(point: Point, studies: int) -> dict[str, Any]:
    """Run all conditions at one point."""
    began = time.process_time()
    rng = np.random.default_rng([*hashlib.sha256(f"{SALT} {studies} {point.key}".encode()).digest()[:8]])
    rule, world = Rule(flips=FLIPS), point.world
    found: dict[str, Any] = {**asdict(point), "studies": studies}
    found |= _null(point, world, rule, studies, rng)
    found |= _spread(point, world, rule, studies, rng)
    found |= _lead(point, world, rule, studies, rng)
    found |= _far(point, world, rule, studies, rng)
    found |= _chosen(point, world, rule, studies, rng)
    found |= _power(point, world, rule, studies, rng, found["mdd"])
    found["cpu_seconds"] = round(time.process_time() - began, 1)
    return found


def compared(study: Study, rule: Rule, rng: np.random.Generator) -> Comparison:
    """Compare as studies do, with costs of arms that have nothing to do with how good they are."""
    return study.compared(rule, rng.permutation(len(study.arms)).astype(float).tolist())


def _null(point: Point, world: World, rule: Rule, studies: int, rng: np.random.Generator) -> dict[str, Any]:
    better = covered = alone = low_p = dropped = 0
    least, widths, planned, alike = [], [], [], []
    for i in range(studies):
        study = draw(world, effects_of("null", point.arms, 0, rng), rng)
        result = compared(study, rule, rng)
        better += result.verdict == "better"
        covered += study.covered(result)
        alone += study.covered_alone(result)
        low_p += min(a.p_adjusted for a in result.arms if a.p_adjusted is not None) <= rule.alpha
        dropped += "a1" in study.raced().dropped
        least.append(result.minimum_detectable_difference)
        widths.append(np.median([p.ci_high - p.ci_low for p in result.pairs]))
        if i < 20:  # what the plan says from a dev set of this shape
            sizes = np.unique(study.clusters, return_counts=True)[1].tolist()
            alike.append(study.alike_within())
            planned.append(plan(sizes, point.arms, Seen(study.arms, study.clusters, world.metric, "a0")))
    stated = _stated(least)
    before = [p.minimum_detectable_difference for p in planned if p.minimum_detectable_difference is not None]
    return {
        "null_better": better,
        "null_covered": covered,
        "null_low_p": low_p,
        "null_arms_covered": round(alone / point.arms, 1),
        "race_lost_null": dropped,
        "null_width": round(float(np.median(widths)), 4),
        "icc_scores": round(float(np.mean([a for a, _ in alike])), 3),
        "icc_differences": round(float(np.mean([d for _, d in alike])), 3),
        "mdd": None if stated is None else round(stated, 4),
        "mdd_planned": round(float(np.median(before)), 4) if len(before) > 10 else None,
    }


def _spread(point: Point, world: World, rule: Rule, studies: int, rng: np.random.Generator) -> dict[str, Any]:
    covered = wrong = claims = false = 0
    for _ in range(studies):
        study = draw(world, effects_of("spread", point.arms, KINDS[point.name][2], rng), rng)
        result = compared(study, rule, rng)
        covered += study.covered(result)
        wrong += study.worse_than_claimed(result)
        claims += result.as_good_as_best
        false += study.wrongly_better(result)
    return {"spread_covered": covered, "spread_wrong": wrong, "spread_claims": claims, "spread_better": false}


def _far(point: Point, world: World, rule: Rule, studies: int, rng: np.random.Generator) -> dict[str, Any]:
    """One arm leads by ``worth``, all but it and the next are far behind: the race drops those, and not the leader."""
    if world.kind == "macro_f1":
        return {"race_lost_far": 0, "race_dropped_far": 0}
    world = replace(world, base=min(world.base, HIGH - FAR))
    lost = dropped = 0
    for _ in range(studies):
        effects = np.zeros(point.arms)
        first, second = rng.permutation(point.arms)[:2]
        effects[first], effects[second] = FAR, FAR - rule.worth
        study = draw(world, effects, rng)
        run = study.raced()
        lost += f"a{first}" in run.dropped
        dropped += len(run.dropped)
    return {"race_lost_far": lost, "race_dropped_far": dropped}


def _chosen(point: Point, world: World, rule: Rule, studies: int, rng: np.random.Generator) -> dict[str, Any]:
    """One arm leads by ``worth``; it and the baseline had no choice, each other is the best of six on dev."""
    if world.kind == "macro_f1":
        return {"race_lost_chosen": 0, "race_dropped_chosen": 0}
    others = range(2, point.arms)
    effects = np.zeros(2 + TRIED * len(others))
    effects[1] = rule.worth
    lost = dropped = 0
    for _ in range(studies):
        study = draw(world, effects, rng)
        value = {name: float(np.mean([s.value for s in scores])) for name, scores in study.arms.items()}
        tried = {n: [f"a{2 + TRIED * i + t}" for t in range(TRIED)] for i, n in enumerate(others)}
        picked = {"a0": "a0", "a1": "a1", **{f"a{n}": max(names, key=value.__getitem__) for n, names in tried.items()}}
        run = replace(study, arms={name: study.arms[of] for name, of in picked.items()}).raced()
        lost += "a1" in run.dropped
        dropped += len(run.dropped)
    return {"race_lost_chosen": lost, "race_dropped_chosen": dropped}


def _lead(point: Point, world: World, rule: Rule, studies: int, rng: np.random.Generator) -> dict[str, Any]:
    """One arm leads all others by ``worth``: any claim that another is as good is wrong, and it must not be dropped."""
    wrong = claims = lost = dropped = 0
    saved = 0.0
    for _ in range(studies):
        study = draw(world, effects_of("lead", point.arms, rule.worth, rng), rng)
        result = compared(study, rule, rng)
        wrong += study.worse_than_claimed(result)
        claims += result.as_good_as_best
        run = study.raced()
        lost += f"a{int(np.argmax(study.truth))}" in run.dropped
        dropped += len(run.dropped)
        saved += run.saved / (len(study.clusters) * point.arms)
    return {"lead_wrong": wrong, "lead_claims": claims, "race_lost": lost, "race_dropped": dropped,
            "race_saved": round(saved / studies, 4)}  # fmt: skip


def _power(
    point: Point, world: World, rule: Rule, studies: int, rng: np.random.Generator, gain: float | None
) -> dict[str, Any]:
    if gain is not None and world.base + gain > CEILING:
        world, gain = _below_high(point, world, rule, rng, gain)
    if gain is None:  # studies here state no difference at all, so there is none to hold them to
        return {"power_better": None, "power_other": None, "power_gain": None, "power_base": None}
    better = other = 0
    for _ in range(studies):
        study = draw(world, effects_of("lead", point.arms, gain, rng), rng)
        result = compared(study, rule, rng)
        better += result.verdict == "better"
        other += result.verdict == "better" and result.winner != f"a{int(np.argmax(study.truth))}"
    return {
        "power_better": better,
        "power_other": other,
        "power_gain": round(gain, 4),
        "power_base": round(world.base, 4),
    }


def _below_high(
    point: Point, world: World, rule: Rule, rng: np.random.Generator, gain: float | None
) -> tuple[World, float | None]:
    """A world of lower scores, and the difference that studies there state, so that a leader by it has ``HIGH``.

    The stated difference depends on where the scores are, so world and difference are found in turns.
    """
    for turn in range(ROUNDS):
        if gain is None:
            break
        world = replace(world, base=HIGH - gain)
        tries = LAST if turn == ROUNDS - 1 else TRIES  # a median of few studies would move the power by some percent
        drawn = (draw(world, effects_of("null", point.arms, 0, rng), rng) for _ in range(tries))
        gain = _stated([compared(study, rule, rng).minimum_detectable_difference for study in drawn])
    return (world, None) if gain is None else (replace(world, base=HIGH - gain), gain)  # the last turn moves it little


def _stated(differences: list[float | None]) -> float | None:
    """The median of the differences that studies stated; one that states none could show only a larger one."""
    middle = float(np.median([np.inf if x is None else x for x in differences]))
    return middle if np.isfinite(middle) else None


def judge(row: dict[str, Any]) -> dict[str, bool | None]:
    """Hold a point against the five demands; None where nothing was measured."""
    n = row["studies"]
    least = 0.92 if row["clusters"] < 14 else 0.93
    return {
        "a": max(row["null_better"], row["spread_better"]) <= 0.066 * n,
        "b": min(row["null_covered"], row["spread_covered"]) >= least * n,
        "c": max(row["spread_wrong"], row["lead_wrong"]) <= 0.05 * n if claims(row) >= FEW else None,
        "d": lost(row) <= 0.02 * n if dropped(row) else None,
        "e": None if row["power_better"] is None else row["power_better"] >= 0.75 * n,
    }


def claims(row: dict[str, Any]) -> int:
    """How many studies said of an arm that it is as good as the best, of twice ``studies``."""
    return int(row["spread_claims"] + row["lead_claims"])


def lost(row: dict[str, Any]) -> int:
    """In how many studies the race dropped an arm that it must not, where that was most."""
    return int(max(row[f"race_lost{where}"] for where in ("", "_null", "_far", "_chosen")))


def dropped(row: dict[str, Any]) -> int:
    """How many arms the race dropped, over all conditions in which one of them leads, and how many best ones."""
    return int(sum(row[f"race_dropped{where}"] for where in ("", "_far", "_chosen"))) + lost(row)


def done(code: str, studies: int) -> dict[str, dict[str, Any]]:
    """Points that were measured before, by code that says the same numbers as this."""
    if not POINTS.exists():
        return {}
    numbers = numbers_of(code)
    alike = {f"{other}-{studies}" for other, said in numbers.items() if said == numbers[code]}
    rows = []
    for line in POINTS.read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):  # the last line of a killed run may be half of one
            rows.append(json.loads(line))
    return {r["key"]: r for r in rows if r["code"] in alike}


def table(rows: list[dict[str, Any]]) -> str:
    """The results as text, one line a point, shares in percent; ``alike`` is the scores' correlation in clusters."""
    head = (
        f"{'point':68} {'alike':>5} {'a':>5} {'low p':>5} {'b null':>6} {'b spread':>8} {'c':>5} {'claims':>6} "
        f"{'wrong':>6} {'d':>5} {'e':>6} {'other':>5} {'mdd':>6} {'plan':>6} {'arms':>5} {'saved':>6}  fails"
    )
    lines = [head]
    for r in rows:
        n = r["studies"] / 100
        power = "-" if r["power_better"] is None else f"{r['power_better'] / n:.1f}"
        said, wrong = claims(r), max(r["spread_wrong"], r["lead_wrong"]) / n
        of_said = "-" if not said else f"{100 * (r['spread_wrong'] + r['lead_wrong']) / said:.1f}"
        other = "-" if r["power_other"] is None else f"{r['power_other'] / n:.1f}"
        mdd, planned = ("-" if r[k] is None else f"{r[k]:.3f}" for k in ("mdd", "mdd_planned"))
        fails = "".join(k for k, ok in judge(r).items() if ok is False)
        lines.append(
            f"{r['key']:68} {r['icc_scores']:5.2f} {r['null_better'] / n:5.1f} {r['null_low_p'] / n:5.1f} "
            f"{r['null_covered'] / n:6.1f} {r['spread_covered'] / n:8.1f} {wrong:5.1f} {said:6} {of_said:>6} "
            f"{lost(r) / n:5.1f} {power:>6} {other:>5} {mdd:>6} {planned:>6} {r['null_arms_covered'] / n:5.1f} "
            f"{100 * r['race_saved']:6.1f}  {fails}"
        )
    return "\n".join(lines)


def summarise(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """For each demand, at how many points it is met, not met, has nothing to be held against, and was not reached.

    Nothing to be held against: hardly a study said that an arm is as good (c), the race dropped nothing (d), most
    studies state no difference (e).
    """
    verdicts = {k: [judge(r)[k] for r in rows] for k in "abcde"}
    return {
        k: {
            "met": sum(v is True for v in seen),
            "not_met": sum(v is False for v in seen),
            "nothing_to_hold_against": sum(v is None for v in seen),
            "not_reached": len(grid()) - len(seen),
        }
        for k, seen in verdicts.items()
    }


def write(code: str, studies: int, whole: bool) -> dict[str, dict[str, int]]:
    """Make the table and the result file from the points that there are; return how the demands stand."""
    known = done(code, studies)
    rows = [known[p.key] for p in grid() if p.key in known]
    summary = summarise(rows)
    target = RESULT if whole and studies == STUDIES else RESULT.with_stem(f"honesty-{studies}-partly")
    target.write_text(
        json.dumps(
            {
                "what": (__doc__ or "").splitlines()[0],
                "code": code,
                "code_of_points": sorted({r["code"].partition("-")[0] for r in rows}),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "versions": {"python": platform.python_version(), "numpy": np.__version__},
                "flips": FLIPS,
                "studies_a_point_and_condition": studies,
                "cpu_hours": round(sum(r["cpu_seconds"] for r in rows) / 3600, 3),
                "points_of_the_grid": len(grid()),
                "points_measured": len(rows),
                "summary": summary,
                "not_met": {k: [r["key"] for r in rows if judge(r)[k] is False] for k in "abcde"},
                "points": rows,
            },
            indent=1,
        )
        + "\n"
    )
    print(table(rows))
    for k, c in summary.items():
        where = "met" if not c["not_reached"] else "met where measured"
        verdict = "NOT MET" if c["not_met"] else where if c["met"] else "not measured"
        counts = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in c.items())
        print(f"{k}: {verdict} (points: {counts})")
    return summary


def main() -> int:
    """Measure what is left of the grid, then print and write."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--studies", type=int, default=STUDIES)
    options.add_argument("--seconds", type=float, default=1e9, help="begin no point after this time")
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--only", default="", help="points whose name holds this text")
    args = options.parse_args()
    code = code_hash()
    known = done(code, args.studies)
    left = [p for p in grid() if args.only in p.key and p.key not in known]
    ends = time.monotonic() + args.seconds
    with ProcessPoolExecutor(args.processes) as pool, POINTS.open("a") as out:
        running: dict[Any, Point] = {}
        while left or running:
            while left and len(running) < args.processes and time.monotonic() < ends:
                point = left.pop(0)
                running[pool.submit(measure, point, args.studies)] = point
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                point = running.pop(future)
                out.write("\n" + json.dumps({"key": point.key, "code": f"{code}-{args.studies}", **future.result()}))
                out.flush()
    print(f"{len(left)} points left", file=sys.stderr)
    whole = not left and not args.only
    return int(any(c["not_met"] or c["not_reached"] for c in write(code, args.studies, whole).values()))


if __name__ == "__main__":
    sys.exit(main())
