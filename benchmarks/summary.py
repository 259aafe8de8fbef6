"""The committed results of studies as one table: ``python benchmarks/summary.py``; nothing is computed anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def lines(file: Path) -> list[str]:
    """What a result says, in a few lines."""
    r: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    shape = f"{r['metric']}, n {r['n_test']}, {r['n_clusters']} clusters, look {r['looks_at_this_test']}"
    found = [f"{file.parent.name}/{file.stem}: {r['verdict']}, {r['winner']}; {shape}, {60 * r['hours']:.1f} minutes"]
    spent = r.get("spent_seconds", {})
    estimates = {e["arm"]: e["seconds"] for e in r["plan"]["estimates"]}
    for a in r["arms"]:
        if a["mean"] is None:
            found.append(f"  {a['name']:22} {a['status']}: {a['why']}")
            continue
        p = "" if a["p_adjusted"] is None else f"p {a['p_adjusted']:.2g}"
        form = "" if a["form_gain"] is None else f"form {a['form_gain']:+.3f} substance {a['substance_gain']:+.3f}"
        took, said = spent.get(a["name"], 0.0), estimates.get(a["name"], 0.0)
        ratio = f"{took / said:.2f}" if said else "-"
        found.append(
            f"  {a['name']:22} {a['mean']:.3f} [{a['ci_low']:.3f}, {a['ci_high']:.3f}] contains {a['contains']:.3f} "
            f"{form} {p}; {took:.0f} s of {said:.0f} estimated ({ratio})"
        )
    found += [f"  floor {f['name']:16} {f['mean']:.3f}, lead {f['lead']:+.3f}" for f in r["floors"]]
    found += [f"  oracle {o['name']:15} {o['mean']:.3f}, contains {o['contains']:.3f}" for o in r["oracles"]]
    saved = f"{r['race']['saved_dev']} + {r['race']['saved_test']}"
    seconds = f"estimated {r['plan']['seconds']:.0f} s, spent {3600 * r['hours']:.0f} s"
    found.append(f"  {seconds}; racing saved {saved} answers")
    if "recomputed" in r:
        again = r["recomputed"]
        means = f"{again['mean_before']:.3f} and {again['mean_again']:.3f}"
        found.append(f"  recomputed {again['arm']}: {again['same_scores']} of {again['n']} scores the same, {means}")
    return found


def main() -> None:
    """Print every result, and the mean of the winner's score over a study's seeds."""
    for folder in sorted(p for p in RESULTS.iterdir() if p.is_dir()):
        means = []
        for file in sorted(folder.glob("seed-*.json")):
            print("\n".join(lines(file)))
            r = json.loads(file.read_text(encoding="utf-8"))
            if file.stem.count("-") == 1:
                means += [a["mean"] for a in r["arms"] if a["name"] == r["winner"]]
        if len(means) > 1:
            print(f"{folder.name}: the winner's mean over {len(means)} seeds is {sum(means) / len(means):.3f}\n")


if __name__ == "__main__":
    main()
