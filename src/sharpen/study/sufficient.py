"""Whether more examples would help, where answers are chosen among labels: a learning curve on frozen embeddings."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.config import UseCase
from sharpen.data import Dataset, cluster
from sharpen.data.page import label_of
from sharpen.errors import MissingExtra, UserError
from sharpen.models import open_model
from sharpen.tasks import open_task
from sharpen.types import Example, Progress, silent

MOST = 4_000
"""Examples of train and dev that are embedded; of more, evenly spaced ones are."""
ASK = "Whether more examples would help is measured by a learning curve: sharpen data report."
"""What ``check`` says where this can be asked: the curve itself takes too long for it."""


@dataclass(frozen=True)
class Embedded:
    """Rows that have a label, their features (n, d), how many there are in all, and why there are no features."""

    rows: Sequence[Example]
    of: int
    features: Any = None
    why: str = ""


def embedded(use_case: UseCase, base: Path, data: Dataset, progress: Progress = silent) -> Embedded | None:
    """Embed rows of train and dev once, for all that looks at labels; None where the task chooses among no labels."""
    if not open_task(use_case.task, base).chooses:
        return None
    every = [e for e in (*data.train, *data.dev) if label_of(e)]
    some = every[:: -(-len(every) // MOST)] if every else []
    try:
        return Embedded(some, len(every), _features(some, use_case, progress))
    except UserError as e:  # an extra, a model or examples are missing: the rest of the report needs none of them
        return Embedded(some, len(every), why=" ".join(map(str, e.problems)))


def sufficiency(held: Embedded, use_case: UseCase, progress: Progress = silent) -> dict[str, Any]:
    """Measure a learning curve on train and dev, and say whether twice the examples would help.

    Returns:
        ``why``, a sentence; and where the curve could be measured ``sizes``, mean ``accuracy`` at each, and ``gain`` of
        a doubling with ``low`` and ``high`` (95 %).
    """
    not_measured = "Whether more data would help was not measured: "
    if held.why:
        return {"why": not_measured + held.why}
    try:
        found = _curve(held, use_case, progress)
    except UserError as e:
        return {"why": not_measured + " ".join(map(str, e.problems))}
    fewest, n = min(Counter(map(label_of, held.rows)).items(), key=lambda t: (t[1], t[0]))
    if len(held.rows) < held.of:
        some = f"{len(held.rows):,} of the {held.of:,}"
        found["why"] += f" This was measured on {some}: of all of them twice gives less."
        found["helps"] = "not known" if found["helps"] == "yes" else found["helps"]
    return {**found, "why": f"{found['why']} The class with the fewest examples, {fewest!r}, has {n}."}


def _features(some: Sequence[Example], use_case: UseCase, progress: Progress) -> Any:
    from sharpen.data.labels.sufficiency import WHAT

    if importlib.util.find_spec("sklearn") is None:  # said before anything is embedded
        raise MissingExtra(WHAT, "scikit-learn", "floors")
    texts = [e.question for e in some]
    ref = use_case.embeddings
    if ref.startswith("fake:"):
        return open_model(ref).embed(texts)  # type: ignore[attr-defined]
    from sharpen.models.embedder import open_embedder

    return open_embedder(ref).embed(texts, told=lambda n: progress("embed examples", n, len(texts)))


def _curve(held: Embedded, use_case: UseCase, progress: Progress) -> dict[str, Any]:
    from sharpen.data.labels.sufficiency import learning_curve

    progress("measure a learning curve", 0, None)
    some = held.rows
    groups = None
    if use_case.data.split.by == "source" and all(e.source for e in some):
        groups = [cluster(e, "source") for e in some]
    found = learning_curve(held.features, [label_of(e) for e in some], worth=use_case.worth, groups=groups)
    mean = found.accuracy.mean(axis=0)
    return {
        "sizes": list(found.sizes),
        "accuracy": [round(float(a), 4) for a in mean],
        "gain": round(found.gain, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "helps": found.helps,
        "why": found.why,
    }
