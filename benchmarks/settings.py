"""Screen training settings on questions that no test holds: ``python benchmarks/settings.py --work DIR``.

The set is xquad_en. Dev here are articles that are in no test of split seeds 0, 1 and 2 (the study's own splits), so
nothing that those tests hold is seen; training questions are seed 0's others. Each candidate is retrieval and tuning,
as the arm ``retrieve + lora`` builds it. One line a candidate is printed and kept in ``results/settings.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from study import prepare

from sharpen.cli.progress import Live
from sharpen.data import cluster
from sharpen.study import preflight
from sharpen.study.setting import Setting, resolve
from sharpen.techniques import Counts, open_technique
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


def main() -> None:
    """Screen the candidates that were not screened yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of candidates, from 0")
    args = parser.parse_args()
    setting, data = open_setting(args.work, 0)
    setting.engine = "openvino"
    never_tested = None
    for seed in (0, 1, 2):
        _, other = open_setting(args.work, seed)
        names = {cluster(e, "source") for e in (*other.train, *other.dev)}
        never_tested = names if never_tested is None else never_tested & names
    assert never_tested is not None
    held_out = set(sorted(never_tested, key=digest)[: len(never_tested) // 2])
    both = (*data.train, *data.dev)
    dev = tuple(e for e in both if cluster(e, "source") in held_out)
    train = tuple(e for e in both if cluster(e, "source") not in held_out)
    engines = setting.engines()
    said: list[dict[str, Any]] = []
    bench = replace(
        setting.bench(data, engines, Counts()),
        train=train,
        dev=dev,
        note=lambda kind, facts: said.append(facts) if kind == "trained" else None,
    )
    rows = json.loads(RESULT.read_text(encoding="utf-8"))["candidates"] if RESULT.exists() else []
    for number, (k, options) in enumerate(CANDIDATES):
        if (args.only is not None and number not in args.only) or any(
            r["k"] == k and r["options"] == options for r in rows
        ):
            continue
        program = open_technique("retrieve", {"k": k}, setting.base)(bench.first(setting.use_case.model), bench)
        start = time.perf_counter()
        key = digest([k, options, len(train)])
        program = open_technique("lora", options, setting.base)(
            program, replace(bench, work=bench.store.root / "work" / key)
        )
        seconds = time.perf_counter() - start
        tried = bench.score(program, label=f"k={k} {options}")
        values = {m.name: round(v, 4) for m, v in zip(bench.metrics, tried.values, strict=True)}
        curve = [(p["epoch"], round(p["dev_loss"], 4)) for p in said[-1]["curve"] if p["dev_loss"] is not None]
        rows.append(
            {
                "k": k,
                "options": options,
                **values,
                "n": len(dev),
                "clusters": len(held_out),
                "dev_losses": curve,
                "seconds": round(seconds),
                "answering_seconds": round(time.perf_counter() - start - seconds),
                "computed_tokens": said[-1]["computed_tokens"],
                "tokens": said[-1]["tokens"],
                "training_seconds": round(said[-1]["seconds"]),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
        machine = f"{platform.machine()}, {os.cpu_count()} cores"
        RESULT.write_text(
            json.dumps(
                {"what": __doc__.splitlines()[0], "machine": machine, "train": len(train), "candidates": rows}, indent=1
            )
            + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
