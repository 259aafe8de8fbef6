"""Train the embedding model that searches, on training questions and the passages that answer them.

Each question is learned beside passages that the search finds for it and that do not answer it (Karpukhin et al. 2020,
"Dense passage retrieval"; candidates nearly as near as the right one are left out, for they may be right, too: Moreira
et al. 2024, "NV-Retriever"). Nothing is learned from documents whose questions are in dev or test. The trained model is
kept with its index, and taken where it finds the right passage first more often on dev, beyond a standard error.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharpen.data import words
from sharpen.errors import UserError
from sharpen.retrieval import Index, build_passages
from sharpen.runtime import fill, give_back, slots_of
from sharpen.techniques._finding import retriever_of
from sharpen.techniques._options import count
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.tuning.pairs import Pair, PairOptions
from sharpen.types import Example, Passage, Retriever, System, Technique, digest

EMBEDS = True
LEAST = 32
"""Questions with a known passage, below which nothing is learned."""
FOUND = 12
"""Passages that are found for a question, among which the wrong ones are looked for."""
SHORT = 3
"""Letters of an answer below which it stands in too many passages to say anything."""
NEARLY = 0.95
"""The share of the right passage's similarity above which another passage may be right as well."""


def tune_retriever(
    epochs: float = 2.0, batch: int = 16, learning_rate: float = 3e-5, negatives: int = 1, how: str = "auto"
) -> Technique:
    """Return the technique.

    Args:
        epochs: how often each question is learned.
        batch: questions a step; each is told from the passages of all of them.
        learning_rate: at its highest.
        negatives: wrong passages a question brings along.
        how: the way to search with the trained model: dense, hybrid, or auto (whichever finds more on dev).
    """
    if isinstance(epochs, bool) or not isinstance(epochs, int | float) or not 0 < epochs <= 100:
        raise UserError(f"the option epochs is {epochs!r}.", do="Write a number above 0, at most 100.")
    if isinstance(learning_rate, bool) or not isinstance(learning_rate, int | float) or not 0 < learning_rate < 1:
        raise UserError(f"the option learning_rate is {learning_rate!r}.", do="Write a number such as 3e-5.")
    if how not in ("auto", "dense", "hybrid"):
        raise UserError(f"the option how is {how!r}.", do="It is one of: auto, dense, hybrid.")
    options = PairOptions(
        float(epochs), count("batch", batch, 2), float(learning_rate), count("negatives", negatives, 0)
    )

    def improve(program: System, bench: Bench) -> System:
        r = retriever_of(program, "tune_retriever")
        index = bench.engines.index(r.index)
        pairs = mined(index, r.query, bench.train, max(1, options.negatives))
        if len(pairs) < LEAST:
            what = f"{len(pairs)} training questions have a known passage, and {LEAST} are the least to learn from."
            raise NotAvailable(what, do="Give rows evidence, so that the passage of their answer is known.")
        folder = getattr(bench.engines.embedder(), "folder", None)
        if folder is None:
            raise NotAvailable(
                "this embedding model cannot be trained.", do="Use one of sentence-transformers' format."
            )
        settings = replace(options, seed=bench.seed, epochs=options.epochs * bench.counts.epochs)
        with tempfile.TemporaryDirectory(prefix="sharpen-") as scratch:
            work = (bench.work or Path(scratch)) / digest([r.index, settings])[:16]
            trained = _trained(folder, pairs, settings, work, bench)
            from sharpen.models.embedder import open_embedder

            embed = open_embedder(str(trained)).embed

            def told(texts: Sequence[str], query: bool = False) -> Any:
                return embed(texts, query, told=lambda n: bench.progress("index documents", n, len(texts)))

            ref = build_passages(index.passages, bench.store, told, index.wording, index.parts, trained)
        return _chosen(program, r, index, ref, how, bench)

    return improve


