"""What an augmentation is, and the way from training examples to those with variants of them.

An augmentation is a part: one file in ``augmentations/`` whose factory returns a function from a :class:`Material`, all
of it train, to :class:`Variant` objects. Variants pass filters (nothing that stands there already, nothing whose text
carries another label, nothing too far from its parent) and a cap on their share. What is left are training examples
like others, marked in ``meta``, with their parent's source: they never leave train.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from sharpen import parts
from sharpen.data.likelihood import Realism
from sharpen.data.wording import words
from sharpen.errors import UserError
from sharpen.types import Document, Example, Message, Progress, Span, silent

Ask: TypeAlias = Callable[[Sequence[Sequence[Message]]], list[str]]
"""Puts conversations to a model; one text each, empty where it failed."""

Predict: TypeAlias = Callable[[Sequence[str]], list[str]]
"""Labels of texts, by the model that is to be made more robust."""

MARK = "synthetic"
"""The key of ``Example.meta`` that names the augmentation."""


@dataclass(frozen=True)
class Material:
    """What augmentations work on. All examples are train's, all documents those that training may learn from.

    ``n``: how many variants of each example are wanted; ``ask`` and ``predict`` are None where there is no model;
    ``language``: that of the examples as a code ("en"), where it is not to be told from them.
    """

    train: tuple[Example, ...]
    documents: tuple[Document, ...] = ()
    n: int = 1
    seed: int = 0
    ask: Ask | None = None
    predict: Predict | None = None
    progress: Progress = silent
    language: str = ""

    def rng(self, purpose: str) -> random.Random:
        """A stream of random numbers that depends on seed and purpose alone, whatever else is augmented."""
        return random.Random(f"{self.seed} {purpose}")


@dataclass(frozen=True)
class Variant:
    """One new training text.

    Attributes:
        of: the id of the example that it was made from; empty where it was made from a document.
        question: what is asked.
        how: what was done, in a few words, for the row's lineage.
        target: its answer, where that is not the parent's.
        gold: where the answer stands, for questions made from documents.
        notes: what else its row keeps: ``from`` (row or source that words were taken from), ``triple``, ``operator``,
            ``weights``.
        kept_words: whether at least some of its parent's words should have stayed; off for what is made anew.
    """

    of: str
    question: str
    how: str = ""
    target: str | None = None
    gold: Span | None = None
    kept_words: bool = True
    notes: Mapping[str, Any] = field(default_factory=dict)


Augmentation: TypeAlias = Callable[[Material], Sequence[Variant]]


@dataclass(frozen=True)
class Limits:
    """What variants have to keep to.

    Attributes:
        share: most variants, as a share of real examples (1.0: as many as there are).
        alike: least share of words (Jaccard) that a variant has in common with its parent.
        longest: most times the words of its parent.
        even: only classes (groups, where there are no classes) smaller than the largest get variants, and none more
            than it has.
        likely: real rows of this share, the least likely ones, say from where on a variant is too unlikely (see
            :mod:`sharpen.data.likelihood`); 0: that is told and refuses nothing, for noise is unlikely on purpose.
    """

    share: float = 1.0
    alike: float = 0.2
    longest: float = 3.0
    even: bool = False
    likely: float = 0.0


@dataclass(frozen=True)
class Augmented:
    """Examples that were made, and how many variants went and why.

    ``groups``: examples of each class before and after, where classes were evened out; ``likelihood``: how likely
    variants are beside real rows, where those are enough to tell.
    """

    examples: tuple[Example, ...]
    refused: Mapping[str, int] = field(default_factory=dict)
    proposed: int = 0
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    likelihood: Mapping[str, float] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """For a report."""
        said: dict[str, Any] = {"proposed": self.proposed, "kept": len(self.examples), "refused": dict(self.refused)}
        said |= {"groups": {k: list(v) for k, v in self.groups.items()}} if self.groups else {}
        said |= {"likelihood": dict(self.likelihood)} if self.likelihood else {}
        shares = Counter(str(e.meta["operator"]) for e in self.examples if "operator" in e.meta)
        said |= {"shares": dict(shares.most_common())} if shares else {}
        weights = next((e.meta["weights"] for e in self.examples if "weights" in e.meta), None)
        return {**said, "weights": dict(weights)} if weights else said


def open_augmentation(name: str, options: Mapping[str, Any] | None = None) -> Augmentation:
    """Return an augmentation by name.

    Raises:
        UserError: there is none, or it has no such option.
    """
    made: Augmentation = parts.make("augmentation", name, options or {})
    return made


def augment(name: str, augmentation: Augmentation, material: Material, limits: Limits = Limits()) -> Augmented:
    """Make variants, filter them, and return those that stay as training examples.

    Each example gets at most ``material.n``, and where there are more than the cap allows a random choice stays, the
    same with the same seed.
    """
    by_id = {e.id: e for e in material.train}
    sizes = Counter(group_of(e) for e in material.train) if limits.even else Counter[str]()
    room = {g: max(sizes.values()) - n for g, n in sizes.items()}
    chosen = tuple(e for e in material.train if not limits.even or room[group_of(e)])
    variants = augmentation(replace(material, train=chosen)) if chosen or not limits.even else []
    gate = _Gate(material, limits)
    kept = [v for v in variants if gate.lets(v, by_id.get(v.of))]
    if limits.even:
        parents = [by_id.get(v.of) for v in kept]
        kept = _evened(kept, [group_of(p) if p else "" for p in parents], room, material.rng(f"{name} even"), gate)
    most = int(limits.share * len(material.train))
    if len(kept) > most:
        drawn = set(material.rng(f"{name} cap").sample(range(len(kept)), most))
        gate.refused["more than the cap allows"] += len(kept) - most
        kept = [v for i, v in enumerate(kept) if i in drawn]
    made = tuple(_example(name, n, v, by_id.get(v.of)) for n, v in enumerate(kept))
    after = sizes + Counter(group_of(e) for e in made) if limits.even else sizes
    groups = {g: (sizes[g], after[g]) for g in sorted(after)}
    return Augmented(made, dict(gate.refused), len(variants), groups, gate.realism.facts(made) if made else {})


def group_of(example: Example) -> str:
    """The class of an example, or its group where it has none."""
    return example.labels[0] if example.labels else example.group


def _evened(
    kept: Sequence[Variant], groups: Sequence[str], room: Mapping[str, int], rng: random.Random, gate: _Gate
) -> list[Variant]:
    """A random choice in each group of as many as it lacks."""
    stays: set[int] = set()
    for group in sorted(set(groups)):
        there = [i for i, g in enumerate(groups) if g == group]
        stays.update(rng.sample(there, min(len(there), room.get(group, 0))))
    gate.refused["more than its class lacks"] += len(kept) - len(stays)
    return [v for i, v in enumerate(kept) if i in stays]


SURE = 40
"""Words of train from which its language is told."""


def check_language(name: str, known: Sequence[str], material: Material) -> None:
    """Refuse examples that are in another language than an augmentation knows.

    Raises:
        UserError: it does not know the language that is named, or that the examples together seem to be in.
    """
    from sharpen.data.cleaners.language import UNKNOWN, identify

    code = material.language or identify("\n".join(e.question for e in material.train[:500]), SURE)[0]
    if code not in (*known, UNKNOWN):
        what = f"{name} knows {', '.join(known)} only, and the examples are in {code}."
        do = f"Leave it out; or, if they are in {known[0]} all the same, say so: {name}(language='{known[0]}')."
        raise UserError(what, do=do)


class _Gate:
    """Lets variants through that are new, that mean one thing only, and that are near enough to their parents."""

    def __init__(self, material: Material, limits: Limits) -> None:
        self.limits = limits
        self.realism = Realism(material.train)
        self.n = material.n
        self.refused: Counter[str] = Counter()
        self.labels: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        self.texts: set[str] = set()
        self.made: Counter[str] = Counter()
        for e in material.train:
            self.labels.setdefault(words(e.question), set()).add(e.labels or e.targets[:1])
            self.texts.add(e.question)

    def lets(self, variant: Variant, parent: Example | None) -> bool:
        why = self._why_not(variant, parent)
        if why:
            self.refused[why] += 1
            return False
        self.texts.add(variant.question)
        self.made[variant.of] += bool(variant.of)
        return True

    def _why_not(self, variant: Variant, parent: Example | None) -> str:
        said = words(variant.question)
        if not said:
            return "holds no words"
        if variant.question in self.texts:
            return "stands there already"
        if variant.of and self.made[variant.of] >= self.n:
            return "one more than was asked for"
        if parent is None:
            return "" if variant.target else "has no answer"
        label = parent.labels or ((variant.target,) if variant.target else parent.targets[:1])
        if self.labels.get(said, {label}) != {label}:
            return "is the text of another answer"
        if variant.kept_words:
            was, now = set(words(parent.question)), set(said)
            if len(was & now) < self.limits.alike * len(was | now):
                return "is too far from its parent"
        if len(said) > self.limits.longest * max(4, len(words(parent.question))):
            return "is too long"
        if self.limits.likely and self.realism.beyond(variant.question, variant.of, self.limits.likely):
            return "is less likely than real texts"
        return ""


def _example(name: str, n: int, variant: Variant, parent: Example | None) -> Example:
    if parent is None:
        assert variant.gold is not None
        assert variant.target is not None
        return Example(
            id=f"{name}:{n}",
            messages=(Message("user", variant.question),),
            targets=(variant.target,),
            gold=(variant.gold,),
            source=variant.gold.source,
            meta={MARK: name, "how": variant.how, **variant.notes},
        )
    last = max(i for i, m in enumerate(parent.messages) if m.role == "user")
    messages = [replace(m, content=variant.question) if i == last else m for i, m in enumerate(parent.messages)]
    return replace(
        parent,
        id=f"{parent.id}~{name}{n}",
        messages=tuple(messages),
        targets=(variant.target,) if variant.target is not None else parent.targets,
        meta={**parent.meta, MARK: name, "of": parent.id, "how": variant.how, **variant.notes},
    )


TOKEN = re.compile(r"\w+(?:['’]\w+)*|\s+|[^\w\s]+")


def tokens(text: str) -> list[str]:
    """Words, white space and punctuation; joined they are the text."""
    return TOKEN.findall(text)


def is_word(token: str) -> bool:
    """Whether a token is a word of letters, which may be changed: numbers and codes are facts."""
    return token.replace("'", "").replace("’", "").isalpha()


Edit: TypeAlias = Callable[[list[str], list[int], random.Random], tuple[list[str], str] | None]
"""From tokens and the places of words among them to new tokens and what was done; None: nothing can be."""


def edit(purpose: str, change: Edit) -> Augmentation:
    """An augmentation that changes the words of each question at random."""

    def make(material: Material) -> list[Variant]:
        made = []
        for e in material.train:
            split = tokens(e.question)
            places = [i for i, t in enumerate(split) if is_word(t)]
            rng = material.rng(f"{purpose} {e.id}")  # of its own: other examples change nothing here
            for _ in range(material.n):
                changed = change(list(split), list(places), rng) if places else None
                if changed is not None:
                    made.append(Variant(e.id, _joined(changed[0]), changed[1]))
        return made

    return make


def times(rate: float, places: Sequence[int]) -> int:
    """How many words a rate means: at least one (Wei and Zou 2019, "EDA")."""
    return max(1, round(rate * len(places)))


def _joined(split: Sequence[str]) -> str:
    return re.sub(r"[ \t]{2,}", " ", "".join(split)).strip()


def matched(new: str, old: str) -> str:
    """A word in the case of the one whose place it takes."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
