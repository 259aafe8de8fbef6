"""What a sampler is, and the way from training examples to those in which classes count more evenly.

A sampler is a part: one file in ``samplers/`` whose factory returns a function from the classes of rows and a seed to
the rows that are learned from, each as often as it is named. It sees train alone, and examples without a class stay
as they are: dev and test are as the world is, or a score would mean something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sharpen import parts
from sharpen.errors import UserError
from sharpen.types import Example

Sampler: TypeAlias = Callable[[Sequence[str], int], Sequence[int]]
"""From the classes of rows and a seed to rows by number, each as often as it is to stand."""


@dataclass(frozen=True)
class Balanced:
    """The examples that are learned from, and how many each class had before and has now."""

    examples: tuple[Example, ...]
    before: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def facts(self) -> dict[str, Any]:
        """For a report."""
        n, now = sum(self.before.values()), sum(self.after.values())
        return {"rows": {"before": n, "after": now}, "before": dict(self.before), "after": dict(self.after)}


def open_sampler(name: str, options: Mapping[str, Any] | None = None) -> Sampler:
    """Return a sampler by name.

    Raises:
        UserError: there is none, or it has no such option.
    """
    made: Sampler = parts.make("sampler", name, options or {})
    return made


def replays(name: str) -> bool:
    """Whether a sampler is given the rows of other jobs, too."""
    return bool(getattr(parts.module(parts.find("sampler", name)), "REPLAYS", False))


def balanced(name: str, sampler: Sampler, train: Sequence[Example], by_target: bool, seed: int = 0) -> Balanced:
    """Sample training examples by class, or by what the sampler's own ``of(example)`` says that a row is of.

    Args:
        name: of the sampler; it stands in the ids and the lineage of repeated examples.
        sampler: says which rows stand, and how often.
        train: what is sampled.
        by_target: an example without labels has its first reference as its class.
        seed: of what is drawn.

    Raises:
        UserError: the examples have no classes.
    """
    of = getattr(parts.module(parts.find("sampler", name)), "of", None)
    classes = [of(e) if of else _class(e, by_target) for e in train]
    rows = [i for i, c in enumerate(classes) if c]
    if len({classes[i] for i in rows}) < 2:
        what = f"{name} needs examples of two {'tables or sources' if of else 'classes'} or more."
        do = "Give data.examples a list of tables, or data.replay." if of else "Use it where examples have labels."
        raise UserError(what, do=do)
    often = Counter(rows[i] for i in sampler([classes[i] for i in rows], seed))
    made = [
        again
        for i, e in enumerate(train)
        for again in ([e] if not classes[i] else [_again(e, name, n) for n in range(often[i])])
    ]
    before = Counter(classes[i] for i in rows)
    after = Counter(dict.fromkeys(before, 0))
    for i, n in often.items():
        after[classes[i]] += n
    return Balanced(tuple(made), dict(before.most_common()), {c: after[c] for c, _ in before.most_common()})


def _again(example: Example, name: str, n: int) -> Example:
    if not n:
        return example
    return replace(example, id=f"{example.id}~{name}{n}", meta={**example.meta, "sampled": name, "of": example.id})


def _class(example: Example, by_target: bool) -> str:
    return "; ".join(example.labels or (example.targets[:1] if by_target else ()))


def whole(option: str, value: object) -> None:
    """See that an option is a positive whole number, or None.

    Raises:
        UserError: it is not.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise UserError(f"the option {option} is {value!r}.", do="Write a whole number of 1 or more.")
