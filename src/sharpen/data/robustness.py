"""Questions to judge on, with small changes that a person would hardly notice: a set of its own, for robustness.

Nothing here is a test: the questions are made of dev or test questions, each marked with what was done and of which it
was made, and stand apart. What they show is how much an answer depends on the form of a question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sharpen.data.augmenting import Limits, Material, augment, open_augmentation
from sharpen.errors import UserError
from sharpen.types import Example

CHANGES = ("letter_case", "typos", "scanned", "deletion", "swap", "truncation")
"""Operators that need neither a model nor other questions, from mild to harsh."""


def perturbed(
    judged: Sequence[Example], changes: Sequence[str] = CHANGES, seed: int = 0
) -> dict[str, tuple[Example, ...]]:
    """Return, for each operator, one variant of each question that it can change.

    Variants keep answers, gold and source of their question, so that they belong to its cluster. ``meta`` names the
    operator (``synthetic``), the question (``of``), what was done (``how``), and says ``robustness``.

    Args:
        judged: dev or test questions.
        changes: operators.
        seed: of their random choices.

    Raises:
        UserError: one of them learns from training examples or from a model, or there is no such operator.
    """
    made: dict[str, tuple[Example, ...]] = {}
    whole = Limits(alike=0.0)
    for name in changes:
        if name not in CHANGES:
            do = f"Take of: {', '.join(CHANGES)}."
            raise UserError(f"{name} is no change that leaves a question what it is.", do=do)
        # One at a time: of two questions with different answers neither may forbid the other its variant.
        found = [augment(name, open_augmentation(name), Material((e,), seed=seed), whole).examples for e in judged]
        made[name] = tuple(replace(e, meta={**e.meta, "robustness": True}) for some in found for e in some)
    return made


def origin(variant: Example) -> str:
    """The id of the question that a variant was made of."""
    return str(variant.meta["of"])


def beside(judged: Sequence[Example], variants: Mapping[str, Sequence[Example]]) -> dict[str, list[Example]]:
    """For each operator the questions that its variants were made of, in their order."""
    by_id = {e.id: e for e in judged}
    return {name: [by_id[origin(v)] for v in found] for name, found in variants.items()}
