"""``report.json``: every number that the table, the page and the documents show comes from here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from sharpen.config import Costs, arm_name
from sharpen.data import Dataset
from sharpen.evaluation import Comparison, Facts, Rule, compare
from sharpen.metrics import open_metric
from sharpen.study.building import Built
from sharpen.study.dev import DevRace
from sharpen.study.oracles import failures
from sharpen.study.sealing import Opened
from sharpen.study.setting import Setting, baseline_of
from sharpen.types import Answer, Example, Score

EXAMPLES_SHOWN = 40
COMPARED = (
    *("mean", "ci_low", "ci_high", "delta", "delta_ci_low", "delta_ci_high", "p_adjusted", "fixed", "broken"),
    *("contains", "form_gain", "substance_gain", "n_unjudged"),
)


def assemble(
    *,
    setting: Setting,
    data: Dataset,
    built: Sequence[Built],
    left: Sequence[Built],
    race: DevRace,
    latencies: Mapping[str, Mapping[str, Any]],
    test: Opened,
    plan: Any,
    answered: Mapping[str, Mapping[str, list[Answer]]],
    retriever: str | None,
    environment: Mapping[str, Any],
) -> dict[str, Any]:
    """Judge, compare and write down."""
    uc, metric = setting.use_case, setting.metrics[0]
    examples = test.examples
    judged = {b.name: metric.score(examples, answered["arms"][b.name]) for b in left}
    holds = {b.name: _contains(examples, answered["arms"][b.name]) for b in left}
    cost = {b.name: cost_of(setting, b, latencies.get(b.name)) for b in left}
    facts = {
        b.name: Facts(cost[b.name]["total"], not _broken(setting, latencies.get(b.name), cost[b.name]), holds[b.name])
        for b in left
    }
    baseline = arm_name(baseline_of(setting.arms))
    compared = compare(
        judged,
        clusters=test.clusters,
        metric=metric,
        baseline=baseline,
        rule=Rule(uc.worth, uc.alpha, seed=uc.seed),
        facts=facts,
        weights=[e.weight for e in examples],
    )
    rows = {r.name: asdict(r) for r in compared.arms}
    arms = [
        _arm(setting, b, rows.get(b.name), race, latencies.get(b.name), cost.get(b.name), examples, answered)
        for b in built
        if b.status != "seed"
    ]
    leader = compared.winner or compared.leader
    floors = _floors(setting, examples, test, answered, judged, leader)
    oracles = _oracles(setting, examples, answered)
    return {
        "name": uc.name,
        "task": setting.task.name,
        "goal": uc.goal,
        "model": uc.model,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "metrics": [m.name for m in setting.metrics],
        "worth": uc.worth,
        "alpha": uc.alpha,
        "family": compared.family,
        "baseline": baseline,
        "n_test": compared.n_test,
        "n_clusters": compared.n_clusters,
        "cluster_by": uc.data.split.by,
        "smallest_possible_p": compared.smallest_possible_p,
        "minimum_detectable_difference": compared.minimum_detectable_difference,
        "test_opened_at": test.opened_at,
        "looks_at_this_test": test.looks,
        "arms": arms,
        "pairs": [asdict(p) for p in compared.pairs],
        "floors": floors,
        "oracles": oracles,
        "failures": _failures(setting, examples, judged, answered, retriever),
        "winner": compared.winner,
        "leader": compared.leader,
        "verdict": compared.verdict,
        "verdict_text": " ".join([compared.verdict_text, *_remarks(floors, leader, test)]),
        "judged_only": _judged_only(compared),
        "race": race.facts(),
        "seeds": _seeds(setting, examples, answered),
        "data": dict(data.facts),
        "plan": _plain(plan),
        "examples": _examples(examples, left, answered, judged, baseline, leader),
        "slices": _slices(test, judged, baseline, metric.higher_is_better),
        "costs": uc.costs.model_dump(),
        "constraints": uc.constraints.model_dump(),
        "prompts": {b.name: b.program.prompt.instruction for b in left if b.program},
        "levers": [_lever(b) for b in built],
        "not_measured": _not_measured(setting, built, latencies),
        "environment": dict(environment),
    }


def _arm(
    setting: Setting,
    built: Built,
    row: Mapping[str, Any] | None,
    race: DevRace,
    latency: Mapping[str, Any] | None,
    cost: Mapping[str, Any] | None,
    examples: Sequence[Example],
    answered: Mapping[str, Mapping[str, list[Answer]]],
) -> dict[str, Any]:
    latency, cost = latency or {}, cost or {}
    answers = answered["arms"].get(built.name, [])
    status = "tested" if row else ("dropped" if built.name in race.dropped else built.status)
    tokens = [a.tokens for a in answers if a.completions]
    return {
        "name": built.name,
        "does": built.does,
        "status": status,
        "why": race.dropped.get(built.name, built.why),
        **{n: row[n] if row else None for n in COMPARED},
        "scores": {m.name: m.aggregate(m.score(examples, answers)) for m in setting.metrics} if answers else {},
        "n_unparsed": sum(bool(a.raw.strip()) and not a.text for a in answers) if answers else None,
        "dev": race.values.get(built.name, {}),
        "build_seconds": round(built.seconds, 2),
        "p50_seconds": latency.get("p50_seconds"),
        "p95_seconds": latency.get("p95_seconds"),
        "memory_gb": latency.get("memory_gb"),
        "tokens_per_answer": sum(tokens) / len(tokens) if tokens else None,
        "cost_build": cost.get("build"),
        "cost_per_answer": cost.get("per_answer"),
        "cost_total": cost.get("total"),
        "meets_constraints": row["meets_constraints"] if row else None,
        "broken_constraints": _broken(setting, latency, cost) if row else [],
        "fingerprint": built.program.fingerprint if built.program else None,
    }


def cost_of(setting: Setting, built: Built, latency: Mapping[str, Any] | None) -> dict[str, float | None]:
    """Building once plus each answer, over the expected number of answers, in the use case's currency."""
    own = next((a.costs for a in setting.arms if arm_name(a) == built.name and a.costs), None)
    prices: Costs = own or setting.use_case.costs
    build = built.seconds / 3600 * setting.use_case.costs.machine_hour
    if latency is None or latency.get("mean_seconds") is None:
        return {"build": build, "per_answer": None, "total": None}
    per_answer = (
        latency["mean_seconds"] / 3600 * prices.machine_hour
        + (latency.get("prompt_tokens") or 0) / 1e6 * prices.input_million
        + (latency.get("completion_tokens") or 0) / 1e6 * prices.output_million
    )
    return {"build": build, "per_answer": per_answer, "total": build + prices.answers * per_answer}


