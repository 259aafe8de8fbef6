"""Prompts on file: YAML with strict keys, the library that comes with sharpen, and one file to share many.

A prompt is named by its name in the library, or by the path of a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from sharpen.config import PLAINLY
from sharpen.errors import Problem, UserError
from sharpen.prompts.brief import Brief
from sharpen.store import Lines, read_yaml, write_text, yaml_lines

LIBRARY = Path(__file__).parent / "library"
SUFFIXES = (".yaml", ".yml")
MARK = '"sha256"'
"""Stands in each line of a file of prompts that was written here."""


@cache
def catalogue() -> dict[str, Path]:
    """The names of the prompts that come with sharpen, and their files."""
    return {path.stem: path for path in sorted(LIBRARY.glob("*.yaml"))}


def find(name: str, base: Path | None = None) -> Brief:
    """Return the prompt of the library that is called so, or that of a YAML file.

    Raises:
        UserError: there is none, or the file says what it may not; all problems at once.
    """
    if name.endswith(SUFFIXES) or "/" in name:
        return read((base or Path()) / name)
    known = catalogue()
    if name not in known:
        near = get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See: sharpen prompts list."
        raise UserError(f"there is no prompt called {name!r}.", do=f"{hint} A file of your own ends in .yaml.")
    return read(known[name])


def read(path: Path) -> Brief:
    """Read a prompt from a YAML file.

    Raises:
        UserError: with every problem of the file at once, by line and field.
    """
    raw = read_yaml(path) if path.is_file() else None
    if raw is None and not path.is_file():
        raise UserError("there is no such file.", str(path), "Start from one: sharpen prompts show NAME --yaml")
    if not isinstance(raw, dict):
        raise UserError("is no mapping of fields.", str(path), "Start from one: sharpen prompts show NAME --yaml")
    lines, twice = yaml_lines(path)
    problems = [Problem(f"{key!r} stands here a second time.", f"{path}, line {n}", "Keep one.") for key, n in twice]
    return checked(raw, str(path), lines, problems)


def checked(raw: Mapping[str, Any], where: str, lines: Lines | None = None, before: Sequence[Problem] = ()) -> Brief:
    """A prompt from its fields.

    Raises:
        UserError: with every problem at once, those that were found ``before`` too.
    """
    problems = list(before)
    try:
        made = Brief.model_validate(raw)
    except ValidationError as e:
        problems += [_problem(error, where, lines or {}) for error in e.errors()]
    if problems:
        raise UserError(problems)
    return made


def _problem(error: Any, where: str, lines: Lines) -> Problem:
    loc = tuple(error["loc"])
    field = ".".join(map(str, loc))
    line = next((lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in lines), None)
    place = f"{where}, line {line}" if line else where
    if error["type"] == "extra_forbidden":
        known = _keys(loc[:-1])
        near = get_close_matches(str(loc[-1]), known, n=1)
        do = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
        return Problem(f"unknown key {field!r}.", place, do)
    if error["type"] == "missing":
        return Problem(f"{field} is missing.", place, "Add it.")
    if error["type"] in PLAINLY:
        return Problem(f"{field} is {PLAINLY[error['type']]}.", place, "See: sharpen prompts show answer --yaml")
    message = str(error["msg"]).removeprefix("Value error, ")
    return Problem(f"{field + ': ' if field else ''}{message}.", place, "See: sharpen prompts show answer --yaml")


def _keys(loc: Sequence[Any]) -> list[str]:
    """The keys that are known at a place."""
    model: Any = Brief
    for key in loc:
        field = model.model_fields.get(key)
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def written(brief: Brief) -> str:
    """A prompt as YAML that reads back as the same; what is empty is left out."""
    kept = brief.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=100)


def export(briefs: Sequence[Brief], path: Path) -> None:
    """Write prompts into one file of JSON lines, each with the sha256 of what it says."""
    rows = ({"sha256": b.hash, **b.model_dump(mode="json", exclude_defaults=True)} for b in briefs)
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def load(path: Path) -> list[Brief]:
    """Read such a file.

    Raises:
        UserError: a line is no prompt, or not the one that was written: its sha256 is another. All of them at once.
    """
    if not path.is_file():
        raise UserError("there is no such file.", str(path), "Write one with: sharpen prompts export --out FILE")
    made, problems = list[Brief](), list[Problem]()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"cannot be read: {e}.", str(path), "Write it anew with: sharpen prompts export") from None
    for n, line in enumerate(lines, 1):
        where = f"{path}, line {n}"
        try:
            row = json.loads(line)
            said = row.pop("sha256")
        except (ValueError, KeyError, AttributeError, RecursionError):
            problems.append(Problem("is no prompt as export writes it.", where, "Export it anew."))
            continue
        try:
            brief = checked(row, where)
        except UserError as e:
            problems += e.problems
            continue
        if brief.hash != said:
            problems.append(Problem(f"{brief.name} was changed: its sha256 is another.", where, "Export it anew."))
        made.append(brief)
    again = sorted({b.name for b in made if [o.name for o in made].count(b.name) > 1})
    problems += [Problem(f"two prompts are called {name}.", str(path), "Rename one.") for name in again]
    if not made and not problems:
        problems.append(Problem("holds no prompt.", str(path), "Write one with: sharpen prompts export"))
    if problems:
        raise UserError(problems)
    return made


def unpack(briefs: Sequence[Brief], folder: Path) -> list[Path]:
    """Write each prompt as a YAML file of its name into a folder.

    Raises:
        UserError: another prompt has that file already; then none is written.
    """
    paths = [folder / f"{b.name}.yaml" for b in briefs]
    taken = [p for p, b in zip(paths, briefs, strict=True) if p.exists() and p.read_bytes() != written(b).encode()]
    if taken:
        raise UserError([Problem("holds another prompt.", str(p), "Name another folder.") for p in taken])
    for path, brief in zip(paths, briefs, strict=True):
        write_text(path, written(brief))
    return paths
