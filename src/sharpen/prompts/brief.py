"""A prompt as data: its parts in fields of their own, checked as a whole, compared field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import Field, model_validator

from sharpen.errors import Problem, UserError
from sharpen.inputs import Strict
from sharpen.types import digest

RESERVED = frozenset({"name", "without", "written", "question", "context", "history"})
"""Names that no slot may have: options of the technique ``prompt``, and what the answer path fills in."""
SLOT = re.compile(r"\{(\w+)\}")
PROSE = ("persona", "task", "context", "audience", "format", "tone", "about_languages", "input", "indicator")
LISTS = ("facts", "must", "must_not")
DETAILS = ("examples", "output_schema", "words", *LISTS, "persona", "context", "audience", "format", "tone")
"""Parts that a prompt can be tried without."""


class Slot(Strict):
    """A place in a prompt that is filled later, and what may stand there."""

    type: Literal["text", "number", "date", "one_of"] = Field("text", description="of what stands there")
    about: str = Field("", description="what it is, in a sentence")
    words: int | None = Field(None, ge=1, description="text: most words")
    least: float | date | None = Field(None, description="number or date: the smallest, the earliest")
    most: float | date | None = Field(None, description="number or date: the greatest, the latest")
    choices: tuple[str, ...] = Field((), description="one_of: what may stand there")
    default: str | None = Field(None, description="what stands there where nothing is given")

    @model_validator(mode="after")
    def _limits_fit(self) -> Slot:
        if (self.type == "one_of") != bool(self.choices):
            raise ValueError("a slot has choices where its type is one_of, and only there")
        if self.words and self.type != "text":
            raise ValueError(f"words is a limit of text, not of a {self.type}")
        kind = {"number": (int, float), "date": (date,)}.get(self.type, ())
        for bound in (self.least, self.most):
            if bound is not None and not isinstance(bound, kind):
                raise ValueError(f"{bound} is no limit of a {self.type}")
        if self.least is not None and self.most is not None and self.least > self.most:  # type: ignore[operator]
            raise ValueError("least is more than most")
        if self.default is not None and (why := self.wrong(self.default)):
            raise ValueError(f"its own default {why}")
        return self

    @property
    def limits(self) -> list[str]:
        found = [f"at most {self.words} words"] if self.words else []
        found += [f"one of {', '.join(self.choices)}"] if self.choices else []
        found += [f"from {_short(self.least)}"] if self.least is not None else []
        found += [f"to {_short(self.most)}"] if self.most is not None else []
        return found + ([f"else {self.default}"] if self.default is not None else [])

    def wrong(self, value: Any) -> str | None:
        """Say why a value may not stand here; None: it may."""
        text = str(value).strip()
        if self.type == "one_of":
            return None if text in self.choices else f"is none of: {', '.join(self.choices)}"
        if self.type == "text":
            n = len(text.split())
            too_many = self.words is not None and n > self.words
            return "is empty" if not text else f"has {n} words, more than {self.words}" if too_many else None
        try:
            given: Any = date.fromisoformat(text) if self.type == "date" else float(text)
        except ValueError:
            return "is no date such as 2026-03-31" if self.type == "date" else "is no number"
        if given != given or given in (float("inf"), float("-inf")):
            return "is no number"
        if self.least is not None and given < self.least:
            return f"is less than {_short(self.least)}"
        return f"is more than {_short(self.most)}" if self.most is not None and given > self.most else None


def _short(bound: Any) -> str:
    return f"{bound:g}" if isinstance(bound, float | int) else str(bound)


class Shown(Strict):
    """A worked example of a prompt."""

    input: str = Field(min_length=1, description="what is given, for the slot that a run's question fills")
    output: str = Field(min_length=1, description="what is answered")


class Brief(Strict):
    """A prompt. Fields are rendered in a fixed order, see :mod:`sharpen.prompts.rendering`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="what it is called")
    about: str = Field("", description="what it is for, in a sentence")
    origin: str = Field("", description="who wrote it, or which model")
    licence: str = Field("", description="under which it may be used")
    domain: str = Field("", description="the field that it belongs to; empty: any")
    task: str = Field(min_length=1, description="critical: what is to be done, as an order")
    context: str = Field("", description="important: the background, and why it is asked")
    audience: str = Field("", description="who will read the answer")
    examples: tuple[Shown, ...] = Field((), description="important: worked examples")
    persona: str = Field("", description="added value: who answers, as in: a careful editor")
    format: str = Field("", description="added value: the form of the answer")
    tone: str = Field("", description="added value: tone and style")
    facts: tuple[str, ...] = Field((), description="knowledge that is given with each question")
    must: tuple[str, ...] = Field((), description="what the answer has to do")
    must_not: tuple[str, ...] = Field((), description="what the answer must not do")
    words: int | None = Field(None, ge=1, le=10_000, description="most words of the answer; a longer one is cut")
    source_language: str = Field("", description="the language of what is given")
    target_language: str = Field("", description="the language of the answer")
    about_languages: str = Field("", description="where the two differ: what stays as it is, names for instance")
    slots: dict[str, Slot] = Field({}, description="places that are filled later; {name} in any of the texts")
    question: str = Field("text", description="the slot that the question of a run fills")
    input: str = Field("{text}", min_length=1, description="how what is given is put, with its slots")
    fence: str = Field("", pattern=r"^[a-z_]*$", description="a tag around what is given, which it cannot end")
    indicator: str = Field("", description="what stands last, where the answer begins: 'Summary:'")
    output_schema: dict[str, Any] = Field({}, description="a JSON Schema that the answer has to keep")

    @model_validator(mode="after")
    def _whole(self) -> Brief:
        used = {name for text in self.texts().values() for name in SLOT.findall(text)}
        wrong = [f"{{{name}}} stands in it and is no slot" for name in sorted(used - set(self.slots))]
        wrong += [f"the slot {name} stands nowhere in it" for name in sorted(set(self.slots) - used)]
        wrong += [f"no slot may be called {name}" for name in sorted(RESERVED & set(self.slots))]
        asked = self.slots.get(self.question)
        if asked is None or f"{{{self.question}}}" not in self.input:
            wrong.append(f"question names {self.question!r}, which is no slot of input")
        elif asked.type != "text" or asked.default is not None:
            wrong.append(f"the slot {self.question}, which the question fills, is a text without a default")
        elsewhere = [f for f, t in self.texts().items() if f != "input" and f"{{{self.question}}}" in t]
        wrong += [f"{{{self.question}}} may stand in input alone, not in {field}" for field in elsewhere]
        languages = (self.source_language, self.target_language)
        if any(languages) and not all(languages):
            wrong.append("source_language and target_language stand together")
        elif len({x.casefold() for x in languages}) == 2 and not self.about_languages:
            wrong.append("the languages differ: say in about_languages what stays as it is")
        wrong += self._schema_is_none()
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _schema_is_none(self) -> list[str]:
        if not self.output_schema:
            return []
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for

        try:
            validator_for(self.output_schema).check_schema(self.output_schema)
        except SchemaError as e:
            return [f"output_schema is no JSON Schema: {e.message}"]
        return []

    def texts(self) -> dict[str, str]:
        """What a model is told, by field: prose, and the items of lists as ``must.0``."""
        found = {name: str(getattr(self, name)) for name in PROSE if getattr(self, name)}
        found |= {f"{name}.{i}": text for name in LISTS for i, text in enumerate(getattr(self, name))}
        return found

    @property
    def hash(self) -> str:
        """sha256 of all that it says."""
        return digest(self.model_dump(mode="json"))

    def without(self, *fields: str) -> Brief:
        """The same prompt with fields left empty, and without the slots that stood only there.

        Raises:
            UserError: a field is none of those that a prompt can be tried without.
        """
        problems = [
            Problem(f"{f!r} is nothing that a prompt can be tried without.", do=f"It is one of: {', '.join(DETAILS)}.")
            for f in fields
            if f not in DETAILS
        ]
        if problems:
            raise UserError(problems)
        kept = {k: v for k, v in self.model_dump().items() if k not in fields}
        told = " ".join(str(kept[f]) for f in (*PROSE, *LISTS) if f in kept)
        kept["slots"] = {n: s for n, s in kept["slots"].items() if f"{{{n}}}" in told}
        return Brief.model_validate(kept)

    def values(self, given: Mapping[str, Any], partly: bool = False) -> dict[str, str]:
        """The values of all slots but the question's, defaults included; ``partly``: not all have to be filled.

        Raises:
            UserError: a slot is missing, wrong or not known; all of them at once, each by its name.
        """
        wanted = {n: s for n, s in self.slots.items() if n != self.question}
        made, problems = dict[str, str](), list[Problem]()
        for name in given:
            if name not in wanted:
                known = f"It has: {', '.join(wanted)}." if wanted else "It has none to be filled."
                problems.append(Problem(f"the prompt {self.name} has no slot {name} to be filled.", do=known))
        for name, slot in wanted.items():
            value = given.get(name, slot.default)
            if value is None and partly:
                continue
            if value is None:
                hint = f" It is: {slot.about}" if slot.about else ""
                what = f"the slot {name} of the prompt {self.name} is not filled."
                problems.append(Problem(what, do=f"Give {name}=…{hint}"))
            elif why := self._refused(slot, value):
                what = f"the slot {name} of the prompt {self.name} {why}."
                problems.append(Problem(what, do=slot.about or f"It takes a {slot.type}."))
            else:
                made[name] = plainly(str(value).strip())
        if problems:
            raise UserError(problems)
        return made

    def _refused(self, slot: Slot, value: Any) -> str | None:
        if self.fence and re.search(rf"<\s*/?\s*{self.fence}\b", str(value), re.I):
            return f"holds <{self.fence}>, the prompt's own delimiter"
        return slot.wrong(value)


def plainly(value: str) -> str:
    """A value that nothing is filled into: a word in braces gets spaces beside it."""
    return SLOT.sub(lambda m: f"{{ {m[1]} }}", value)


@dataclass(frozen=True)
class Change:
    """A field in which two prompts differ; None: it is not there."""

    field: str
    before: Any
    after: Any


def diff(before: Brief, after: Brief) -> list[Change]:
    """The fields in which two prompts differ, in their order; of lists and groups each item by itself."""
    a, b = (dict(_flat(brief.model_dump(mode="json"))) for brief in (before, after))
    return [Change(f, a.get(f), b.get(f)) for f in dict.fromkeys([*a, *b]) if a.get(f) != b.get(f)]


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all single values with their places; what is empty is not there."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _flat(inner, f"{at}.{i}")
    elif value not in ("", None):
        yield at, value
