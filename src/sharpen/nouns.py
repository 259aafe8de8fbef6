"""Nouns of what is asked and answered, and how any noun becomes a hash or JSON and comes back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

Ref: TypeAlias = str
"""A name such as ``adapter:3f2a…`` (kind and sha256 of the content) that only the store turns into a path."""


def digest(value: Any) -> str:
    """Return the sha256 of any noun or JSON-like value, independent of process, platform and dict order."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Turn nouns (and containers of them) into JSON-like data; a noun keeps the name of its class."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"noun": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        given = {str(k): plain(v) for k, v in value.items()}
        return {"noun": "", "given": given} if "noun" in given else given  # a user's own key of that name
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, frozenset | set):
        return sorted(plain(v) for v in value)
    return value


def restore(data: Any) -> Any:
    """Undo :func:`plain`: nouns come back by the name of their class, lists as tuples."""
    if isinstance(data, Mapping):
        if data.get("noun") == "":
            return {k: restore(v) for k, v in data["given"].items()}
        if "noun" in data:
            fields = {k: restore(v) for k, v in data.items() if k != "noun"}
            return NOUNS[data["noun"]](**fields)
        return {k: restore(v) for k, v in data.items()}
    if isinstance(data, list):
        return tuple(restore(v) for v in data)
    return data


NOUNS: dict[str, Any] = {}
"""Every noun that is kept as JSON, by the name of its class."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; ``role`` is system, user, assistant or tool."""

    role: str
    content: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True)
class Span:
    """Characters ``start`` (included) to ``end`` (excluded) of the document named ``source``."""

    source: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """One document as text; ``source`` is its path relative to the documents folder, with ``/``."""

    source: str
    text: str
    title: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Example:
    """A question (one user message, or a conversation that ends with one) and what is known of its answer.

    ``targets`` are the acceptable answers, best first; ``labels`` the classes where the task has classes; ``gold``
    the spans that hold the answer; ``source`` what questions are split and clustered by (a document, a customer).
    """

    id: str
    messages: tuple[Message, ...]
    targets: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    gold: tuple[Span, ...] = ()
    answerable: bool | None = None
    source: str = ""
    group: str = ""
    weight: float = 1.0
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def question(self) -> str:
        """The text of the last user message."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @cached_property
    def content(self) -> str:
        """Hash of all that an answer may depend on: the messages and, for oracle arms, the gold spans."""
        return digest([self.messages, self.gold])

    def blind(self) -> Example:
        """The same question without anything that gives its answer away."""
        return dataclasses.replace(self, targets=(), rejected=(), labels=(), gold=(), answerable=None, meta={})


@dataclass(frozen=True)
class Passage:
    """A piece of a document, as retrieved: ``span`` says where it stands, ``score`` how well it fits."""

    id: str
    text: str
    span: Span
    score: float = 0.0
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def headed(self) -> str:
        """The text under its title, section and, of a table's later rows, their header: what is searched and judged.

        They often hold the subject that the text only means. One that stands in the text is not said twice.
        """
        head = (str(self.meta[k]) for k in ("title", "section", "table") if self.meta.get(k))
        return "\n".join([*(h for h in head if h not in self.text), self.text])


@dataclass(frozen=True)
class Completion:
    """What a model returned for one request. ``finish`` is stop, length, error or cancelled; times in seconds.

    Where it ``ranked`` choices, ``tokens`` and ``logprobs`` are the lengths and sums of these, in their order.
    """

    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_seconds: float | None = None
    seconds: float | None = None
    finish: str = "stop"
    error: str | None = None
    ranked: bool = False


@dataclass(frozen=True)
class Answer:
    """A program's answer: ``text`` as judged, ``raw`` as generated, and all that it rested on.

    ``steps`` is what each step wrote, ``reasoning`` the thoughts before the answer, ``votes`` how many of the drawn
    answers said this one. ``valid``: whether it keeps the schema that it was to keep; None where there is none.
    """

    text: str
    raw: str = ""
    label_scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    passages: tuple[Passage, ...] = ()
    citations: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    completions: tuple[Completion, ...] = ()
    seconds: float | None = None
    finish: str = "stop"
    error: str | None = None
    steps: Mapping[str, str] = field(default_factory=dict, hash=False)
    reasoning: str = ""
    votes: int = 0
    valid: bool | None = None

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens of all model calls together."""
        return sum(c.prompt_tokens + c.completion_tokens for c in self.completions)


@dataclass(frozen=True)
class Score:
    """A judgement of one answer. ``value`` None means that it could not be judged, which is not 0.

    ``stats`` are sufficient statistics for metrics that are not a mean (corpus BLEU, macro-F1).
    """

    value: float | None
    why: str = ""
    stats: tuple[float, ...] = ()


NOUNS |= {c.__name__: c for c in (Message, Span, Document, Example, Passage, Completion, Answer, Score)}
