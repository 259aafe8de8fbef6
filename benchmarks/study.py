"""Run a committed study on a public set: ``python benchmarks/study.py xquad --seed 0 --work DIR``.

The set is converted, ``studies/NAME.yaml`` is run on it (going on where it was stopped), and what may be committed of
the report is written to ``results/NAME/seed-N.json``: numbers, ids and hashes, and no texts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from convert import SETS

import sharpen
from sharpen.cli.progress import Live

HERE = Path(__file__).parent
TEXTS = ("examples", "prompts")


def prepare(name: str, work: Path) -> Path:
    """Convert the set into the work folder, once, and put the study's file beside it."""
    if not (work / "converted").exists():
        work.mkdir(parents=True, exist_ok=True)
        SETS[name](work)
        (work / "converted").touch()
    shutil.copy2(HERE / "studies" / f"{name}.yaml", work / "usecase.yaml")
    return work / "usecase.yaml"


def publishable(report: dict[str, Any], estimates: dict[str, Any]) -> dict[str, Any]:
    """The report without texts, with how far the estimates were from what was measured."""
    kept = {k: v for k, v in report.items() if k not in TEXTS}
    for lever in kept["levers"]:
        lever["notes"] = [{k: v for k, v in n.items() if k not in ("example",)} for n in lever["notes"]]
    kept["estimated"] = estimates
    return kept


def main() -> None:
    """Run one study with one split seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(p.stem for p in (HERE / "studies").glob("*.yaml")))
    parser.add_argument("--seed", type=int, default=0, help="seed of the split")
    parser.add_argument("--work", type=Path, required=True, help="a folder for the converted set, runs and caches")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="override a setting")
    args = parser.parse_args()
    file = prepare(args.name, args.work / args.name)
    out = args.work / args.name / "runs" / f"seed-{args.seed}"
    settings = [f"data.split.seed={args.seed}", *args.settings]
    live = Live()
    report = sharpen.run(file, out, settings, live)
    live.finish()
    print(report)
    if args.settings:
        print("Settings were changed, so no result was written.", file=sys.stderr)
        return
    estimated = json.loads((out / "budget.json").read_text(encoding="utf-8"))
    target = HERE / "results" / args.name / f"seed-{args.seed}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(publishable(dict(report.data), estimated), indent=1, ensure_ascii=False)
    target.write_text(text + "\n", encoding="utf-8")
    print(f"{target} holds what may be committed.")


if __name__ == "__main__":
    main()
