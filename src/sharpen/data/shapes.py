"""The usual shapes of example rows, told apart by their fields, made into :class:`~sharpen.types.Example`.

The shapes are ``SHAPES``; what may stand beside them, and what it says, is in :mod:`sharpen.data.fields`. Fields that
are none of these are kept in ``meta``. What the user named (``data.columns``) asks and answers, and columns that happen
to be called like another shape's fields are kept in ``meta``, too. A row that cannot be used is a :class:`Refused` with
its field and reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from typing import Any

from sharpen.data.fields import BESIDE, UNANSWERABLE
from sharpen.data.reading import plain_characters
from sharpen.types import Example, Message

LIGHTEST = 1e-6  # weight of an example; the heaviest is its inverse, so that sums stay exact
LONGEST = 2_000_000
"""Characters in a field of an example; a longer one is refused, because no model could read it."""

_ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant", "developer": "system"}
_ROLES |= {"function_call": "assistant", "observation": "tool", "function": "tool"}
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


class Refused(ValueError):
    """Why a row cannot be used; ``field`` is the column that is to blame."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def text_of(value: Any, field: str) -> str:
    """Return a text field without surrounding white space; numbers become text."""
    if value is None:
        raise Refused(field, "is empty")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(field, f"is {_kind(value)}, not text")
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(field, "is not a number")
    made = plain_characters(str(value)).strip()
    if len(made) > LONGEST:
        raise Refused(field, f"has {len(made):,} characters; at most {LONGEST:,} can be used")
    if not made:
        raise Refused(field, "is empty")
    return made


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    names: dict[type, str] = {list: "a list", dict: "an object", bytes: "bytes"}
    return names.get(type(value), f"a {type(value).__name__}")


def texts_of(value: Any, field: str) -> tuple[str, ...]:
    """Return one or several texts, empty ones and repetitions left out."""
    values = value if isinstance(value, list | tuple) else [value]
    found = [text_of(v, field) for v in values if v is not None and not (isinstance(v, str) and not v.strip())]
    return tuple(dict.fromkeys(found))


