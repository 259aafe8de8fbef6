"""Run a committed study: ``python benchmarks/study.py xquad --seed 0 --work DIR``.

A public set is converted first (``anyorganization`` is the example of this repository and stays as it is). Then
``studies/NAME.yaml`` is run on it, going on where it was stopped, and what may be committed of the report is written
to ``results/NAME/seed-N.json``: numbers, ids and hashes, and no texts. Each seed has a store of its own in the work
folder, unless SHARPEN_HOME names one; the result says whether it was empty at first, and how long everything took.
Studies of one public set share a ledger there, so that each report says how often its test was looked at in all.

``--without-racing`` runs the same study on the same store with racing off. ``--again`` runs the finished study once
more and says how long that takes as a share of the first time. ``--recompute ARM`` builds one arm again from an empty
store, asks it the same test, and says how many of its scores are those of the committed result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import convert
from convert import SETS

import sharpen
from sharpen.cli.progress import live
from sharpen.errors import UserError
from sharpen.models import cache
from sharpen.store import hash_file, hash_folder
from sharpen.study.environment import code_hash
from sharpen.study.folder import arm_folder

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "anyorganization"
NAMES = sorted([EXAMPLE.name, *(p.stem for p in (HERE / "studies").glob("*.yaml"))])
MOST = 0.02  # of the first run's time, for a second one
TEXTS = ("examples", "prompts")
MADE_BY = ("src", "examples", "benchmarks/studies", "benchmarks/study.py", "benchmarks/convert.py")


def prepare(name: str, work: Path) -> Path:
    """Put a study's data into the work folder, once, and its file beside it."""
    made_by = hash_folder(EXAMPLE) if name == EXAMPLE.name else hash_file(Path(str(convert.__file__)))
    if (work / "converted").exists() and (work / "converted").read_text() != made_by:
        raise SystemExit(f"{work} holds the set as it was converted before. Name another folder with --work.")
    if not (work / "converted").exists():
        work.mkdir(parents=True, exist_ok=True)
        if name == EXAMPLE.name:
            leave = shutil.ignore_patterns("runs", ".sharpen")
            shutil.copytree(EXAMPLE, work, dirs_exist_ok=True, ignore=leave)
        else:
            SETS[set_of(name)](work)
        (work / "converted").write_text(made_by)
    file = EXAMPLE / "usecase.yaml" if name == EXAMPLE.name else HERE / "studies" / f"{name}.yaml"
    shutil.copy2(file, work / "usecase.yaml")
    return work / "usecase.yaml"


def set_of(name: str) -> str:
    """The public set of a study: several studies of one set are called by it and what they are about."""
    return name.partition("-")[0]


def store_of(work: Path, seed: int) -> Path:
    """Where a seed's artefacts and answers lie; SHARPEN_HOME is set to it."""
    return Path(os.environ.setdefault("SHARPEN_HOME", str(work / f"store-{seed}")))


@contextmanager
def clocked(out: Path, store: Path) -> Iterator[None]:
    """Write down how long each call worked on a run, and whether the first of them found store and models empty."""
    if (out / "done.json").exists():  # reading a finished study is not part of it
        yield
        return
    file = out.with_name(f"{out.name}.clock.json")
    parts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    parts.append({"cold": _empty(store), "cold_models": _empty(cache()), "minutes": None})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(parts), encoding="utf-8")
    began = time.monotonic()
    try:
        yield
    finally:  # Ctrl-C, too
        parts[-1]["minutes"] = (time.monotonic() - began) / 60
        file.write_text(json.dumps(parts), encoding="utf-8")


def _empty(folder: Path) -> bool:
    return not folder.exists() or all(p.name.startswith("ledger.sqlite") for p in folder.iterdir())


def clock(out: Path) -> dict[str, Any]:
    """What :func:`clocked` wrote down: ``cold``, ``cold_models``, ``wall_minutes`` (None where a call was killed)."""
    file = out.with_name(f"{out.name}.clock.json")
    parts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    minutes = [p["minutes"] for p in parts]
    return {
        "cold": bool(parts) and parts[0]["cold"],
        "cold_models": bool(parts) and parts[0]["cold_models"],
        "wall_minutes": round(sum(minutes), 2) if minutes and None not in minutes else None,
    }


def committed_code(ran: str) -> str:
    """Git's name of the source tree, where it is what ran (``ran`` is its hash) and holds no changes."""

    def git(*words: str) -> str | None:
        done = subprocess.run(["git", *words], cwd=HERE.parent, capture_output=True, text=True, check=False)
        return None if done.returncode else done.stdout.strip()

    if not shutil.which("git") or ran != code_hash() or git("status", "--porcelain", "--", *MADE_BY) != "":
        return "uncommitted"
    return git("rev-parse", "HEAD:src") or "uncommitted"


