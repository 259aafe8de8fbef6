"""Who may see which documents of a collection: groups for each source or pattern."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from sharpen.errors import Problem, UserError
from sharpen.inputs import Strict
from sharpen.store import read_yaml, yaml_lines

EVERYONE = "everyone"
EXAMPLE = "{match: 'hr/*', groups: [hr]}"


class Allowed(Strict):
    """Sources, and the groups that may see them."""

    match: str = Field(min_length=1, description="sources it is about, with * and ?")
    groups: tuple[str, ...] = Field(description="who may see them; everyone: whoever asks; []: nobody")

    @field_validator("groups")
    @classmethod
    def _named(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        if any(not g.strip() or "," in g for g in groups):
            raise ValueError("a group has a name, without a comma")
        return groups


class Access(Strict):
    """The first rule that matches a source decides; ``others`` is about sources that none matches."""

    rules: tuple[Allowed, ...] = Field(description="in order")
    others: Literal["nobody", "everyone"] = Field("nobody", description="who sees what no rule matches")

    def sees(self, source: str, groups: Sequence[str]) -> bool:
        """Whether someone of these groups may see a source."""
        for rule in self.rules:
            if fnmatchcase(source, rule.match):
                return EVERYONE in rule.groups or not set(groups).isdisjoint(rule.groups)
        return self.others == EVERYONE


def read_access(path: Path) -> Access:
    """Read the rules from a YAML file.

    Raises:
        UserError: with every problem of it at once.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise UserError("holds no rules.", str(path), f"Write: rules: [{EXAMPLE}]")
    lines, twice = yaml_lines(path)
    problems = [Problem(f"{key!r} stands here a second time.", f"{path}, line {n}", "Keep one.") for key, n in twice]
    try:
        made = Access.model_validate(raw)
    except ValidationError as e:
        raise UserError([*problems, *(_problem(err, path, lines) for err in e.errors())]) from None
    if problems:
        raise UserError(problems)
    return made


def _problem(error: Any, path: Path, lines: Any) -> Problem:
    at = tuple(error["loc"])
    line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), None)
    where = f"{path}, line {line}" if line else str(path)
    name = ".".join(map(str, at))
    if error["type"] == "extra_forbidden":
        return Problem(f"unknown key {name!r}.", where, f"A file has rules and others, a rule is: {EXAMPLE}")
    if error["type"] == "missing":
        return Problem(f"{name} is missing.", where, f"A rule is: {EXAMPLE}")
    return Problem(f"{name}: {str(error['msg']).removeprefix('Value error, ')}.", where, f"A rule is: {EXAMPLE}")