def _broken(setting: Setting, latency: Mapping[str, Any] | None, cost: Mapping[str, Any] | None) -> list[str]:
    """The constraints that an arm is shown to break; what was not measured breaks nothing, and is said elsewhere."""
    limits, latency, cost = setting.use_case.constraints, latency or {}, cost or {}
    checks = [
        ("p95_seconds", limits.p95_seconds, latency.get("p95_seconds")),
        ("memory_gb", limits.memory_gb, latency.get("memory_gb")),
        ("cost_per_answer", limits.cost_per_answer, cost.get("per_answer")),
    ]
    return [
        f"{n} is {v:.3g}, the limit is {most:g}"
        for n, most, v in checks
        if most is not None and v is not None and v > most
    ]


def _contains(examples: Sequence[Example], answers: Sequence[Answer]) -> list[float]:
    raw = [Answer(a.raw or a.text, a.raw, error=a.error) for a in answers]
    return [s.value or 0.0 for s in open_metric("contains").score(examples, raw)]


def _floors(
    setting: Setting,
    examples: Sequence[Example],
    test: Opened,
    answered: Mapping[str, Mapping[str, list[Answer]]],
    judged: Mapping[str, Sequence[Score]],
    leader: str,
) -> list[dict[str, Any]]:
    """Each floor's score, and the leader's lead over it with an interval of its own comparison."""
    found = []
    metric = setting.metrics[0]
    for name, answers in answered["floors"].items():
        scores = metric.score(examples, answers)
        pair = compare(
            {name: scores, leader: judged[leader]},
            clusters=test.clusters,
            metric=metric,
            baseline=name,
            rule=Rule(setting.use_case.worth, setting.use_case.alpha, seed=setting.use_case.seed),
        )
        lead = next(r for r in pair.arms if r.name == leader)
        found.append(
            {
                "name": name,
                "mean": metric.aggregate(scores),
                "contains": sum(_contains(examples, answers)) / max(1, len(answers)),
                "leader": leader,
                "lead": lead.delta,
                "lead_ci_low": lead.delta_ci_low,
                "lead_ci_high": lead.delta_ci_high,
                "beaten": bool(lead.delta_ci_low is not None and lead.delta_ci_low > 0),
            }
        )
    return found


def _oracles(
    setting: Setting, examples: Sequence[Example], answered: Mapping[str, Mapping[str, list[Answer]]]
) -> list[dict[str, Any]]:
    metric = setting.metrics[0]
    known = [e for e in examples if e.gold]
    return [
        {
            "name": name,
            "mean": metric.aggregate(metric.score(known, answers)),
            "contains": sum(_contains(known, answers)) / max(1, len(answers)),
            "n": len(answers),
        }
        for name, answers in answered["oracles"].items()
    ]


