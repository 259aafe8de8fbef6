"""What a sampler is, and the way from training examples to those in which classes count more evenly.

A sampler is a part: one file in ``samplers/`` whose factory returns a function from the classes of rows and a seed to
the rows that are learned from, each as often as it is named. It sees train alone, and examples without a class stay
as they are: dev and test are as the world is, or a score would mean something else. With ``by`` the values of a column
(a segment, a language, ``source``) stand in the place of classes, so that groups of people count more evenly.
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
class Sampling:
    """A sampler that goes by the values of a column; empty: by classes."""

    draw: Sampler
    by: str = ""

    def __call__(self, labels: Sequence[str], seed: int) -> Sequence[int]:
        return self.draw(labels, seed)


def sampling(draw: Sampler, by: object) -> Sampling:
    """A sampler with its option ``by``.

    Raises:
        UserError: that is no text.
    """
    if not isinstance(by, str):
        raise UserError(f"the option by is {by!r}.", do="Write the name of a column, as by='segment'.")
    return Sampling(draw, by)


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
        UserError: the examples have no classes, or not the column that the sampler goes by.
    """
    by = str(getattr(sampler, "by", ""))
    of = getattr(parts.module(parts.find("sampler", name)), "of", None)
    classes = [of(e) if of else group_of(e, by) if by else _class(e, by_target) for e in train]
    rows = [i for i, c in enumerate(classes) if c]
    if len({classes[i] for i in rows}) < 2:
        what = f"values or more of the column {by!r}" if by else f"{'tables or sources' if of else 'classes'} or more"
        do = f"Name a column that training rows have; they have: {_columns(train)}." if by else ""
        do = do or ("Give data.examples a list of tables, or data.replay." if of else "Use it where rows have labels.")
        raise UserError(f"{name} needs examples of two {what}.", do=do)
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


def group_of(example: Example, by: str) -> str:
    """The value that an example has of a column, or of its source or group; empty: it has none."""
    own = {"source": example.source, "group": example.group}
    return str(example.meta.get(by, own.get(by) or ""))


def _columns(train: Sequence[Example]) -> str:
    return ", ".join(sorted({key for e in train for key in e.meta})) or "none"


def _class(example: Example, by_target: bool) -> str:
    return "; ".join(example.labels or (example.targets[:1] if by_target else ()))


def whole(option: str, value: object) -> None:
    """See that an option is a positive whole number, or None.

    Raises:
        UserError: it is not.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise UserError(f"the option {option} is {value!r}.", do="Write a whole number of 1 or more.")
