"""Near-duplicates beside datasketch and datatrove, documents a second: ``python benchmarks/alike.py --work DIR``.

The rows of ``scale.py`` (the first ``--rows`` of them), each program in a process of its own on one core, turns taken
``--repeats`` times, datasketch and datatrove each in an environment of its own under ``--work`` (made there when it is
missing). All of them take word 3-grams of lower-cased words, 64 hash functions in 16 bands of 4:

* ``sharpen``: ``duplicates``; every candidate is compared in truth at Jaccard 0.8, and exact ones are found as well;
* ``datasketch``: ``MinHash.update_batch`` and ``MinHashLSH``, as its manual shows it; candidates are not compared;
* ``datatrove``: its four steps (signature, buckets, cluster, filter) over JSON Lines; candidates are not compared.
  ``datatrove-2`` is the same in two tasks on two cores, each with half of the rows.

Starting Python and importing are not counted, reading the rows is (all read JSON Lines). ``found`` is the share of the
planted near-duplicates at or above 0.8 that are dropped, ``dropped_wrongly`` how many rows are dropped whose planted
similarity is below 0.8 (a chain over another copy can be right). Ratios are medians over repetitions of neighbouring
runs. Printed as JSON and, for 20,000 rows or more, written to ``results/alike.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scale import Maker

from sharpen.study.environment import code_hash, machine, packages

HERE = Path(__file__).parent
PEERS = {
    "datasketch": ["datasketch==2.0.0"],
    "datatrove": [
        "datatrove==0.10.1",
        "spacy==3.8.18",
        "xxhash==3.6.0",  # datatrove hands it texts, which version 4 refuses
        "orjson==3.13.0",
        "regex",
        "tokenizers",
        "nltk",
    ],
}
COMMON = """
import json, re, sys, time
rows, out = sys.argv[1:3]
def texts():
    with open(rows, encoding="utf-8") as f:
        return [json.loads(line)["text"] for line in f]
def done(seconds, dropped):
    with open(out, "w") as f:
        json.dump({"seconds": seconds, "dropped": sorted(int(i) for i in dropped)}, f)
"""
DATATROVE = """
import os, tempfile
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
N = 1
config = MinhashConfig(n_grams=3, num_buckets=16, hashes_per_bucket=4, hash_config=HashConfig(precision=64))
work = tempfile.mkdtemp(dir=os.path.dirname(out))
with open(rows, encoding="utf-8") as f:
    lines = f.readlines()
os.mkdir(f"{work}/rows")
for k in range(N):
    with open(f"{work}/rows/{k}.jsonl", "w", encoding="utf-8") as f:
        f.writelines(lines[k * len(lines) // N : (k + 1) * len(lines) // N])
def go(name, tasks, *steps):
    LocalPipelineExecutor(pipeline=list(steps), tasks=tasks, workers=N, logging_dir=f"{work}/log-{name}").run()
if __name__ == "__main__":
    begin = time.perf_counter()
    go("sign", N, JsonlReader(f"{work}/rows"), MinhashDedupSignature(f"{work}/signatures", config=config))
    go("buckets", 16, MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config))
    go("cluster", 1, MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=config))
    kept = JsonlWriter(f"{work}/kept", output_filename="${rank}.jsonl", compression=None)
    go("filter", N, JsonlReader(f"{work}/rows"), MinhashDedupFilter(f"{work}/remove"), kept)
    seconds = time.perf_counter() - begin
    left = set()
    for name in os.listdir(f"{work}/kept"):
        with open(f"{work}/kept/{name}", encoding="utf-8") as f:
            left |= {json.loads(line)["metadata"]["at"] for line in f}
    done(seconds, [i for i, _ in enumerate(texts()) if i not in left])
"""
PROGRAMS = {
    "sharpen": """
from sharpen.data.alike import duplicates
duplicates(["one two three four"] * 3 + ["é"])
begin = time.perf_counter()
kept = duplicates(texts()).kept
done(time.perf_counter() - begin, (~kept).nonzero()[0])
""",
    "datasketch": r"""
