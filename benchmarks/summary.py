"""The committed results of studies as one table: ``python benchmarks/summary.py``; nothing is computed anew.

Estimates stand beside what was then measured; ``!`` marks what is off by more than a factor of 1.5, which no estimate
may be. Studies with a used store are left out (they take answers that are there); so are arms that left the race, which
no estimate foresees, and arms that turned out to be the program of another one: these are named. What is demanded of
xquad (see ``DEMANDED``) is judged over split seeds 0, 1 and 2. The exit status is 1 where a demand is not met.

A report's "look" counts openings in its own store. "Seen before" counts the questions that stand in the test of a study
that was committed earlier.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
WIDE = 1.5
SEEDS = (0, 1, 2)
LEAST_MEAN, MOST_P, MOST_MINUTES = 0.44, 0.001, 40
DEMANDED = {
    "verdict": 'with every seed the verdict is "better"',
    "mix": "with every seed the choice is a mix of retrieval and tuning",
    "p": f"with every seed its adjusted p is below {MOST_P}",
    "mean": f"the chosen arms' mean exact match is at least {LEAST_MEAN}",
    "racing": "with every seed verdict and choice are the same without racing",
    "settings": "all seeds ran with the same counts",
    "code": "all of them were made by one committed tree",
    "time": f"from an empty store every seed takes less than {MOST_MINUTES} minutes",
}
Result = dict[str, Any]


def beside(said: float | None, found: float | None, unit: str) -> str:
    """What was estimated beside what was measured, marked where they are far apart."""
    if not said or not found:
        return f"{unit} not estimated" if not said else f"{unit} not measured"
    ratio = found / said
    far = " !" if not 1 / WIDE <= ratio <= WIDE else ""
    return f"{found:.3g} {unit} of {said:.3g} estimated ({ratio:.2f}{far})"


def memory_of(r: Result, arm: str) -> float | None:
    """Gigabytes that were held: while answering, or while training where that was more."""
    notes = [n for lever in r["levers"] if lever["arm"] == arm for n in lever["notes"]]
    peaks = [n["peak_memory"] / 1e9 for n in notes if n.get("note") == "trained" and n.get("peak_memory")]
    answering = next(a["memory_gb"] for a in r["arms"] if a["name"] == arm)
    return max([*peaks, answering or 0.0]) or None


def lines(name: str, r: Result) -> list[str]:
    """What a result says, in a few lines."""
    shape = f"{r['metric']}, n {r['n_test']}, {r['n_clusters']} clusters, look {r['looks_at_this_test']}"
    took = f"{60 * r['hours']:.1f} minutes"
    if r.get("wall_minutes"):
        took = f"{r['wall_minutes']:.1f} minutes from {'an empty' if r['cold'] else 'a used'} store"
    found = [f"{name}: {r['verdict']}, {r['winner']}; {shape}, {took}, code {r.get('code', 'not named')[:12]}"]
    spent = r.get("spent_seconds", {})
    estimates = {e["arm"]: e for e in r["plan"]["estimates"]}
    for a in r["arms"]:
        if a["mean"] is None:
            found.append(f"  {a['name']:22} {a['status']}: {a['why']}")
            continue
        p = "" if a["p_adjusted"] is None else f"p {a['p_adjusted']:.2g}"
        form = "" if a["form_gain"] is None else f"form {a['form_gain']:+.3f} substance {a['substance_gain']:+.3f}"
        low, high = ("…" if a[side] is None else f"{a[side]:.3f}" for side in ("ci_low", "ci_high"))
        contains = "" if a["contains"] is None else f"contains {a['contains']:.3f}"
        said = estimates.get(a["name"], {})
        twin = next(b["name"] for b in r["arms"] if b["fingerprint"] == a["fingerprint"])  # it took its answers over
        time = beside(said.get("seconds"), spent.get(a["name"]), "s") if fresh(r) else "answers from a used store"
        time = time if twin == a["name"] else f"the program of {twin}"
        memory = beside(said.get("memory_gb"), memory_of(r, a["name"]), "GB")
        found.append(f"  {a['name']:22} {a['mean']:.3f} [{low}, {high}] {contains} {form} {p}; {time}; {memory}")
    found += [f"  floor {f['name']:16} {f['mean']:.3f}, lead {f['lead']:+.3f}" for f in r["floors"]]
    known = [o for o in r["oracles"] if o["mean"] is not None]
    found += [f"  oracle {o['name']:15} {o['mean']:.3f}, contains {o['contains']:.3f}" for o in known]
    saved = f"{r['race']['saved_dev']} + {r['race']['saved_test']}"
    whole = f"in all {beside(r['plan']['seconds'], 3600 * r['hours'], 's')}; " if fresh(r) else ""
    found.append(f"  {whole}racing saved {saved} answers")
    return found + _apart(r)


def fresh(r: Result) -> bool:
    """Whether all of it was made anew, so that its seconds can be held against an estimate."""
    return bool(r.get("cold", True))


def alike(scores: dict[str, list[float]]) -> list[float]:
    """The correlation of question scores for each pair of arms, sorted; arms that always score the same left out."""
    judged = ([x or 0.0 for x in s] for s in scores.values())
    varied = [s for s in judged if len(set(s)) > 1]
    return sorted(statistics.correlation(a, b) for a, b in itertools.combinations(varied, 2))


def not_held(r: Result) -> list[str]:
    """Arms whose estimate is held against nothing, with what they took."""
    estimates = {e["arm"]: e["seconds"] for e in r["plan"]["estimates"]}
    spent = r.get("spent_seconds", {})
    known: set[str] = set()
    found = []
    for a in r["arms"]:
        why = (
            "left the race" if a["mean"] is None else "the program of another arm" if a["fingerprint"] in known else ""
        )
        if why and spent.get(a["name"]) and estimates.get(a["name"]):
            found.append(f"{a['name']} ({why}): {spent[a['name']]:.0f} s of {estimates[a['name']]:.0f}")
        known.add(a["fingerprint"])
    return found if fresh(r) else []


def seen_before(results: dict[str, Result]) -> dict[str, int]:
    """How many test questions of each study stand in the test of another one that was opened earlier."""
    order = sorted(results, key=lambda name: str(results[name]["test_opened_at"]))
    known: dict[str, set[str]] = {}
    found = {}
    for name in order:
        ids = {str(i) for i in results[name].get("questions", {}).get("ids", ())}
        before = known.setdefault(name.partition("/")[0].partition("-")[0], set())
        found[name] = len(ids & before)
        before |= ids
    return found


def _apart(r: Result) -> list[str]:
    """What was measured apart of the study itself."""
    found = []
    pairs = alike(r.get("questions", {}).get("scores", {}))
    if pairs:
        middle = statistics.median(pairs)
        found.append(f"  correlation of two arms' scores {pairs[0]:.2f} to {pairs[-1]:.2f}, median {middle:.2f}")
    if "second_run" in r:
        found.append(f"  a second run takes {r['second_run']['share']:.1%} of the first")
    if "recomputed" in r:
        again = r["recomputed"]
        means = f"{again['mean_before']:.3f} and {again['mean_again']:.3f}"
        found.append(f"  recomputed {again['arm']}: {again['same_scores']} of {again['n']} scores the same, {means}")
    return found


HEAD = (
    "| study | questions, clusters | seen before | decided by | baseline | chosen | its score, 95% interval "
    "| adjusted p | minutes |",
    "|---|---|---|---|---|---|---|---|---|",
)


def overview() -> str:
    """One row for each committed study from an empty store: the table in the project's README."""
    found = {f"{f.parent.name}/{f.stem}": read(f) for f in sorted(RESULTS.glob("*/seed-*.json"))}
    found = {name: r for name, r in found.items() if fresh(r)}
    seen = seen_before(found)
    return "\n".join([*HEAD, *(_row(name, r, seen[name]) for name, r in found.items())])


