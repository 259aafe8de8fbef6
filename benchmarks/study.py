"""Run a committed study on a public set: ``python benchmarks/study.py xquad --seed 0 --work DIR``.

The set is converted, ``studies/NAME.yaml`` is run on it (going on where it was stopped), and what may be committed of
the report is written to ``results/NAME/seed-N.json``: numbers, ids and hashes, and no texts.

``--without-racing`` runs the same study on the same artefacts with racing off. ``--recompute ARM`` builds one arm again
from nothing, asks it the same test, and says how many of its scores are those of the committed result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from convert import SETS

import sharpen
from sharpen.cli.progress import Live
from sharpen.study.folder import arm_folder

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


def publishable(report: dict[str, Any], run: Path) -> dict[str, Any]:
    """The report without texts, with every question's scores and with what was estimated before."""
    kept = {k: v for k, v in report.items() if k not in TEXTS}
    for lever in kept["levers"]:
        for note in lever["notes"]:
            note.pop("example", None)
    kept["estimated"] = json.loads((run / "budget.json").read_text(encoding="utf-8"))
    kept["code"] = subprocess.run(
        ["git", "rev-parse", "HEAD:src"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout.strip()
    kept["questions"] = questions(report, run)
    return kept


def questions(report: dict[str, Any], run: Path) -> dict[str, Any]:
    """Ids, scores, and a hash of the answers of every arm that was asked."""
    found: dict[str, Any] = {"ids": [], "scores": {}, "answers_sha256": {}}
    for arm in report["arms"]:
        path = run / "arms" / arm_folder(arm["name"]) / "answers.jsonl"
        if not path.exists():
            continue
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found["ids"] = [r["id"] for r in rows]
        found["scores"][arm["name"]] = [r["scores"][report["metric"]] for r in rows]
        answers = "\n".join(r["answer"] for r in rows)
        found["answers_sha256"][arm["name"]] = hashlib.sha256(answers.encode()).hexdigest()
    return found


def write(target: Path, kept: dict[str, Any]) -> None:
    """Write a result."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{target} holds what may be committed.")


def recompute(name: str, seed: int, arm: str, work: Path) -> None:
    """Build one arm from an empty store, ask it the test, and hold its scores against the committed ones."""
    target = HERE / "results" / name / f"seed-{seed}.json"
    before = json.loads(target.read_text(encoding="utf-8"))
    os.environ["SHARPEN_HOME"] = str(work / name / f"recomputed-{seed}")
    out = work / name / "runs" / f"seed-{seed}-recomputed"
    counts = before["plan"]["counts"]
    budget = before["estimated"]
    out.mkdir(parents=True, exist_ok=True)
    (out / "budget.json").write_text(json.dumps(budget), encoding="utf-8")  # the same counts, whatever the clock says
    settings = [f"data.split.seed={seed}", f"arms=[baseline, {arm}]"]
    live = Live()
    report = dict(sharpen.run(prepare(name, work / name), out, settings, live).data)
    live.finish()
    again = questions(report, out)
    first = dict(zip(before["questions"]["ids"], before["questions"]["scores"][arm], strict=True))
    second = dict(zip(again["ids"], again["scores"][arm], strict=True))
    means = [sum(s or 0 for s in x.values()) / len(x) for x in (first, second)]
    facts = {
        "arm": arm,
        "n": len(first),
        "same_scores": sum(first[i] == second.get(i) for i in first),
        "same_answers": before["questions"]["answers_sha256"][arm] == again["answers_sha256"][arm],
        "mean_before": means[0],
        "mean_again": means[1],
        "counts": counts,
        "hours": report["hours"],
    }
    print(json.dumps(facts, indent=1))
    write(target, {**before, "recomputed": facts})


def main() -> None:
    """Run one study with one split seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(p.stem for p in (HERE / "studies").glob("*.yaml")))
    parser.add_argument("--seed", type=int, default=0, help="seed of the split")
    parser.add_argument("--work", type=Path, required=True, help="a folder for the converted set, runs and caches")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="override a setting")
    parser.add_argument("--without-racing", action="store_true", help="the same study with racing off")
    parser.add_argument("--recompute", metavar="ARM", help="build one arm again from nothing")
    args = parser.parse_args()
    args.work = args.work.resolve()
    if args.recompute:
        recompute(args.name, args.seed, args.recompute, args.work)
        return
    file = prepare(args.name, args.work / args.name)
    suffix = "-without-racing" if args.without_racing else ""
    out = args.work / args.name / "runs" / f"seed-{args.seed}{suffix}"
    settings = [f"data.split.seed={args.seed}", *(["racing=false"] if suffix else []), *args.settings]
    live = Live()
    report = sharpen.run(file, out, settings, live)
    live.finish()
    print(report)
    if args.settings:
        print("Settings were changed, so no result was written.", file=sys.stderr)
        return
    write(HERE / "results" / args.name / f"seed-{args.seed}{suffix}.json", publishable(dict(report.data), out))


if __name__ == "__main__":
    main()
