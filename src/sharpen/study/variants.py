"""``sharpen data augment``: variants of a use case's training rows as a file of their own, to be looked at or given
back.

Every operator works on the rows themselves, never on another one's variants. What comes out is marked, stands beside
its original, and is made of train alone; dev and the sealed test are not looked at.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from sharpen import data, parts
from sharpen.config import parse_sum
from sharpen.data.augmenting import MARK, tokens
from sharpen.data.splitting import CLUSTER
from sharpen.errors import Problem, UserError
from sharpen.runtime import Engines
from sharpen.study.augmenting import NothingMade, augmented, kind_of, open_step, unwritten
from sharpen.study.environment import code_hash
from sharpen.study.setting import Setting, resolve, weights_of
from sharpen.techniques import Bench, Counts, NotAvailable
from sharpen.types import Example, Progress, System, digest, silent

OWN = (MARK, "of", "how", "operator", "from", "triple", "weights", CLUSTER)
"""Keys of ``meta`` that are written by themselves, or not at all."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        steps: operators, each ``name`` or ``name(option=value)``.
        seed: of their random choices; None: the use case's.
        share: most variants of all operators together, as a share of the training rows.
        most: most variants at all; 0: as many as ``share`` allows.
        model: the model that writes, for operators that need one and name none.
    """

    steps: Sequence[str]
    seed: int | None = None
    share: float = 1.0
    most: int = 0
    model: str = ""


@dataclass(frozen=True)
class Variants:
    """Rows of the file (see :func:`variant_row`), what is said of each operator, and of all of them."""

    rows: tuple[dict[str, Any], ...]
    operators: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]


def variants(use_case: Path, wanted: Wanted, settings: Sequence[str] = (), progress: Progress = silent) -> Variants:
    """Make variants of a use case's training rows.

    Raises:
        UserError: an operator is not known, cannot work here, or the data cannot be prepared.
    """
    setting = resolve(use_case, settings, progress)
    steps = _steps(wanted, setting)
    made = data.load(data.prepare(setting.use_case.data, setting.base, setting.store.root / "data", progress))
    real = tuple(e for e in made.train if not e.meta.get(MARK))
    engines = Engines(setting.store, setting.opener, setting.embedder, 2, rerankers=setting.reranker)
    bench = replace(setting.bench(made, engines, Counts()), train=real)
    seed = setting.use_case.seed if wanted.seed is None else wanted.seed
    found, told = list[Example](), dict[str, dict[str, Any]]()
    for number, (name, step, options) in enumerate(steps):
        progress(f"augment: {name}", number, len(steps))
        rows, told[name] = _one(step, options, setting, bench, seed)
        texts = {e.question for e in found}
        new = [e for e in rows if e.question not in texts]
        if len(new) < len(rows):
            told[name]["refused"]["another operator made it already"] = len(rows) - len(new)
        found += new
    progress("augment", len(steps), len(steps))
    kept = _capped(found, wanted, len(real), seed)
    for name, step, _ in steps:
        there = [e for e in found if e.meta[MARK] == step]
        stays = [e for e in kept if e.meta[MARK] == step]
        told[name]["kept"] = len(stays)
        if "shares" in told[name]:
            told[name]["shares"] = dict(Counter(str(e.meta["operator"]) for e in stays).most_common())
        if len(there) > told[name]["kept"]:
            told[name]["refused"]["more than all may be together"] = len(there) - told[name]["kept"]
    by_id = {e.id: e for e in real}
    facts = {"version": made.folder.name, "train": len(real), "variants": len(kept), "seed": seed}
    facts["shares"] = dict(Counter(str(e.meta[MARK]) for e in kept).most_common())
    spans = _spans_hold(setting)
    written = [variant_row(e, by_id.get(str(e.meta.get("of"))), spans) for e in kept]
    return Variants(tuple(written), told, facts)


def _steps(wanted: Wanted, setting: Setting) -> list[tuple[str, str, dict[str, Any]]]:
    """Operators by what they were called, with their options; all that is wrong with them at once."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    problems: list[Problem] = []
    known = ", ".join(sorted(parts.all_parts("augmentation")))
    for said in wanted.steps:
        try:
            for step, options in parse_sum(said):
                if kind_of(step) != "augmentation":
                    raise UserError(f"there is no augmentation {step!r}.", "--with", f"There are: {known}.")
                if wanted.model and unwritten(step, options):
                    options = {**options, "model": wanted.model}
                if unwritten(step, options):
                    raise UserError(
                        f"{step} needs a model that writes, and none is named.", "--with", "Add: --model REF"
                    )
                if step in [other for _, other, _ in found]:
                    raise UserError(f"{step} stands there twice.", "--with", f"Ask for more at once: {step}(n=2)")
                open_step(step, options, setting.base)
                found.append((said.strip() if len(parse_sum(said)) == 1 else step, step, options))
        except UserError as e:
            problems += [replace(p, where=p.where or "--with") for p in e.problems]
    if not wanted.steps:
        problems.append(Problem("no operator is named.", "--with", f"Name one or more of: {known}."))
    if problems:
        raise UserError(problems)
    return found