def publishable(report: dict[str, Any], run: Path) -> dict[str, Any]:
    """The report without texts, with every question's scores and with what was estimated before."""
    kept = {k: v for k, v in report.items() if k not in TEXTS}
    for lever in kept["levers"]:
        for note in lever["notes"]:
            note.pop("example", None)
    kept["estimated"] = json.loads((run / "budget.json").read_text(encoding="utf-8"))
    kept["counts"] = kept["plan"]["counts"]
    kept["code"] = committed_code(kept["environment"]["code"])
    kept |= clock(run)
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
    """Write a result; what was measured apart of the same run stays with it."""
    if target.exists():
        before = json.loads(target.read_text(encoding="utf-8"))
        if before["test_opened_at"] == kept["test_opened_at"]:
            kept = {**{k: before[k] for k in ("second_run", "recomputed") if k in before}, **kept}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{target} holds what may be committed.")


def second_run(file: Path, out: Path, settings: list[str], first_minutes: float) -> dict[str, float]:
    """Run a finished study once more, in a process of its own whose start is counted."""
    command = [sys.executable, "-m", "sharpen", "run", str(file), "--out", str(out)]
    command += [word for s in settings for word in ("--set", s)]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    share = seconds / (60 * first_minutes)
    print(
        f"The second run took {seconds:.1f} s, {share:.1%} of the first: {'met' if share < MOST else 'NOT MET'} (2%)."
    )
    return {"seconds": round(seconds, 2), "share": round(share, 4)}


def recompute(name: str, seed: int, arm: str, work: Path) -> None:
    """Build one arm from an empty store, ask it the test, and hold its scores against the committed ones."""
    target = HERE / "results" / name / f"seed-{seed}.json"
    before = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    if arm not in before.get("questions", {}).get("scores", {}):
        raise SystemExit(f"{target} holds no scores of {arm!r}. Run the study first, without --recompute.")
    label = f"{seed}-{arm_folder(arm)}"
    store = work / f"recomputed-{label}"
    share_ledger(store_of(work, seed), store)
    os.environ["SHARPEN_HOME"] = str(store)
    out = work / "runs" / f"seed-{label}-recomputed"
    out.mkdir(parents=True, exist_ok=True)
    # The same counts, whatever the clock says.
    (out / "budget.json").write_text(json.dumps(before["estimated"]), encoding="utf-8")
    settings = [f"data.split.seed={seed}", f"arms=[{', '.join(dict.fromkeys(('baseline', arm)))}]"]
    with live() as progress:
        report = dict(sharpen.run(prepare(name, work), out, settings, progress).data)
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
        "counts": before["plan"]["counts"],
        "hours": report["hours"],
        "look": report["looks_at_this_test"],
        "code": committed_code(report["environment"]["code"]),
    }
    print(json.dumps(facts, indent=1))
    write(target, {**before, "recomputed": facts})


def share_ledger(store: Path, other: Path) -> None:
    """Let another store write into the ledger of this one, so that every look at the test is counted."""
    for folder in (store, other):
        folder.mkdir(parents=True, exist_ok=True)
    (store / "ledger.sqlite").touch()
    if not (other / "ledger.sqlite").exists():
        (other / "ledger.sqlite").symlink_to((store / "ledger.sqlite").resolve())


def study(args: argparse.Namespace) -> None:
    """Run one study with one split seed, and write its result."""
    work = args.work.resolve() / args.name
    if args.recompute:
        if args.settings or args.again or args.without_racing:
            raise SystemExit("--recompute goes with no other option than --seed and --work.")
        recompute(args.name, args.seed, args.recompute, work)
        return
    file, store = prepare(args.name, work), store_of(work, args.seed)
    share_ledger(args.work.resolve() / f"ledger-{set_of(args.name)}", store)
    suffix = "-without-racing" if args.without_racing else ""
    out = work / "runs" / f"seed-{args.seed}{suffix}"
    settings = [f"data.split.seed={args.seed}", *(["racing=false"] if suffix else []), *args.settings]
    with clocked(out, store), live() as progress:
        report = sharpen.run(file, out, settings, progress)
    print(report)
    kept = publishable(dict(report.data), out)
    if args.again:
        kept["second_run"] = second_run(file, out, settings, kept["wall_minutes"] or 60 * kept["hours"])
    if args.settings:
        print("Settings were changed, so no result was written.", file=sys.stderr)
        return
    if args.name == EXAMPLE.name:
        print("The committed result of this study is that of demo.py, so none was written.", file=sys.stderr)
        return
    write(HERE / "results" / args.name / f"seed-{args.seed}{suffix}.json", kept)
    if args.again and kept["second_run"]["share"] >= MOST:
        raise SystemExit(1)


def main() -> None:
    """Read the command line; a study's problems are sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--seed", type=int, default=0, help="seed of the split")
    parser.add_argument("--work", type=Path, required=True, help="a folder for the converted set, runs and stores")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="override a setting")
    parser.add_argument("--without-racing", action="store_true", help="the same study with racing off")
    parser.add_argument("--again", action="store_true", help="then run it once more, and say how long that takes")
    parser.add_argument("--recompute", metavar="ARM", help="build one arm again from nothing")
    try:
        study(parser.parse_args())
    except UserError as e:
        raise SystemExit(str(e)) from None


if __name__ == "__main__":
    main()
