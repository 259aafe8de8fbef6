"""The time of ``make demo`` from a fresh clone: ``python benchmarks/demo.py --work DIR``.

The committed state of this repository is cloned into the work folder, which must not hold a clone yet, and
``make demo`` is run in it with an empty folder for models: its own virtual environment, all packages (pip is set up as
it is on this machine), the model, the study. Then ``make demo`` is run again: the study is finished and is only read.
The figures are printed and written to ``results/demo.json``, the study's report to ``results/anyorganization/``: the
table in the README. The exit status is 1 where a demand is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from study import publishable, write

from sharpen.study.environment import machine

HERE = Path(__file__).parent
MOST_MINUTES, MOST_STUDY_MINUTES, MOST_SHARE = 20, 12, 0.02


def timed(command: list[str], folder: Path, models: Path) -> float:
    """Seconds of a command, whose output is shown."""
    env = {k: v for k, v in os.environ.items() if k not in ("SHARPEN_HOME", "PYTHONPATH", "VIRTUAL_ENV")}
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, env={**env, "SHARPEN_MODELS": str(models)}, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}.")
    return time.monotonic() - began


def measure(work: Path, python: str) -> dict[str, Any]:
    """Clone, run, run again."""
    clone = work / "clone"
    if clone.exists():
        raise SystemExit(f"{clone} is there already. Name another folder with --work, or delete it.")
    work.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", str(HERE.parent), str(clone)], check=True)
    make = ["make", "demo", f"PYTHON={python}"]
    first = timed(make, clone, work / "models")
    second = timed(make, clone, work / "models")
    file = next(clone.glob("demo/runs/*/report.json"))
    report = json.loads(file.read_text(encoding="utf-8"))
    fresh = {"cold": True, "cold_models": True, "wall_minutes": round(60 * report["hours"], 2)}
    write(HERE / "results" / "anyorganization" / "seed-0.json", publishable(dict(report), file.parent) | fresh)
    head = subprocess.run(["git", "rev-parse", "HEAD:src"], cwd=clone, capture_output=True, text=True, check=True)
    return {
        "minutes": round(first / 60, 2),
        "study_minutes": round(60 * report["hours"], 2),
        "second_seconds": round(second, 2),
        "second_share_of_the_study": round(second / (3600 * report["hours"]), 4),
        "verdict": report["verdict"],
        "winner": report["winner"],
        "code": head.stdout.strip(),
        "machine": machine(),
        "packages": report["environment"]["packages"],
    }


def judge(found: dict[str, Any]) -> dict[str, bool]:
    """Which demands are met."""
    return {
        f"make demo from a fresh clone under {MOST_MINUTES} minutes": found["minutes"] < MOST_MINUTES,
        f"the study under {MOST_STUDY_MINUTES} minutes": found["study_minutes"] < MOST_STUDY_MINUTES,
        f"the second run under {MOST_SHARE:.0%} of the study": found["second_share_of_the_study"] < MOST_SHARE,
    }


def main() -> int:
    """Measure, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the clone and the model")
    parser.add_argument("--python", default=sys.executable, help="the Python that the clone is set up with")
    args = parser.parse_args()
    found = measure(args.work.resolve(), args.python)
    met = judge(found)
    (HERE / "results" / "demo.json").write_text(json.dumps({**found, "met": met}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    for name, ok in met.items():
        print(f"{name}: {'met' if ok else 'NOT MET'}")
    return int(not all(met.values()))


if __name__ == "__main__":
    sys.exit(main())
