"""The nouns of the house: frozen data that every room shares.

The hall's own files alone are imported, and nothing heavy. Whatever is improved, compared or served is a
:class:`System`; whatever is asked is an :class:`Example`; whatever comes back is an :class:`Answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from sharpen.nouns import (
    NOUNS,
    Answer,
    Completion,
    Document,
    Example,
    Message,
    Passage,
    Ref,
    Score,
    Span,
    digest,
    plain,
    restore,
)
from sharpen.programs import (
    Decoding,
    Demo,
    Generate,
    Judge,
    Likelihoods,
    Program,
    Prompt,
    Rank,
    Reasoning,
    Refusal,
    Request,
    Retriever,
    Search,
    Shots,
    Step,
    System,
)

__all__ = [
    "Answer",
    "Completion",
    "Decoding",
    "Demo",
    "Document",
    "Example",
    "Generate",
    "Judge",
    "Likelihoods",
    "Message",
    "Metric",
    "Model",
    "Passage",
    "Program",
    "Progress",
    "Prompt",
    "Rank",
    "Reasoning",
    "Ref",
    "Refusal",
    "Rendered",
    "Request",
    "Retriever",
    "Score",
    "Search",
    "Shots",
    "Span",
    "Step",
    "System",
    "Task",
    "Technique",
    "digest",
    "plain",
    "restore",
    "silent",
]


@dataclass(frozen=True)
class Rendered:
    """A conversation as the model reads it. ``supervised[i]`` says that training learns to produce ``ids[i]``."""

    text: str
    ids: tuple[int, ...] = ()
    supervised: tuple[bool, ...] = ()


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

NOUNS |= {"Task": Task}