def _failures(
    setting: Setting,
    examples: Sequence[Example],
    judged: Mapping[str, Sequence[Score]],
    answered: Mapping[str, Mapping[str, list[Answer]]],
    leader: str | None,
) -> dict[str, Any] | None:
    """Where the arm whose oracles were asked fails; None where there were no oracles."""
    if leader is None or not answered["oracles"]:
        return None
    metric = setting.metrics[0]
    known = [i for i, e in enumerate(examples) if e.gold]
    asked = [examples[i] for i in known]
    oracles = {name: metric.score(asked, answers) for name, answers in answered["oracles"].items()}
    return {"arm": leader, **failures(asked, [judged[leader][i] for i in known], oracles)}


def _remarks(floors: Sequence[Mapping[str, Any]], leader: str, test: Opened) -> list[str]:
    """Sentences that belong to the verdict: floors that were not beaten, and how often these questions were seen."""
    said = [f"{leader} does not beat the floor {f['name']} ({f['mean']:.3f})." for f in floors if not f["beaten"]]
    if test.looks > 1:
        said.append(f"This is the {ordinal(test.looks)} look at these questions.")
    return said


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


def _seeds(
    setting: Setting, examples: Sequence[Example], answered: Mapping[str, Mapping[str, list[Answer]]]
) -> list[dict[str, Any]]:
    """Trained arms built again with other seeds, on the same test: the noise floor of training."""
    return [
        {"name": name, "scores": {m.name: m.aggregate(m.score(examples, answers)) for m in setting.metrics}}
        for name, answers in answered["seeds"].items()
    ]


SLICES_SHOWN = 40


def _slices(
    test: Opened, judged: Mapping[str, Sequence[Score]], baseline: str, higher_is_better: bool
) -> list[dict[str, Any]]:
    """Per cluster of the test, largest first: how many questions each arm fixes and breaks against the baseline."""
    sign = 1 if higher_is_better else -1
    found: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(test.clusters):
        by, _, shown = name.partition(":")
        row = found.setdefault(name, {"by": by, "name": shown, "n": 0, "arms": {}})
        row["n"] += 1
        for arm, scores in judged.items():
            if arm == baseline:
                continue
            change = sign * ((scores[i].value or 0.0) - (judged[baseline][i].value or 0.0))
            counts = row["arms"].setdefault(arm, {"fixed": 0, "broken": 0})
            counts["fixed"] += change > 1e-9
            counts["broken"] += change < -1e-9
    rows = sorted(found.values(), key=lambda r: (-r["n"], r["name"]))
    return [r for r in rows if r["by"] != "id"][:SLICES_SHOWN]


def _examples(
    examples: Sequence[Example],
    left: Sequence[Built],
    answered: Mapping[str, Mapping[str, list[Answer]]],
    judged: Mapping[str, Sequence[Score]],
    baseline: str,
    leader: str,
) -> list[dict[str, Any]]:
    """Questions side by side: where the leader breaks, then fixes, then where neither changes; texts as answered."""
    base, lead = judged[baseline], judged[leader]

    def rank(i: int) -> tuple[int, int]:
        gain = (lead[i].value or 0) - (base[i].value or 0)
        return (0 if gain < 0 else 1 if gain > 0 else 2, i)

    broken = [i for i in range(len(examples)) if rank(i)[0] == 0][: EXAMPLES_SHOWN // 4]
    fixed = [i for i in range(len(examples)) if rank(i)[0] == 1][: EXAMPLES_SHOWN // 2]
    rest = [i for i in range(len(examples)) if rank(i)[0] == 2][: EXAMPLES_SHOWN // 4]
    shown = []
    for i in [*broken, *fixed, *rest]:
        passages = next((answered["arms"][b.name][i].passages for b in left if b.name == leader), ())
        shown.append(
            {
                "id": examples[i].id,
                "question": examples[i].question,
                "targets": list(examples[i].targets),
                "kind": ("broken", "fixed", "same")[rank(i)[0]],
                "answers": {b.name: answered["arms"][b.name][i].text for b in left},
                "scores": {b.name: judged[b.name][i].value for b in left},
                "passages": [{"id": p.id, "text": p.text, "score": p.score} for p in passages],
            }
        )
    return shown


def _lever(built: Built) -> dict[str, Any]:
    """What was tried for an arm: trials on dev, recall, training curves."""
    return {
        "arm": built.name,
        "does": built.does,
        "seconds": round(built.seconds, 2),
        "notes": [dict(n) for n in built.notes],
    }


def _not_measured(setting: Setting, built: Sequence[Built], latencies: Mapping[str, Any]) -> list[str]:
    said = []
    if setting.use_case.seeds == 1 and any(b.trained for b in built):
        said.append("The spread over training seeds: the claim is about these built programs, not about the method.")
    said += [f"{b.name}: {b.why}" for b in built if b.status == "not available"]
    without = [b.name for b in built if b.status == "given"]
    if without:
        said.append(f"Latency, memory and cost of {', '.join(without)}: its answers were given.")
    said.append("Bias, safety and robustness of the answers.")
    return said


def _plain(value: Any) -> Any:
    return json.loads(
        json.dumps(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value, default=str)
    )
