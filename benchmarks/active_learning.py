"""Active against random labelling at equal budgets: ``python benchmarks/active_learning.py --work DIR``.

The pool is clinc150's training set (15,000 questions, 150 intents), the judge its 4,500 test questions in scope; a
logistic regression on frozen embeddings is fitted on what is labelled at each budget, in the same way for all. Nothing
of the test questions steers the choice. Reported: accuracy at each budget, its difference to random labelling with the
same seed, and the mean of that over the curve, with 95 % intervals over seeds. Written to
``results/active_learning.json``.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from label_errors import MODEL, T, embedded, folder, interval

from sharpen.data.labels.active import choose
from sharpen.study.environment import code_hash, machine, packages

HERE = Path(__file__).parent
BUDGETS = (75, 150, 300, 450, 600, 900, 1200)


def clinc150(split: str = "train") -> list[tuple[str, str]]:
    """Return (question, intent) of each row in scope."""
    found = json.loads((folder("clinc150") / "data_full.json").read_text(encoding="utf-8"))[split]
    return [(text, label) for text, label in found]


def accuracy(x: Any, labels: list[str], rows: list[int], test: Any, truth: list[str]) -> float:
    """Accuracy on the test questions of a classifier fitted on ``rows``."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows a class
        model = LogisticRegression(C=10.0, max_iter=300).fit(x[rows], [labels[i] for i in rows])
    return float(np.mean(model.predict(test) == np.array(truth)))


def curve(how: str, pool: tuple[Any, list[str]], judge: tuple[Any, list[str]], seed: int) -> list[dict[str, Any]]:
    """Label up to each budget and measure."""
    x, labels = pool
    order = np.random.default_rng(seed).permutation(len(x))
    rows: list[int] = []
    out = []
    for budget in BUDGETS:
        began = time.monotonic()
        if how == "random":
            rows = [int(i) for i in order[:budget]]
        else:
            rows += choose(x, {i: labels[i] for i in rows}, budget - len(rows), how, seed)
        spent = time.monotonic() - began
        assert len(set(rows)) == budget
        found = {"budget": budget, "accuracy": round(accuracy(x, labels, rows, *judge), 4)}
        out.append({**found, "classes": len({labels[i] for i in rows}), "choosing_seconds": round(spent, 2)})
    return out


def main() -> int:
    """Measure, write, and say whether active learning wins."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the embeddings")
    parser.add_argument("--seeds", type=int, default=5, choices=sorted({1, *T}))
    parser.add_argument("--ways", nargs="+", default=["auto"])
    parser.add_argument("--dry", action="store_true", help="do not write")
    args = parser.parse_args()
    sets = [tuple(map(list, zip(*clinc150(split), strict=True))) for split in ("train", "test")]
    pool, judge = [(embedded(texts, args.work.resolve()), labels) for texts, labels in sets]
    curves: dict[str, list[list[dict[str, Any]]]] = {}
    for seed in range(args.seeds):
        for how in ("random", *args.ways):
            curves.setdefault(how, []).append(curve(how, pool, judge, seed))
            print(seed, how, [p["accuracy"] for p in curves[how][-1]], flush=True)
    values = {how: np.array([[p["accuracy"] for p in c] for c in some]) for how, some in curves.items()}
    gains = {how: values[how] - values["random"] for how in args.ways}
    ways = {
        how: {
            "gain_over_the_curve": interval([float(v) for v in g.mean(axis=1)]) if len(g) > 1 else float(g.mean()),
            "gain_at": {
                str(b): interval([float(v) for v in g[:, i]]) if len(g) > 1 else float(g[0, i])
                for i, b in enumerate(BUDGETS)
            },
        }
        for how, g in gains.items()
    }
    print(json.dumps(ways))
    result = {"machine": machine(), "packages": packages(), "code": code_hash(), "embeddings": MODEL}
    means = {how: [round(float(v), 4) for v in some.mean(axis=0)] for how, some in values.items()}
    result |= {"seeds": args.seeds, "pool": len(pool[1]), "test": len(judge[1]), "budgets": BUDGETS, "means": means}
    result |= {"ways": ways, "curves": curves}
    if args.dry or args.seeds < 2:
        return 0
    wins = all(at["low"] > 0 for at in ways["auto"]["gain_at"].values())
    result["wins_at_every_budget"] = wins
    (HERE / "results" / "active_learning.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("wins at every budget" if wins else "does NOT win at every budget")
    return 0 if wins else 1


if __name__ == "__main__":
    raise SystemExit(main())
