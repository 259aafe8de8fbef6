"""Examples from one JSON value: a list of objects, an object that holds one or lists of pairs, or SQuAD's nesting.

SQuAD's ``data`` / ``paragraphs`` / ``qas`` becomes a row for each question, with its context and its article's title
as the source. Lists are read element by element, so that a row has its line, and what stands before a broken place is
not lost; rows within an object, or all on one line, have their number instead, SQuAD's the id of their question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from sharpen.data.naming import split_of
from sharpen.data.readers._values import DECODER, as_row, kind_of, parse_object, why_broken
from sharpen.data.reading import Note, Row, RowReader, read_text
from sharpen.errors import Problem, shown

SUFFIXES = (".json",)


def json() -> RowReader:
    """Return the reader."""
    return RowReader(_rows)


def _rows(path: Path, name: str) -> Iterator[Row | Problem | Note]:
    for text in read_text(path, name):
        if not isinstance(text, str):
            yield text
        elif text.lstrip().startswith("["):
            yield from _elements(text, name)
        else:
            yield from _whole(text, name)


def _elements(text: str, name: str) -> Iterator[Row | Problem]:
    """Decode a list element by element."""
    at, line, counted, number = text.index("[") + 1, 1, 0, 0
    one_line = "\n" not in text.strip()  # which says of no row where it is
    while True:
        at = _skip(text, at)
        line, counted = line + text.count("\n", counted, at), at
        if text[at : at + 1] == "]":
            after = _skip(text, at + 1)
            if after < len(text):
                where = f"{name}, line {line + text.count(chr(10), at, after)}"
                yield Problem("More follows the end of the list, and was not read.", where, "Make it one list.")
            return
        try:
            value, at = DECODER.raw_decode(text, at)
            after = _skip(text, at)
            if text[after : after + 1] not in (",", "]"):
                raise JSONDecodeError("Expecting ',' or ']'", text, after)
        except (ValueError, RecursionError) as e:
            line = e.lineno if isinstance(e, JSONDecodeError) else line
            where = f"{name}, line {line}"
            yield Problem(f"{why_broken(e)} What follows was not read.", where, "Mend that line.")
            return
        number += 1
        yield as_row(value, number, name, f"row {number}") if one_line else as_row(value, line, name)
        at = after + (text[after] == ",")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at


def _whole(text: str, name: str) -> Iterator[Row | Problem | Note]:
    """Decode one object and find its rows; lines that are objects themselves are JSON Lines under a wrong name."""
    try:
        value, end = DECODER.raw_decode(text, _skip(text, 0))
    except (ValueError, RecursionError) as e:
        line = e.lineno if isinstance(e, JSONDecodeError) else 1
        yield Problem(why_broken(e), f"{name}, line {line}", "Mend that line.")
        return
    if _skip(text, end) < len(text):
        for number, line_text in enumerate(text.split("\n"), 1):
            if line_text.strip():
                yield parse_object(line_text, number, name)
        return
    lists = [v for v in value.values() if isinstance(v, list)] if isinstance(value, dict) else []
    tables = [v for v in lists if v and isinstance(v[0], dict)]
    pairs = {k: v for k, v in value.items() if _is_pairs(v)} if isinstance(value, dict) and not tables else {}
    if pairs:
        yield from _of_pairs(pairs, name)
        return
    named = {k: v for k, v in value.items() if isinstance(v, list) and v} if isinstance(value, dict) else {}
    if len(tables) > 1 and all(isinstance(v[0], dict) for v in named.values()) and all(map(split_of, named)):
        yield from _of_splits(named, name)
        return
    if len(tables) != 1:
        found = _held(value, len(tables)) if isinstance(value, dict) else f"is {kind_of(value)}"
        do = 'Save a list of objects, or JSON Lines: {"question": ..., "answer": ...}, with one name a field.'
        yield Problem(f"{found}; one list of objects is expected.", name, do)
        return
    numbers = count(1)
    for nth, item in enumerate(tables[0], 1):
        if isinstance(item, dict) and isinstance(item.get("paragraphs"), list):
            yield from _squad(item, f"{name}, article {nth}", numbers, name)
        else:
            number = next(numbers)
            yield as_row(item, number, name, f"row {number}")


def _of_splits(lists: dict[str, list[Any]], name: str) -> Iterator[Row | Problem | Note]:
    """Rows of lists that are called train, test and the like: each gets the name of its list as its split."""
    number = 0
    for key, rows in lists.items():
        for nth, item in enumerate(rows, 1):
            number += 1
            row = as_row(item, number, name, f"{shown(key)[:40]}, row {nth}")
            yield replace(row, fields={"split": key, **row.fields}) if isinstance(row, Row) else row


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _is_pair(value[0])


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(text, str) for text in value)


def _of_pairs(lists: dict[str, Any], name: str) -> Iterator[Row | Problem | Note]:
    """Rows of lists of two texts each, as intent data sets have them: a text and its label, and the list's name."""
    listed = ", ".join(f"{shown(key)[:40]} ({len(pairs):,})" for key, pairs in lists.items())
    what = f"holds lists of two texts; they were read as text and label, and the list as split: {listed}."
    keep = f"To have one of them alone, name it: {name}/{next(iter(lists))}."
    yield Note(f"{what} {keep}" if len(lists) > 1 else what, name)
    number = 0
    for key, pairs in lists.items():
        for nth, pair in enumerate(pairs, 1):
            number += 1
            place = f"{shown(key)[:40]}, row {nth}"
            if _is_pair(pair):
                yield as_row({"text": pair[0], "label": pair[1], "split": key}, number, name, place)
            else:
                what = f"is {kind_of(pair)}, not a list of two texts as the others."
                yield Problem(what, f"{name}, {place}", 'Write ["a text", "its label"].')


def _held(value: dict[str, Any], tables: int) -> str:
    """What an object holds instead of one list of objects."""
    if tables:
        return f"holds {tables} lists of objects"
    lists = {key: v for key, v in value.items() if isinstance(v, list)}
    if not lists:
        return "holds no list"
    name, first = next(((k, v) for k, v in lists.items() if v), next(iter(lists.items())))
    what = f"{len(first)} (the first is {kind_of(first[0])})" if first else "nothing"
    more = f", and {len(lists) - 1} more such" if len(lists) > 1 else ""
    return f"holds the list {shown(name)[:60]!r} of {what}{more}"


def _squad(article: dict[str, Any], where: str, numbers: Iterator[int], name: str) -> Iterator[Row | Problem]:
    for paragraph in article["paragraphs"]:
        questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
        if not isinstance(questions, list):
            yield Problem("has a paragraph without qas.", where, "Mend that article.")
            continue
        for asked in questions:
            number = next(numbers)
            row = as_row(asked, number, name, _called(asked) or f"row {number}")
            shared = {"context": paragraph.get("context"), "source": article.get("title")}
            yield replace(row, fields={**shared, **row.fields}) if isinstance(row, Row) else row


def _called(question: Any) -> str:
    """A question by its id, as a message may show it."""
    given = question.get("id") if isinstance(question, dict) else None
    said = " ".join(shown(str(given)).split())[:80] if isinstance(given, str | int) else ""
    return f"question {said}" if said else ""
