"""Models behind any OpenAI-compatible endpoint: ``openai:http://host/v1#model``.

The key is read from ``SHARPEN_OPENAI_KEY`` or else ``OPENAI_API_KEY``, is sent to that host alone, and stands in no
log, error or identity. Eight calls run at once. What a server gets wrong for a moment (429, 5xx, time-outs, cut
streams, broken JSON) is tried again with growing, jittered pauses; after that the one answer carries the error as a
sentence and the others go on. Such endpoints give no log-likelihood of a given text, so there is no ``score``.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from sharpen.errors import UserError
from sharpen.types import Completion, Generate, Likelihoods, Message, Rank, Rendered, digest

NEEDS: dict[str, str] = {}
LONGEST_PAUSE = 60.0


class _Again(Exception):
    """Worth another try; ``after`` seconds where the server said so."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


@dataclass(frozen=True)
class Patience:
    """Calls at once, tries of one call, first pause in seconds (it doubles), and seconds without a byte."""

    at_once: int = 8
    tries: int = 6
    pause: float = 0.5
    timeout: float = 120.0


class OpenAIModel:
    """See the module's page."""

    can = frozenset({"generate", "stream"})

    def __init__(self, ref: str, patience: Patience = Patience(), context: int = 1 << 17) -> None:
        address, _, self.name = ref.removeprefix("openai:").partition("#")
        url = httpx.URL(address) if address else None
        if url is None or url.scheme not in {"http", "https"} or not url.host or not self.name:
            raise UserError(f"{ref!r} is not a hosted model.", do="Write openai:http://host/v1#model")
        if url.userinfo or url.query:
            raise UserError(
                "the address of a hosted model must not hold a password or a query.",
                do="Set the key in SHARPEN_OPENAI_KEY instead.",
            )
        self.ref, self.context, self.patience = ref, context, patience
        self.url = str(url).rstrip("/")
        self.identity = digest(["openai", self.url, self.name])
        self._limit_name = "max_tokens"
        self._pause: Callable[[float], None] = time.sleep

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """The conversation as it is sent; the template and the ids are the server's own."""
        return Rendered(json.dumps([_turn(m) for m in messages], ensure_ascii=False))

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Yield completions in the order in which the server finishes them.

        Raises:
            UserError: the server refuses the key, or has no such model or address.
        """
        key = os.environ.get("SHARPEN_OPENAI_KEY") or os.environ.get("OPENAI_API_KEY") or ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(self.patience.timeout, connect=min(10.0, self.patience.timeout))
        limits = httpx.Limits(max_connections=self.patience.at_once)
        pool = ThreadPoolExecutor(self.patience.at_once, thread_name_prefix="openai")
        left = threading.Event()  # nobody listens any more
        with httpx.Client(headers=headers, timeout=timeout, limits=limits, follow_redirects=False) as client:
            try:
                calls = {pool.submit(self._answer, client, r, left): i for i, r in enumerate(requests)}
                for call in as_completed(calls):
                    yield calls[call], call.result()
            finally:
                left.set()
                pool.shutdown(wait=False, cancel_futures=True)  # closing the client breaks off what still runs

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """Not offered: ``can`` lacks "score"."""
        raise UserError(
            f"{self.ref} gives no log-likelihood of given answers.",
            do="Use a local model for choosing among labels, or let this one write the label.",
        )

    def _answer(self, client: httpx.Client, request: Generate, left: threading.Event) -> Completion:
        started = time.perf_counter()
        why = ""
        for attempt in range(self.patience.tries):
            try:
                return self._call(client, request, time.perf_counter())
            except _Again as e:
                why = str(e)
                pause = self.patience.pause * 2**attempt * (0.5 + random.random() / 2)
                if left.is_set():
                    break
                if attempt < self.patience.tries - 1:
                    self._pause(min(LONGEST_PAUSE, max(pause, e.after or 0.0)))
        error = f"the model's server {why}, {self.patience.tries} times in a row; try again later."
        return Completion("", seconds=time.perf_counter() - started, finish="error", error=error)

    def _call(self, client: httpx.Client, request: Generate, started: float) -> Completion:
        limit_name = self._limit_name
        try:
            with client.stream(
                "POST", f"{self.url}/chat/completions", json=self._body(request, limit_name)
            ) as response:
                if response.status_code != 200:
                    response.read()
                    return self._refused(client, request, response, limit_name)
                if "text/event-stream" in response.headers.get("content-type", ""):
                    return _streamed(response, started)
                response.read()
                return _whole(response, started)
        except httpx.TimeoutException:
            raise _Again(f"did not answer within {self.patience.timeout:g} seconds") from None
        except httpx.TransportError as e:
            raise _Again(f"could not be reached or broke off ({type(e).__name__})") from None

    def _body(self, request: Generate, limit_name: str) -> dict[str, Any]:
        d = request.decoding
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [_turn(m) for m in request.messages],
            limit_name: d.max_new_tokens,
            "temperature": d.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if d.temperature > 0:
            body |= {"seed": d.seed, "top_p": d.top_p}
        if d.stop:
            body["stop"] = list(d.stop)
        return body

    def _refused(
        self, client: httpx.Client, request: Generate, response: httpx.Response, limit_name: str
    ) -> Completion:
        status, said = response.status_code, _said(response)
        if status in {408, 409, 425, 429} or status >= 500:
            raise _Again(f"answered with status {status}", _retry_after(response))
        if status in {401, 403}:
            raise UserError(
                f"the server of {self.ref} refuses the key (status {status}).",
                do="Set SHARPEN_OPENAI_KEY (or OPENAI_API_KEY) to a key that it knows.",
            )
        if status == 404 or 300 <= status < 400:
            raise UserError(
                f"the server has no {self.name!r} at {self.url} (status {status}).",
                do="Check the address (it usually ends in /v1) and the model's name.",
            )
        if status == 400 and "max_completion_tokens" in said and limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"  # newer models of OpenAI know the limit by this name only
            return self._call(client, request, time.perf_counter())
        return Completion("", finish="error", error=f"the model's server refused the request ({status}): {said}")


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [dict(c) for c in message.tool_calls]
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _said(response: httpx.Response) -> str:
    """The server's own words, short, and without the key should it repeat it."""
    try:
        error = response.json().get("error", {})
        text = str(error.get("message", "") if isinstance(error, dict) else error)
    except (ValueError, AttributeError):
        text = response.text
    for name in ("SHARPEN_OPENAI_KEY", "OPENAI_API_KEY"):
        key = os.environ.get(name)
        text = text.replace(key, "[key]") if key else text
    return " ".join(text.split())[:300]


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait as the server asks (RFC 9110: a number, or a date)."""
    value = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _streamed(response: httpx.Response, started: float) -> Completion:
    """Read server-sent events; a stream that ends without a reason to finish was cut."""
    text: list[str] = []
    first: float | None = None
    finish = ""
    usage: Mapping[str, Any] = {}
    for line in response.iter_lines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or not data or data == "[DONE]":
            continue
        try:
            event = json.loads(data)
            if event.get("error"):
                raise _Again("broke off with an error")
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                piece = (choice.get("delta") or {}).get("content") or ""
                if piece and first is None:
                    first = time.perf_counter() - started
                text.append(piece)
                finish = choice.get("finish_reason") or finish
        except (ValueError, AttributeError, TypeError):
            raise _Again("sent something that is not JSON") from None
    if not finish:
        raise _Again("cut its stream short")
    return _completion("".join(text), finish, usage, first, started)


def _whole(response: httpx.Response, started: float) -> Completion:
    """Read a server's answer that ignores ``stream``."""
    try:
        data = response.json()
        choice = data["choices"][0]
        text, finish = choice["message"]["content"] or "", choice.get("finish_reason") or "stop"
        return _completion(str(text), finish, data.get("usage") or {}, None, started)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise _Again("sent something that is not a chat completion") from None


def _completion(text: str, finish: str, usage: Mapping[str, Any], first: float | None, started: float) -> Completion:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Completion(
        text,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=int(cached),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        first_seconds=first,
        seconds=time.perf_counter() - started,
        finish="length" if finish == "length" else "stop",
    )


def openai(
    ref: str, adapters: Sequence[Path] = (), patience: Patience = Patience(), context: int = 1 << 17
) -> OpenAIModel:
    """Open a hosted model; nothing is sent before the first question.

    Raises:
        UserError: the reference is not ``openai:http://host/v1#model``, or adapters are asked for.
    """
    if adapters:
        raise UserError(f"{ref} is hosted and cannot carry an adapter.", do="Use a local model for trained arms.")
    return OpenAIModel(ref, patience, context)
