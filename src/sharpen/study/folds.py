"""Folds: one study a fold, each with a test of its own that its programs have not seen, and what they come to together.

Every question is tested once. One comparison is made over all of them with all clusters; no fold has a verdict of its
own. What is claimed is about the programs that were built, one of every arm in each fold, taken together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sharpen.data import Dataset, Seal
from sharpen.errors import Problem
from sharpen.inputs import Data
from sharpen.study.building import Built
from sharpen.study.dev import DevRace
from sharpen.study.folder import RunFolder
from sharpen.study.results import Results
from sharpen.study.sealing import Opened
from sharpen.study.setting import Setting
from sharpen.types import Progress, digest

PROGRAM_OF = 1
"""The fold whose programs are asked and exported; those of the others are called ``ARM (fold N)``."""


def fold_data(data: Data) -> list[Data]:
    """The data of each fold; of a study without folds (or of one fold alone) its own."""
    s = data.split
    if not s.folds or s.fold:
        return [data]
    numbers = range(1, s.folds + 1)
    return [data.model_copy(update={"split": s.model_copy(update={"fold": k})}) for k in numbers]


def fold_settings(setting: Setting, folds: Sequence[Dataset]) -> list[Setting]:
    """A setting for each fold: a folder below the run's own, and no race, as arms meet over all folds together."""
    assert setting.folder is not None
    uc, made = setting.use_case, []
    for k, data in enumerate(fold_data(uc.data), 1):
        folder = RunFolder(setting.folder.path / f"fold-{k}")
        folder.join(setting.folder)
        own = uc.model_copy(update={"racing": False, "data": data})
        told = _within(setting.progress, f"fold {k} of {len(folds)}: ")
        made.append(replace(setting, use_case=own, folder=folder, progress=told))
    return made


def _within(progress: Progress, fold: str) -> Progress:
    return lambda stage, done, total: progress(fold + stage, done, total)


def named(arm: str, fold: int) -> str:
    """What the program of an arm in a fold is called."""
    return arm if fold == PROGRAM_OF else f"{arm} (fold {fold})"


def arm_of(name: str) -> str:
    """The arm that a program belongs to, of whatever fold it is."""
    return re.sub(r" \(fold \d+\)$", "", name)


def program_said(folds: Mapping[str, Any], name: str) -> str:
    """Which of an arm's programs this is, in a sentence; ``name`` may say a fold."""
    fold = re.search(r" \(fold (\d+)\)$", name)
    k, n = int(fold[1]) if fold else folds["program_of"], folds["n"]
    return (
        f"Of {n} programs of this arm, one a fold, this is the one of fold {k}; the score is that of all {n}, each on "
        "questions that it had not seen."
    )


def together(folds: Sequence[Dataset]) -> Dataset:
    """All folds as one: every question is test once, and train in some fold. Nothing is opened."""
    first = folds[0]
    if len(folds) == 1:
        return first
    train = {e.id: e for data in folds for e in data.train}
    return replace(
        first,
        train=tuple(train.values()),
        dev=(),
        seal=_seals([data.seal for data in folds]),
        dropped=tuple(dict.fromkeys(d for data in folds for d in data.dropped)),
        problems=problems_of([data.problems for data in folds]),
        notes=tuple(_told([data.notes for data in folds])),
        facts=_facts([data.facts for data in folds]),
    )


def _told(notes: Sequence[Iterable[str]]) -> list[str]:
    """Notes of all folds; what not all of them say is said with the fold."""
    every = [list(dict.fromkeys(some)) for some in notes]
    count = Counter(note for some in every for note in some)
    said = [note for note in every[0] if count[note] == len(every)]
    return said + [f"fold {k}: {note}" for k, some in enumerate(every, 1) for note in some if note not in said]


