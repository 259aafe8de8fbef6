"""Faults of prompts, by rules with ids: ``lint(brief)``, ``lint_text(text)``, ``lint_together(subjects)``.

Levels: an ``error`` cannot be followed as it stands, a ``warning`` will be read in more ways than one, an ``advice``
names a part that could be added. Wording is read by English words alone, so of other languages only what does not
depend on words is told. Rules read words and forms; whether a prompt is a good one only its answers say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from sharpen.prompts.brief import Brief
from sharpen.prompts.reading import Sentence, is_english, sentences, told

Level: TypeAlias = Literal["error", "warning", "advice"]
LEVELS: tuple[Level, ...] = ("error", "warning", "advice")
Hit: TypeAlias = tuple[str, str]
"""Where, and what was found there."""


@dataclass(frozen=True)
class Subject:
    """What is looked at: a prompt as data, or as ``text``.

    ``fields``: what it says, by field. ``context``: tokens that the model holds; None: not known. ``template``: the
    text is the instruction of a program, whose questions come apart, within ``fence``.
    """

    name: str
    fields: dict[str, str]
    brief: Brief | None = None
    context: int | None = None
    template: bool = False
    fence: str = ""

    @cached_property
    def text(self) -> str:
        """All that it says."""
        return "\n".join(self.fields.values())

    @cached_property
    def orders(self) -> dict[str, str]:
        """What it tells the model, by field, without what it only gives."""
        return dict(self.fields) if self.brief else {k: told(v) for k, v in self.fields.items()}

    @cached_property
    def said(self) -> dict[str, list[Sentence]]:
        """The sentences of what it tells, by field; none where they are not English."""
        if not is_english(self.text):
            return {}
        return {k: sentences(v) for k, v in self.orders.items()}

    @cached_property
    def english(self) -> bool:
        """Whether it can be read by English words."""
        return is_english(self.text)


@dataclass(frozen=True)
class Rule:
    """A rule: its id, its level, what it is about, what mends it, and what finds it."""

    id: str
    level: Level
    about: str
    fix: str
    check: Callable[[Subject], Iterable[Hit]] = field(repr=False)


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found in a prompt."""

    rule: str
    level: Level
    prompt: str
    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.prompt}: {self.where}" if self.where else self.prompt
        return f"{place}: {self.level} {self.rule}: {self.what} {self.fix}"


def rules() -> tuple[Rule, ...]:
    """All rules that look at one prompt, by id."""
    from sharpen.prompts.rules import conflicts, limits, missing, wording

    return tuple(sorted((*missing.RULES, *wording.RULES, *conflicts.RULES, *limits.RULES), key=lambda r: r.id))


def every_rule() -> tuple[Rule, ...]:
    """The same, with the one that looks at several prompts."""
    from sharpen.prompts.rules.together import RULE

    return tuple(sorted((*rules(), RULE), key=lambda r: r.id))


def lint(brief: Brief, context: int | None = None) -> list[Finding]:
    """What is wrong with a prompt, the worst first; ``context``: how many tokens the model holds."""
    return findings(Subject(brief.name, brief.texts(), brief, context, fence=brief.fence))


def lint_text(text: str, name: str = "text", context: int | None = None) -> list[Finding]:
    """What is wrong with a prompt that is only a text."""
    return findings(Subject(name, {"text": text}, context=context))


def findings(subject: Subject) -> list[Finding]:
    """What all rules say of one subject."""
    made = [
        Finding(rule.id, rule.level, subject.name, where if subject.brief else "", what, rule.fix)
        for rule in rules()
        for where, what in dict.fromkeys(rule.check(subject))
    ]
    return sorted(made, key=lambda f: (LEVELS.index(f.level), f.rule))


def lint_together(subjects: Sequence[Subject]) -> list[Finding]:
    """What is not alike in several prompts that are used together."""
    from sharpen.prompts.rules.together import RULE, unlike

    names = ", ".join(s.name for s in subjects[:3]) + ("" if len(subjects) < 4 else ", …")
    return [Finding(RULE.id, RULE.level, names, "", what, RULE.fix) for what in unlike(subjects)]
