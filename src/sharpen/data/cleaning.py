"""What a cleaner is, and a run of several over rows: what is kept, what is dropped and why, and each rule's hits.

A cleaner is a part: one file in ``cleaners/`` with a factory that returns a :class:`TextCleaner` (looks at one field)
or a :class:`RowCleaner` (looks at whole rows). It drops or changes; both have a rule's name. Only the field that is
named is touched: an answer that a model is to learn to write stays as it is, byte for byte, unless it is that field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

from sharpen import parts
from sharpen.errors import PluginError, UserError

Row: TypeAlias = Mapping[str, Any]

BATCH = 1_000
SHOWN = 3
"""Changes of each rule that are kept, before and after, to be looked at."""


@dataclass(frozen=True)
class Outcome:
    """What a cleaner made of a text or a row.

    ``value`` is what remains (None: it is dropped), ``rules`` are those that hit, ``reason`` says with figures why it
    was dropped, ``score`` is a cleaner's measure where it has one, and ``said`` what it found out (a language), or what
    it suggests for a text that a rule hit and left as it is.
    """

    value: Any
    rules: tuple[str, ...] = ()
    reason: str = ""
    score: float | None = None
    said: str = ""


@dataclass(frozen=True)
class TextCleaner:
    """Cleans texts: ``texts`` gives an outcome each. ``rules`` are the names that it may use.

    ``learn``, where it is there, reads all texts once and returns the cleaner that is used.
    """

    rules: tuple[str, ...]
    texts: Callable[[Sequence[str]], list[Outcome]]
    learn: Callable[[Iterable[str]], TextCleaner] | None = None


@dataclass(frozen=True)
class RowCleaner:
    """Cleans whole rows, as a :class:`TextCleaner` does texts. Its rules may end in ``.`` and a field's name."""

    rules: tuple[str, ...]
    rows: Callable[[Sequence[Row]], list[Outcome]]
    learn: Callable[[Iterable[Row]], RowCleaner] | None = None


Cleaner: TypeAlias = TextCleaner | RowCleaner


@dataclass(frozen=True)
class Gone:
    """A dropped row, where it stood (counted from 0), and which rule of which cleaner dropped it, and why."""

    at: int
    row: Row
    rule: str
    reason: str


@dataclass(frozen=True)
class Change:
    """A text before and after a rule, cut to what a person looks at."""

    at: int
    before: str
    after: str


@dataclass
class Cleaned:
    """What is kept (with ``places``, where each stood), what is dropped, and hits by ``cleaner.rule``, 0 included."""

    kept: list[Row] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    dropped: list[Gone] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    scores: dict[str, dict[int, float]] = field(default_factory=dict)
    said: dict[str, dict[int, str]] = field(default_factory=dict)
    hits: dict[int, list[str]] | None = None
    """Which rules hit each row, by where it stood; only where a dictionary is given: it grows with the rows."""
    flagged: set[tuple[int, str]] = field(default_factory=set)
    """Of these hits those that left the text as it was."""