def answers_of(value: Any) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
    """Return the texts of an ``answers`` field and where each begins in the context, where that is said."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):  # a list or an object in a cell of a table
        value = _in_a_cell(value)
    if isinstance(value, Mapping):
        texts, starts = value.get("text"), value.get("answer_start", [])
        texts = texts if isinstance(texts, list) else [texts]
        starts = starts if isinstance(starts, list) else [starts]
        value = [{"text": t, "answer_start": s} for t, s in zip(texts, [*starts, *[None] * len(texts)], strict=False)]
    if not (isinstance(value, list) and any(isinstance(v, Mapping) for v in value)):
        texts = texts_of(value, "answers")
        return texts, (None,) * len(texts)
    found: dict[tuple[str, int | None], None] = {}
    for item in value:
        if not isinstance(item, Mapping):
            raise Refused("answers", "mixes texts and objects")
        if item.get("text") is None or item["text"] == "":
            continue
        start = item.get("answer_start")
        known = isinstance(start, int) and not isinstance(start, bool) and start >= 0
        found[text_of(item["text"], "answers"), start if known else None] = None
    return tuple(t for t, _ in found), tuple(s for _, s in found)


def _in_a_cell(cell: str) -> Any:
    """Texts as JSON or as Python writes them (pandas does); anything else is a text that begins with a bracket."""
    import ast
    import json

    value: Any = None
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            value = read(cell.strip())
            break
    if isinstance(value, Mapping):
        return value if "text" in value else cell
    answers = isinstance(value, list) and all(
        isinstance(v, str) or (isinstance(v, Mapping) and "text" in v) for v in value
    )
    return value if answers else cell


def messages_of(value: Any, field: str) -> tuple[Message, ...]:
    """Return the turns of a conversation."""
    if not isinstance(value, list):
        raise Refused(field, f"is {_kind(value)}, not a list of messages")
    turns = []
    for item in value:
        if not isinstance(item, Mapping):
            raise Refused(field, f"holds {_kind(item)}, not a message")
        role = str(item.get("role") or item.get("from") or "").strip().lower()
        role = _ROLES.get(role, role)
        if role not in ("system", "user", "assistant", "tool"):
            raise Refused(field, f"has a message whose role is {role[:40]!r}")
        content = item.get("content", item.get("value"))
        calls = item.get("tool_calls") or []
        if isinstance(content, list):  # parts, as in {"type": "text", "text": …}
            content = "\n".join(str(p.get("text", "")) for p in content if isinstance(p, Mapping))
        if content is None and calls:
            content = ""
        if not isinstance(content, str):
            raise Refused(field, f"has a message whose content is {_kind(content)}")
        if len(content) > LONGEST:
            raise Refused(field, f"has a message of {len(content):,} characters; at most {LONGEST:,} can be used")
        calls = tuple(_clean(c) for c in calls if isinstance(c, Mapping)) if isinstance(calls, list) else ()
        made_by = item.get("tool_call_id")
        turns.append(Message(role, plain_characters(content), calls, made_by if isinstance(made_by, str) else None))
    return tuple(turns)


def _chat(row: Mapping[str, Any], field: str, target: str) -> dict[str, Any]:
    turns = messages_of(row[field], field)
    replied = bool(turns) and turns[-1].role == "assistant"
    if replied and not target:
        return {"messages": _asked(turns[:-1], field), "targets": texts_of(turns[-1].content, field)}
    given = row[target] if target else row.get("answers", row.get("answer"))
    return {"messages": _asked(turns[:-1] if replied else turns, field), "targets": answers_of(given)[0]}


def _asked(turns: tuple[Message, ...], field: str) -> tuple[Message, ...]:
    if not any(m.role == "user" and m.content.strip() for m in turns):
        raise Refused(field, "holds no question of a user")
    return turns


def _choice(row: Mapping[str, Any], field: str, target: str) -> dict[str, Any]:
    asked = row[field]
    turns = _asked(messages_of(asked, field), field) if isinstance(asked, list) else _question(asked, field)
    return {"messages": turns, "targets": texts_of(_reply(row[target], target), target)}


def _reply(value: Any, field: str) -> Any:
    """The text of a reply that may be given as a message, or as messages of which it is the last."""
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
        return messages_of(value, field)[-1].content
    return value


def _pair(row: Mapping[str, Any], field: str, target: str) -> dict[str, Any]:
    prompt, reply = row[field], _reply(row[target], target)
    if isinstance(prompt, list):
        return {"messages": _asked(messages_of(prompt, field), field), "targets": texts_of(reply, target)}
    return {"messages": _question(prompt, field), "targets": texts_of(reply, target)}


def _question(value: Any, field: str) -> tuple[Message, ...]:
    return (Message("user", text_of(value, field)),)


def _alpaca(row: Mapping[str, Any], field: str, target: str) -> dict[str, Any]:
    more = row.get("input")
    asked = text_of(row[field], field) + (f"\n\n{text_of(more, 'input')}" if more not in (None, "") else "")
    made: dict[str, Any] = {"messages": (Message("user", asked),), "targets": texts_of(row[target], target)}
    if isinstance(row.get("system"), str) and row["system"].strip():
        made["messages"] = (Message("system", text_of(row["system"], "system")), *made["messages"])
    return made


def _qa(row: Mapping[str, Any], field: str, target: str) -> dict[str, Any]:
    targets, starts = answers_of(row[target])
    made: dict[str, Any] = {"messages": _question(row[field], field), "targets": targets}
    context = row.get("context")
    if isinstance(context, list) and all(isinstance(c, str) for c in context):
        context = "\n\n".join(context)
    if isinstance(context, str) and context.strip():
        if len(context) > LONGEST:
            raise Refused("context", f"has {len(context):,} characters; at most {LONGEST:,} can be used")
        made["context"], made["starts"] = plain_characters(context), starts
    return made


def _label(row: Mapping[str, Any], field: str, target: str) -> dict[str, Any]:
    labels = texts_of(row[target], target)
    return {"messages": _question(row[field], field), "targets": labels, "labels": labels}


def _summary(row: Mapping[str, Any], field: str, target: str) -> dict[str, Any]:
    return {"messages": _question(row[field], field), "targets": texts_of(row[target], target)}


Shape = Callable[[Mapping[str, Any], str, str], dict[str, Any]]
SHAPES: tuple[tuple[str, tuple[str, ...], tuple[str, ...], Shape], ...] = (
    ("choice", ("prompt", "question", "messages", "conversations"), ("chosen",), _choice),
    ("chat", ("messages", "conversations"), (), _chat),
    ("alpaca", ("instruction",), ("output", "response"), _alpaca),
    ("pair", ("prompt", "input"), ("completion", "response", "output"), _pair),
    ("qa", ("question",), ("answers", "answer", "targets"), _qa),
    ("label", ("text",), ("label", "category", "intent"), _label),
    ("label", ("question",), ("label",), _label),  # not a category: that says what a question without answer is about
    ("summary", ("document", "article", "dialogue", "text"), ("summary",), _summary),
)
"""Name, fields that ask, fields that answer, and what makes the example; the first shape that fits is taken."""

_ASKING = frozenset(f for _, asking, _b, _s in SHAPES for f in asking)
_ANSWERING = frozenset(f for _, _a, answering, _s in SHAPES for f in answering)
_BESIDE: Mapping[Shape, Set[str]] = {
    _chat: {"answers", "answer", "label", "kto_tag"},
    _alpaca: {"input", "system", "label", "kto_tag"},
    _pair: {"label", "kto_tag"},
}
"""What a shape reads beside the fields that ask and answer."""

KNOWN = tuple(dict.fromkeys([*(f for _, a, b, _s in SHAPES for f in (*a, *b)), "system", "kto_tag", *BESIDE]))
"""Our names of fields."""


def shape_of(columns: Mapping[str, Any], named: Set[str] = frozenset()) -> tuple[Shape, str, str] | None:
    """Return the shape of a row and which of its fields ask and answer; None where no shape fits.

    Of the fields that the user ``named`` it is the shape that reads most, and never one in which a field that only
    happens to be there asks or answers in their stead.
    """
    wanted = named & (_ASKING | _ANSWERING)
    found, most = None, -1
    for _, asking, answering, shape in SHAPES:
        ask = _which(asking, columns, wanted)
        answer = _which(answering, columns, wanted)
        if ask and not answer and shape is _qa and _unanswerable(columns):
            answer = next((f for f in answering if f in wanted), answering[0])
        if shape is _chat:  # its last turn answers
            answer = next((f for f in ("answers", "answer") if f in wanted and f in columns), "")
        if not ask or (answering and not answer):
            continue
        read = {ask, answer} | _BESIDE.get(shape, set())
        unread = (wanted if answering else wanted & columns.keys()) - read
        if (ask not in wanted and unread & _ASKING) or (answer not in wanted and unread & _ANSWERING):
            continue
        n = len(read & wanted)
        if n > most:
            found, most = (shape, ask, answer), n
        if n == len(wanted):
            break
    return found


def _which(names: tuple[str, ...], columns: Mapping[str, Any], wanted: Set[str]) -> str:
    """The first of a shape's fields that the row has, of those only that are wanted, where some are."""
    return next((f for f in [f for f in names if f in wanted] or names if f in columns), "")


