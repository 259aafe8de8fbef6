"""Labelling functions from a file, and what they make of rows.

A YAML list; each entry names a label and says by what it is known, or names a Python file of the user's own::

    - {label: refund, keywords: [refund, money back]}
    - {label: delivery, pattern: "parcel|shipp(ed|ing)", name: parcels}
    - {label: greeting, words: {least: 1, most: 3}}
    - {python: mine.py}

Every public function of ``mine.py`` takes a text and returns a label, or None to abstain. The file runs, as a technique
of the user's own does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.data.labels.functions import (
    ABSTAINS,
    LabelModel,
    Rule,
    Summary,
    Votes,
    apply,
    keywords,
    label_model,
    lengths,
    pattern,
    summary,
)
from sharpen.errors import PluginError, Problem, UserError
from sharpen.parts import load_file
from sharpen.store import read_yaml

OTHER = "\0other"  # the class of texts whose class no rule names
SHARED = 0.1  # of a rule's votes, that others must vote on for agreement to say something of it
KINDS = ("keywords", "pattern", "words")
FORM = "Write {label: refund, keywords: [refund, money back]}, pattern: …, words: {least: 1, most: 3}, or python: file."


def read_rules(path: Path) -> list[Rule]:
    """Read a file of labelling functions.

    Raises:
        UserError: it is no list of them; all that is wrong is said at once.
        PluginError: a Python file that it names failed.
    """
    if not path.is_file():
        raise UserError("there is no such file.", str(path), FORM)
    given = read_yaml(path)
    if not isinstance(given, list) or not given:
        raise UserError("is no list of labelling functions.", str(path), FORM)
    rules: list[Rule] = []
    problems: list[Problem] = []
    for n, entry in enumerate(given, 1):
        where = f"{path.name}, rule {n}"
        try:
            rules += _rules(entry, where, path.parent)
        except UserError as e:
            problems += [p if p.where.startswith(path.name) else Problem(p.what, where, p.do) for p in e.problems]
    twice = {r.name for i, r in enumerate(rules) if r.name in [x.name for x in rules[:i]]}
    problems += [Problem(f"two rules are called {n!r}.", path.name, "Name them apart: name: …") for n in sorted(twice)]
    if problems:
        raise UserError(problems)
    return rules


def _rules(entry: Any, where: str, base: Path) -> list[Rule]:
    if not isinstance(entry, Mapping):
        raise UserError("is no rule.", where, FORM)
    if "python" in entry:
        if set(entry) != {"python"} or not isinstance(entry["python"], str):
            raise UserError("a Python file stands alone.", where, "Write {python: mine.py}.")
        return _own(base / entry["python"], where)
    label, name = entry.get("label"), entry.get("name", "")
    said = [k for k in KINDS if k in entry]
    strange = sorted(str(k) for k in set(entry) - {"label", "name", *KINDS})
    if not isinstance(label, str) or not label.strip() or not isinstance(name, str) or len(said) != 1 or strange:
        what = f"there is no key {strange[0]!r}." if strange else "a rule has a label and one way to know it."
        raise UserError(what, where, FORM)
    value = entry[said[0]]
    return [_rule(said[0], label.strip(), value, name, where)]


def _rule(how: str, label: str, value: Any, name: str, where: str) -> Rule:
    if how == "pattern" and isinstance(value, str) and value:
        return pattern(label, value, name)
    if how == "keywords":
        terms = [value] if isinstance(value, str) else value
        if isinstance(terms, list) and terms and all(isinstance(t, str) for t in terms):
            return keywords(label, *terms, name=name)
    if how == "words" and isinstance(value, Mapping) and value and set(value) <= {"least", "most"}:
        numbers = list(value.values())
        if all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
            return lengths(label, value.get("least", 0), value.get("most"), name)
    raise UserError(f"{how} cannot be {value!r}.", where, FORM)


def _own(path: Path, where: str) -> list[Rule]:
    """The public functions of a file of the user's own, each a rule under its name."""
    if not path.is_file():
        raise UserError(f"there is no file {path.name}.", where, "Its path is relative to the file of rules.")
    try:
        module = load_file(f"sharpen_rules_{path.stem}", str(path))
    except Exception as e:  # anybody's file
        raise PluginError(f"labelling functions {path.name}", str(path), e) from e
    found = [
        Rule(name, call)
        for name, call in vars(module).items()
        if inspect.isfunction(call) and not name.startswith("_") and call.__module__ == module.__name__
    ]
    if not found:
        raise UserError(f"{path.name} has no public function.", where, "Write def name(text): return a label, or None.")
    return [Rule(r.name, _labels(r.name, r.call)) for r in found]


def _labels(name: str, call: Callable[[str], Hashable | None]) -> Callable[[str], Hashable | None]:
    """The function, held to what it may return."""

    def asked(text: str) -> Hashable | None:
        said = call(text)
        if said is not None and not isinstance(said, str):
            raise TypeError(f"{name} returned a {type(said).__name__}, and should return a label or None")
        return said

    return asked


@dataclass(frozen=True)
class Labelled:
    """What rules make of texts: ``sure`` (position -> label, probability), and the ``rest``, with a guess or without.

    ``accuracy`` is each rule's estimated share of right votes; that of a summary is measured on the labels known.
    """

    votes: Votes
    rules: tuple[Summary, ...]
    accuracy: tuple[float, ...]
    sure: Mapping[int, tuple[str, float]]
    rest: Mapping[int, tuple[str, float] | None]
    covered: int
    measured: tuple[int, int]

    def assumed(self, rule: int) -> bool:
        """Whether hardly another rule votes where this one does: its estimate is then what was assumed beforehand."""
        one = self.rules[rule]
        return one.overlaps < SHARED * one.coverage

    def who(self, row: int) -> list[str]:
        """The rules that vote on a row."""
        return [name for name, said in zip(self.votes.rules, self.votes.said[row], strict=True) if said >= 0]


def label_by_rules(
    rules: Sequence[Rule], texts: Sequence[str], classes: Sequence[str], gold: Mapping[int, str], sure: float
) -> Labelled:
    """Let rules vote on texts, weigh them, and take what is at least so ``sure``; ``gold`` judges, and teaches nothing.

    ``measured`` is how many of the sure rows have a known label, and how many of these are right.

    Raises:
        UserError: no rule says anything, or one says what is no class.
    """
    votes = apply(rules, texts, [*classes] or None)
    spoken = [int(c) for c in np.unique(votes.said[votes.said != ABSTAINS])]
    # Classes that no rule names are one: each alone would cost time, and nothing tells them apart.
    named = [votes.classes[c] for c in spoken] + ([OTHER] if len(spoken) < len(votes.classes) else [])
    place = np.full(len(votes.classes) + 1, ABSTAINS)
    place[spoken] = np.arange(len(spoken))
    votes = Votes(votes.rules, tuple(named), place[votes.said])
    made: LabelModel = label_model(votes)
    taken: dict[int, tuple[str, float]] = {}
    rest: dict[int, tuple[str, float] | None] = {}
    for i, one in enumerate(made.labels):
        if one.label is None or one.label == OTHER:
            rest[i] = None
        elif one.share >= sure:
            taken[i] = (str(one.label), one.share)
        else:
            rest[i] = (str(one.label), one.share)
    judged = [i for i in taken if i in gold]
    right = sum(taken[i][0] == gold[i] for i in judged)
    covered = int((votes.said != ABSTAINS).any(axis=1).sum())
    return Labelled(votes, tuple(summary(votes, gold)), made.accuracy, taken, rest, covered, (len(judged), right))