def _trained(folder: Path, pairs: Sequence[Pair], options: PairOptions, work: Path, bench: Bench) -> Path:
    from sharpen.models.embedder import open_embedder
    from sharpen.tuning.contrast import contrast

    bench.engines.release()
    give_back()  # training needs the memory
    try:
        made, facts = contrast(open_embedder(str(folder), train=True), pairs, options, work, bench.progress)
    except FloatingPointError as e:
        raise NotAvailable(f"the training of the retriever broke off: {e}.", do="Lower learning_rate.") from None
    bench.note("trained retriever", {**facts, "epochs": options.epochs, "batch": options.batch})
    return made


def mined(index: Index, query: str, train: Sequence[Example], n: int) -> list[Pair]:
    """Questions with the passage that answers them and up to ``n`` that do not, of documents of training questions."""
    known = [(e, gold[0]) for e in train if e.gold and (gold := index.covering(e.gold, 1))]
    mine = {e.source for e in train} | {p.span.source for _, p in known}
    way = "dense" if "dense" in index.can else "bm25"
    asked = [one_query(query, e) for e, _ in known]
    found = index.search(asked, FOUND, way)
    made = []
    for said, (e, right), passages in zip(asked, known, found, strict=True):
        score = next((p.score for p in passages if p.id == right.id), math.inf)
        wrong = [p for p in passages if p.span.source in mine and not _answers(p, e, right, index)]
        wrong = [p for p in wrong if p.score < NEARLY * score]
        made.append(Pair(said, right.headed, tuple(p.headed for p in wrong[:n]), right.id))
    return made


def one_query(query: str, example: Example) -> str:
    """What is searched for, where it is one line made of the conversation alone; else the question."""
    known = slots_of(example)
    needed = set(re.findall(r"\{(\w+)\}", query))
    said = fill(query, known)
    return said if needed <= known.keys() and "\n" not in said.strip() else example.question


def _answers(passage: Passage, example: Example, right: Passage, index: Index) -> bool:
    """Whether a passage may answer the question: it is the one, covers gold, or holds an answer's words."""
    if passage.id == right.id or passage.id in {p.id for p in index.covering(example.gold, 8)}:
        return True
    said = f" {_said(passage.text)} "
    return any(f" {_said(t)} " in said for t in example.targets if len(_said(t)) >= SHORT)


def _said(text: str) -> str:
    return " ".join(words(text))


def _chosen(program: System, r: Retriever, before: Index, ref: str, how: str, bench: Bench) -> System:
    """The search that finds the right passage first most often on dev; the untrained one where that is as good."""
    known = [e for e in bench.dev if e.gold]
    after = bench.engines.index(ref)
    ways = ["dense", "hybrid"] if how == "auto" else [how]
    if not known:
        bench.note("kept the trained retriever", {"why": "no question of dev has a known passage to judge it by"})
        return replace(program, retriever=replace(r, index=ref, how=ways[0]))
    old = firsts(before, r.query, known, r.how)
    new = {way: firsts(after, r.query, known, way) for way in ways}
    best = max(new, key=lambda way: sum(new[way]))
    gains = [b - a for a, b in zip(old, new[best], strict=True)]
    gain = sum(gains) / len(gains)
    error = math.sqrt(sum((g - gain) ** 2 for g in gains)) / len(gains)
    kept = gain > error
    shares = {way: round(sum(v) / len(v), 4) for way, v in new.items()}
    facts = {"before": round(sum(old) / len(old), 4), "how_before": r.how, "after": shares, "n": len(known)}
    bench.note(
        "recall of the trained retriever", {**facts, "gain": round(gain, 4), "error": round(error, 4), "kept": kept}
    )
    return replace(program, retriever=replace(r, index=ref, how=best)) if kept else program


def firsts(index: Index, query: str, examples: Sequence[Example], how: str) -> list[float]:
    """Whether the first passage that is found covers gold, as 0 and 1."""
    found = index.search([one_query(query, e) for e in examples], 1, how)
    made = []
    for e, passages in zip(examples, found, strict=True):
        gold = {p.id for p in index.covering(e.gold, 8)}
        made.append(float(bool(passages) and passages[0].id in gold))
    return made