def _unanswerable(row: Mapping[str, Any]) -> bool:
    return flag_of(row.get("answerable"), "answerable") is False or flag_of(row.get("is_impossible"), "") is True


def flag_of(value: Any, field: str) -> bool | None:
    """Return yes or no; None where nothing is said."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    said = str(value).strip().lower()
    if said in _TRUE | _FALSE:
        return said in _TRUE
    raise Refused(field, f"is {said[:40]!r}, not true or false")


def example_of(row: Mapping[str, Any], name: str, named: Set[str] = frozenset()) -> tuple[Example, dict[str, Any]]:
    """Make a row into an example; ``name`` is its id where the row has none, ``named`` as for :func:`shape_of`.

    Returns:
        The example, and what needs the documents to be finished: ``context`` and ``starts``, ``evidence``, ``gold``.

    Raises:
        Refused: the row cannot be used.
    """
    found = shape_of(row, named)
    if found is None:
        raise Refused("", "has none of the known shapes")
    shape, ask, answer = found
    made = shape({**row, answer: row.get(answer)} if answer else row, ask, answer)
    rest: dict[str, Any] = {key: made.pop(key) for key in ("context", "starts") if key in made}
    answerable = flag_of(row.get("answerable"), "answerable")
    impossible = flag_of(row.get("is_impossible"), "is_impossible")
    if answerable is None and impossible is not None:
        answerable = not impossible
    if not made["targets"]:
        if answerable is not False:
            raise Refused(answer or ask, "is empty" if answer else "lacks a reply at its end")
        made["targets"] = (UNANSWERABLE,)
    if shape in (_chat, _pair, _alpaca) and _is_false(row.get("label", row.get("kto_tag"))):
        raise Refused("label", "is false: it marks the reply as one that is not wanted")
    used = {ask, answer, *BESIDE} - {"time", "synthetic"} | ({"input", "system"} if shape is _alpaca else set())
    if shape is _label and answer in named and "labels" not in named:  # the user said which column holds the class
        used.discard("labels")
    elif row.get("labels") not in (None, "", []):
        made["labels"] = texts_of(row["labels"], "labels")
    for key in ("evidence", "gold"):
        if row.get(key) not in (None, "", []):
            rest[key] = row[key]
    example = Example(
        id=_name(row.get("id"), "id") or name,
        answerable=answerable,
        source=_name(row.get("source"), "source"),
        group=_name(row.get("group"), "group"),
        weight=_weight(row.get("weight")),
        rejected=texts_of(_reply(row.get("rejected"), "rejected"), "rejected"),
        meta={_plain(k): _clean(v) for k, v in row.items() if k not in used and v is not None},
        **made,
    )
    return example, rest


def _is_false(value: Any) -> bool:
    """In a table's cell it is a word."""
    return value is False or (isinstance(value, str) and value.strip().lower() == "false")