from datasketch import MinHash, MinHashLSH
word = re.compile(r"\w+")
begin = time.perf_counter()
index, dropped = MinHashLSH(num_perm=64, params=(16, 4)), []
for i, text in enumerate(texts()):
    tokens = word.findall(text.lower())
    grams = {" ".join(g).encode() for g in zip(tokens, tokens[1:], tokens[2:])}
    m = MinHash(num_perm=64)
    m.update_batch(list(grams))
    if index.query(m):
        dropped.append(i)
    else:
        index.insert(i, m)
done(time.perf_counter() - begin, dropped)
""",
    "datatrove": DATATROVE,
    "datatrove-2": DATATROVE.replace("N = 1", "N = 2"),
}


def python_of(name: str, work: Path) -> str:
    """The interpreter of a program's own environment, which is made where it is missing."""
    if name == "sharpen":
        return sys.executable
    name = name.partition("-")[0]
    folder = work / "peers" / name
    python = folder / "bin" / "python"
    pins, ready = "\n".join(PEERS[name]), folder / "ready"
    if not ready.exists() or ready.read_text() != pins:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS[name]], check=True)
        ready.write_text(pins)
    return str(python)


def prepared(work: Path, rows: int) -> tuple[Path, np.ndarray, np.ndarray, np.ndarray]:
    """The rows as JSON Lines, the row that each is a copy of, the similarity to it, and what is no prose."""
    path = work / f"alike-{rows}" / "rows.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    origins, similarities = np.zeros(rows, np.int64), np.zeros(rows)
    noise = np.zeros(rows, dtype=bool)
    with path.open("w", encoding="utf-8") as f:
        for at, (text, origin, similarity) in enumerate(islice(Maker(rows).all(), rows)):
            f.write(json.dumps({"text": text, "id": str(at), "at": at}, ensure_ascii=False) + "\n")
            origins[at], similarities[at], noise[at] = origin, similarity, text.startswith("# -")
    return path, origins, similarities, noise


def run(name: str, python: str, rows: Path) -> dict[str, Any]:
    """One run in a process of its own, on one thread (each of two in ``datatrove-2``)."""
    out = rows.with_name(f"{name}.json")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    program = COMMON + PROGRAMS[name]
    subprocess.run([python, "-c", program, str(rows), str(out)], check=True, env={**os.environ, **threads})
    made: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return made


def judged(dropped: list[int], origins: np.ndarray, similarities: np.ndarray, noise: np.ndarray) -> dict[str, Any]:
    """What of the planted is dropped, and what besides; rows of ``noise`` are all the same, so they may go."""
    gone = np.zeros(len(origins), dtype=bool)
    gone[dropped] = True
    copies = origins != np.arange(len(origins))
    alike = copies & (similarities >= 0.8 - 1e-9)
    return {
        "dropped": int(gone.sum()),
        "found": round(float(gone[alike].mean()), 5),
        "dropped_wrongly": int(np.sum(gone & ~alike & ~noise)),
    }


def main() -> None:
    """Make, run in turns, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for environments and rows")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(PROGRAMS), choices=list(PROGRAMS))
    args = parser.parse_args()
    work = args.work.resolve()
    pythons = {name: python_of(name, work) for name in args.only}
    path, *truth = prepared(work, args.rows)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in args.only}
    for _ in range(args.repeats):
        for name, python in pythons.items():
            runs[name].append(run(name, python, path))
            print(name, round(runs[name][-1]["seconds"], 2), file=sys.stderr, flush=True)
    found: dict[str, Any] = {}
    for name, made in runs.items():
        rate = [round(args.rows / r["seconds"], 1) for r in made]
        found[name] = {"documents_per_second": rate, **judged(made[-1]["dropped"], *truth)}
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(made, runs.get("sharpen", made), strict=True)]
        found[name]["sharpen_is_times_as_fast"] = round(statistics.median(ratios), 2)
    result = {"machine": machine(), "packages": packages(), "peers": PEERS, "code": code_hash()}
    result |= {"rows": args.rows, "bytes": path.stat().st_size, "repeats": args.repeats, "programs": found}
    if args.rows >= 20_000 and len(runs) == len(PROGRAMS):
        (HERE / "results" / "alike.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
