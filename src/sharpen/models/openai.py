"""Models behind any OpenAI-compatible endpoint: ``openai:http://host/v1#model``.

The key is read from ``SHARPEN_OPENAI_KEY`` or else ``OPENAI_API_KEY``, is sent to that host alone, and stands in no
log, error or identity. Eight calls run at once. What a server gets wrong for a moment (429, 5xx, time-outs, cut
streams, broken JSON) is tried again with growing, jittered pauses; after that the one answer carries the error as a
sentence and the others go on. A server that is down answers no question wrongly: where nothing listens, or one question
after the other fails and a greeting too, everything stops with a sentence. Such endpoints give no log-likelihood of a
given text, so there is no ``score``. A server that lets nobody choose the temperature is asked without one: its answers
are then drawn.
"""

from __future__ import annotations

import json
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from sharpen.errors import UserError
from sharpen.types import Completion, Decoding, Generate, Likelihoods, Message, Rank, Rendered, digest

NEEDS: dict[str, str] = {}
LONGEST_PAUSE = 60.0


class _Again(Exception):
    """Worth another try; ``after`` seconds where the server said so; ``down``: nothing listens there."""

    def __init__(self, why: str, after: float | None = None, down: bool = False) -> None:
        super().__init__(why)
        self.after, self.down = after, down


@dataclass(frozen=True)
class Patience:
    """Calls at once, tries of one call, first pause in seconds (it doubles), and seconds without a byte."""

    at_once: int = 8
    tries: int = 6
    pause: float = 0.5
    timeout: float = 120.0