def _one(
    step: str, options: Mapping[str, Any], setting: Setting, bench: Bench, seed: int
) -> tuple[list[Example], dict[str, Any]]:
    """The variants of one operator, and what is said of them; none, with the reason, where it makes none."""
    model = setting.use_case.model
    asks = getattr(parts.module(parts.find("augmentation", step)), "PREDICTS", False)
    program = bench.first(model) if asks else System(model)  # a model is opened only for those that ask it
    key = digest(["data augment", code_hash(), model, bench.labels, [digest(d.text) for d in bench.documents]])
    if asks and not bench.labels:
        raise UserError(f"{step} needs a task that chooses among classes.", "--with", "Leave it out; or take mixture.")
    try:
        more, facts = augmented(step, options, program, bench, seed, key, weights_of)
    except NothingMade as e:
        return [], {"refused": {}, **e.facts, "why": f"{step}: {e}"}
    except NotAvailable as e:
        raise UserError([replace(p, where=p.where or step) for p in e.problems]) from None
    return list(more.train[len(bench.train) :]), {"refused": {}, **facts}


def _capped(found: Sequence[Example], wanted: Wanted, real: int, seed: int) -> list[Example]:
    """A random choice of as many as all may be together, in their order; the same with the same seed."""
    most = int(wanted.share * real)
    most = min(most, wanted.most) if wanted.most else most
    if len(found) <= most:
        return list(found)
    drawn = sorted(random.Random(f"{seed} all variants").sample(range(len(found)), most))
    return [found[i] for i in drawn]


def _spans_hold(setting: Setting) -> bool:
    """Whether spans of the prepared documents are those of the documents as they lie there."""
    d = setting.use_case.data
    return d.privacy.how == "off" and not (d.clean.documents or d.duplicates.sentences or d.duplicates.spans)


def variant_row(variant: Example, parent: Example | None, spans: bool = True) -> dict[str, Any]:
    """A variant as a row of a file of examples, marked and beside its original.

    ``synthetic`` is true, ``operator`` what made it, ``of`` its original's id, ``original`` its text, ``how`` what was
    done, ``replaced`` the places that differ (see :func:`replaced`), ``from`` the row or document that words were taken
    from and ``triple`` the fact that it was made of, where an operator has them.
    """
    m = variant.meta
    row: dict[str, Any] = {"id": variant.id, "synthetic": True, "operator": m[MARK], "how": m.get("how", "")}
    if "operator" in m:
        row["operator"] = f"{m[MARK]}: {m['operator']}"
    if parent is not None:
        row |= {"of": parent.id, "original": parent.question, "replaced": replaced(parent.question, variant.question)}
        if variant.targets != parent.targets:
            row["original_answers"] = list(parent.targets)
    row |= {key: m[key] for key in ("from", "triple", "weights") if key in m}
    if len(variant.messages) == 1:
        row["question"] = variant.question
    else:
        row["messages"] = data.example_row(variant)["messages"]
    row["answers"] = list(variant.targets)
    for key in ("labels", "rejected"):
        if getattr(variant, key):
            row[key] = list(getattr(variant, key))
    for key in ("source", "group"):
        if getattr(variant, key):
            row[key] = getattr(variant, key)
    if variant.answerable is not None:
        row["answerable"] = variant.answerable
    if variant.weight != 1.0:
        row["weight"] = variant.weight
    if variant.gold and spans:
        row["gold"] = [{"source": g.source, "start": g.start, "end": g.end} for g in variant.gold]
    return {**{k: v for k, v in m.items() if k not in (*OWN, *row)}, **row}


def replaced(was: str, now: str) -> list[dict[str, Any]]:
    """Where two texts differ by words: ``start`` and ``end`` in the original, what ``was`` there and is ``now``."""
    a, b = tokens(was), tokens(now)
    starts = [0]
    for token in a:
        starts.append(starts[-1] + len(token))
    found = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return [
        {"start": starts[i], "end": starts[j], "was": "".join(a[i:j]), "now": "".join(b[k:m])}
        for tag, i, j, k, m in found
        if tag != "equal"
    ]


__all__ = ["Variants", "Wanted", "replaced", "variant_row", "variants"]
