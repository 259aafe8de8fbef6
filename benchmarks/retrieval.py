"""How often retrieval finds the passage that holds the answer: ``python benchmarks/retrieval.py --work DIR``.

On the questions of train and dev (split seed 0) of anyorganization and xquad: the share whose gold passage comes first
(``at_1``) or among the first three (``at_3``), by words, by meaning and by both. Then what larger passages do: sections
of a document joined up to so many words, and whole documents. Written to ``results/retrieval.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from study import prepare

from sharpen import config, data
from sharpen.models import open_model
from sharpen.models.embedder import open_embedder
from sharpen.retrieval import build_passages, chunk, load_index
from sharpen.store import Store
from sharpen.study.environment import code_hash, machine, packages
from sharpen.techniques.retrieve import WAYS, recall
from sharpen.types import Document, Passage, Span

HERE = Path(__file__).parent
SIZES = (100, 140, 180)


def joined(documents: Sequence[Document], size: int | None) -> Iterator[Passage]:
    """Join neighbouring passages of a document up to ``size`` words; all of them where it is None."""
    texts = {d.source: d.text for d in documents}
    for source, group in groupby(chunk(documents), key=lambda p: p.span.source):
        held: list[Passage] = []
        for passage in [*group, None]:
            count = sum(len(p.text.split()) for p in (*held, passage) if p)
            if held and (passage is None or (size is not None and count > size)):
                start, end = held[0].span.start, held[-1].span.end
                name = f"{source}#{start}"
                yield Passage(name, texts[source][start:end], Span(source, start, end), meta=held[0].meta)
                held = []
            if passage:
                held.append(passage)


def measure(name: str, work: Path, embeddings: str | None) -> list[dict[str, Any]]:
    """One row for each kind of passages and way of searching."""
    file = prepare(name, work / name)
    use_case = config.load(file, ["data.split.seed=0"])
    made = data.load(data.prepare(use_case.data, file.parent, work / name / "data"))
    asked = [*made.train, *made.dev]
    ref = embeddings or use_case.embeddings
    embed = (open_model(ref) if ref.startswith("fake:") else open_embedder(ref)).embed
    kinds: dict[str, Sequence[Passage]] = {"as sharpen cuts them": chunk(made.documents)}
    kinds |= {f"joined up to {n} words": list(joined(made.documents, n)) for n in SIZES}
    kinds["whole documents"] = list(joined(made.documents, None))
    rows = []
    store = Store(work / name / "indexes")
    for kind, passages in kinds.items():
        index = load_index(store.path(build_passages(passages, store, embed)), embed)
        for way in WAYS:
            (first, third), n = recall(index, asked, (1, 3), way)
            row = {"set": name, "n": n, "passages": kind, "count": len(passages), "way": way}
            rows.append({**row, "at_1": round(first, 4), "at_3": round(third, 4)})
            print(f"{name}, {kind} ({len(passages)}), {way}: {first:.3f} at 1, {third:.3f} at 3 of {n}", flush=True)
    return rows


def main() -> None:
    """Measure both sets and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the sets and their indexes")
    parser.add_argument("--sets", nargs="+", default=["anyorganization", "xquad"])
    parser.add_argument(
        "--embeddings", help="another embedding model than the use cases'; then nothing is written, nor for other sets"
    )
    args = parser.parse_args()
    rows = [row for name in args.sets for row in measure(name, args.work.resolve(), args.embeddings)]
    if not args.embeddings and args.sets == parser.get_default("sets"):
        result = {"machine": machine(), "packages": packages(), "code": code_hash(), "rows": rows}
        (HERE / "results" / "retrieval.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
