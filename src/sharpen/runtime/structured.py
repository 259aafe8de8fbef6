"""Answers in a form that was asked for: JSON that keeps a schema, and no more words than allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sharpen.types import Message

SENTENCE = re.compile(r"(?<=[.!?…])[\"')\]]*(?=\s|$)|(?<=[。！？])")
WHY = 300  # characters of an error that the model is told


def json_in(text: str) -> str:
    """The JSON of a reply: the whole of it, what stands in a fence, or from its first bracket to its last."""
    text = text.strip()
    if fence := re.search(r"```(?:json)?[ \t]*\n?(.*?)```", text, re.S | re.I):
        text = fence[1].strip()
    first = min((i for i in (text.find("{"), text.find("[")) if i >= 0), default=-1)
    last = max(text.rfind("}"), text.rfind("]"))
    return text[first : last + 1] if 0 <= first < last else text


def invalid(reply: str, schema: str) -> str | None:
    """Say why a reply does not keep a JSON Schema; None: it does."""
    from jsonschema.exceptions import best_match

    try:
        value = json.loads(json_in(reply))
    except (ValueError, RecursionError) as e:
        return f"it is not JSON: {e}"[:WHY]
    found = best_match(_validator(schema).iter_errors(value))
    if found is None:
        return None
    place = "/".join(map(str, found.absolute_path))
    return f"{f'at {place}: ' if place else ''}{found.message}"[:WHY]


@lru_cache(64)
def _validator(schema: str) -> Any:
    from jsonschema.validators import validator_for

    read = json.loads(schema)
    return validator_for(read)(read)


def in_field(answer: str, field: str) -> str:
    """An answer as JSON that holds it in a field; without one as it is."""
    return json.dumps({field: answer}, ensure_ascii=False) if field else answer


def from_field(reply: str, field: str) -> str:
    """What stands in a field of valid JSON; "" where it is not there. What is no text stays JSON."""
    read = json.loads(json_in(reply))
    value = read.get(field, "") if isinstance(read, dict) else ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def held(text: str, avoid: Sequence[str]) -> str | None:
    """Say what a text holds that it must not, as whole words and whatever the case; None: nothing."""
    found = [a for a in avoid if re.search(rf"(?<!\w){re.escape(a)}(?!\w)", text, re.I)]
    return f"it must not hold {', '.join(map(repr, found))}" if found else None


def mended(messages: Sequence[Message], reply: str, why: str, schema: str) -> tuple[Message, ...]:
    """The conversation that asks again for what could not be used."""
    form = f"Reply with JSON only, which keeps this schema: {schema}" if schema else "Reply without it."
    again = f"That cannot be used: {why}. {form}"
    return (*messages, Message("assistant", reply), Message("user", again))


def within(text: str, words: int) -> str:
    """A text of at most so many words: its first sentences, or of a longer sentence its first words; 0: as it is."""
    found = list(re.finditer(r"\S+", text))
    if not words or len(found) <= words:
        return text
    cut = text[: found[words - 1].end()]
    ends = [m.end() for m in SENTENCE.finditer(cut)]
    return cut[: ends[-1]] if ends else cut
