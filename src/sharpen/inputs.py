"""The part of a use case that says where its data are, and how they are split and protected."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Strict(BaseModel):
    """Refuses unknown keys and cannot be changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Split(Strict):
    """Shares of the examples, and what stays together when they are split."""

    train: float = Field(0.70, gt=0, lt=1, description="share to learn from")
    dev: float = Field(0.15, gt=0, lt=1, description="share to choose on")
    test: float = Field(0.15, gt=0, lt=1, description="share that is sealed until the end")
    by: Literal["source", "group", "row", "label", "similar", "time"] = Field(
        "source",
        description="what is never torn apart; label: a row, and each label in the same shares; similar: questions "
        "that are nearly the same; time: rows of one time, the oldest learned from, the newest sealed",
    )
    seed: int = Field(0, ge=0, description="another one gives another split")
    own: bool = Field(True, description="keep the splits that files or rows of a data set say they are of")
    folds: int = Field(
        0,
        ge=0,
        le=20,
        description="2 to 20: every question is tested once, every arm built so many times; 0: one test",
    )
    fold: int = Field(0, ge=0, le=20, description="this one of the folds alone, as a study of its own; 0: all of them")

    @model_validator(mode="after")
    def _folds_fit(self) -> Split:
        if self.folds == 1:
            raise ValueError("one fold is no fold: give folds from 2 to 20, or 0 for one test")
        if self.fold > self.folds:
            raise ValueError(f"there is no fold {self.fold} of {self.folds}")
        if self.folds and self.by == "time":
            raise ValueError("a fold would be trained on what came later; leave out folds, or by: time")
        return self

    @model_validator(mode="after")
    def _sums_to_one(self) -> Split:
        total = self.train + self.dev + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, dev and test sum to {total:g}, not 1")
        return self


class Privacy(Strict):
    """What becomes of personal data and secrets, before anything is learned from, indexed, shown or written."""

    how: Literal["off", "mask", "remove", "pseudonymise"] = Field(
        "off", description="mask: its type in brackets; pseudonymise: the same stand-in everywhere, by a key"
    )
    types: tuple[str, ...] = Field((), description="only these (EMAIL, PHONE, ...), else all; NER adds names by spaCy")


class Clean(Strict):
    """Cleaners in order, each a name or ``name(option=value)``; what dev and test ask stays as people asked it."""

    documents: tuple[str, ...] = Field((), description="of documents, which they change or drop")
    questions: tuple[str, ...] = Field((), description="of training rows, whose questions they change or drop")
    answers: tuple[str, ...] = Field((), description="of training rows, which they drop; no answer is changed")
    about: tuple[str, ...] = Field((), description="what the task is about, for relevance; empty: the use case's goal")


class Duplicates(Strict):
    """What is taken out because it stands there already; leaks between splits are always looked for."""

    documents: float | None = Field(None, gt=0, le=1, description="similarity from which a document is dropped")
    questions: float | None = Field(None, gt=0, le=1, description="the same for training rows, question and answer")
    sentences: int | None = Field(None, ge=2, description="documents in which a sentence stands before it is taken out")
    spans: int | None = Field(None, ge=10, description="words of a run that stood before, from which it is taken out")


class Rule(Strict):
    """What a column has to keep, wherever it is not empty; one that keeps several is checked for each."""

    field: str = Field(description="a column, or question, answer, label, source")
    regex: str | None = Field(None, description="a pattern that the whole value matches")
    min: float | None = Field(None, description="the least that it may be, as a number")
    max: float | None = Field(None, description="the most that it may be")
    allowed: tuple[str, ...] = Field((), description="the values that it may have")
    same_as: str | None = Field(None, description="another column that says the same")
    per: str | None = Field(None, description="a column: rows of one value of it, of whatever source, agree")
    table: str | None = Field(None, description="a file of reference, found by key")
    key: str | None = Field(None, description="the column by which rows and the table are brought together")
    column: str | None = Field(None, description="of the table; empty: called like the field")
    least: float | None = Field(None, ge=0, le=1, description="share that has to keep it; else nothing is run")

    @model_validator(mode="after")
    def _asks_something(self) -> Rule:
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as e:
                raise ValueError(f"the pattern {self.regex!r} cannot be read: {e}") from None
        bounds = (self.regex, self.min, self.max, self.same_as, self.per, self.table)
        if not self.allowed and all(asked is None for asked in bounds):
            raise ValueError("a rule says nothing of its field; give regex, min, max, allowed, same_as, per or table")
        if (self.table is None) != (self.key is None):
            raise ValueError("a table of reference needs a key, and a key a table")
        return self


