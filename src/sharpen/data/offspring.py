"""Variants of training rows: what each was made of, by which operator, and what was done, back to the original.

A study's arms and ``sharpen data augment`` keep what they made below ``built`` in the store, with hashes of the
questions that it was made of: a row of the same id in another version of the data may be another row. Rows of
``sharpen data augment`` that were given back as examples say it themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.data.augmenting import MARK
from sharpen.data.dataset import example_from, load
from sharpen.store import read_cached
from sharpen.types import Example, digest

TOLD = ("how", "operator", "from", "triple", "weights")


@dataclass(frozen=True)
class Made:
    """One record of the store: an operator with its options and seed, and the variants that it made."""

    step: str
    options: Mapping[str, Any]
    seed: int
    parents: Mapping[str, str]
    rows: Sequence[Example]


def offspring(folder: Path, built: Path, id: str) -> list[list[dict[str, Any]]]:
    """How a variant came about, once for each way in which it was made: from the variant to its original.

    Args:
        folder: prepared data, whose training rows variants go back to.
        built: the folder of the store in which what was made is kept.
        id: of the variant.

    Returns:
        Chains of steps; each names the variant's ``id``, its ``operator`` with ``options`` and ``seed`` where they are
        known, ``how``, ``of`` (empty for what was made from a document), ``source`` and ``text``. The last one's ``of``
        is a row of ``folder``. No chain: nothing is called so, or it was made of other data.
    """
    data = load(folder)
    train, real = data.train, {e.id: digest(e.question)[:16] for e in data.train}
    texts = {d.source: d.text for d in data.documents}
    given = [e for e in train if e.id == id and e.meta.get(MARK)]
    if given:
        return [[_given(e, train) for e in given]]
    records = [found for path in sorted(built.glob("*.json")) if (found := _record(path, id))]
    chains = [chain for record in records for chain in _chains(record, id, records, real)]
    chains = [chain for chain in chains if chain[-1]["of"] or _stands(chain[-1], texts)]
    return [chain for n, chain in enumerate(chains) if chain not in chains[:n]]


def _chains(record: Made, id: str, records: Sequence[Made], real: Mapping[str, str]) -> list[list[dict[str, Any]]]:
    made = next((e for e in record.rows if e.id == id), None)
    if made is None:
        return []
    of = str(made.meta.get("of", ""))
    step = {**_step(made), "options": dict(record.options), "seed": record.seed}
    if not of:
        return [[step]]
    if real.get(of) == record.parents.get(of, ""):
        return [[step]]
    before = [
        c for other in records for c in _chains(other, of, records, real) if c[0]["hash"] == record.parents.get(of)
    ]
    return [[step, *chain] for chain in before]


def _stands(step: Mapping[str, Any], texts: Mapping[str, str]) -> bool:
    """Whether what was made from a document was made from one of these: its answer stands there."""
    return all(answer in texts.get(step["source"], "") for answer in step["text"]["answers"])


def _step(made: Example) -> dict[str, Any]:
    step = {"id": made.id, "of": str(made.meta.get("of", "")), "by": str(made.meta[MARK]), "source": made.source}
    step |= {key: made.meta[key] for key in TOLD if key in made.meta}
    return {**step, "text": _said(made), "hash": digest(made.question)[:16]}


def _given(made: Example, train: Sequence[Example]) -> dict[str, Any]:
    """What a row that was given back says of itself; its original is known by its text where its id is another one."""
    step = _step(made)
    step["by"] = str(made.meta.get("operator") or "not said")
    original = made.meta.get("original")
    if step["of"] not in {e.id for e in train if e.question == original or original is None}:
        same = [e.id for e in train if e.question == original and not e.meta.get(MARK)]
        step["of"] = same[0] if same else ""
    return step


def _said(example: Example) -> dict[str, Any]:
    return {"question": example.question, "answers": list(example.targets), "labels": list(example.labels)}


def _record(path: Path, id: str) -> Made | None:
    """A record that may hold the variant or what it was made of; None for other files and older records."""
    root = id.split("~")[0]
    try:
        if json.dumps(root, ensure_ascii=False)[1:-1] not in path.read_text(encoding="utf-8"):
            return None
        return read_cached(path, _read)
    except (OSError, UnicodeDecodeError):
        return None


def _read(found: Any) -> Made | None:
    if "step" not in found or "parents" not in found:
        return None
    rows = tuple(map(example_from, found["rows"]))
    return Made(str(found["step"]), dict(found["options"]), int(found["seed"]), dict(found["parents"]), rows)
