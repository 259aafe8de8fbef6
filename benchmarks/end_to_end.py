"""Honesty from end to end: whole studies on the fake model, through ``sharpen.run``, whose truth is known.

``python benchmarks/end_to_end.py --work DIR`` runs 200 studies with techniques that change nothing (they toss some of
the model's coins anew) and 200 with one that raises the share of right answers by more than the difference that such a
test states to find, and judges how often the verdict was "better": in the first case in at most 5% and simulation error
(2.33 standard errors of that share), in the second, for the arm that helps, in at least 75%. Resumable: a finished
study is a line in a file. The exit status is 1 where a demand is not met.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import sharpen
from sharpen.store import hash_file
from sharpen.study.environment import code_hash, machine

HERE = Path(__file__).parent
CLUSTERS, QUESTIONS = 30, 12
GAIN = 0.3  # what the helping technique adds to a coin of 0.4
TECHNIQUE = '''"""Change nothing but which coins are tossed anew, and perhaps help."""

from dataclasses import replace


def toss(salt="a", help=0.0):
    def improve(program, bench):
        text = f"salt={salt} help={help}"
        return replace(program, prompt=replace(program.prompt, instruction=text))

    return improve
'''
USE_CASE = """version: 1
name: coin
model: "fake:coin?p=0.4"
embeddings: "fake:"
data:
  examples: questions.jsonl
  split: {{train: 0.1, dev: 0.2, test: 0.7, seed: {seed}}}
metrics: [exact_match]
arms: [baseline, "./toss.py(salt='a')", "./toss.py(salt='b')", "./toss.py(salt='c', help={gain})"]
"""


def study(kind: str, number: int, folder: Path) -> dict[str, object]:
    """Run one study; ``kind`` is null or helps. Question sizes per cluster are uneven, as they are in life."""
    rng = random.Random(f"{kind} {number}")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for cluster in range(CLUSTERS):
        for i in range(rng.randint(QUESTIONS // 3, QUESTIONS * 5 // 3)):
            word = f"w{rng.randrange(10**9)}"
            rows.append(
                {"question": f"{kind} {number}.{cluster}.{i}: say {word}", "answers": [word], "source": str(cluster)}
            )
    (folder / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (folder / "toss.py").write_text(TECHNIQUE, encoding="utf-8")
    (folder / "usecase.yaml").write_text(
        USE_CASE.format(seed=number, gain=GAIN if kind == "helps" else 0.0), encoding="utf-8"
    )
    report = sharpen.run(folder / "usecase.yaml")
    return {
        "kind": kind,
        "number": number,
        "verdict": report.verdict,
        "winner": report.winner,
        "right": report.winner is not None and f"help={GAIN}" in report.winner,
        "dropped": len(report["race"]["dropped"]),
        "mdd": report["minimum_detectable_difference"],
    }


def _one(job: tuple[str, int]) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="sharpen-") as scratch:
        return study(*job, Path(scratch))


def stated_by(done: list[dict[str, object]]) -> float | None:
    """The median of the differences that studies say they can show; None where none says one."""
    known = [d["mdd"] for d in done if isinstance(d["mdd"], float)]
    return statistics.median(known) if known else None


def judge(done: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    """How the demands stand, from finished studies."""
    null = [d for d in done if d["kind"] == "null"]
    helps = [d for d in done if d["kind"] == "helps"]
    wrong, right = sum(d["verdict"] == "better" for d in null), sum(bool(d["right"]) for d in helps)
    most = int(0.05 * len(null) + 2.33 * (len(null) * 0.05 * 0.95) ** 0.5)
    least = 0.75 * len(helps)
    found = stated_by(helps)
    return {
        "nothing helps": {"better": wrong, "of": len(null), "at_most": most, "met": wrong <= most},
        "one helps": {"right_arm": right, "of": len(helps), "at_least": least, "met": right >= least},
        "it helps by what is stated": {"gain": GAIN, "stated": found, "met": found is not None and found <= GAIN},
    }


def read(path: Path) -> Iterator[dict[str, object]]:
    """Studies that were finished before; the last line of a killed run may be half of one."""
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


def main() -> int:
    """Run what is missing, judge and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--work", type=Path, required=True, help="a folder for finished studies")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    path = args.work / f"end_to_end-{code_hash()[:12]}-{hash_file(Path(__file__))[:12]}.jsonl"
    done = list(read(path))
    known = {(d["kind"], d["number"]) for d in done}
    todo = [(k, n) for k in ("null", "helps") for n in range(args.studies) if (k, n) not in known]
    start = time.time()
    with ProcessPoolExecutor(2) as pool, path.open("a") as f:
        for n, result in enumerate(pool.map(_one, todo), 1):
            done.append(result)
            f.write("\n" + json.dumps(result))
            f.flush()
            left = (time.time() - start) / n * (len(todo) - n)
            print(f"\r{n}/{len(todo)} studies, {left:.0f} s left ", end="", file=sys.stderr)
    done = [d for d in done if d["number"] < args.studies]
    counts = {
        kind: {
            v: sum(d["verdict"] == v for d in done if d["kind"] == kind)
            for v in ("better", "keep_baseline", "not_decided")
        }
        for kind in ("null", "helps")
    }
    result = {
        "studies": args.studies,
        "counts": counts,
        "demands": judge(done),
        "gain": GAIN,
        "minimum_detectable_difference": stated_by(done),
        "seconds": round(time.time() - start),
        "machine": machine(),
        "code": code_hash(),
    }
    if args.studies == parser.get_default("studies"):
        (HERE / "results" / "end_to_end.json").write_text(json.dumps(result, indent=1) + "\n")
    print("\n" + json.dumps(result, indent=1))
    for name, demand in result["demands"].items():
        print(f"{name}: {'met' if demand['met'] else 'NOT MET'} ({demand})")
    return int(not all(d["met"] for d in result["demands"].values()))


if __name__ == "__main__":
    sys.exit(main())