def _name(value: Any, field: str) -> str:
    return "" if value is None or (isinstance(value, str) and not value.strip()) else text_of(value, field)[:500]


def _weight(value: Any) -> float:
    if value is None or value == "":
        return 1.0
    try:
        weight = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Refused("weight", "is not a number") from None
    if not math.isfinite(weight) or weight <= 0:
        raise Refused("weight", f"is {weight:g}, not a number above 0; leave the row out instead")
    if not LIGHTEST <= weight <= 1 / LIGHTEST:
        raise Refused("weight", f"is {weight:g}; weights are from {LIGHTEST:g} to {1 / LIGHTEST:g}")
    return weight


def _plain(key: Any) -> str:
    return plain_characters(str(key))[:200]


def _clean(value: Any, depth: int = 0) -> Any:
    """Return what is kept of a value that sharpen does not interpret: JSON-like, not huge, not deep."""
    if isinstance(value, str):
        return plain_characters(value[:10_000])
    if value is None or isinstance(value, bool | int):
        return (
            value if not isinstance(value, int) or abs(value) < 2**63 else float(value) if abs(value) < 2**900 else None
        )
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > 8:
        return None
    if isinstance(value, Mapping):
        return {_plain(k): _clean(v, depth + 1) for k, v in list(value.items())[:1000]}
    if isinstance(value, list | tuple):
        return [_clean(v, depth + 1) for v in value[:1000]]
    return str(value)[:10_000]
