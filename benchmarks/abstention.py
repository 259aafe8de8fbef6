"""What a threshold of the search refuses: ``python benchmarks/abstention.py --work DIR``.

ClapNQ's dev set: 300 questions whose answer stands in one of 600 passages, 300 whose answer stands in none of them
(each of those brings a passage of its own that is about the matter). The threshold of the technique ``refuse`` is
calibrated on one half of the answerable questions (by the hash of their ids); told is what it does to the other half
and to all that have no answer. Written to
``results/abstention.json``. No model answers: a question that is answered counts as right where its passage comes
first. ``--lexical`` leaves out the embeddings, and writes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grounding import clapnq_rows, rate

from sharpen.metrics.abstaining import area, ranks_above, risk_coverage
from sharpen.retrieval import build_passages, load_index
from sharpen.store import Store
from sharpen.study.environment import code_hash, packages
from sharpen.techniques.refuse import threshold
from sharpen.types import Passage, Span

HERE = Path(__file__).parent
KEEPS = (0.95, 0.9, 0.8)


def passage(row: dict[str, Any]) -> Passage:
    """A row's passage under its title."""
    return Passage(row["id"], row["passage"], Span(row["id"], 0, len(row["passage"])), meta={"title": row["title"]})


def held_out(row: dict[str, Any]) -> bool:
    """Whether nothing is calibrated on a question."""
    return hashlib.sha256(row["id"].encode()).digest()[0] % 2 == 1


def told(scores: Sequence[float], rows: Sequence[dict[str, Any]], first: Sequence[str]) -> dict[str, Any]:
    """What thresholds do; ``first`` is the passage that came first for each question."""
    known = [i for i, r in enumerate(rows) if r["answers"]]
    none = [scores[i] for i, r in enumerate(rows) if not r["answers"]]
    tune = [scores[i] for i in known if not held_out(rows[i])]
    test = [i for i in known if held_out(rows[i])]
    made: dict[str, Any] = {"auc": round(ranks_above([scores[i] for i in test], none), 3)}
    for keeps in KEEPS:
        least = threshold(tune, keeps)
        right_refused = sum(s < least for s in none)
        wrong_refused = sum(scores[i] < least for i in test)
        made[f"keeps {keeps}"] = {
            "threshold": round(least, 4),
            "answered": rate(len(test) - wrong_refused, len(test)),
            "refused_rightly": rate(right_refused, len(none)),
            "found_first_of_answered": rate(
                sum(scores[i] >= least and first[i] == rows[i]["id"] for i in test), len(test) - wrong_refused
            ),
        }
    asked = [i for i, r in enumerate(rows) if not r["answers"] or held_out(r)]
    points = risk_coverage([scores[i] for i in asked], [first[i] == rows[i]["id"] for i in asked])
    made["area_under_risk_coverage"] = round(area(points), 3)
    made["risk_at"] = {
        str(c): round(next(risk for coverage, risk in points if coverage >= c), 3) for c in (0.25, 0.5, 0.75, 1.0)
    }
    return made


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the index")
    parser.add_argument("--lexical", action="store_true", help="by words alone; nothing is written")
    args = parser.parse_args()
    answerable, not_there = clapnq_rows(), clapnq_rows("unanswerable")
    rows = [*answerable, *not_there]
    embed = None
    if not args.lexical:
        from sharpen.config import UseCase
        from sharpen.models.embedder import open_embedder

        embed = open_embedder(UseCase.model_fields["embeddings"].default).embed
    store = Store(args.work)
    index = load_index(store.path(build_passages([passage(r) for r in rows], store, embed)), embed)
    made: dict[str, Any] = {"n": {"answerable": len(answerable), "unanswerable": len(not_there)}, "ways": {}}
    for how in sorted(index.can):
        best = [found[0] for found in index.search([r["question"] for r in rows], 1, how)]
        # The passage that a question without an answer brings does not answer it: nothing that is found is right.
        first = [p.id if r["answers"] else "" for p, r in zip(best, rows, strict=True)]
        made["ways"][how] = told([p.score for p in best], rows, first)
    made |= {"code": code_hash(), "packages": packages()}
    print(json.dumps(made["ways"], indent=1))
    if not args.lexical:
        (HERE / "results" / "abstention.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
