"""Whether more examples would help, where answers are chosen among labels: a learning curve on frozen embeddings."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sharpen.config import UseCase
from sharpen.data import Dataset, cluster
from sharpen.errors import MissingExtra, UserError
from sharpen.models import open_model
from sharpen.tasks import open_task
from sharpen.types import Example, Progress, silent

MOST = 4_000
"""Examples of train and dev that are embedded; of more, evenly spaced ones are."""
ASK = "Whether more examples would help is measured by a learning curve: sharpen data report."
"""What ``check`` says where this can be asked: the curve itself takes too long for it."""


def sufficiency(use_case: UseCase, base: Path, data: Dataset, progress: Progress = silent) -> dict[str, Any] | None:
    """Measure a learning curve on train and dev, and say whether twice the examples would help.

    Returns:
        None where the task chooses among no labels. Otherwise ``why``, a sentence; and where the curve could be
        measured ``sizes``, mean ``accuracy`` at each, and ``gain`` of a doubling with ``low`` and ``high`` (95 %).
    """
    if not open_task(use_case.task, base).chooses:
        return None
    every = [e for e in (*data.train, *data.dev) if _label(e)]
    some = every[:: -(-len(every) // MOST)] if every else []
    try:
        found = _curve(some, use_case, progress)
    except UserError as e:  # an extra, a model or examples are missing: the rest of the report needs none of them
        return {"why": f"Whether more data would help was not measured: {' '.join(map(str, e.problems))}"}
    fewest, n = min(Counter(map(_label, every)).items(), key=lambda t: (t[1], t[0]))
    if len(some) < len(every):
        found["why"] += f" This was measured on {len(some):,} of the {len(every):,}: of all of them twice gives less."
        found["helps"] = "not known" if found["helps"] == "yes" else found["helps"]
    return {**found, "why": f"{found['why']} The class with the fewest examples, {fewest!r}, has {n}."}


def _curve(some: Sequence[Example], use_case: UseCase, progress: Progress) -> dict[str, Any]:
    from sharpen.data.labels.sufficiency import WHAT, learning_curve

    if importlib.util.find_spec("sklearn") is None:  # said before anything is embedded
        raise MissingExtra(WHAT, "scikit-learn", "floors")
    texts = [e.question for e in some]
    ref = use_case.embeddings
    if ref.startswith("fake:"):
        x = open_model(ref).embed(texts)  # type: ignore[attr-defined]
    else:
        from sharpen.models.embedder import open_embedder

        x = open_embedder(ref).embed(texts, told=lambda n: progress("embed examples", n, len(texts)))
    progress("measure a learning curve", 0, None)
    groups = None
    if use_case.data.split.by == "source" and all(e.source for e in some):
        groups = [cluster(e, "source") for e in some]
    found = learning_curve(x, [_label(e) for e in some], worth=use_case.worth, groups=groups)
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


def _label(example: Example) -> str:
    return (example.labels or example.targets or ("",))[0]
