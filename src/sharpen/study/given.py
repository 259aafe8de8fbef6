"""Answers that were given elsewhere, by the present system or by people: read, and read as every arm's answers are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.config import Arm
from sharpen.data import shorten
from sharpen.data.protecting import Shield, key_of
from sharpen.errors import Problem, UserError
from sharpen.metrics import has_lines
from sharpen.runtime import answer_in
from sharpen.study.setting import Setting
from sharpen.types import Answer, Task


def read_given(path: Path, name: str) -> tuple[dict[str, str], list[Problem]]:
    """Read JSON lines of ``id`` and ``answer``; the lines that cannot be read are problems."""
    if path.exists() and not path.is_file():  # a named pipe would be waited for
        return {}, [Problem(f"{name!r} is not a regular file.", "arms", "Name a file of JSON lines.")]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, [Problem(f"there is no file {name}.", "arms", "Paths are relative to the use case.")]
    except (OSError, ValueError) as e:
        return {}, [Problem(f"cannot be read: {e}.", name, "Save it as UTF-8 text.")]
    given: dict[str, str] = {}
    problems = []
    for n, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row: Any = None
        try:
            row = json.loads(line)
            key, answer = row["id"], row["answer"]
            good = isinstance(key, str | int) and isinstance(answer, str)
            f"{key}{answer}".encode()  # half a character, as truncation leaves it, can be written into no report
        except (ValueError, KeyError, TypeError, RecursionError):
            good = False
        if not good:
            what = f"is not an object with an id and a whole text as answer{_keys(row)}."
            problems.append(Problem(what, f"{name}, line {n}", 'Write: {"id": "…", "answer": "…"}'))
        elif str(key) in given:
            problems.append(Problem(f"answers {str(key)[:60]!r} a second time.", f"{name}, line {n}", "Keep one."))
        else:
            given[str(key)] = answer
    if not given and not problems:
        problems.append(Problem("holds no answer.", name, 'Write one line for each: {"id": "…", "answer": "…"}'))
    return given, shorten(problems, name)


def given_of(setting: Setting, arm: Arm, labels: Sequence[str] = ()) -> tuple[dict[str, str], list[Problem]]:
    """The answers of an arm as a study may hold them: without personal data, where those are not wanted.

    They are protected in the same way and with the same key as examples are, so that ids still name their questions
    and a pseudonym is the same in an answer and its reference; an answer that is a class stays what it is.
    """
    given, problems = read_given(setting.base / str(arm.answers), str(arm.answers))
    privacy = setting.use_case.data.privacy
    if privacy.how == "off":
        return given, problems
    try:
        shield = Shield(privacy, key_of(setting.store.root / "data"))
    except UserError as e:
        return {}, list(e.problems)
    hidden = {shield.name(i): text if text.strip() in labels else shield.text(text) for i, text in given.items()}
    return hidden, [shield.problem(p) for p in problems]


def _keys(row: Any) -> str:
    """What a row has instead of an id and an answer."""
    if not isinstance(row, dict) or row.keys() >= {"id", "answer"}:
        return ""
    return f"; it has keys {', '.join(row)}" if row else "; it has no keys"


def as_answers(given: Mapping[str, str], ids: Iterable[str], task: Task, labels: Sequence[str]) -> list[Answer]:
    """The given answers in the order of the questions, parsed as models' are; one without an answer is not judged."""
    return [
        Answer(answer_in(given[i], labels, task.one_line), given[i])
        if i in given
        else Answer("", error="no answer was given")
        for i in ids
    ]


def n_cut(answers: Iterable[Answer]) -> int:
    """How many answers, whoever wrote them, have more lines than the one that is judged."""
    return sum(has_lines(a.raw) and not has_lines(a.text) for a in answers)
