"""How well support is told: ``python benchmarks/grounding.py --work DIR``, written to ``results/grounding.json``.

Pairs of a sentence and a passage of which people's labels say whether the one supports the other:

* ClapNQ (dev): a sentence of a person's answer and the passage that it was written from. Not supported: the same
  sentence beside the most similar passage of another question, or beside its own with a number or a name changed, or
  turned round.
* ACLSum (test): the summary of an aspect and the sentences of the paper that were highlighted for it. Not supported:
  as many sentences of the same paper that were highlighted for no aspect.

The threshold is the one of best F1 on one half of the papers and questions (by the hash of their ids), precision and
recall are told on the other half. ``shipped`` are those at the threshold that is built in. ``--lexical`` leaves out the
embeddings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert import source

from sharpen.data.bias import wilson
from sharpen.retrieval import Index
from sharpen.study.environment import code_hash, packages
from sharpen.support import ENOUGH, ENOUGH_MIXED, sentences, supported
from sharpen.types import Passage, Span

HERE = Path(__file__).parent
SPACED = re.compile(r" (?=[.,;:!?)\]%]|n't\b|'\w)|(?<=[(\[$]) |(?<=\w) (?=-\w)|(?<=\w-) (?=\w)")


@dataclass(frozen=True)
class Pair:
    """A sentence, a passage, whether the one supports the other, what kind of pair it is, and what it belongs to."""

    sentence: str
    passage: str
    label: bool
    kind: str
    of: str

    @property
    def held_out(self) -> bool:
        """Whether it is in the half on which nothing was chosen."""
        return hashlib.sha256(self.of.encode()).digest()[0] % 2 == 1


def plain(text: str) -> str:
    """A tokenised text as people write it."""
    text = text.replace("``", '"').replace("''", '"').replace(" - ", "-")
    return " ".join(SPACED.sub("", text).split())


def clapnq_rows(part: str = "answerable") -> list[dict[str, Any]]:
    """The questions of ClapNQ's dev set: ``id``, ``question``, ``title``, ``passage``, ``answers``."""
    file = source("clapnq_dev") / f"clapnq_dev_{part}.jsonl"
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        (passage,) = row["passages"]
        answers = [plain(o["answer"]) for o in row["output"] if o["answer"].strip()]
        text = plain(passage["text"])
        rows.append({**row, "question": row["input"], "title": passage["title"], "passage": text, "answers": answers})
    return rows