def _row(name: str, r: Result, seen: int) -> str:
    arm = shipped(r)
    chosen = arm["name"] if r["verdict"] == "better" else r["verdict"].replace("_", " ")
    low, high = ("…" if arm[side] is None else f"{arm[side]:.3f}" for side in ("ci_low", "ci_high"))
    base = next(a for a in r["arms"] if a["name"] == r["baseline"])["mean"]
    p = "–" if arm["p_adjusted"] is None else "< .001" if arm["p_adjusted"] < 0.001 else f"{arm['p_adjusted']:.3f}"
    cells = (
        name.replace("/", ", ").replace("seed-", "seed "),
        f"{r['n_test']:,}, {r['n_clusters']:,}",
        f"{seen:,}",
        r["metric"],
        f"{base:.3f}",
        chosen,
        f"{arm['mean']:.3f}, {low} to {high}",
        p,
        f"{r.get('wall_minutes') or 60 * r['hours']:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def shipped(r: Result) -> Result:
    """The arm that would be used: the winner, or the baseline where nothing was decided."""
    return next(a for a in r["arms"] if a["name"] == (r["winner"] or r["baseline"]))


def judge(results: dict[str, Result]) -> dict[str, tuple[bool | None, str]]:
    """Hold the results of a study, by file stem, against each demand: met (None: not measured) and the figures."""
    runs = [results.get(f"seed-{n}") for n in SEEDS]
    plain = [results.get(f"seed-{n}-without-racing") for n in SEEDS]
    if None in runs:
        lacking = [n for n, r in zip(SEEDS, runs, strict=True) if r is None]
        return dict.fromkeys(DEMANDED, (None, f"no result of seed {', '.join(map(str, lacking))}"))
    done: list[Result] = [r for r in runs if r is not None]
    arms = [shipped(r) for r in done]
    ps = [a["p_adjusted"] for a in arms]
    means = [a["mean"] for a in arms]
    counts = [r["plan"]["counts"] for r in done]
    same = [_choice(a) == _choice(b) for a, b in zip(done, plain, strict=True) if b is not None]
    minutes = [r.get("wall_minutes") if r.get("cold") else None for r in done]
    late = any(m is not None and m >= MOST_MINUTES for m in minutes)
    timed = False if late else None if None in minutes else True
    clocks = ", ".join("not clocked from an empty store to the end" if m is None else f"{m:.1f}" for m in minutes)
    codes = {str(r.get("code", "uncommitted"))[:12] for r in (*done, *plain) if r is not None}
    return {
        "verdict": (all(r["verdict"] == "better" for r in done), ", ".join(r["verdict"] for r in done)),
        "mix": (all("retrieve" in a["does"] and "lora" in a["does"] for a in arms), ", ".join(a["name"] for a in arms)),
        "p": (all(p is not None and p < MOST_P for p in ps), ", ".join("-" if p is None else f"{p:.2g}" for p in ps)),
        "mean": (
            all(r["metric"] == "exact_match" for r in done) and sum(means) / len(means) >= LEAST_MEAN,
            f"{sum(means) / len(means):.3f} of {', '.join(f'{m:.3f}' for m in means)}",
        ),
        "racing": (
            all(same) if len(same) == len(SEEDS) else None if all(same) else False,
            f"{len(same)} compared; {_raced(done)}",
        ),
        "settings": (all(c == counts[0] for c in counts), "; ".join(map(str, counts))),
        "code": (len(codes) == 1 and codes != {"uncommitted"}, ", ".join(sorted(codes))),
        "time": (timed, clocks),
    }


def _raced(done: list[Result]) -> str:
    saved = sum(r["race"]["saved_dev"] + r["race"]["saved_test"] for r in done)
    return f"racing saved {saved} answers" if saved else "racing dropped nothing, so they could not differ"


def _choice(r: Result) -> tuple[str, str | None]:
    return r["verdict"], r["winner"]


def word(met: bool | None) -> str:
    """How a demand is said to stand."""
    return {True: "met", False: "NOT MET", None: "not measured"}[met]


def main() -> int:
    """Print every result, and how the demands stand."""
    far, compared, apart = [], 0, []
    for folder in sorted(p for p in RESULTS.iterdir() if p.is_dir()):
        for file in sorted(folder.glob("seed-*.json")):
            result = read(file)
            said = lines(f"{folder.name}/{file.stem}", result)
            apart += [f"{folder.name}/{file.stem} {arm}" for arm in not_held(result)]
            print("\n".join(said) + "\n")
            compared += sum(" estimated (" in line for line in said)
            far += [f"{folder.name}/{file.stem} {line.split('  ')[1]}" for line in said if " !)" in line]
    near = word(not far if compared else None)
    which = "; ".join(far) or f"all of {compared} lines"
    print(f"every estimate is within a factor of {WIDE}: {near} ({which})")
    print(f"held against nothing: {'; '.join(apart) or 'none'}")
    print(f"\n{overview()}\n")
    judged = judge({file.stem: read(file) for file in (RESULTS / "xquad").glob("seed-*.json")})
    for name, (met, figures) in judged.items():
        print(f"xquad: {DEMANDED[name]}: {word(met)} ({figures})")
    return int(bool(far) or any(met is False for met, _ in judged.values()))


def read(file: Path) -> Result:
    """A committed result."""
    found: Result = json.loads(file.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    sys.exit(main())
