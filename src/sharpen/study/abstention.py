"""What a program refuses to answer, for the report: counts, F1, and what a threshold of the search would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sharpen.metrics.abstaining import abstention, area, refused, risk_coverage
from sharpen.types import Answer, Example

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def abstained(examples: Sequence[Example], answers: Sequence[Answer], right: Sequence[bool]) -> dict[str, Any] | None:
    """Counts and the risk at several coverages; None where no question is unanswerable and none was refused.

    An answer to a question without one is wrong. The confidence is the best score of the given passages. What was
    refused is covered last, as wrong as it would be: a refusal is right where there is no answer.
    """
    if not any(e.answerable is False for e in examples) and not any(map(refused, answers)):
        return None
    found = abstention(examples, answers, right)
    asked = [i for i, a in enumerate(answers) if a.finish != "refused"]
    sure = [max((p.score for p in answers[i].passages), default=float("-inf")) for i in asked]
    good = [right[i] and examples[i].answerable is not False for i in asked]
    points = risk_coverage(sure, good)
    n = len(examples)
    curve = []
    for share in SHARES:
        within = [risk for coverage, risk in points if coverage * len(asked) / n <= share + 1e-9]
        if within and share <= len(asked) / n + 1e-9:
            curve.append({"coverage": share, "risk": within[-1]})
    return {
        "n": n,
        **asdict(found),
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "curve": curve,
        "area": area(points) if points else None,
    }
