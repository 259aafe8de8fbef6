"""Nouns of what answers: programs and what they consist of, and the requests that one makes on its way to an answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from sharpen.nouns import NOUNS, Message, Passage, Ref, Span, digest


@dataclass(frozen=True)
class Prompt:
    """How a question is put. ``{question}`` and ``{context}`` are replaced as text, never interpreted.

    So are the names of the program's steps, also in the instruction. ``fence`` names a tag that questions and passages
    stand in and cannot end. Of a conversation's earlier turns the last ``history`` are kept; None: all. ``cites``: the
    answer names passages by their numbers in square brackets, which are read and taken out of it.
    """

    instruction: str = ""
    template: str = "{question}"
    context_template: str = "{context}\n\nQuestion: {question}"
    passage_template: str = "{text}"
    name: str = "default"
    fence: str = ""
    history: int | None = None
    cites: bool = False


@dataclass(frozen=True)
class Demo:
    """One worked example that is shown in the prompt, with all that it is shown with.

    That is its passages, its reasoning, and what the program's steps wrote of it, by their names.
    """

    question: str
    answer: str
    passages: tuple[Passage, ...] = ()
    example_id: str = ""
    reasoning: str = ""
    steps: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Retriever:
    """Which snapshot of a collection is searched and how. ``how``: hybrid, bm25, dense, gold (oracle).

    ``query`` is what is searched for, from the question, the conversation and the steps before; each of its lines is a
    query of its own, whose lists are joined. With a ``reranker`` (a model that reads question and passage together) it
    puts the first ``fetch`` in order. ``where`` names values that a passage's ``meta`` must have. ``order``:
    best_first, best_last or ends (the best at both ends). ``words`` is the most that all passages together may have; 0:
    no limit. ``least`` is the score below which a passage is not given; None: all are. ``screens``: sentences of
    passages that instruct the model are left out, and the answer's findings say so.
    """

    index: Ref
    k: int = 1
    how: str = "hybrid"
    query: str = "{question}"
    reranker: Ref = ""
    fetch: int = 0
    where: tuple[tuple[str, str], ...] = ()
    order: str = "best_first"
    words: int = 0
    least: float | None = None
    screens: bool = False


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

    ``votes``: so many answers are drawn, each from its own seed, and the most frequent is taken (Wang et al. 2023,
    "Self-consistency improves chain of thought reasoning"). ``schema``: a JSON Schema as text, which the answer has to
    keep; it is asked for anew up to ``retries`` times. ``field``: the answer is what stands there in the JSON, and
    worked examples are shown as such JSON. ``words``: an answer that is longer is cut at the end of a sentence, or of a
    word. ``avoid``: what no answer may hold, whatever its case; it is asked for anew, too, and what stays is a finding.
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
    votes: int = 1
    schema: str = ""
    retries: int = 0
    words: int = 0
    field: str = ""
    avoid: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """Something that is written before the answer, and stands for ``{name}`` in later steps, searches and the prompt.

    ``template`` is what is asked: with ``{question}``, ``{history}`` (the earlier turns, one a line),
    ``{conversation}`` (all turns in one line), ``{context}`` (the passages, which are searched for then) and the names
    of earlier steps. It is written by ``model`` (empty: the program's), with the program's adapters only where it is
    ``tuned``. ``needs`` names what it works on (``history``): where there is nothing of it, nobody is asked, and the
    question stands for the step.
    """

    name: str
    template: str
    instruction: str = ""
    max_new_tokens: int = 96
    one_line: bool = False
    model: str = ""
    tuned: bool = False
    needs: str = ""


@dataclass(frozen=True)
class Reasoning:
    """Thoughts before the answer, kept apart from it: asked for, written, and the answer is asked for after them.

    Kojima et al. 2022, "Large language models are zero-shot reasoners": ``ask`` is put under the question, ``then``
    is the turn after the thoughts.
    """

    ask: str = "Let's think step by step."
    then: str = "Therefore, the answer is:"
    max_new_tokens: int = 192


@dataclass(frozen=True)
class Refusal:
    """When a question is not answered, and ``text`` is said instead.

    That is where the search's best score is below ``least`` (None: whatever it is), and where what the step of the name
    ``step`` wrote begins with ``says``.
    """

    text: str
    least: float | None = None
    step: str = ""
    says: str = "no"


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
    steps: tuple[Step, ...] = ()
    reasoning: Reasoning | None = None
    refusal: Refusal | None = None

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of all that the program consists of."""
        return digest(self)


Program: TypeAlias = System


@dataclass(frozen=True)
class Generate:
    """Ask a model (with adapters) to go on after ``messages``; answered by a :class:`Completion`.

    ``purpose``: answer, or what comes before it: a step's name, or reasoning.
    """

    model: str
    adapters: tuple[Ref, ...]
    messages: tuple[Message, ...]
    decoding: Decoding
    purpose: str = "answer"


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
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Judge:
    """Ask a reranker how well each passage answers a query; answered by a tuple of numbers, more is better."""

    reranker: Ref
    query: str
    passages: tuple[Passage, ...]


Request: TypeAlias = Generate | Rank | Search | Judge


NOUNS |= {
    c.__name__: c for c in (Prompt, Demo, Retriever, Shots, Decoding, Step, Reasoning, Refusal, System, Likelihoods)
}
