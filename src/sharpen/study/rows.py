"""The rows of a report: arms with their costs, floors, oracles, failures, slices, examples, levers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sharpen.evaluation import PairResult, Rule, compare
from sharpen.metrics import bounds_of, value_of
from sharpen.study.building import Built
from sharpen.study.costs import constraints_of
from sharpen.study.given import n_cut
from sharpen.study.oracles import failures
from sharpen.study.results import Results, contains_of
from sharpen.study.setting import Setting
from sharpen.types import Answer, Example

EXAMPLES_SHOWN = 40
SLICES_SHOWN = 40
FLOOR = "floor: "  # before a floor's name among arms
COMPARED = (
    *("mean", "ci_low", "ci_high", "delta", "delta_ci_low", "delta_ci_high", "p_adjusted", "fixed", "broken"),
    *("contains", "form_gain", "substance_gain", "n_unjudged"),
)


def arm_row(made: Results, built: Built) -> dict[str, Any]:
    """One arm: what the comparison says, what dev said, what it takes."""
    name = built.name
    row = made.compared_rows.get(name)
    latency, cost = made.latencies.get(name) or {}, made.cost.get(name) or {}
    answers = made.answered["arms"].get(name, [])
    tokens = [a.tokens for a in answers if a.completions]
    calls = [len(a.completions) for a in answers if a.completions]
    kept = [a.valid for a in answers if a.valid is not None]
    broken, unmeasured = constraints_of(made.setting, latency, cost) if row else ([], [])
    return {
        "name": name,
        "does": built.does,
        "status": "tested" if row else ("dropped" if name in made.race.dropped else built.status),
        "why": made.race.dropped.get(name, built.why),
        **{n: row[n] if row else None for n in COMPARED},
        "scores": made.values("arms", name) if answers else {},
        "n_unparsed": sum(bool(a.raw.strip()) and not a.text for a in answers) if answers else None,
        "n_cut": n_cut(answers) if answers else None,
        "dev": made.race.values.get(name, {}),
        "build_seconds": round(built.seconds, 2),
        "p50_seconds": latency.get("p50_seconds"),
        "p95_seconds": latency.get("p95_seconds"),
        "memory_gb": latency.get("memory_gb"),
        "tokens_per_answer": sum(tokens) / len(tokens) if tokens else None,
        "calls_per_answer": sum(calls) / len(calls) if calls else None,
        "valid": sum(kept) / len(kept) if kept else None,  # of those that were to keep a schema
        "n_refused": sum(a.finish == "refused" for a in answers) if answers else None,
        "cost_build": cost.get("build"),
        "cost_per_answer": cost.get("per_answer"),
        "cost_total": cost.get("total"),
        # Nobody knows of an arm that breaks nothing whether it keeps a limit that was not measured.
        "meets_constraints": row["meets_constraints"] if row and (broken or not unmeasured) else None,
        "broken_constraints": broken,
        "unmeasured_constraints": unmeasured,
        "fingerprint": built.program.fingerprint if built.program else None,
    }


def floor_rows(made: Results) -> list[dict[str, Any]]:
    """Each floor's score, and the leader's lead over it.

    The leader is the best of all arms on this very test, so the intervals hold for all arms and floors at once.
    """
    metric, uc, examples = made.setting.metrics[0], made.setting.use_case, made.test.examples
    weights = [e.weight for e in examples]
    scores = {name: made.scores("floors", name)[0] for name in made.answered["floors"]}
    means = {name: value_of(metric, found, weights) for name, found in scores.items()}
    scores = {name: found for name, found in scores.items() if means[name] is not None}  # floors have no seconds
    if not scores:
        return []
    whole = compare(
        {**{f"{FLOOR}{name}": found for name, found in scores.items()}, **made.judged},
        clusters=made.test.clusters,
        metric=metric,
        baseline=made.baseline,
        rule=Rule(uc.worth, uc.alpha, seed=uc.seed),
        weights=weights,
    )
    pairs = {(p.first, p.second): p for p in whole.pairs}  # floors stand first
    tuned = [b.name for b in made.left if b.trained and b.name != made.leader]
    found = []
    for name in scores:
        row = _floor_row(made, name, means[name], pairs[f"{FLOOR}{name}", made.leader])
        unbeaten = [arm for arm in tuned if _least(made, pairs[f"{FLOOR}{name}", arm]) <= 0]
        found.append({**row, "unbeaten_by_tuned": unbeaten})
    return found


def _least(made: Results, pair: PairResult) -> float:
    """The least by which an arm is better than the floor that stands first in its pair."""
    least = -math.inf if pair.ci_high is None else -pair.ci_high
    most = math.inf if pair.ci_low is None else -pair.ci_low
    return least if made.setting.metrics[0].higher_is_better else -most


def _most(made: Results, pair: PairResult) -> float:
    """The most by which an arm is better than the floor that stands first in its pair."""
    least = -math.inf if pair.ci_high is None else -pair.ci_high
    most = math.inf if pair.ci_low is None else -pair.ci_low
    return most if made.setting.metrics[0].higher_is_better else -least


def _floor_row(made: Results, name: str, mean: float | None, pair: PairResult) -> dict[str, Any]:
    low, high = (None if x is None else -x for x in (pair.ci_high, pair.ci_low))
    return {
        "name": name,
        "mean": mean,
        "contains": _held(made.test.examples, made.answered["floors"][name]),
        "leader": made.leader,
        "lead": -pair.difference,
        "lead_ci_low": low,
        "lead_ci_high": high,
        "beaten": _least(made, pair) > 0,
        "better": _most(made, pair) < 0,
        "ahead": pair.difference > 0 if made.setting.metrics[0].higher_is_better else pair.difference < 0,
    }


def _held(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The weighted share of answers that hold a reference."""
    weights = [e.weight for e in examples]
    held = contains_of(examples, answers)
    return sum(w * h for w, h in zip(weights, held, strict=True)) / (sum(weights) or 1.0)