def problems_of(folds: Sequence[Sequence[Problem]]) -> tuple[Problem, ...]:
    """Problems of all folds; what not all of them have is said with the fold."""
    count = Counter(p for some in folds for p in dict.fromkeys(some))
    named = [(replace(p, where=f"{p.where} (fold {k})"), p) for k, some in enumerate(folds, 1) for p in some]
    return tuple(dict.fromkeys(p if count[p] == len(folds) else of_fold for of_fold, p in named))


def _seals(seals: Sequence[Seal]) -> Seal:
    """What is known of the tests of all folds; its file is none that could be opened."""
    return Seal(
        path=seals[0].path.parent / "of-all-folds",
        n=sum(s.n for s in seals),
        cluster_sizes=tuple(sorted((size for s in seals for size in s.cluster_sizes), reverse=True)),
        content=digest([s.content for s in seals]),
        questions=digest([s.questions for s in seals]),
        n_unanswerable=sum(s.n_unanswerable for s in seals),
        n_with_gold=sum(s.n_with_gold for s in seals),
        each=tuple(sorted({q for s in seals for q in s.each})),
        ids=frozenset(i for s in seals for i in s.ids),
    )


def _facts(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts: of the test all, of train and dev those of the first fold, and under ``folds`` those of each."""
    first, seen = folds[0], [f["test"] for f in folds]
    tests = {
        "n": sum(t["n"] for t in seen),
        "cluster_sizes": sorted((size for t in seen for size in t["cluster_sizes"]), reverse=True),
        "n_unanswerable": sum(t["n_unanswerable"] for t in seen),
        "n_with_gold": sum(t["n_with_gold"] for t in seen),
        "content": digest([t["content"] for t in seen]),
        "questions": digest([t["questions"] for t in seen]),
    }
    counts = [{f"{n}{what}": _count(f[n], what) for n in ("train", "dev", "test") for what in PARTS} for f in folds]
    return {
        **first,
        "test": tests,
        "dropped": _most([f["dropped"] for f in folds]),
        "leaks": _summed([f["leaks"] for f in folds]),
        "alike": _summed([f["alike"] for f in folds]),
        "notes": _told([f["notes"] for f in folds]),
        "problems": list({str(p): p for f in folds for p in f["problems"]}.values()),
        "folds": [{"fold": k, **row} for k, row in enumerate(counts, 1)],
    }


PARTS = ("", "_clusters")


def _count(part: Mapping[str, Any], what: str) -> int:
    return len(part["cluster_sizes"]) if what else int(part["n"])


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for each in counts:
        total.update(each)
    return dict(total)


def _most(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Rows that could not be read are the same ones in every fold; leaks are each fold's own."""
    leaks = _summed([{k: n for k, n in each.items() if k.startswith("leak:")} for each in counts])
    return {k: leaks.get(k, n) for k, n in {**_rows(counts), **leaks}.items()}


def _rows(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {k: n for k, n in counts[0].items() if not k.startswith("leak:")}


def pooled(setting: Setting, data: Dataset, parts: Sequence[Results], plan: Mapping[str, Any]) -> Results:
    """All folds' results as one: questions, answers and clusters one fold after the other."""
    first = parts[0]
    if len(parts) == 1 and setting is first.setting:
        return first
    family = [b.name for b in first.left]
    built = [_arm([p.built for p in parts], b) for b in first.built]
    kinds = {kind: _names([p.answered[kind] for p in parts if p.asked(kind)]) for kind in first.answered}
    return replace(
        first,
        setting=setting,
        data=data,
        built=built,
        left=[b for b in built if b.name in family],
        race=races([p.race for p in parts], family),
        latencies={name: _latency([p.latencies.get(name) or {} for p in parts]) for name in first.latencies},
        test=_opened([p.test for p in parts], plan),
        answered={
            kind: {name: [a for p in parts for a in p.answered[kind].get(name, ())] for name in names}
            for kind, names in kinds.items()
        },
        folds=tuple(parts),
        _scores={},
    )


def _names(answered: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those that answered in every fold."""
    return [name for name in (answered or [{}])[0] if all(name in each for each in answered)]


def _arm(folds: Sequence[Sequence[Built]], one: Built) -> Built:
    """An arm over all folds: what it takes to build it once, and why it is not there where a fold lacks it."""
    mine = [next(b for b in built if b.name == one.name) for built in folds]
    lacking = [(k, b) for k, b in enumerate(mine, 1) if b.status == "not available"]
    one = replace(one, seconds=sum(b.seconds for b in mine) / len(mine), trained=any(b.trained for b in mine))
    if not lacking:
        return one
    k, other = lacking[0]
    why = other.why if len(lacking) == len(mine) else f"in fold {k}: {other.why}"
    return replace(one, status=other.status, why=why, program=None)


def races(folds: Sequence[DevRace], family: Sequence[str]) -> DevRace:
    """Dev over all folds: the mean of each arm's values, weighted by questions; nothing is dropped."""
    values: dict[str, dict[str, float | None]] = {}
    for name in folds[0].values:
        rows = [(r.values[name], r.n) for r in folds if name in r.values]
        values[name] = {metric: _mean([(row[metric], n) for row, n in rows]) for metric in rows[0][0]}
    tables: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(t for r in folds for t in r.tables):
        lines = [r.tables[name] for r in folds if name in r.tables]
        arms = {a: _mean([(line["arms"].get(a), line["n"]) for line in lines]) for a in values}
        tables[name] = {"n": sum(line["n"] for line in lines), "arms": arms}
    return DevRace(list(family), values=values, n=sum(r.n for r in folds), on=False, tables=tables)


def _mean(values: Sequence[tuple[float | None, int]]) -> float | None:
    known = [(v, n) for v, n in values if v is not None]
    return sum(v * n for v, n in known) / sum(n for _, n in known) if known and sum(n for _, n in known) else None


def _latency(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was measured in each fold: numbers as means, counts as sums, memory as the most."""
    known: dict[str, Any] = {**folds[0]}
    for key in ("mean_seconds", "p50_seconds", "p95_seconds", "prompt_tokens", "completion_tokens"):
        known[key] = _mean([(f.get(key), 1) for f in folds])
    for key in ("n", "failed"):
        known[key] = sum(f.get(key) or 0 for f in folds)
    memory = [f["memory_gb"] for f in folds if f.get("memory_gb") is not None]
    return {**known, "memory_gb": max(memory, default=None)}


def _opened(tests: Sequence[Opened], plan: Mapping[str, Any]) -> Opened:
    """The tests of all folds as one; the look is that of the questions that were looked at most."""
    examples = [e for t in tests for e in t.examples]
    seen = sum(t.seen * len(t.examples) for t in tests) / max(1, len(examples))
    clusters = [c for t in tests for c in t.clusters]
    return Opened(examples, clusters, tests[0].opened_at, max(t.looks for t in tests), dict(plan), seen)


def fold_rows(made: Results) -> dict[str, Any] | None:
    """For the report: what each fold learned from and was tested on, and what every arm scored there."""
    if not made.folds:
        return None
    metric = made.setting.metrics[0].name
    each = []
    for k, part in enumerate(made.folds, 1):
        row = {
            "fold": k,
            **{kind: len(rows) for kind, rows in (("train", part.data.train), ("dev", part.data.dev))},
            "test": len(part.test.examples),
            "n_clusters": len(set(part.test.clusters)),
            "opened_at": part.test.opened_at,
            "looks": part.test.looks,
            "scores": {b.name: part.values("arms", b.name)[metric] for b in part.left},
            "programs": {b.name: b.program.fingerprint for b in part.left if b.program},
        }
        each.append(row)
    return {"n": len(each), "program_of": PROGRAM_OF, "each": each}


def said(n: int, by: str) -> str:
    """What is claimed of folds, in a sentence for the verdict."""
    what = "question" if by == "row" else by if by in ("source", "group") else "group of questions"
    return (
        f"Every arm was built {n} times, each time without a fold of the questions and tested on it, so no program had "
        f"seen a {what} that it was tested on; what is claimed is about these {n} programs of an arm taken together."
    )
