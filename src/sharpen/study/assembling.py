"""``report.json``: every number that the table, the page and the documents show comes from here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sharpen.evaluation import Comparison
from sharpen.models import public_name
from sharpen.study import evidence, rows
from sharpen.study.folds import fold_rows, said
from sharpen.study.groups import group_rows
from sharpen.study.results import Results
from sharpen.study.sealing import Opened
from sharpen.types import Example


def assemble(made: Results) -> dict[str, Any]:
    """Judge, compare and write down."""
    arms = [rows.arm_row(made, b) for b in made.built if not b.seed_of]
    floors = rows.floor_rows(made)
    stamp = evidence.stamp(made.data.facts)
    question, folds = _question(made), fold_rows(made)
    remarks = [said(folds["n"], question["cluster_by"])] if folds else []
    remarks += [*_limits(arms, made.compared.winner), *_remarks(floors, made.leader, made.test)]
    return {
        **question,
        **({"folds": folds} if folds else {}),
        "arms": arms,
        "pairs": [asdict(p) for p in made.compared.pairs],
        "floors": floors,
        "oracles": rows.oracle_rows(made),
        "failures": rows.failure_counts(made),
        "winner": made.compared.winner,
        "leader": made.compared.leader,
        "verdict": made.compared.verdict,
        "verdict_text": " ".join([*filter(None, [stamp]), made.compared.verdict_text, *remarks]),
        "evidence": evidence.evidence(made.data.facts),
        "judged_only": _judged_only(made.compared),
        "race": made.race.facts(),
        "seeds": rows.seed_rows(made),
        "slices": rows.slice_rows(made),
        "groups": group_rows(made),
        "examples": rows.example_rows(made),
        **_background(made),
    }


def _question(made: Results) -> dict[str, Any]:
    """What was asked, on what, and what it can show."""
    uc, compared, metric = made.setting.use_case, made.compared, made.setting.metrics[0]
    by = made.data.facts["cluster_by"]
    return {
        "name": uc.name,
        "task": made.setting.task.name,
        "goal": uc.goal,
        "model": public_name(uc.model),
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "metrics": [m.name for m in made.setting.metrics],
        "worth": uc.worth,
        "alpha": uc.alpha,
        "family": compared.family,
        "baseline": made.baseline,
        "n_test": compared.n_test,
        "n_clusters": compared.n_clusters,
        "cluster_by": "row" if by == "label" else by,  # a label's rows are torn apart
        "weights": _weights(made.test.examples),
        "smallest_possible_p": compared.smallest_possible_p,
        "minimum_detectable_difference": compared.minimum_detectable_difference,
        "test_opened_at": made.test.opened_at,
        "looks_at_this_test": made.test.looks,
        "seen_before": made.test.seen,
    }


def _weights(examples: Sequence[Example]) -> list[float] | None:
    """The least and the greatest weight of a question; None where all weigh the same."""
    found = sorted({e.weight for e in examples})
    return [found[0], found[-1]] if len(found) > 1 else None


def _background(made: Results) -> dict[str, Any]:
    """How it came about: data, plan, prices, prompts, what was tried, what was not measured, where it ran."""
    uc = made.setting.use_case
    return {
        "data": dict(made.data.facts),
        "plan": json.loads(json.dumps(asdict(made.plan), default=str)),
        "costs": uc.costs.model_dump(),
        "constraints": uc.constraints.model_dump(),
        "prompts": {b.name: b.program.prompt.instruction for b in made.left if b.program},
        "levers": [rows.lever_row(b) for b in made.built],
        "not_measured": rows.not_measured(made.setting, made.built),
        "environment": dict(made.environment),
    }


def _limits(arms: Sequence[Mapping[str, Any]], winner: str | None) -> list[str]:
    """What nobody knows of the chosen arm: a limit that was not measured is neither broken nor kept."""
    missed = [f"its {limit}" for a in arms if a["name"] == winner for limit in a["unmeasured_constraints"]]
    return [f"Whether {winner} keeps the limit of {' and '.join(missed)} was not measured."] if missed else []


def _remarks(floors: Sequence[Mapping[str, Any]], leader: str, test: Opened) -> list[str]:
    """Sentences that belong to the verdict: floors that were not beaten, and how often these questions were seen."""
    said = []
    better = [f for f in floors if f["better"]]
    unbeaten = [f for f in floors if not f["beaten"] and not f["better"]]
    if better:
        shown = f"{_listed(better)} {'is' if len(better) == 1 else 'are'} shown to be better than {leader}"
        said.append(f"The {shown}: where that is all the job needs, ship it.")
    if unbeaten:
        said.append(f"{leader} is not shown to beat the {_listed(unbeaten, ', which scores better')}.")
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for floor in (f for f in floors if f["unbeaten_by_tuned"]):
        alike.setdefault(tuple(floor["unbeaten_by_tuned"]), []).append(floor)
    for arms, many in alike.items():
        said.append(f"Tuned and not shown to beat the {_listed(many)}: {', '.join(arms)}.")
    if test.looks > 1:
        which = "these questions" if test.seen == 1 else f"some of these questions ({test.seen:.0%} were seen before)"
        said.append(f"This is the {ordinal(test.looks)} look at {which}.")
    return said


def _listed(floors: Sequence[Mapping[str, Any]], ahead: str = "") -> str:
    """``floor a (0.100)``, or ``floors a (0.100) and b (0.200, which scores better)``."""
    named = [f"{f['name']} ({f['mean']:.3f}{ahead if f['ahead'] else ''})" for f in floors]
    some = ", ".join(named[:-1])
    return f"floors {some} and {named[-1]}" if some else f"floor {named[-1]}"


def ordinal(n: int) -> str:
    """``3`` as ``third``."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    return words[n - 1] if n <= len(words) else f"{n}th"


def _judged_only(compared: Comparison) -> dict[str, Any] | None:
    """The verdict without the questions that could not be judged for some arm."""
    inner = compared.judged_only
    if inner is None:
        return None
    return {
        "n_test": inner.n_test,
        "verdict": inner.verdict,
        "winner": inner.winner,
        "verdict_text": inner.verdict_text,
    }
