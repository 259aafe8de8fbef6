"""Say "not in the documents" where the best score of the search is too low.

The threshold is the highest at which, of dev questions that have an answer, a stated share is still answered: of ``n``
such questions the ``j``-th lowest score, with ``j = floor((1 - keeps) * (n + 1))``, so that a new question that has an
answer is refused with a probability of at most ``1 - keeps`` (Vovk et al. 2005, split conformal prediction; it holds
for questions like those of dev, and only as far as nothing else was chosen on them). A score that compares lists of
results (hybrid) says little about a single question: where the search is hybrid, the search by meaning alone is tried
beside it, and the way is taken whose scores tell the two kinds of dev questions apart best. A reranker's scores are
used where the program has one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sharpen.data import UNANSWERABLE
from sharpen.errors import UserError
from sharpen.metrics.abstaining import ranks_above
from sharpen.techniques._finding import passages
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Example, Refusal, System, Task, Technique

LEAST = 10
"""Dev questions with an answer below which nothing is calibrated."""


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Nothing that a task or model lacks; what the program lacks is said when it is improved."""
    return None


def refuse(keeps: float = 0.9, text: str = UNANSWERABLE, how: str = "auto") -> Technique:
    """Return the technique.

    Args:
        keeps: the share of questions that have an answer which are still answered.
        text: what is said instead of an answer.
        how: whose scores are used: program (those of its own search), dense, or auto.
    """
    if type(keeps) not in (int, float) or not 0 < keeps < 1:
        raise UserError(f"the option keeps is {keeps!r}.", do="Give a share between 0 and 1: keeps=0.9")
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"the option text is {text!r}.", do="Write what is said instead: text='Not in our documents.'")
    if how not in ("auto", "program", "dense"):
        raise UserError(f"the option how is {how!r}.", do="It is one of: auto, program, dense.")

    def improve(program: System, bench: Bench) -> System:
        r = program.retriever
        if r is None:
            raise NotAvailable("refuse needs a search, and the program has none.", do="Put retrieve before it.")
        before, program = program.refusal, replace(program, refusal=None)  # what a step says refuses as well
        ways = {r.how: program}
        dense = how in ("auto", "dense") and r.how == "hybrid" and not r.reranker
        if dense and "dense" in bench.engines.index(r.index).can:
            ways["dense"] = replace(program, retriever=replace(r, how="dense"))
        if how == "dense":
            ways = {name: p for name, p in ways.items() if name == "dense"} or ways
        made = {name: _calibrated(p, bench, keeps, text, name) for name, p in ways.items()}
        best = max(made, key=lambda name: made[name][0])
        bench.note("chose", {"what": "refuse", "candidate": best})
        chosen = made[best][1]
        if before is None or chosen.refusal is None:
            return chosen
        return replace(chosen, refusal=replace(chosen.refusal, step=before.step, says=before.says))

    return improve


def _calibrated(program: System, bench: Bench, keeps: float, text: str, name: str) -> tuple[float, System]:
    """How well the scores tell dev questions with an answer from the others (AUC), and the program that refuses."""
    kept, other = scores_of(program, bench, True), scores_of(program, bench, False)
    if len(kept) < LEAST:
        what = f"refuse needs {LEAST} dev questions that have an answer, and there are {len(kept)}."
        raise NotAvailable(what, do="Make dev larger.")
    least = threshold(kept, keeps)
    auc = ranks_above(kept, other) if other else 0.5
    facts = {
        "answered": sum(s >= least for s in kept) / len(kept),
        **({"refused_right": sum(s < least for s in other) / len(other), "auc": auc} if other else {}),
        "least": least,
    }
    values = {k: v for k, v in facts.items() if math.isfinite(v)}
    bench.note("tried", {"what": "refuse", "candidate": name, "n": len(kept) + len(other), "values": values})
    return auc, replace(program, refusal=Refusal(text, least))


def scores_of(program: System, bench: Bench, answerable: bool) -> list[float]:
    """The best score of each dev question's passages, of those that have an answer or of those that have none."""
    asked: list[Example] = [e for e in bench.dev if (e.answerable is not False) == answerable]
    return [max((p.score for p in found), default=-math.inf) for found in passages(program, asked, bench)]


def threshold(scores: Sequence[float], keeps: float) -> float:
    """The score below which a question is refused.

    Raises:
        NotAvailable: there are too few questions for such a share.
    """
    j = math.floor((1 - keeps) * (len(scores) + 1) + 1e-9)
    if j < 1:
        needed = math.ceil(1 / (1 - keeps) - 1e-9) - 1
        what = f"keeps={keeps} needs {needed} dev questions that have an answer, and there are {len(scores)}."
        raise NotAvailable(what, do="Make dev larger, or keeps smaller.")
    return sorted(scores)[j - 1]
