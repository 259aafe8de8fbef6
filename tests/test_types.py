"""The nouns: they travel as JSON and come back, and their digests say exactly what they hold."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen import types
from sharpen.nouns import NOUNS as KEPT
from sharpen.types import (
    Decoding,
    Demo,
    Example,
    Message,
    Prompt,
    Reasoning,
    Refusal,
    Retriever,
    Shots,
    Span,
    Step,
    System,
    digest,
    plain,
    restore,
)

NOUNS = [c for c in vars(types).values() if isinstance(c, type) and dataclasses.is_dataclass(c)]
STORED = [c for c in NOUNS if c.__name__ in KEPT]
ASKED = {"Generate", "Rank", "Search", "Judge", "Rendered"}  # requests live within one process and are never written

json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation as it is used in types.py."""
    simple = {str: st.text(max_size=8), int: st.integers(-5, 99), bool: st.booleans(), type(None): st.none()}
    if hint in simple:
        return simple[hint]
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=2).map(tuple)
    if hint is Any or get_origin(hint) is Mapping:
        inner = json_like if hint is Any or get_args(hint)[1] is Any else values(get_args(hint)[1])
        return inner if hint is Any else st.dictionaries(st.text(max_size=5) | st.just("noun"), inner, max_size=2)
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{f.name: values(hints[f.name]) for f in dataclasses.fields(hint)})
    return st.one_of(*(values(a) for a in get_args(hint)))


def test_every_noun_that_is_written_can_be_read() -> None:
    assert {c.__name__ for c in NOUNS} == set(KEPT) | ASKED


@pytest.mark.parametrize("noun", NOUNS, ids=lambda c: c.__name__)
def test_nouns_are_frozen(noun: type) -> None:
    assert noun.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("noun", STORED, ids=lambda c: c.__name__)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_plain_and_restore_are_a_round_trip(noun: type, data: st.DataObject) -> None:
    value = data.draw(values(noun))
    written = json.dumps(plain(value))
    again = restore(json.loads(written))
    assert again == value
    assert type(again) is type(value)
    assert digest(again) == digest(value)
    assert plain(again) == plain(value)


@given(st.dictionaries(st.text(), json_like, max_size=6))
def test_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


def test_digest_tells_text_from_other_text() -> None:
    texts = ["", " ", "a", "A", "ä", "a\u0308", "\u2028", "\ud83d", "😀", "1", 1, 1.5, None, True, [], {}, [1], [[1]]]
    assert len({digest(t) for t in texts}) == len(texts)


def test_half_a_character_is_no_crash() -> None:
    """JSON may hold lone surrogates, which UTF-8 cannot."""
    example = Example("1", (Message("user", json.loads('"\\ud83d"')),))
    assert len(example.content) == 64


SYSTEM = System(
    "pypi:x",
    adapters=("adapter:1",),
    prompt=Prompt("i", "t", "c", "p", "n", "f", 3, True),
    demos=(Demo("q", "a", (types.Passage("p#0", "text", Span("p", 0, 4), 1.5, {"title": "T"}),), "e1", "r"),),
    shots=Shots("index:3", 4, "bm25"),
    retriever=Retriever("index:5", 2, "dense", "q", "r", 9, (("lang", "en"),), "ends", 50, 0.5),
    decoding=Decoding(7, 0.5, 0.9, 3, ("stop",), ("a", "b"), True, (0.1, 0.2), 0.3, True, False, 3, "{}", 1, 20),
    steps=(Step("s", "t", "i", 9, True, "m", True),),
    reasoning=Reasoning("a", "t", 9),
    refusal=Refusal("no", 0.5),
)


def test_digest_is_the_same_in_another_process() -> None:
    code = (
        "import sys, json; from sharpen.types import restore; print(restore(json.loads(sys.stdin.read())).fingerprint)"
    )
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(plain(SYSTEM)),
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
        assert done.stdout.strip() == SYSTEM.fingerprint


def other(value: Any) -> Any:
    """Something else of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, tuple):
        return value[:-1] if value else ("x",)
    if isinstance(value, Mapping):
        return {**value, "x": 1}
    return None


def variants(value: Any) -> list[Any]:
    """The value with one field changed, at every depth."""
    found = []
    for f in dataclasses.fields(value):
        mine = getattr(value, f.name)
        found.append(dataclasses.replace(value, **{f.name: other(mine)}))
        if dataclasses.is_dataclass(mine):
            found += [dataclasses.replace(value, **{f.name: v}) for v in variants(mine)]
        if isinstance(mine, tuple) and mine and dataclasses.is_dataclass(mine[0]):
            found += [dataclasses.replace(value, **{f.name: (v, *mine[1:])}) for v in variants(mine[0])]
    return found


def test_the_fingerprint_changes_with_any_field() -> None:
    changed = variants(SYSTEM)
    assert len(changed) > 30
    prints = [SYSTEM.fingerprint, *(v.fingerprint for v in changed)]
    assert len(set(prints)) == len(prints)


def test_what_an_answer_depends_on() -> None:
    example = Example("1", (Message("user", "q"),), ("a",), gold=(Span("d", 0, 3),), source="s", meta={"m": 1})
    same = dataclasses.replace(example, id="2", targets=("b",), labels=("l",), source="t", meta={}, weight=2.0)
    assert example.content == same.content
    for change in (
        {"messages": (Message("user", "other"),)},
        {"messages": (Message("system", "s"), Message("user", "q"))},
        {"gold": (Span("d", 0, 4),)},
    ):
        assert dataclasses.replace(example, **change).content != example.content


@given(values(Example))
def test_a_blind_example_gives_nothing_away(example: Example) -> None:
    blind = example.blind()
    assert (blind.targets, blind.rejected, blind.labels, blind.gold, blind.answerable, dict(blind.meta)) == (
        (),
        (),
        (),
        (),
        None,
        {},
    )
    assert (blind.id, blind.messages, blind.source) == (example.id, example.messages, example.source)


def test_the_question_is_the_last_user_turn() -> None:
    turns = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
    assert Example("1", turns).question == "three"
    assert Example("1", ()).question == ""
