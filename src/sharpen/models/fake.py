"""A model for tests and examples: deterministic, instant, and it learns.

``fake:`` reads a given text (it takes the sentence that shares most words with the question, and of that sentence the
words that the question lacks), copies the answer of a worked example that resembles the question, and wraps its answer
in a sentence until worked examples or training show it to be brief. ``fake:coin?p=0.5`` answers a question that ends
with its own answer rightly with probability ``p``, decided by the question's hash; an instruction that says
``help=0.2`` adds to it. It learns by being shown rows: :meth:`learn` writes what it remembers as JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np

from sharpen.errors import UserError
from sharpen.models._length import too_long
from sharpen.types import Completion, Generate, Likelihoods, Message, Passage, Rank, Rendered, digest

STOP = frozenset(
    {
        *("a", "an", "and", "are", "at", "by", "do", "does", "for", "from", "how", "in", "is", "it", "its", "of", "on"),
        *("the", "there", "this", "to", "was", "what", "when", "where", "which", "who"),
    }
)
DIMENSIONS = 256
MEMORY = "fake_memory.json"


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text.lower())


@lru_cache(maxsize=1 << 16)
def _number(text: str) -> float:
    """A uniform number in 0..1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def _overlap(a: Sequence[str], b: Sequence[str]) -> float:
    left, right = set(a) - STOP, set(b) - STOP
    return len(left & right) / (len(left | right) or 1)


class FakeModel:
    """See the module's page."""

    can = frozenset({"generate", "score", "embed", "stream", "tune"})
    context = 8192

    def __init__(self, ref: str = "fake:", memory: Sequence[tuple[str, str]] = ()) -> None:
        self.ref = ref
        self.memory = tuple((q, a) for q, a in memory)
        kind, _, query = ref.partition(":")[2].partition("?")
        if kind not in ("", "coin"):
            raise UserError(f"there is no fake model {ref!r}.", do="There are fake: and fake:coin?p=0.5.")
        self.coin = kind == "coin"
        try:
            self.p = float(parse_qs(query).get("p", ["0.5"])[0])
        except ValueError:
            raise UserError(f"p is not a number in {ref!r}.", do="Write: fake:coin?p=0.5") from None
        self.identity = digest([ref, self.memory, "fake 1"])

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """One line a turn; the ids are hashes of words."""
        reply = messages[-1] if messages and messages[-1].role == "assistant" else None
        before = messages[:-1] if reply else messages
        prompt = "".join(f"<{m.role}> {m.content}\n" for m in before) + "<assistant>"
        answer = f" {reply.content} <end>" if reply else ""
        ids = [[int(_number(w) * 2**31) for w in part.split()] for part in (prompt, answer)]
        mask = (*(False for _ in ids[0]), *(True for _ in ids[1]))
        return Rendered(prompt + answer, (*ids[0], *ids[1]), mask)

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Answer at once."""
        for i, request in enumerate(requests):
            text = self._reply(request.messages)
            limit = request.decoding.max_new_tokens
            cut = " ".join(text.split()[:limit])
            n = len(self.render(request.messages).ids)
            if n > self.context:
                yield i, Completion("", prompt_tokens=n, finish="error", error=too_long(n, self.context))
                continue
            done = "length" if len(text.split()) > limit else "stop"
            yield i, Completion(cut, (), (), n, 0, len(cut.split()), 0.0, 0.0, done)

    def stream(self, request: Generate) -> Iterator[tuple[str, Completion | None]]:
        """Answer word by word; the last comes with the completion."""
        ((_, completion),) = self.generate([request])
        *first, last = re.findall(r"\S+\s*", completion.text) or [""]
        yield from ((piece, None) for piece in first)
        yield last, completion

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """A choice is likely when worked examples or memory that resemble the question have it."""
        for i, request in enumerate(requests):
            question = _words(request.messages[-1].content)
            known = [(_words(q), a) for q, a in (*self.memory, *_demos(request.messages))]
            raw = np.array(
                [
                    5 * max((_overlap(question, q) for q, a in known if a == choice), default=0.0)
                    + _overlap(question, _words(choice.replace("_", " ")))
                    for choice in request.choices
                ]
            )
            logprobs = raw - np.log(np.exp(raw).sum())
            n = len(self.render(request.messages).ids)
            lengths = tuple(len(c.split()) for c in request.choices)
            yield i, Likelihoods(tuple(float(x) for x in logprobs), lengths, n, 0.0)

    def embed(self, texts: Sequence[str], query: bool = False, told: Any = None) -> Any:
        """Hashed bags of words, unit length."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in _words(text):
                if word not in STOP:
                    row[int(_number(word) * DIMENSIONS)] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def judge(self, pairs: Sequence[tuple[str, Sequence[Passage]]]) -> list[tuple[float, ...]]:
        """A passage answers a question by the share of their words that both have."""
        return [tuple(_overlap(_words(query), _words(p.headed)) for p in passages) for query, passages in pairs]

    def learn(self, rows: Sequence[tuple[Sequence[Message], str]], folder: Path) -> None:
        """Remember (conversation, reply) rows; ``folder`` is then opened as an adapter."""
        memory = [[_question(messages), reply] for messages, reply in rows]
        (folder / MEMORY).write_text(json.dumps(memory, ensure_ascii=False), encoding="utf-8")

    def _reply(self, messages: Sequence[Message]) -> str:
        text = messages[-1].content if messages else ""
        if self.coin:
            return self._toss(messages, text)
        question = _question(messages)
        known = _demos(messages)
        brief = bool(self.memory or known)
        near = max(
            ((_overlap(_words(question), _words(q)), a) for q, a in (*known, *self.memory)),
            default=(0.0, ""),
            key=lambda x: x[0],
        )
        context = text[: text.rfind(question)].strip() if question in text else ""
        found = _read(context, question) if context else ""
        answer = near[1] if near[0] >= 0.6 else found or "unknown"
        return answer if brief else f"I think that the answer is {answer}, as far as I know."

    def _toss(self, messages: Sequence[Message], text: str) -> str:
        instruction = messages[0].content if messages[0].role == "system" else ""
        help_ = sum(float(x) for x in re.findall(r"help=(-?[\d.]+)", instruction))
        salt = "".join(re.findall(r"salt=(\w+)", instruction))
        # A salted instruction tosses anew for three questions in ten, so that arms are correlated as real ones are.
        again = bool(salt) and _number(text + salt + "again") < 0.3
        right = _number(text + salt if again else text) < self.p + help_
        return text.split()[-1] if right and text.split() else "wrong"


def _question(messages: Sequence[Message]) -> str:
    text = messages[-1].content if messages else ""
    return text.rpartition("Question:")[2].partition("\n")[0].strip() if "Question:" in text else text.strip()


def _demos(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(_question([u]), a.content) for u, a in pairwise(messages) if a.role == "assistant" and u.role == "user"]


def _read(context: str, question: str) -> str:
    asked = set(_words(question)) | STOP
    sentences = re.split(r"(?<=[.!?])\s+|\n+", context)
    best = max(sentences, key=lambda s: _overlap(_words(s), _words(question)), default="")
    return " ".join(w for w in re.findall(r"[\w-]+", best) if w.lower() not in asked)


def fake(ref: str = "fake:", adapters: Sequence[Path] = ()) -> FakeModel:
    """Open the fake model; each adapter adds what it remembers."""
    memory = [tuple(row) for a in adapters for row in json.loads((a / MEMORY).read_text(encoding="utf-8"))]
    return FakeModel(ref, memory)