class Quality(Strict):
    """The least shares that train and dev have to keep; where one is not kept, nothing is run."""

    completeness: float | None = Field(None, ge=0, le=1, description="of rows in which nothing is missing")
    consistency: float | None = Field(None, ge=0, le=1, description="of questions asked again that are answered alike")
    accuracy: float | None = Field(None, ge=0, le=1, description="of what rules can check that is right")
    rules: tuple[Rule, ...] = Field((), description="the organisation's own: patterns, ranges, agreement, references")


class Source(Strict):
    """What may be done with data of some sources; the first entry that matches a source is its own."""

    match: str = Field(description="sources or files it is about, with * and ?")
    owner: str = Field("", description="who answers for them")
    licence: str = Field("", description="under which they are held")
    consent: bool = Field(True, description="false: those whom they are about have not agreed, and nothing is used")
    keep_until: date | None = Field(None, description="the last day on which they may be used")
    allowed: tuple[Literal["train", "evaluate", "index"], ...] = Field(
        ("train", "evaluate", "index"), description="evaluate: rows may be dev and test; index: documents are searched"
    )


class Table(Strict):
    """A file of rows that is merged with others, and what its columns are called."""

    file: str = Field(description="a file, a folder, a pattern with * and ?, or hf:NAME")
    columns: dict[str, str] = Field({}, description="as data.columns, of this one alone")
    name: str = Field("", description="what its rows are counted under in reports and by the sampler mix")


Given = str | tuple[str | Table, ...]
"""Where rows are: one file, folder or pattern, or a list of such."""


class Data(Strict):
    """Where examples and documents are, relative to the use-case file."""

    examples: Given | None = Field(
        None,
        description="what is split: a file, folder, pattern or hf:NAME, or a list: {file, columns, name} or these",
    )
    train: Given | None = Field(None, description="or the same for each split")
    dev: Given | None = Field(None, description="rows to choose on")
    test: Given | None = Field(None, description="rows that are sealed until the end")
    replay: Given | None = Field(None, description="rows of other jobs, which the sampler mix alone trains on")
    documents: str | None = Field(None, description="a folder, a file, or a table or query whose rows are texts")
    columns: dict[str, str] = Field({}, description="our name: name in the file, '' to skip it; others keep theirs")
    split: Split = Split()
    privacy: Privacy = Privacy()
    sources: tuple[Source, ...] = Field((), description="consent, retention and allowed use; empty: all is allowed")
    clean: Clean = Clean()
    duplicates: Duplicates = Duplicates()
    quality: Quality = Quality()
    benchmarks: tuple[str, ...] = Field((), description="files of questions that nothing may be trained on")
    synthetic: float = Field(
        1.0,
        ge=0,
        le=100,
        description="most rows marked synthetic, as a share of the others of train; never dev or test",
    )
    near_duplicates: float = Field(0.8, gt=0, le=1, description="share of common word 3-grams that counts as a leak")

    @field_validator("examples", "train", "dev", "test", "replay", mode="before")
    @classmethod
    def _tables(cls, given: Any) -> Any:
        """A list of texts and tables; told here, for a union says what each of its halves lacks."""
        items = [given] if isinstance(given, dict) else given
        if not isinstance(items, list | tuple):
            if items is not None and not isinstance(items, str):
                raise ValueError("write a file, or a list of files: [faq.csv, more/*.jsonl]")
            return items
        if not items:
            raise ValueError("the list is empty: write a file, or a list of files")
        for item in items:
            odd = sorted(map(str, set(item) - set(Table.model_fields))) if isinstance(item, dict) else []
            if odd:
                raise ValueError(f"a table has no key {odd[0]!r}; its keys are {', '.join(Table.model_fields)}")
            if not isinstance(item, str | Table) and not (isinstance(item, dict) and isinstance(item.get("file"), str)):
                raise ValueError("each of the list is a file, or {file: faq.csv, columns: {question: ask}}")
        return tuple(items)

    @model_validator(mode="after")
    def _one_way(self) -> Data:
        files = [self.train, self.dev, self.test]
        if self.examples and any(files):
            raise ValueError("give either examples (to be split) or train, dev and test, not both")
        if not self.examples and not all(files):
            raise ValueError("give examples (to be split), or all of train, dev and test")
        return self
