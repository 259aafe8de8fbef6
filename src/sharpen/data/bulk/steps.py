"""What is done to files: which cleaners, which duplicates, for documents and for rows.

Without a file of steps they are those that do no harm to an organisation's own texts. Of documents: damaged encodings,
one form of Unicode, unseen characters, lines that ask for JavaScript, and texts of fewer than 3 words. White space
stays, since in lists and code it means something. Of rows the field that asks, by ``encoding`` and ``normalise`` alone;
what answers is never touched. For pages of the web, name the cleaners, with all their rules: ``--with quality``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from sharpen.config import parse_sum
from sharpen.data.cleaners.quality import RULES as QUALITY
from sharpen.data.cleaning import Cleaning
from sharpen.data.curated import files_in, located
from sharpen.errors import Problem, UserError
from sharpen.inputs import Strict
from sharpen.store import read_yaml

Options = dict[str, dict[str, Any]]

DOCUMENTS: Options = {
    "encoding": {},
    "normalise": {"off": ["white_space"]},
    "boilerplate": {"off": ["cookies", "rights", "policy", "sharing", "navigation", "page_number", "menu"]},
    "quality": {"least": 3, "off": [r for r in QUALITY if r != "few_words"]},
}
"""Rules that are off here are right for pages of the web. They take tables, price lists and policies for no prose, long
reports with a header on each page for repetitions, a heading "Search" for navigation and 05/2018 for a page number."""
ROWS: Options = {"encoding": {}, "normalise": {"off": ["white_space"]}}


class Documents(Strict):
    """What is done to documents."""

    cleaners: Options = Field(DOCUMENTS, description="cleaners in their order, with the options of each")
    duplicates: Literal["off", "exact", "near"] = Field("near", description="exact: the same words; near: alike, too")
    near: float = Field(0.8, gt=0, le=1, description="share of common word 3-grams from which two are alike")
    sentences: int = Field(10, ge=0, description="a sentence of so many documents stays in the first; 0: in all")
    sentences_share: float = Field(0.5, ge=0, le=1, description="and of so large a share of them")
    sentences_near: float = Field(1.0, gt=0, le=1, description="as near, for sentences; 1: the same words only")
    spans: int = Field(0, ge=0, description="runs of so many words that stood before go; 0: none does")


class Rows(Strict):
    """What is done to rows of tables."""

    cleaners: Options = Field(ROWS, description="cleaners in their order, with the options of each")
    field: str = Field("", description="the field that they clean; without it the one that asks")
    duplicates: Literal["off", "exact", "near"] = Field("exact", description="exact: all fields but id are the same")
    near: float = Field(0.8, gt=0, le=1, description="share of common word 3-grams from which two are alike")


class Steps(Strict):
    """All that is done, as a file of steps says it."""

    documents: Documents = Documents()
    rows: Rows = Rows()
    privacy: Literal["off", "mask", "remove", "pseudonymise"] = Field(
        "off", description="of personal data, in all fields of rows, too; pseudonymise: stand-ins, by a key"
    )


def read_steps(path: Path | None = None, named: Sequence[str] = (), off: Iterable[str] = (), spans: int = 0) -> Steps:
    """Return the steps of a file, or those by default, with changes.

    Args:
        path: a YAML file with the keys of :class:`Steps`.
        named: these cleaners instead, each a name or ``name(option=value)``.
        off: rules (``quality.few_words``), cleaners (``quality``), ``duplicates`` or ``sentences`` that are left out.
        spans: as in :class:`Documents`.

    Raises:
        UserError: the file says what is no step, or something that is to be left out is not there.
    """
    if path and not path.is_file():
        raise UserError("there is no such file.", str(path), "steps.yaml in the --out of a run is one to begin with.")
    raw = read_yaml(path) if path else {}
    try:
        made = Steps.model_validate({} if raw is None else _off_said(raw))
    except ValidationError as e:
        raise UserError([_problem(error, str(path)) for error in e.errors()]) from None
    said = made.model_dump()
    for one in ("documents", "rows") if named else ():
        said[one]["cleaners"] = _named(named)
    for one in ("documents", "rows"):  # files of texts stand relative to the file of steps
        base = path.absolute().parent if path and not named else None
        said[one]["cleaners"] = {n: located(n, options, base) for n, options in said[one]["cleaners"].items()}
    if spans:
        said["documents"]["spans"] = spans
    for rule in off:
        _without(said, rule)
    made = Steps.model_validate(said)
    for cleaners in (made.documents.cleaners, made.rows.cleaners):
        Cleaning(cleaners)  # whatever is wrong with a name or an option is said before anything is read
    return made


def _named(names: Sequence[str]) -> Options:
    """Cleaners with their options, of ``name(option=value)`` each."""
    made: Options = {}
    for name in names:
        steps = parse_sum(name)
        if len(steps) != 1:
            raise UserError(f"{name!r} is not one cleaner.", "--with", "Name each by a --with of its own.")
        made |= dict(steps)
    return made


def _off_said(raw: Any) -> Any:
    """What a file says, with the word ``off``, which YAML reads as false."""
    if isinstance(raw, dict):
        made = {"off" if k is False else k: _off_said(v) for k, v in raw.items()}
        return {k: "off" if k in ("duplicates", "privacy") and v is False else v for k, v in made.items()}
    return raw


def _problem(error: Mapping[str, Any], where: str) -> Problem:
    at = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = [*Steps.model_fields, *Documents.model_fields, *Rows.model_fields]
        near = get_close_matches(str(error["loc"][-1]), known, n=1)
        do = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(dict.fromkeys(known))}."
        return Problem(f"unknown key {at!r}.", where, do)
    return Problem(f"{at or 'it'}: {error['msg']}.", where, "Mend it; steps.yaml in the --out of a run shows all keys.")


def _without(said: dict[str, Any], rule: str) -> None:
    """Take a rule out of the steps, wherever it stands."""
    cleaner, _, name = rule.partition(".")
    hit = False
    for one in (said["documents"], said["rows"]):
        for key, nothing in (("duplicates", "off"), ("sentences", 0), ("spans", 0)):
            if rule == key and key in one:
                one[key], hit = nothing, True
        if rule == "near" and one["duplicates"] == "near":
            one["duplicates"], hit = "exact", True
        if cleaner in one["cleaners"]:
            hit = True
            if name:
                options = one["cleaners"][cleaner]
                one["cleaners"][cleaner] = {**options, "off": [*options.get("off", ()), name]}
            else:
                del one["cleaners"][cleaner]
    if not hit:
        there = [*said["documents"]["cleaners"], *said["rows"]["cleaners"], "duplicates", "near", "sentences", "spans"]
        do = f"There are: {', '.join(dict.fromkeys(there))}; a rule is written as quality.few_words."
        raise UserError(f"nothing is called {rule!r} that could be left out.", do=do)


def texts_in(steps: Steps) -> list[Path]:
    """The files of texts that cleaners are told."""
    every = [*steps.documents.cleaners.items(), *steps.rows.cleaners.items()]
    return sorted({Path(file) for name, options in every for file in files_in(name, options).values()})


def alone(cleaners: Options) -> tuple[Options, Options]:
    """The cleaners up to the first that has to read all texts, which any file can be cleaned by alone, and the rest."""
    made = Cleaning(cleaners).cleaners
    names = list(cleaners)
    first = next((i for i, name in enumerate(names) if made[name].learn), len(names))
    return {n: cleaners[n] for n in names[:first]}, {n: cleaners[n] for n in names[first:]}