def oracle_rows(made: Results) -> list[dict[str, Any]]:
    """The oracles' scores, on the questions whose gold passage is known."""
    metric = made.setting.metrics[0].name
    return [
        {
            "name": name,
            "mean": made.values("oracles", name)[metric],
            "contains": _held(made.asked("oracles"), answers),
            "n": len(answers),
        }
        for name, answers in made.answered["oracles"].items()
    ]


def failure_counts(made: Results) -> dict[str, Any] | None:
    """Where the arm whose oracles were asked fails; None where there were no oracles."""
    if made.retriever is None or not made.answered["oracles"]:
        return None
    metric = made.setting.metrics[0]
    if not metric.higher_is_better or bounds_of(metric) != (0.0, 1.0):  # nobody knows what is right then
        return None
    known = [i for i, e in enumerate(made.test.examples) if e.gold]
    oracles = {name: made.scores("oracles", name)[0] for name in made.answered["oracles"]}
    own = [made.judged[made.retriever][i] for i in known]
    return {"arm": made.retriever, **failures(made.asked("oracles"), own, oracles)}


def seed_rows(made: Results) -> list[dict[str, Any]]:
    """Trained arms built again with other seeds, on the same test: the noise floor of training."""
    return [{"name": name, "scores": made.values("seeds", name)} for name in made.answered["seeds"]]


def slice_rows(made: Results) -> list[dict[str, Any]]:
    """Per cluster of the test, largest first: how many questions each arm fixes and breaks against the baseline."""
    found: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(made.test.clusters):
        by, _, shown = name.partition(":")
        row = found.setdefault(name, {"by": by, "name": shown, "n": 0, "arms": {}})
        row["n"] += 1
        for arm in made.judged:
            if arm != made.baseline:
                counts = row["arms"].setdefault(arm, {"fixed": 0, "broken": 0})
                counts["fixed"] += made.change(arm, i) > 1e-9
                counts["broken"] += made.change(arm, i) < -1e-9
    rows = sorted(found.values(), key=lambda r: (-r["n"], r["name"]))
    return [r for r in rows if r["by"] != "id"][:SLICES_SHOWN]


def example_rows(made: Results) -> list[dict[str, Any]]:
    """Questions side by side: where the leader breaks, then fixes, then where nothing changes; texts as answered."""
    kinds: dict[str, list[int]] = {"broken": [], "fixed": [], "same": []}
    for i in range(len(made.test.examples)):
        change = made.change(made.leader, i)
        kinds["broken" if change < 0 else "fixed" if change > 0 else "same"].append(i)
    shares = {"broken": EXAMPLES_SHOWN // 4, "fixed": EXAMPLES_SHOWN // 2, "same": EXAMPLES_SHOWN // 4}
    arms = made.answered["arms"]
    shown = []
    for kind, i in [(k, i) for k, found in kinds.items() for i in found[: shares[k]]]:
        example = made.test.examples[i]
        # Where the leader reads no passages, those of the arm that was to: they may hold what it lacked.
        other = made.retriever if made.retriever in arms else None
        reader = other if other and not arms[made.leader][i].passages else made.leader
        shown.append(
            {
                "id": example.id,
                "question": example.question,
                "targets": list(example.targets),
                "kind": kind,
                "through": made.leader,
                "answers": {name: answers[i].text for name, answers in arms.items()},
                "scores": {name: scores[i].value for name, scores in made.judged.items()},
                "wrote": {name: found for name, answers in arms.items() if (found := _wrote(answers[i]))},
                "passages": [{"id": p.id, "text": p.text, "score": p.score} for p in arms[reader][i].passages],
                "passages_of": reader,
            }
        )
    return shown


def _wrote(answer: Answer) -> list[dict[str, str]]:
    """What was written before an answer: its steps by their names, its thoughts, and how many votes it had."""
    found = [{"what": name, "text": text} for name, text in answer.steps.items()]
    found += [{"what": "thoughts", "text": answer.reasoning}] if answer.reasoning else []
    return found + ([{"what": "votes for it", "text": str(answer.votes)}] if answer.votes else [])


UNJUDGED = "Bias, safety and robustness of the answers."
"""What no run judges; ``sharpen robustness`` judges a part of it afterwards."""


def lever_row(built: Built) -> dict[str, Any]:
    """What was tried for an arm: trials on dev, recall, training curves."""
    return {
        "arm": built.name,
        "does": built.does,
        "seconds": round(built.seconds, 2),
        "notes": [dict(n) for n in built.notes],
    }


def not_measured(setting: Setting, built: Sequence[Built]) -> list[str]:
    """What a reader may take for granted and must not."""
    said = []
    if setting.use_case.seeds == 1 and any(b.trained for b in built):
        said.append("The spread over training seeds: the claim is about these built programs, not about the method.")
    said += [f"{b.name}: {b.why}" for b in built if b.status == "not available"]
    said += [f"{b.name}: {n['warning']}" for b in built for n in b.notes if n["note"] == "augmented" and "warning" in n]
    without = [b.name for b in built if b.status == "given"]
    if without:
        said.append(f"Latency, memory and cost of {', '.join(without)}: its answers were given.")
    said.append(UNJUDGED)
    return said