class OpenAIModel:
    """See the module's page."""

    can = frozenset({"generate"})

    def __init__(self, ref: str, patience: Patience = Patience(), context: int = 1 << 17) -> None:
        address, _, self.name = ref.removeprefix("openai:").partition("#")
        url = _url(address)
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
        self._temperature = True  # whether the server lets one be chosen
        self._heard = False  # whether the server has ever said anything
        self._failed = 0  # questions in a row
        self._counting = threading.Lock()
        self._pause: Callable[[threading.Event, float], bool] = threading.Event.wait

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """The conversation as it is sent; the template and the ids are the server's own."""
        return Rendered(json.dumps([_turn(m) for m in messages], ensure_ascii=False))

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Yield completions in the order in which the server finishes them.

        Raises:
            UserError: the server is down, refuses the key, or has no such model or address.
        """
        key = os.environ.get("SHARPEN_OPENAI_KEY") or os.environ.get("OPENAI_API_KEY") or ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(self.patience.timeout, connect=min(10.0, self.patience.timeout))
        limits = httpx.Limits(max_connections=self.patience.at_once)
        todo: queue.SimpleQueue[tuple[int, Generate]] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Completion | Exception]] = queue.SimpleQueue()
        left = threading.Event()  # nobody listens any more
        for i, request in enumerate(requests):
            todo.put((i, request))
        with httpx.Client(headers=headers, timeout=timeout, limits=limits, follow_redirects=False) as client:
            for _ in range(min(self.patience.at_once, len(requests))):
                # Daemons: who leaves waits for no slow server, not even at the end of the process.
                threading.Thread(target=self._work, args=(client, todo, done, left), name="openai", daemon=True).start()
            try:
                for _ in requests:
                    i, result = done.get()
                    if isinstance(result, Exception):
                        raise result
                    yield i, result
            finally:
                left.set()

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """Not offered: ``can`` lacks "score"."""
        raise UserError(
            f"{self.ref} gives no log-likelihood of given answers.",
            do="Use a local model for choosing among labels, or let this one write the label.",
        )

    def _work(self, client: httpx.Client, todo: Any, done: Any, left: threading.Event) -> None:
        while not left.is_set():
            try:
                i, request = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((i, self._answer(client, request, left)))
            except Exception as e:  # raised again where the answers are awaited
                done.put((i, e))

    def _answer(self, client: httpx.Client, request: Generate, left: threading.Event) -> Completion:
        started = time.perf_counter()
        why = _Again("was not asked")
        for attempt in range(self.patience.tries):
            try:
                completion = self._call(client, request)
            except _Again as e:
                why = e
                if e.down and not self._heard:
                    break  # a wrong address or a server not started: no pause mends that
                pause = self.patience.pause * 2**attempt * (0.5 + random.random() / 2)
                last = attempt == self.patience.tries - 1
                if last or self._pause(left, min(LONGEST_PAUSE, max(pause, e.after or 0.0))):
                    break
            else:
                self._failed = 0
                return completion
        if not left.is_set():
            self._stop_if_down(client, why)
        error = f"the model's server {why}, {self.patience.tries} times in a row; try again later."
        return Completion("", seconds=time.perf_counter() - started, finish="error", error=error)

    def _stop_if_down(self, client: httpx.Client, why: _Again) -> None:
        """Raise where the server, and not this question, is the reason: an outage is not a wrong answer."""
        with self._counting:
            self._failed += 1
            many = self._failed >= self.patience.at_once
            self._failed = 0 if many else self._failed
        if many and not why.down:
            try:
                self._call(client, Generate(self.ref, (), (Message("user", "Hello"),), Decoding(1)))
                return  # it answers others: these questions alone fail
            except _Again:
                pass
        if many or why.down:
            do = "See that it runs and that the address is right, then run the same command: what was answered is kept."
            raise UserError(f"the model's server {why}.", self.ref, do)

    def _call(self, client: httpx.Client, request: Generate) -> Completion:
        while True:
            started = time.perf_counter()
            body = self._body(request)
            try:
                with client.stream("POST", f"{self.url}/chat/completions", json=body) as response:
                    self._heard = True
                    if response.status_code == 200:
                        if "text/event-stream" in response.headers.get("content-type", ""):
                            return _streamed(response, started)
                        response.read()
                        return _whole(response, started)
                    response.read()
            except (httpx.ConnectError, httpx.ConnectTimeout) as e:
                raise _Again(f"could not be reached ({type(e).__name__})", down=True) from None
            except httpx.TimeoutException:
                raise _Again(f"did not answer within {self.patience.timeout:g} seconds") from None
            except httpx.RequestError as e:
                raise _Again(f"broke off ({type(e).__name__})") from None
            if not self._adapted(body, response):
                return self._refused(response)

    def _adapted(self, body: Mapping[str, Any], response: httpx.Response) -> bool:
        """Whether a refused request is worth another try in the words of newer models of OpenAI."""
        said = _said(response) if response.status_code == 400 else ""
        if "max_completion_tokens" in said and "max_tokens" in body:
            self._limit_name = "max_completion_tokens"
            return True
        if "temperature" in said and "support" in said and "temperature" in body:
            self._temperature = False
            return True
        return False

    def _body(self, request: Generate) -> dict[str, Any]:
        d = request.decoding
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [_turn(m) for m in request.messages],
            self._limit_name: d.max_new_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._temperature:
            body |= {"temperature": d.temperature}
            body |= {"top_p": d.top_p} if d.temperature > 0 else {}
        if d.temperature > 0:
            body |= {"seed": d.seed}
        if d.stop:
            body["stop"] = list(d.stop)
        return body

    def _refused(self, response: httpx.Response) -> Completion:
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
        return Completion("", finish="error", error=f"the model's server refused the request ({status}): {said}")


def _url(address: str) -> httpx.URL | None:
    try:
        return httpx.URL(address) if address else None
    except (httpx.InvalidURL, ValueError):
        return None


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
    usage: Any = {}
    for line in _lines(response):
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data or data == b"[DONE]":
            continue
        try:
            event = json.loads(data)
            if event.get("error"):
                raise _Again("broke off with an error")
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                piece = _text((choice.get("delta") or {}).get("content"))
                if piece and first is None:
                    first = time.perf_counter() - started
                text.append(piece)
                finish = choice.get("finish_reason") or finish
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise _Again("sent something that is not JSON") from None
    if not finish:
        raise _Again("cut its stream short")
    return _completion("".join(text), finish, usage, first, started)


def _whole(response: httpx.Response, started: float) -> Completion:
    """Read a server's answer that ignores ``stream``."""
    try:
        data = response.json()
        choice = data["choices"][0]
        text, finish = _text(choice["message"]["content"]), choice.get("finish_reason") or "stop"
        return _completion(text, finish, data.get("usage"), None, started)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise _Again("sent something that is not a chat completion") from None


def _lines(response: httpx.Response) -> Iterator[bytes]:
    """Lines as server-sent events end them; httpx's own also end at U+2028, which JSON may hold."""
    rest = b""
    for chunk in response.iter_bytes():
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        yield from whole
    yield rest


def _text(content: Any) -> str:
    """Text as it is, or the text parts of a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text") or "" for part in content)


def _count(usage: Any, *names: str) -> int:
    """A number of tokens; 0 where the server tells none that can be read."""
    for name in names:
        usage = usage.get(name) if isinstance(usage, Mapping) else None
    return int(usage) if isinstance(usage, int | float) and 0 < usage < 1 << 53 else 0


def _completion(text: str, finish: str, usage: Any, first: float | None, started: float) -> Completion:
    return Completion(
        # Halves of a character from two pieces are joined; a half without the other could not be written to a file.
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
        prompt_tokens=_count(usage, "prompt_tokens"),
        cached_tokens=_count(usage, "prompt_tokens_details", "cached_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
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
