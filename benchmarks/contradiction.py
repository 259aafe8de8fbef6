"""Contradictions between passages: ``python benchmarks/contradiction.py``, written to ``results/contradiction.json``.

Three passages of ClapNQ's dev set are given together: a question's own and the two that are most like it. Into the
last of them a sentence of the first is planted with a number changed, or turned round, in other words as far as filler
words and the order of its halves go. Told are how many of the planted ones are found, how many findings are planted
ones (precision), and what is found where nothing was planted. Sentences were planted by rules, not by people.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from grounding import clapnq_rows, number, rate, turned

from sharpen.guards.contradiction import contradictions
from sharpen.retrieval import Index
from sharpen.study.environment import code_hash, packages
from sharpen.support import sentences
from sharpen.types import Passage, Span

HERE = Path(__file__).parent


def reworded(sentence: str) -> str:
    """The sentence with its halves in the other order, or a word before it."""
    first, comma, rest = sentence.rstrip(".").partition(", ")
    return f"{rest[0].upper()}{rest[1:]}, {first}." if comma and len(rest.split()) > 3 else f"However, {sentence}"


def main() -> None:
    """Measure and write."""
    rows = clapnq_rows()
    places = [Passage(r["id"], r["passage"], Span(r["id"], 0, len(r["passage"]))) for r in rows]
    index = Index(places)
    found: dict[str, list[bool]] = {"a number changed": [], "turned round": [], "nothing planted": []}
    other = 0
    for row, place in zip(rows, places, strict=True):
        draw = random.Random(row["id"])
        near = [p for p in index.search([row["passage"]], 4, "bm25")[0] if p.text != row["passage"]][:2]
        found["nothing planted"].append(bool(contradictions([place, *near])))
        said = [s for s in sentences(row["passage"]) if 6 <= len(s.split()) <= 40]
        for kind in ("a number changed", "turned round"):
            every = [number(s, draw) if kind == "a number changed" else turned(s) for s in said]
            able = list(filter(None, every))
            if able:
                text = f"{near[1].text} {reworded(draw.choice(able))}"
                told = contradictions([place, near[0], replace(near[1], text=text)])
                hit = [bool(re.match("passages 1 and 3 ", t)) for t in told]
                found[kind].append(any(hit))
                other += hit.count(False)
    planted = found["a number changed"] + found["turned round"]
    right = sum(planted)
    made: dict[str, Any] = {
        "found": {kind: rate(sum(some), len(some)) for kind, some in found.items()},
        "precision": rate(right, right + other + sum(found["nothing planted"])),
        "code": code_hash(),
        "packages": packages(),
    }
    print(json.dumps({k: made[k] for k in ("found", "precision")}, indent=1))
    (HERE / "results" / "contradiction.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
