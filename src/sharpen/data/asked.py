"""The cleaners that a use case asks for: what they are told, what they see of rows, and what becomes of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from sharpen.config import parse_sum
from sharpen.data.cleaning import Row, clean
from sharpen.data.curated import files_in, located
from sharpen.data.wording import words
from sharpen.errors import Problem, UserError
from sharpen.inputs import Clean
from sharpen.types import Document, Example

Asked: TypeAlias = dict[str, dict[str, Any]]
"""Cleaners with the options of each."""

KINDS = ("documents", "questions", "answers")
OWN = ("question", "answer", "label", "source")
"""Fields of a row that no value is made up for."""


def cleaners(
    names: Sequence[str], where: str, about: Sequence[str] = (), base: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Return cleaners with their options, of ``name(option=value)`` each.

    Args:
        names: as the use case has them.
        where: its key, for errors.
        about: texts of the task, where a cleaner asks for them and none were given.
        base: the folder that files of texts are relative to.

    Raises:
        UserError: one cannot be read, is there twice, or there is none of this name.
    """
    made: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            ((cleaner, options),) = parse_sum(name)
        except UserError as e:
            problems += [Problem(p.what, where, "Write: name(option=value).") for p in e.problems]
            continue
        except ValueError:
            problems.append(Problem(f"{name!r} is not one cleaner.", where, "Write each as an entry of its own."))
            continue
        if cleaner in made:
            problems.append(Problem(f"{cleaner} stands there twice.", where, "Keep one."))
        if cleaner == "relevance" and "about" not in options:
            options = {**options, "about": list(about)}
        try:  # it is made when it is used; what is wrong with it is said now
            options = located(cleaner, options, base)
            clean([], {cleaner: options})
        except UserError as e:
            problems += [Problem(p.what, p.where or f"{where}: {cleaner}", p.do) for p in e.problems]
        made[cleaner] = options
    if problems:
        raise UserError(problems)
    return made


def asked_of(told: Clean, about: Mapping[str, Sequence[str]], base: Path) -> dict[str, Asked]:
    """The cleaners of documents, questions and answers.

    Args:
        told: what the use case asks for.
        about: texts of the task, for each of ``KINDS``.
        base: the folder that files of texts are relative to.

    Raises:
        UserError: everything that is wrong with them.
    """
    made: dict[str, Asked] = {}
    problems: list[Problem] = []
    for what in KINDS:
        try:
            made[what] = cleaners(getattr(told, what), f"data.clean.{what}", (*told.about, *about[what]), base)
        except UserError as e:
            problems += e.problems
    if problems:
        raise UserError(problems)
    return made


def files_of(told: Clean) -> dict[str, str]:
    """The files of texts that cleaners are told, by what they are for; what cannot be read names none."""
    found: dict[str, str] = {}
    for what in KINDS:
        for name in getattr(told, what):
            with suppress(UserError, ValueError):
                ((cleaner, options),) = parse_sum(name)
                found |= {f"{what} {cleaner} {option}": file for option, file in files_in(cleaner, options).items()}
    return found


def about_of(questions: Sequence[str], documents: Sequence[Document]) -> dict[str, Sequence[str]]:
    """What texts of each kind are compared with, so that none is compared with itself.

    Documents with the questions; questions and answers with the documents or, where there are none, with the words that
    at least two questions have.
    """
    texts = [d.text for d in documents]
    if not texts:
        seen = Counter(word for q in set(questions) for word in set(words(q)))
        texts = [" ".join(sorted(word for word, n in seen.items() if n > 1))]
    return {"documents": list(questions), "questions": texts, "answers": texts}


def row_of(example: Example) -> dict[str, Any]:
    """What cleaners see of a row."""
    return {
        **example.meta,
        "question": example.question,
        "answer": example.targets[0] if example.targets else "",
        "label": example.labels[0] if example.labels else "",
        "source": example.source,
    }


def cleaned(example: Example, row: Row) -> Example:
    """The example with the question and the other columns that cleaners left, those named that were imputed."""
    hidden = {k: v for k, v in example.meta.items() if k in OWN}
    meta = {**hidden, **{k: v for k, v in row.items() if k not in OWN}}
    made = replace(example, meta=meta) if meta != dict(example.meta) else example
    if row["question"] == example.question:
        return made
    messages = list(example.messages)
    at = max(i for i, m in enumerate(messages) if m.role == "user")
    messages[at] = replace(messages[at], content=str(row["question"]))
    return replace(made, messages=tuple(messages))


def check_fields(asked: Asked, rows: Sequence[Row], where: str, never: Sequence[str]) -> None:
    """See that ``missing`` looks at fields that are there, and makes up none of those named.

    Raises:
        UserError: it does not.
    """
    if "missing" not in asked or not rows:
        return
    there = list(dict.fromkeys(name for row in rows for name in row))
    fields = asked["missing"].get("fields", ("text",))
    ways = dict(fields) if isinstance(fields, Mapping) else dict.fromkeys(fields, "drop")
    problems = []
    for name, way in ways.items():
        if name not in there:
            near = get_close_matches(name, there, n=1)
            do = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(there[:30])}."
            problems.append(Problem(f"no row has a field {name!r}.", f"{where}: missing", do))
        elif way != "drop" and name in never:
            what = f"a value of {name!r} is never made up here."
            problems.append(Problem(what, f"{where}: missing", f"Write: missing(fields=[{name!r}]), which drops."))
    if problems:
        raise UserError(problems)
