"""What training the retriever gains: ``python benchmarks/retriever.py --work DIR``.

doc2dial's dialogues, split by document (60% to learn from, 15% to choose on, 25% sealed), searched for by the whole
conversation. ``retrieve`` and ``retrieve + tune_retriever`` are built as a study builds them. Then the test is opened
once, and each of its questions is searched for among the passages of all documents by both: whether the passage that
holds the answer comes first (recall@1) or among five, with the difference, its interval and p over whole documents
(``sharpen.evaluation.compare``). A training that was stopped goes on. Written to ``results/retriever.json``;
``--epochs`` below 2 is for trying, and then nothing is written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from study import prepare

from sharpen import data
from sharpen.cli.progress import Live
from sharpen.config import Arm
from sharpen.evaluation import Ledger, Rule, compare, open_test
from sharpen.metrics import open_metric
from sharpen.retrieval import Index
from sharpen.study import preflight
from sharpen.study.building import Builder
from sharpen.study.environment import code_hash, machine, packages
from sharpen.study.setting import resolve
from sharpen.techniques import Bench, Counts
from sharpen.techniques.tune_retriever import one_query
from sharpen.types import Example, Retriever, Score, System, digest

HERE = Path(__file__).parent
QUERY = "{conversation}"
EPOCHS = 2.0


def places(index: Index, examples: Sequence[Example], r: Retriever, k: int) -> list[int]:
    """Where the first passage that covers gold stands in each search, from 0; ``k`` where none is found."""
    found = index.search([one_query(r.query, e) for e in examples], k, r.how)
    made = []
    for e, passages in zip(examples, found, strict=True):
        gold = {p.id for p in index.covering(e.gold, 8)}
        made.append(next((n for n, p in enumerate(passages) if p.id in gold), k))
    return made


def shares(before: Sequence[int], after: Sequence[int], k: int, clusters: Sequence[str]) -> dict[str, Any]:
    """Recall@k of both, and the difference with its 95% interval and p."""
    arms = {name: [Score(float(p < k)) for p in some] for name, some in (("before", before), ("after", after))}
    found = compare(arms, clusters=clusters, metric=open_metric("accuracy"), baseline="before", rule=Rule(flips=20_000))
    (arm,) = [a for a in found.arms if a.name == "after"]
    means = {a.name: round(a.mean, 4) for a in found.arms}
    said = {"gain": arm.delta, "low": arm.delta_ci_low, "high": arm.delta_ci_high, "p": arm.p_adjusted}
    rounded = {name: None if v is None else round(v, 5) for name, v in said.items()}
    return {"k": k, **means, **rounded, "n": found.n_test, "documents": found.n_clusters}


def built(work: Path, epochs: float) -> tuple[dict[str, System], list[dict[str, Any]], Any, Any]:
    """The two programs, notes of the training, the bench and the prepared data."""
    setting = resolve(prepare("doc2dial", work / "doc2dial"), [], Live())
    made = preflight.inspect(setting).data
    bench: Bench = setting.bench(made, setting.engines(), Counts())
    notes: list[dict[str, Any]] = []
    bench = replace(bench, work=work / "training", note=lambda kind, facts: notes.append({"note": kind, **facts}))
    builder = Builder(setting.use_case, setting.base, bench)
    first = builder.arm(Arm(does="retrieve(k=1)"))
    if first.program is None or first.program.retriever is None:
        raise SystemExit(f"retrieve cannot be built: {first.why}")
    before = replace(first.program, retriever=replace(first.program.retriever, query=QUERY))
    from sharpen.techniques import open_technique

    after = open_technique("tune_retriever", {"epochs": epochs})(before, bench)
    return {"before": before, "after": after}, notes, bench, (setting, made)


def main() -> None:
    """Train, test once, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the set, its store and checkpoints")
    parser.add_argument("--epochs", type=float, default=EPOCHS)
    args = parser.parse_args()
    work = args.work.resolve()
    programs, notes, bench, (setting, made) = built(work, args.epochs)
    for note in notes:
        print(json.dumps(note), flush=True)
    if args.epochs < EPOCHS:
        return
    said = {"metric": "recall@1", "alpha": 0.05, "cluster_by": "source", "code": code_hash()}
    said |= {"programs": {name: p.fingerprint for name, p in programs.items()}}
    folder = work / "opened"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps(said), encoding="utf-8")
    ledger = Ledger(setting.store.root / "ledger.sqlite")
    test = open_test(made.seal, folder, ledger, digest(["retriever", said])).examples
    known = [e for e in test if e.gold]
    found = {}
    for name, program in programs.items():
        assert program.retriever is not None
        found[name] = places(bench.engines.index(program.retriever.index), known, program.retriever, 5)
    clusters = [data.cluster(e, "source") for e in known]
    rows = [shares(found["before"], found["after"], k, clusters) for k in (1, 5)]
    result = {"machine": machine(), "packages": packages(), "code": code_hash(), "set": "doc2dial", "query": QUERY}
    result |= {"how": {n: p.retriever.how for n, p in programs.items() if p.retriever}, "notes": notes, "test": rows}
    (HERE / "results" / "retriever.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
