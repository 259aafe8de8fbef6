"""The nouns of the house: frozen data that every room shares.

This module imports nothing of sharpen and nothing heavy. Whatever is improved, compared or served is a
:class:`System`; whatever is asked is an :class:`Example`; whatever comes back is an :class:`Answer`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias, runtime_checkable

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
            return _NOUNS[data["noun"]](**fields)
        return {k: restore(v) for k, v in data.items()}
    if isinstance(data, list):
        return tuple(restore(v) for v in data)
    return data


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


@dataclass(frozen=True)
class Completion:
    """What a model returned for one request. ``finish`` is stop, length, error or cancelled; times in seconds."""

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


@dataclass(frozen=True)
class Answer:
    """A program's answer: ``text`` as judged, ``raw`` as generated, and all that it rested on."""

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


@dataclass(frozen=True)
class Prompt:
    """How a question is put. ``{question}`` and ``{context}`` are replaced as text, never interpreted."""

    instruction: str = ""
    template: str = "{question}"
    context_template: str = "{context}\n\nQuestion: {question}"
    passage_template: str = "{text}"
    name: str = "default"


@dataclass(frozen=True)
class Demo:
    """One worked example that is shown in the prompt, with the passages that it is shown with."""

    question: str
    answer: str
    passages: tuple[Passage, ...] = ()
    example_id: str = ""


@dataclass(frozen=True)
class Retriever:
    """Which snapshot of a collection is searched and how. ``how``: hybrid, bm25, dense, gold (oracle)."""

    index: Ref
    k: int = 1
    how: str = "hybrid"


@dataclass(frozen=True)
class Shots:
    """Worked examples found anew for each question: the ``k`` nearest in the index of training questions."""

    index: Ref
    k: int = 3
    how: str = "dense"


@dataclass(frozen=True)
class Decoding:
    """How an answer is drawn. With ``choices`` the answer is the choice of highest adjusted log-likelihood.

    Adjusted: divided by its tokens when ``per_token``, minus ``prior_weight`` times the choice's ``priors`` entry (the
    same quantity for a content-free question; Zhao et al. 2021, "Calibrate before use"). ``by_text``: the model tells
    no likelihoods, so it writes, and the choice that it wrote is taken. ``one_line``: the answer is the reply's first
    line.
    """

    max_new_tokens: int = 48
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    per_token: bool = False
    priors: tuple[float, ...] = ()
    prior_weight: float = 0.0
    by_text: bool = False
    one_line: bool = True


@dataclass(frozen=True)
class System:
    """A program: a model, what was added to it, and how it is asked. Immutable; techniques return new ones."""

    model: str
    adapters: tuple[Ref, ...] = ()
    prompt: Prompt = Prompt()
    demos: tuple[Demo, ...] = ()
    shots: Shots | None = None
    retriever: Retriever | None = None
    decoding: Decoding = Decoding()

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of all that the program consists of."""
        return digest(self)


Program: TypeAlias = System


@dataclass(frozen=True)
class Rendered:
    """A conversation as the model reads it. ``supervised[i]`` says that training learns to produce ``ids[i]``."""

    text: str
    ids: tuple[int, ...] = ()
    supervised: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Generate:
    """Ask a model (with adapters) to go on after ``messages``; answered by a :class:`Completion`."""

    model: str
    adapters: tuple[Ref, ...]
    messages: tuple[Message, ...]
    decoding: Decoding


@dataclass(frozen=True)
class Rank:
    """Ask for the log-likelihood of each of ``choices`` as the reply; answered by a :class:`Likelihoods`."""

    model: str
    adapters: tuple[Ref, ...]
    messages: tuple[Message, ...]
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Likelihoods:
    """Sum of log-probabilities (nats) and number of tokens of each choice, in the order of the request."""

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    prompt_tokens: int = 0
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Search:
    """Ask an index for passages; answered by a tuple of :class:`Passage`, best first. ``gold`` serves oracles."""

    index: Ref
    query: str
    k: int
    how: str
    gold: tuple[Span, ...] = ()


Request: TypeAlias = Generate | Rank | Search


@runtime_checkable
class Model(Protocol):
    """A model on an engine. ``can`` names what it offers: generate, score, embed, tune, stream, tools."""

    ref: str
    can: frozenset[str]
    identity: str  # digest of the weights (adapters included), engine, version, precision and template
    context: int  # longest prompt and answer together, in tokens

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """Apply the chat template; a final assistant message is rendered as the supervised reply."""
        ...

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Yield ``(position, completion)`` as they finish."""
        ...

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """Yield ``(position, likelihoods)`` of given replies.

        The end-of-turn token is not included, except where another of the choices goes on after this one.
        """
        ...


class Metric(Protocol):
    """A judge of answers, batch first. ``higher_is_better`` is False for times and costs."""

    @property
    def name(self) -> str:
        """The name under which it is reported."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether more is better."""
        ...

    def score(self, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Score]:
        """Judge each answer against its example; one score an answer, in order."""
        ...

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
        """Default: the weighted mean of the judged values. Resampling calls this, never a column of its own."""
        ...


@dataclass(frozen=True)
class Task:
    """A kind of job: its judges, its default prompt and arms, its floors, and how long an answer may be."""

    name: str
    metrics: tuple[str, ...]
    floors: tuple[str, ...]
    instructions: tuple[str, ...]
    arms: tuple[str, ...]
    arms_with_documents: tuple[str, ...] = ()
    context_instructions: tuple[str, ...] = ()
    max_new_tokens: int = 48
    chooses: bool = False  # answers are one of a fixed set of labels
    one_line: bool = True  # answers are one line
    template: str = "{question}"
    context_template: str = "{context}\n\nQuestion: {question}"


class Progress(Protocol):
    """Told what is going on: a stage's name, how much is done and how much there is (None: not known)."""

    def __call__(self, stage: str, done: float, total: float | None) -> None: ...


def silent(stage: str, done: float, total: float | None) -> None:
    """The :class:`Progress` that tells nobody."""


Technique: TypeAlias = Callable[[System, Any], System]
"""``improve(program, bench) -> program``; the second argument is a :class:`sharpen.techniques.bench.Bench`."""

_NOUNS: dict[str, Any] = {
    c.__name__: c
    for c in (
        *(Message, Span, Document, Example, Passage, Completion, Answer, Score),
        *(Prompt, Demo, Retriever, Shots, Decoding, System, Likelihoods, Task),
    )
}