def clapnq() -> Iterator[Pair]:
    """Pairs from people's answers."""
    rows = clapnq_rows()
    places = [Passage(r["id"], r["passage"], Span(r["id"], 0, len(r["passage"]))) for r in rows]
    index = Index(places)
    names = sorted({n for r in rows for n in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{3,}", r["passage"])})
    for row in rows:
        draw = random.Random(row["id"])
        for sentence in dict.fromkeys(s for a in row["answers"] for s in sentences(a)):
            if len(sentence.split()) < 5:
                continue
            copied = "copied" if sentence.strip(".") in row["passage"] else "in a person's words"
            yield Pair(sentence, row["passage"], True, copied, row["id"])
            near = next(p for p in index.search([sentence], 3, "bm25")[0] if p.text != row["passage"])
            yield Pair(sentence, near.text, False, "the most similar other passage", row["id"])
            for kind, changed in (("a number changed", number(sentence, draw)), ("turned round", turned(sentence))):
                if changed:
                    yield Pair(changed, row["passage"], False, kind, row["id"])
            if changed := renamed(sentence, names, draw):
                yield Pair(changed, row["passage"], False, "a name changed", row["id"])


def number(sentence: str, draw: random.Random) -> str:
    """The sentence with one of its numbers changed; empty where it has none."""
    found = list(re.finditer(r"\d+", sentence))
    if not found:
        return ""
    m = draw.choice(found)
    return f"{sentence[: m.start()]}{int(m[0]) + draw.choice((1, 2, 7, 10))}{sentence[m.end() :]}"


def turned(sentence: str) -> str:
    """The sentence denied; empty where there is no simple verb to deny."""
    m = re.search(r"\b(is|was|are|were|can|will|has been|have been)\b(?! not)", sentence)
    return f"{sentence[: m.end()]} not{sentence[m.end() :]}" if m and " not " not in sentence else ""


def renamed(sentence: str, names: Sequence[str], draw: random.Random) -> str:
    """The sentence with one name of several words replaced; empty where it has none."""
    found = list(re.finditer(r"(?<=[a-z,] )[A-Z][a-z]{3,}", sentence))
    if not found:
        return ""
    m = draw.choice(found)
    return f"{sentence[: m.start()]}{draw.choice([n for n in names if n not in sentence])}{sentence[m.end() :]}"


def aclsum() -> Iterator[Pair]:
    """Pairs from the highlights of papers."""
    for line in (source("aclsum") / "test.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        marks = row["highlights"]
        every = [(part, i) for part, some in row["sentences"].items() for i in range(len(some))]
        free = [(p, i) for p, i in every if not any(m[p][i] for m in marks.values())]
        for aspect, summary in row["summary"].items():
            lit = [(p, i) for p, i in every if marks[aspect][p][i]]
            at = random.Random(row["id"] + aspect).sample(free, min(len(lit), len(free)))
            for places, label, kind in ((lit, True, "highlighted"), (at, False, "not highlighted")):
                text = " ".join(row["sentences"][p][i] for p, i in places)
                if text:
                    yield Pair(plain(summary), plain(text), label, kind, row["id"])


def best_threshold(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """The threshold, in steps of a hundredth, of the highest F1; of equals the lowest."""
    return max((n / 100 for n in range(1, 100)), key=lambda t: (f1(*counts(scores, labels, t)[:3]), -t))


def counts(scores: Sequence[float], labels: Sequence[bool], threshold: float) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives."""
    said = [s >= threshold for s in scores]
    both = list(zip(said, labels, strict=True))
    return both.count((True, True)), both.count((True, False)), both.count((False, True)), both.count((False, False))


def f1(tp: int, fp: int, fn: int) -> float:
    """The harmonic mean of precision and recall."""
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0


def told(pairs: Sequence[Pair], scores: Sequence[float], threshold: float) -> dict[str, Any]:
    """Precision and recall at a threshold with 95% intervals (Wilson), and the share that was taken by kind."""
    tp, fp, fn, _ = counts(scores, [p.label for p in pairs], threshold)
    kinds: dict[str, list[bool]] = {}
    for p, s in zip(pairs, scores, strict=True):
        kinds.setdefault(p.kind, []).append(s >= threshold)
    return {
        "threshold": threshold,
        "n": len(pairs),
        "precision": rate(tp, tp + fp),
        "recall": rate(tp, tp + fn),
        "f1": round(f1(tp, fp, fn), 3),
        "taken_as_supported": {kind: rate(sum(some), len(some)) for kind, some in kinds.items()},
    }


def rate(k: int, n: int) -> dict[str, Any]:
    """A share with its interval."""
    low, high = wilson(k, n) if n else (0.0, 1.0)
    return {"share": round(k / n, 3) if n else None, "n": n, "low": round(low, 3), "high": round(high, 3)}


def judged(pairs: Sequence[Pair], embed: Callable[..., Any] | None, shipped: float) -> dict[str, Any]:
    """Threshold chosen on one half, told on the other."""
    scores = [supported(p.sentence, [p.passage], embed) for p in pairs]
    halves: tuple[list[int], list[int]] = ([], [])
    for i, p in enumerate(pairs):
        halves[p.held_out].append(i)
    chosen = best_threshold([scores[i] for i in halves[0]], [pairs[i].label for i in halves[0]])
    held, at = [pairs[i] for i in halves[1]], [scores[i] for i in halves[1]]
    return {"chosen": told(held, at, chosen), "shipped": told(held, at, shipped)}


def remembering(embed: Callable[..., Any]) -> Callable[..., Any]:
    """Embed each text once."""
    import numpy as np

    known: dict[str, Any] = {}

    def once(texts: Sequence[str]) -> Any:
        new = [t for t in dict.fromkeys(texts) if t not in known]
        if new:
            known.update(zip(new, embed(new), strict=True))
        return np.stack([known[t] for t in texts])

    return once


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is kept between calls")
    parser.add_argument("--lexical", action="store_true", help="by words alone")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    sets = {"clapnq": list(clapnq()), "aclsum": list(aclsum())}
    embed = None
    if not args.lexical:
        from sharpen.config import UseCase
        from sharpen.models.embedder import open_embedder

        embed = remembering(open_embedder(UseCase.model_fields["embeddings"].default).embed)
    made: dict[str, Any] = {"by_words": {}, "by_words_and_meaning": {}}
    for name, pairs in sets.items():
        made["by_words"][name] = judged(pairs, None, ENOUGH)
        if embed:
            made["by_words_and_meaning"][name] = judged(pairs, embed, ENOUGH_MIXED)
    made |= {"code": code_hash(), "packages": packages()}
    print(json.dumps({k: v for k, v in made.items() if k.startswith("by")}, indent=1))
    (HERE / "results" / "grounding.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
