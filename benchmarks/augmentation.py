"""What each augmentation does, as an arm with and without it: ``python benchmarks/augmentation.py --work DIR``.

Three parts, which may be run one by one (``--part head``):

* head: banking77 with 10 examples an intent, frozen MiniLM embeddings and a logistic regression whose strength is
  chosen on dev, over several seeds of each operator (half an hour);
* lora-banking77: the arms ``lora`` and ``OPERATOR + lora`` of the banking77 study, built as a study builds them, each
  with the same number of optimiser steps of the same number of rows, so that an augmentation is not more training;
* xquad: the same of ``retrieve + lora`` and ``retrieve + OPERATOR + lora`` on the xquad study.

Each operator's difference on dev to the arm without it, question by question, has a 95% interval and p over clusters
(``sharpen.evaluation.compare`` of the two), and p adjusted over the operators (Holm). Those with an adjusted p below
0.05 and a gain are kept and tested once (p adjusted over those); where there is none the test stays closed. Operators
that write with a model are listed as not measured: none that can be had here writes well enough to be judged by it;
``tests/test_every_augmentation.py`` and ``tests/data/test_writing_server.py`` hold their mechanism.

Every measured cell is a line in ``DIR/cells.jsonl``, by all that decides it and the code: a killed run goes on. The
result, ``results/augmentation.json``, is made of the cells of this code, whichever parts are there. ``--only`` and
``--steps`` are for trying; then nothing is written there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from study import prepare

from sharpen import config, data, parts
from sharpen.cli.progress import Live
from sharpen.config import Arm
from sharpen.data import dataset, examples
from sharpen.data.augmenting import Limits, Material, augment, open_augmentation
from sharpen.errors import MissingExtra
from sharpen.evaluation import Rule, compare
from sharpen.metrics import open_metric
from sharpen.models.embedder import open_embedder
from sharpen.study import preflight
from sharpen.study.building import Builder
from sharpen.study.environment import code_hash, machine, packages
from sharpen.study.setting import Engine, Setting, resolve
from sharpen.techniques import Bench, Counts
from sharpen.types import Example, Score, digest

HERE = Path(__file__).parent
RESULT = HERE / "results" / "augmentation.json"
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
ALPHA = 0.05
WRITERS = ("paraphrase", "back_translation", "synthetic_qa", "reworded_qa")
WITHOUT = "without"
Vectors = NDArray[np.float32]
Rows = tuple[Example, ...]


def operators() -> list[str]:
    """The operators that are measured: all but those that write with a model."""
    shipped = (n for n, p in parts.all_parts("augmentation").items() if p.origin == "sharpen")
    return sorted(n for n in shipped if n not in WRITERS)


class Cells:
    """What was measured, one line each; a line that a kill cut short counts as not measured."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.split("\n"):
            try:
                cell = json.loads(line)
                self.held[cell["key"]] = cell
            except (ValueError, KeyError, TypeError):
                continue
        if text and not text.endswith("\n"):
            with path.open("a", encoding="utf-8") as f:
                f.write("\n")

    def of(self, asked: Mapping[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The cell of ``asked`` (part, arm, settings), measured now if it never was by this code."""
        key = digest({**asked, "code": code_hash()})
        if key not in self.held:
            began = time.monotonic()
            cell = {"key": key, "code": code_hash(), **asked, **measure()}
            cell["seconds"] = round(time.monotonic() - began, 1)
            with self.path.open("a", encoding="utf-8") as f:
                f.write(json.dumps(cell) + "\n")
            self.held[key] = cell
            shown = {k: v for k, v in cell.items() if k not in ("key", "code", "scores", "ids", "clusters")}
            print(json.dumps(shown), flush=True)
        return self.held[key]


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p (Holm 1979): the smallest times the number of all, and so on, never below an earlier one."""
    adjusted, before = {}, 0.0
    for rank, name in enumerate(sorted(p, key=lambda n: p[n])):
        before = max(before, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = before
    return adjusted


def against(plain: Sequence[float], other: Sequence[float], clusters: Sequence[str], flips: int) -> dict[str, Any]:
    """The difference of two arms that answered the same questions: gain, 95% interval and p over clusters."""
    arms = {WITHOUT: [Score(float(x)) for x in plain], "with": [Score(float(x)) for x in other]}
    found = compare(arms, clusters=clusters, metric=open_metric("accuracy"), baseline=WITHOUT, rule=Rule(flips=flips))
    (arm,) = [a for a in found.arms if a.name == "with"]
    said = {"gain": arm.delta, "low": arm.delta_ci_low, "high": arm.delta_ci_high, "p": arm.p_adjusted}
    rounded = {k: None if v is None else round(v, 4) for k, v in said.items()}
    return {**rounded, "fixed": arm.fixed, "broken": arm.broken, "n": found.n_test, "clusters": found.n_clusters}


def table(cells: Mapping[str, Sequence[Mapping[str, Any]]], flips: int = 20_000) -> list[dict[str, Any]]:
    """One row an operator: its cells (seeds) against those without, question by question, with Holm's p over all.

    A seed's scores are taken from those of the arm without it of the same seed, or of its only one.
    """
    rows, plain = [], cells[WITHOUT]
    for name, many in cells.items():
        if name == WITHOUT:
            continue
        facts = [c["facts"] for c in many]
        if any("scores" not in c for c in many):
            rows.append({"operator": name, "why_not": facts[0].get("why_not", "")})
            continue
        base = [plain[i] if i < len(plain) else plain[0] for i in range(len(many))]
        before, after = (np.mean([c["scores"] for c in some], axis=0) for some in (base, many))
        row = {"operator": name, "without": round(float(before.mean()), 4)}
        rows.append({**row, **against(before, after, plain[0]["clusters"], flips), "facts": facts})
    adjusted = holm({r["operator"]: r["p"] for r in rows if r.get("p") is not None})
    return [{**r, "p_holm": round(adjusted[r["operator"]], 4)} if r["operator"] in adjusted else r for r in rows]


def kept(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Operators that are shown to gain."""
    return [r["operator"] for r in rows if r.get("p_holm", 1.0) < ALPHA and r["gain"] > 0]


# Part: a head on frozen embeddings


class Embeddings:
    """Embeds each text once."""

    def __init__(self, embed: Callable[[Sequence[str]], Vectors]) -> None:
        self.embed = embed
        self.known: dict[str, Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> Vectors:
        new = list(dict.fromkeys(t for t in texts if t not in self.known))
        if new:
            self.known.update(zip(new, self.embed(new), strict=True))
        return np.stack([self.known[t] for t in texts])


def fitted(x: Vectors, y: Sequence[str], strength: float) -> Any:
    """A logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000).fit(x, y)


class Head:
    """The classifier of a training set, its strength chosen on dev; the smaller one where two are as good."""

    def __init__(self, train: Sequence[Example], dev: Sequence[Example], embed: Embeddings) -> None:
        self.embed = embed
        x, y = embed([e.question for e in train]), [e.labels[0] for e in train]
        tried = [(fitted(x, y, c), c) for c in STRENGTHS]
        self.head, self.strength = max(tried, key=lambda t: (t[0].score(*self._asked(dev)), -t[1]))

    def _asked(self, judged: Sequence[Example]) -> tuple[Vectors, list[str]]:
        return self.embed([e.question for e in judged]), [e.labels[0] for e in judged]

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The labels of texts."""
        return [str(label) for label in self.head.predict(self.embed(texts))] if texts else []

    def right(self, judged: Sequence[Example]) -> list[float]:
        """Whether each question gets its label, as 0 and 1."""
        said = self.predict([e.question for e in judged])
        return [float(a == e.labels[0]) for a, e in zip(said, judged, strict=True)]


def rows_of(file: Path) -> Rows:
    """Labelled examples of a converted file."""
    drafts = [d.example for d in examples.read_examples(file, file.name).drafts]
    return tuple(dataset.example_from(dataset.example_row(e)) for e in drafts)


def head(work: Path, cells: Cells, only: Sequence[str], seeds: int) -> dict[str, Any]:
    """Measure each operator on dev, test what is kept."""
    file = prepare("banking77", work / "banking77")
    train, dev, test = (rows_of(file.parent / f"{name}.jsonl") for name in ("train", "dev", "test"))
    embed = Embeddings(open_embedder(config.load(file).embeddings).embed)
    plain = Head(train, dev, embed)

    def cell(name: str, seed: int, judged: Rows, split: str) -> dict[str, Any]:
        def measure() -> dict[str, Any]:
            whose = {"clusters": [e.id for e in judged]}
            if name == WITHOUT:
                return {"scores": plain.right(judged), "facts": {"strength": plain.strength}, **whose}
            try:
                made = augment(
                    name, open_augmentation(name), Material(train, n=1, seed=seed, predict=plain.predict), Limits()
                )
            except MissingExtra as e:
                return {"facts": {"why_not": str(e)}}
            if not made.examples:
                return {"facts": {"why_not": "makes no variant of these examples", **made.facts}}
            more = Head((*train, *made.examples), dev, embed)
            return {"scores": more.right(judged), "facts": {**made.facts, "strength": more.strength}, **whose}

        return cells.of({"part": "head", "arm": name, "seed": seed, "split": split}, measure)

    found = {WITHOUT: [cell(WITHOUT, 0, dev, "dev")]}
    found |= {name: [cell(name, seed, dev, "dev") for seed in range(seeds)] for name in only}
    on_dev = table(found)
    result = {"part": "head", "n_train": len(train), "seeds": seeds, "on_dev": on_dev, "kept": kept(on_dev)}
    again = {WITHOUT: [cell(WITHOUT, 0, test, "test")]} if result["kept"] else {}
    again |= {name: [cell(name, seed, test, "test") for seed in range(seeds)] for name in kept(on_dev)}
    return {**result, "on_test": table(again) if again else []}


# Parts: arms of a study


@dataclass(frozen=True)
class Plan:
    """A study whose arms are built at a small, equal budget.

    ``before`` stands before ``OPERATOR + lora``; ``steps`` optimiser steps of ``rows`` rows each; ``dev`` questions
    are judged, whole clusters' worth drawn by hash.
    """

    study: str
    before: str
    steps: int
    dev: int
    rows: int = 8

    def arm(self, operator: str) -> str:
        """The arm's sum."""
        options = f"max_steps={self.steps}, num_train_epochs=1000, per_device_train_batch_size={self.rows}"
        options += f", eval_steps={self.steps}, choose=last"
        return " + ".join(filter(None, [self.before, "" if operator == WITHOUT else operator, f"lora({options})"]))


PLANS = {"lora-banking77": Plan("banking77", "", 100, 154), "xquad": Plan("xquad", "retrieve", 50, 160)}


def some(rows: Sequence[Example], n: int, by_label: bool) -> Rows:
    """``n`` of the rows by the hash of their ids, each label in its turn."""
    ordered = sorted(rows, key=lambda e: digest(["augmentation", e.id]))
    if by_label:
        seen: dict[tuple[str, ...], int] = {}
        turn = {}
        for e in ordered:
            turn[e.id] = seen[e.labels] = seen.get(e.labels, 0) + 1
        ordered = sorted(ordered, key=lambda e: turn[e.id])
    return tuple(ordered[:n])


class Arms:
    """Builds and asks the arms of a study."""

    def __init__(self, plan: Plan, work: Path, progress: Any) -> None:
        self.plan = plan
        file = prepare(plan.study, work / plan.study)
        self.setting: Setting = resolve(file, [], progress)
        self.data = preflight.inspect(self.setting).data
        engine = "transformers" if self.setting.task.chooses else "openvino"  # as a study chooses on this machine
        self.setting.engines_of[self.setting.use_case.model] = Engine(engine, "asked for")
        bench = self.setting.bench(self.data, self.setting.engines(), Counts())
        self.bench: Bench = replace(bench, dev=some(bench.dev, plan.dev, self.setting.task.chooses))
        self.builder = Builder(self.setting.use_case, self.setting.base, self.bench)
        self.by = self.setting.use_case.data.split.by

    def measure(self, operator: str, test: Sequence[Example] = ()) -> dict[str, Any]:
        """Build an arm, ask it dev (or the test), and return its scores."""
        if operator != WITHOUT:
            why = self._nothing(operator)
            if why:
                return {"facts": {"why_not": why}}
        built = self.builder.arm(Arm(does=self.plan.arm(operator)))
        if built.program is None:
            return {"facts": {"why_not": built.why}}
        judged = tuple(test) or self.bench.dev
        answers = self.bench.answer(built.program, judged, f"ask {operator}")
        scores = self.bench.metrics[0].score(judged, answers)
        facts: dict[str, Any] = {}
        for note in built.notes:
            if note["note"] == "augmented":
                facts |= {k: note[k] for k in ("proposed", "kept", "refused")}
            if note["note"] == "trained":
                keys = ("steps", "rows", "tokens", "computed_tokens", "supervised_tokens", "seconds", "dev_loss")
                facts |= {k: round(note[k], 4) if isinstance(note[k], float) else note[k] for k in keys}
        return {
            "scores": [s.value or 0.0 for s in scores],
            "clusters": [data.cluster(e, self.by) for e in judged],
            "facts": facts,
        }

    def _nothing(self, operator: str) -> str:
        """Why an operator makes nothing of these examples, found out before an hour is spent on the same arm again."""
        part = parts.find("augmentation", operator)
        if getattr(parts.module(part), "PREDICTS", False):
            return "" if self.bench.labels else "needs examples with classes"
        known = {e.source for e in self.bench.train} - {e.source for e in self.bench.dev}
        documents = tuple(d for d in self.bench.documents if d.source in known)
        try:
            made = augment(operator, open_augmentation(operator), Material(self.bench.train, documents))
        except MissingExtra as e:
            return str(e)
        return "" if made.examples else "makes no variant of these examples"


def study_part(name: str, work: Path, cells: Cells, only: Sequence[str], steps: int | None) -> dict[str, Any]:
    """Measure each operator as an arm, test what is kept."""
    plan = replace(PLANS[name], steps=steps) if steps else PLANS[name]
    plan = replace(plan, dev=16) if steps else plan
    arms: list[Arms] = []

    def cell(operator: str, split: str) -> dict[str, Any]:
        def measure() -> dict[str, Any]:
            if not arms:
                arms.append(Arms(plan, work, Live()))
            test = data.load_sealed(arms[0].data.seal) if split == "test" else ()
            return arms[0].measure(operator, test)

        asked = {"part": name, "arm": operator, "does": plan.arm(operator), "dev": plan.dev, "split": split}
        return cells.of(asked, measure)

    found = {operator: [cell(operator, "dev")] for operator in (WITHOUT, *only)}
    on_dev = table(found)
    best = [] if steps else kept(on_dev)
    again = {operator: [cell(operator, "test")] for operator in (WITHOUT, *best)} if best else {}
    budget = {"arm": plan.arm(WITHOUT), "steps": plan.steps, "rows_a_step": plan.rows, "dev": plan.dev}
    trained = found[WITHOUT][0]["facts"]
    result = {"part": name, "budget": budget, "without": trained, "on_dev": on_dev, "kept": best}
    return {**result, "on_test": table(again) if again else []}


def written(results: Mapping[str, Any], minutes: float) -> None:
    """Put the parts that were measured into the result; other parts stay, with the code that made them."""
    before = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    made = {"machine": machine(), "packages": packages(), "code": code_hash(), "minutes": round(minutes, 1)}
    held = {k: v for k, v in before.get("parts", {}).items() if k in ("head", *PLANS)}
    held |= {name: {**found, **made} for name, found in results.items()}
    why = dict.fromkeys(WRITERS, "writes with a model; none that can be had here writes well enough to be judged by it")
    result = {"parts": held, "not_measured": why, "mechanism": "tests/data/test_writing_server.py"}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, test what is kept, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for converted sets, stores and cells")
    parser.add_argument("--part", choices=("head", *PLANS), action="append", help="all where none is named")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each operator (head)")
    parser.add_argument("--only", nargs="*", help="try some operators; nothing is written")
    parser.add_argument("--steps", type=int, help="try so many steps and 16 questions; nothing is written")
    args = parser.parse_args()
    work, chosen = args.work.resolve(), args.only or operators()
    cells = Cells(work / "cells.jsonl")
    for name in args.part or ("head", *PLANS):
        began = time.monotonic()
        if name == "head":
            found = head(work, cells, chosen, args.seeds)
        else:
            found = study_part(name, work, cells, chosen, args.steps)
        if not args.only and not args.steps:
            written({name: found}, (time.monotonic() - began) / 60)
        for row in found["on_dev"]:
            print(json.dumps({k: v for k, v in row.items() if k != "facts"}))
        said = ", ".join(found["kept"]) or "none"
        print(f"{name}: kept {said}; the test was {'opened for these' if found['on_test'] else 'not opened'}.")


if __name__ == "__main__":
    main()
