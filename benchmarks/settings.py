"""Screen training settings on questions that no test holds: ``python benchmarks/settings.py --work DIR``.

The set is xquad_en. Dev here are articles that are in no test of split seeds 0, 1 and 2 (the study's own splits), so
nothing that those tests hold is seen; training questions are seed 0's others. Each candidate is retrieval and tuning,
as the arm ``retrieve + lora`` builds it. One line a candidate is printed and kept in ``results/settings.json`` with the
hash of the code that made it; what is there is not screened again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from study import prepare

from sharpen.cli.progress import Live
from sharpen.data import cluster
from sharpen.study import preflight
from sharpen.study.environment import code_hash, machine, packages
from sharpen.study.setting import Engine, Setting, resolve
from sharpen.techniques import Bench, Counts, open_technique
from sharpen.types import digest

RESULT = Path(__file__).parent / "results" / "settings.json"
EIGHT, SIXTEEN = {"per_device_train_batch_size": 8}, {"per_device_train_batch_size": 16}
CANDIDATES: tuple[tuple[int, dict[str, Any]], ...] = (
    (1, {**SIXTEEN, "choose": "loss"}),
    (1, {**EIGHT, "choose": "loss"}),
    (1, {**SIXTEEN, "choose": "loss", "learning_rate": 2e-3}),
    (1, {**EIGHT, "choose": "loss", "learning_rate": 5e-4}),
    (1, {**EIGHT, "choose": "loss", "num_train_epochs": 3}),
    (1, {**SIXTEEN, "choose": "loss", "num_train_epochs": 3, "learning_rate": 2e-3}),
    (1, {**EIGHT, "choose": "last"}),
    (1, {**EIGHT, "choose": "last", "num_train_epochs": 3}),
    (2, {**EIGHT, "choose": "loss"}),
    (3, {**EIGHT, "choose": "loss"}),
)


def open_setting(work: Path, seed: int) -> tuple[Setting, Any]:
    """The study of one split seed, and its data without the test."""
    setting = resolve(prepare("xquad", work / "xquad"), [f"data.split.seed={seed}"], Live())
    return setting, preflight.inspect(setting).data


def bench_of(work: Path, said: list[dict[str, Any]]) -> tuple[Setting, Bench, int]:
    """A bench whose dev are held-out articles, and how many; what training notes is appended to ``said``."""
    setting, data = open_setting(work, 0)
    setting.engines_of[setting.use_case.model] = Engine("openvino", "asked for")
    never_tested = [
        {cluster(e, "source") for e in (*other.train, *other.dev)}
        for other in (open_setting(work, seed)[1] for seed in (0, 1, 2))
    ]
    names = sorted(set.intersection(*never_tested), key=digest)
    held_out = set(names[: len(names) // 2])
    both = (*data.train, *data.dev)
    bench = replace(
        setting.bench(data, setting.engines(), Counts()),
        train=tuple(e for e in both if cluster(e, "source") not in held_out),
        dev=tuple(e for e in both if cluster(e, "source") in held_out),
        note=lambda kind, facts: said.append(facts) if kind == "trained" else None,
    )
    return setting, bench, len(held_out)


def screen(
    setting: Setting, bench: Bench, k: int, options: dict[str, Any], said: list[dict[str, Any]]
) -> dict[str, Any]:
    """Train one candidate, let it answer, and return its line."""
    program = open_technique("retrieve", {"k": k}, setting.base)(bench.first(setting.use_case.model), bench)
    start = time.perf_counter()
    work = bench.store.root / "work" / digest([k, options, len(bench.train)])
    program = open_technique("lora", options, setting.base)(program, replace(bench, work=work))
    seconds = time.perf_counter() - start
    tried = bench.score(program, label=f"k={k} {options}")
    return {
        "k": k,
        "options": options,
        **{m.name: round(v, 4) for m, v in zip(bench.metrics, tried.values, strict=True)},
        "n": len(bench.dev),
        "dev_losses": [(p["epoch"], round(p["dev_loss"], 4)) for p in said[-1]["curve"] if p["dev_loss"] is not None],
        "seconds": round(seconds),
        "answering_seconds": round(time.perf_counter() - start - seconds),
        "computed_tokens": said[-1]["computed_tokens"],
        "tokens": said[-1]["tokens"],
        "training_seconds": round(said[-1]["seconds"]),
    }


def write(train: int, rows: list[dict[str, Any]]) -> None:
    """Keep what is known so far."""
    what = (__doc__ or "").splitlines()[0]
    kept = {"what": what, "train": train, "candidates": rows}
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Screen the candidates that were not screened yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of candidates, from 0")
    args = parser.parse_args()
    said: list[dict[str, Any]] = []
    setting, bench, clusters = bench_of(args.work, said)
    rows = json.loads(RESULT.read_text(encoding="utf-8"))["candidates"] if RESULT.exists() else []
    done = [(r["k"], r["options"]) for r in rows]
    for number, candidate in enumerate(CANDIDATES):
        if candidate in done or (args.only is not None and number not in args.only):
            continue
        ran = {"code": code_hash(), "machine": machine(), "packages": packages()}
        rows.append(screen(setting, bench, *candidate, said) | {"clusters": clusters, **ran})
        print(json.dumps(rows[-1]), flush=True)
        write(len(bench.train), rows)


if __name__ == "__main__":
    main()