class Cleaning:
    """Several cleaners in order. :meth:`learn` where one has to read all rows first, then :meth:`batch` by batch."""

    def __init__(self, cleaners: Sequence[str] | Mapping[str, Mapping[str, Any] | Cleaner], text: str = "text") -> None:
        """Make them.

        Args:
            cleaners: names, or names with the options of each, or with a cleaner that is made already.
            text: the field that text cleaners look at.
        """
        asked = cleaners if isinstance(cleaners, Mapping) else {name: {} for name in cleaners}
        self.cleaners: dict[str, Cleaner] = {name: _made(name, options) for name, options in asked.items()}
        self.text = text

    def learn(self, rows: Callable[[], Iterable[Row]]) -> None:
        """Let those that need it read all rows, each after what the cleaners before it have done."""
        done: dict[str, Cleaner] = {}
        for name, cleaner in self.cleaners.items():
            if isinstance(cleaner, TextCleaner) and cleaner.learn:
                cleaner = cleaner.learn(self._text(r) or "" for r in self._through(done, rows()))
            elif isinstance(cleaner, RowCleaner) and cleaner.learn:
                cleaner = cleaner.learn(self._through(done, rows()))
            done[name] = cleaner
        self.cleaners = done

    def _through(self, cleaners: Mapping[str, Cleaner], rows: Iterable[Row]) -> Iterator[Row]:
        before = Cleaning({}, self.text)
        before.cleaners = dict(cleaners)
        for first, batch in _batches(rows):
            into = Cleaned()
            before.batch(batch, first, into)
            yield from into.kept

    def _text(self, row: Row) -> str | None:
        value = row.get(self.text)
        return value if isinstance(value, str) else None

    def batch(self, rows: Sequence[Row], first: int, into: Cleaned) -> None:
        """Clean rows of which the first stands at ``first``, and add what comes of them."""
        places = list(range(first, first + len(rows)))
        for name, cleaner in self.cleaners.items():
            for rule in cleaner.rules:
                into.counts.setdefault(f"{name}.{rule}", 0)
            places, rows = self._one(name, cleaner, places, rows, into)
        into.places += places
        into.kept += rows

    def _one(
        self, name: str, cleaner: Cleaner, places: list[int], rows: Sequence[Row], into: Cleaned
    ) -> tuple[list[int], list[Row]]:
        if isinstance(cleaner, RowCleaner):
            outcomes: list[Outcome | None] = list(cleaner.rows(rows))
        else:  # a row without that text is the matter of the cleaner of missing values
            texts = [self._text(r) for r in rows]
            found = iter(cleaner.texts([t for t in texts if t is not None]))
            outcomes = [None if t is None else next(found) for t in texts]
        kept: list[tuple[int, Row]] = []
        for at, row, outcome in zip(places, rows, outcomes, strict=True):
            if outcome is None:
                kept.append((at, row))
                continue
            self._note(name, at, outcome, into)
            if outcome.value is None:
                into.dropped.append(Gone(at, row, f"{name}.{outcome.rules[0]}", outcome.reason))
            elif isinstance(cleaner, RowCleaner):
                kept.append((at, outcome.value))
            elif outcome.value == row[self.text]:
                kept.append((at, row))
                if into.hits is not None:
                    into.flagged.update((at, f"{name}.{rule}") for rule in outcome.rules)
                if outcome.said:
                    _show(name, outcome.rules, _change(at, row[self.text], outcome.said), into)
            else:
                kept.append((at, {**row, self.text: outcome.value}))
                _show(name, outcome.rules, _change(at, row[self.text], outcome.value), into)
        return [at for at, _ in kept], [row for _, row in kept]

    def _note(self, name: str, at: int, outcome: Outcome, into: Cleaned) -> None:
        for rule in outcome.rules:
            into.counts[f"{name}.{rule}"] += 1
            if into.hits is not None:
                into.hits.setdefault(at, []).append(f"{name}.{rule}")
        if outcome.score is not None:
            into.scores.setdefault(name, {})[at] = outcome.score
        if outcome.said:
            into.said.setdefault(name, {})[at] = outcome.said


def _made(name: str, options: Mapping[str, Any] | Cleaner) -> Cleaner:
    if isinstance(options, TextCleaner | RowCleaner):
        return options
    part = parts.find("cleaner", name)
    try:
        made = parts.factory("cleaner", name)(**options)
    except TypeError as e:
        if "argument" not in str(e):
            raise
        raise UserError(f"{e}.", f"cleaner {name}", f"See: sharpen parts show {name}") from None
    if not isinstance(made, TextCleaner | RowCleaner):
        raise PluginError(f"cleaner {name}", part.origin, TypeError("it returns no TextCleaner or RowCleaner"))
    return made


def _batches(rows: Iterable[Row]) -> Iterator[tuple[int, list[Row]]]:
    rest, first = iter(rows), 0
    while batch := list(islice(rest, BATCH)):
        yield first, batch
        first += len(batch)


def _show(name: str, rules: Sequence[str], change: Change, into: Cleaned) -> None:
    """Keep the first changes, or suggestions, of each rule."""
    for rule in rules:
        shown = into.changes.setdefault(f"{name}.{rule}", [])
        if len(shown) < SHOWN:
            shown.append(change)


def _change(at: int, before: str, after: str, width: int = 60) -> Change:
    """The place where two texts part, with what stands around it."""
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    begin = max(same - width // 2, 0)
    return Change(at, before[begin : begin + width], after[begin : begin + width])


def clean(
    rows: Iterable[Row | str],
    cleaners: Sequence[str] | Mapping[str, Mapping[str, Any] | Cleaner],
    text: str = "text",
    each: bool = False,
) -> Cleaned:
    """Run cleaners over rows, or over texts, which become rows of one field.

    Args:
        rows: all of them; for more than fits into memory use :class:`Cleaning`.
        cleaners: names, or names with the options of each: ``{"quality": {"off": ["stop_words"]}}``.
        text: the field that text cleaners look at.
        each: whether to say for each row which rules hit it (``Cleaned.hits``).
    """
    every: list[Row] = [{text: r} if isinstance(r, str) else r for r in rows]
    cleaning, into = Cleaning(cleaners, text), Cleaned(hits={} if each else None)
    cleaning.learn(lambda: every)
    for first, batch in _batches(every):
        cleaning.batch(batch, first, into)
    return into


def without(rules: Sequence[str], off: Sequence[str], cleaner: str) -> tuple[str, ...]:
    """Return the rules that are on.

    Raises:
        UserError: one that is to be switched off is none.
    """
    wrong = [o for o in off if o not in rules]
    if wrong:
        raise UserError(f"has no rule {wrong[0]!r}.", f"cleaner {cleaner}", f"Its rules are: {', '.join(rules)}.")
    return tuple(r for r in rules if r not in off)
