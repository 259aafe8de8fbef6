"""Where the arms that retrieve fail, on dev and on the test: what was found, what was read, what was cited or refused.

A wrong answer is *broken by context* where the same program is right without passages; otherwise a *retrieval miss*
where no given passage holds a gold span, and a *reader miss* where one does. One that was refused is counted apart.
Dev questions are shown as examples; of the test there are counts alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sharpen.evaluation import Rule, compare
from sharpen.metrics import Judge, bounds_of
from sharpen.metrics.abstaining import refused
from sharpen.metrics.ranking import hits, holds, ndcg_at, precision_at, recall_at, reciprocal_rank
from sharpen.runtime import dropped, found_for
from sharpen.study.abstention import abstained
from sharpen.study.building import Built
from sharpen.study.dev import clusters_of
from sharpen.study.results import Results
from sharpen.techniques import Bench
from sharpen.types import Answer, Example, Metric, Score

KS = (1, 3, 5, 10)
ENOUGH = 0.5
"""The score from which on an answer counts as right, as for the oracles."""
CAUSES = ("right", "refused", "retrieval_miss", "reader_miss", "broken_by_context")
SHOWN = 3
"""Examples of each cause and arm."""
LONGEST = 600
SUBJECTS = (["retrieve"], ["context"], ["search"])
"""What candidates are called that differ in how passages are found and given."""


def diagnosis(made: Results, benches: Sequence[Bench]) -> dict[str, Any] | None:
    """The rows of the report; None where no arm retrieves or nobody knows what a wrong answer is.

    Args:
        made: the study, of folds all of them.
        benches: the bench of each fold, that its programs were built on. Answers come from its cache; the questions
            that an arm answers wrongly are asked once more without passages.
    """
    metric = made.setting.metrics[0]
    if not metric.higher_is_better or bounds_of(metric) != (0.0, 1.0):
        return None
    parts = made.folds or (made,)
    rows = []
    for built in made.left:
        if built.program is None or built.program.retriever is None:
            continue
        on_dev = _dev(parts[0], benches[0], built.name)
        dev = _part(on_dev)
        asked = [_test(p, b, built.name) for p, b in zip(parts, benches, strict=True)]
        test = _part(_joined(asked))
        examples = dev.pop("examples")
        test.pop("examples")
        r = built.program.retriever
        rows.append(
            {
                "arm": built.name,
                "k": r.k,
                "how": r.how,
                "dev": dev,
                "test": test,
                "swept": swept(built, on_dev),
                "examples": examples,
            }
        )
    return {"metric": metric.name, "ks": list(KS), "arms": rows} if rows else None


class _Asked:
    """Questions of one part, what was answered with and without passages, and what was found."""

    def __init__(self, examples: Sequence[Example], answers: Sequence[Answer], clusters: Sequence[str]) -> None:
        self.examples, self.answers, self.clusters = list(examples), list(answers), list(clusters)
        self.scores: list[Score] = []
        self.without: dict[int, tuple[Answer, float]] = {}
        self.cites = False
        self.found: list[tuple[list[bool], int] | None] = []


def _dev(made: Results, bench: Bench, arm: str) -> _Asked:
    built = next(b for b in made.built if b.name == arm)
    assert built.program is not None
    answers = bench.answer(built.program, bench.dev, f"dev {arm}")
    asked = _Asked(bench.dev, answers, clusters_of(bench.dev, made.data.facts["cluster_by"]))
    return _filled(asked, built, bench, made.setting.metrics[0])


def _test(made: Results, bench: Bench, arm: str) -> _Asked:
    built = next(b for b in made.built if b.name == arm)
    asked = _Asked(made.test.examples, made.answered["arms"][arm], made.test.clusters)
    return _filled(asked, built, bench, made.setting.metrics[0])


def _filled(asked: _Asked, built: Built, bench: Bench, metric: Metric) -> _Asked:
    """Judge, search deeper than the arm does, and ask what it answers wrongly once more without passages."""
    assert built.program is not None
    program = built.program
    assert program.retriever is not None
    asked.cites = program.prompt.cites
    asked.scores = metric.score(asked.examples, asked.answers)
    known = [i for i, e in enumerate(asked.examples) if e.gold]
    wrong = [i for i in known if not _right(asked.scores[i])]
    bare = replace(program, retriever=None, refusal=None)
    again = bench.answer(bare, [asked.examples[i] for i in wrong], f"without passages {built.name}")
    judged = metric.score([asked.examples[i] for i in wrong], again)
    asked.without = {i: (a, s.value or 0.0) for i, a, s in zip(wrong, again, judged, strict=True)}
    deep = replace(program.retriever, k=max(KS), fetch=max(program.retriever.fetch, max(KS)), order="best_first")
    deep = replace(deep, words=0, least=None)
    examples = [asked.examples[i] for i in known]
    steps = [asked.answers[i].steps for i in known]
    lists = dict(zip(known, found_for(deep, examples, steps, bench.engines), strict=True))
    index = bench.engines.index(deep.index)
    asked.found = [
        (hits(lists[i], e.gold), len(index.covering(e.gold, len(e.gold))) or len(e.gold)) if e.gold else None
        for i, e in enumerate(asked.examples)
    ]
    return asked


def _joined(parts: Sequence[_Asked]) -> _Asked:
    whole = _Asked([], [], [])
    whole.cites = parts[0].cites
    for p in parts:
        at = len(whole.examples)
        for name in ("examples", "answers", "clusters", "scores", "found"):
            getattr(whole, name).extend(getattr(p, name))
        whole.without |= {at + i: said for i, said in p.without.items()}
    return whole


def _part(asked: _Asked) -> dict[str, Any]:
    """What one part shows: the search, the causes, citations, refusals."""
    known = [i for i, found in enumerate(asked.found) if found is not None]
    clusters = [asked.clusters[i] for i in known]
    causes = {i: _cause(asked, i) for i in known}

    def share(of: Callable[[int], float]) -> dict[str, Any]:
        return interval([of(i) for i in known], clusters)

    rows: dict[str, Callable[[int], float]] = {}
    for k in KS:
        rows[f"recall@{k}"] = lambda i, k=k: recall_at(k, *asked.found[i])  # type: ignore[misc]
        rows[f"precision@{k}"] = lambda i, k=k: precision_at(k, asked.found[i][0])  # type: ignore[misc,index]
        rows[f"ndcg@{k}"] = lambda i, k=k: ndcg_at(k, *asked.found[i])  # type: ignore[misc]
    rows[f"mrr@{max(KS)}"] = lambda i: reciprocal_rank(asked.found[i][0])  # type: ignore[index]
    rows["given"] = lambda i: float(_given(asked, i))
    right = [_right(s) for s in asked.scores]
    return {
        "n": len(known),
        "search": {name: share(of) for name, of in rows.items()} if known else {},
        "causes": {
            c: {"count": sum(x == c for x in causes.values()), **share(lambda i, c=c: float(causes[i] == c))}  # type: ignore[misc]
            for c in CAUSES
        }
        if known
        else {},
        "citations": cited(asked.answers) if asked.cites else None,
        "abstention": abstained(asked.examples, asked.answers, right),
        "examples": [_shown(asked, i, c) for c in CAUSES[1:] for i in [i for i in known if causes[i] == c][:SHOWN]],
    }


def interval(values: Sequence[float], clusters: Sequence[str]) -> dict[str, Any]:
    """The mean of values from 0 to 1 with its interval over clusters; bounds are None where there are too few."""
    scores = [Score(v) for v in values]
    compared = compare({"it": scores}, clusters=clusters, metric=_SHARE, baseline="it", rule=Rule(flips=2000))
    (row,) = compared.arms
    return {"value": row.mean, "low": row.ci_low, "high": row.ci_high}


_SHARE = Judge("share", lambda e, a: Score(None))


def cited(answers: Sequence[Answer]) -> dict[str, int]:
    """How many answers cite, how many citations are shown, and how many were dropped."""
    lost = [dropped(a.findings) for a in answers]
    return {
        "answers": sum(not refused(a) for a in answers),
        "citing": sum(bool(a.citations) for a in answers),
        "shown": sum(len(a.citations) for a in answers),
        "absent": sum(absent for absent, _ in lost),
        "unsupported": sum(other for _, other in lost),
    }


def _right(score: Score) -> bool:
    return (score.value or 0.0) >= ENOUGH


def _given(asked: _Asked, i: int) -> bool:
    return any(holds(p, g) for p in asked.answers[i].passages for g in asked.examples[i].gold)


def _cause(asked: _Asked, i: int) -> str:
    if _right(asked.scores[i]):
        return "right"
    if refused(asked.answers[i]):
        return "refused"
    if asked.without[i][1] >= ENOUGH:
        return "broken_by_context"
    return "reader_miss" if _given(asked, i) else "retrieval_miss"


def _shown(asked: _Asked, i: int, cause: str) -> dict[str, Any]:
    """A dev question as an example of a cause."""
    e, a = asked.examples[i], asked.answers[i]
    return {
        "cause": cause,
        "id": e.id,
        "question": e.question,
        "targets": list(e.targets),
        "answer": a.text,
        "without_passages": asked.without[i][0].text,
        "passages": [p.text[:LONGEST] for p in a.passages],
    }


def swept(built: Built, dev: _Asked) -> list[dict[str, Any]]:
    """The candidates of the search that were tried on dev: how many passages, in which order, in how many words.

    ``recall`` is the share of the gold that is among so many passages, where the candidate says how many.
    """
    found = [f for f in dev.found if f is not None]
    rows = []
    for note in built.notes:
        if note["note"] != "tried" or str(note.get("what", "")).split()[:1] not in SUBJECTS:
            continue
        k = re.search(r"\bk=(\d+)", str(note.get("candidate", "")))
        known = found and k and 0 < int(k[1]) <= max(KS)
        recall = sum(recall_at(int(k[1]), *f) for f in found) / len(found) if k and known else None
        said = {name: note.get(name) for name in ("what", "candidate", "n", "round")}
        rows.append({**said, "recall": recall, "values": dict(note.get("values") or {})})
    return rows
