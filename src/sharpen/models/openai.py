"""Models behind any OpenAI-compatible endpoint: ``openai:http://host/v1#model``.

The key is read from ``SHARPEN_OPENAI_KEY`` or else ``OPENAI_API_KEY``, is sent to that host alone, and stands in no
log, error or identity. Eight calls run at once. What a server gets wrong for a moment (429, 5xx, time-outs, cut
streams, broken JSON) is tried again with growing, jittered pauses; after that the one answer carries the error as a
sentence and the others go on. No try lasts for ever: the tokens asked for say how long a whole answer may take and how
large it may be, and what is waited for long is logged. A server that is down answers no question wrongly: where nothing
listens, or one question after the other fails and a greeting too, everything stops with a sentence. Such endpoints give
no log-likelihood of a given text, so there is no ``score``. A server that lets nobody choose the temperature is asked
without one: its answers are then drawn. A program's JSON Schema is sent as ``response_format``, so that a server that
can holds replies to it; one that refuses that is asked without.
"""

from __future__ import annotations

import json
import logging
import math
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx

from sharpen.errors import UserError
from sharpen.models._openai_in import PACKED, Again, answered, refusal, retry_after
from sharpen.models._openai_line import Line
from sharpen.models._stop import cut
from sharpen.types import Completion, Decoding, Generate, Likelihoods, Message, Rank, Rendered, digest

NEEDS: dict[str, str] = {}
NOTABLE = 5.0  # seconds that a server asks to wait and that are worth a line

log = logging.getLogger("sharpen.models")


@dataclass(frozen=True)
class Patience:
    """Calls at once, tries of one call, first pause in seconds (it doubles) and the longest, seconds without a byte,
    seconds for a whole answer (as many again for every 256 tokens asked for), and tokens that it may think aloud.
    """

    at_once: int = 8
    tries: int = 6
    pause: float = 0.5
    longest: float = 60.0
    timeout: float = 120.0
    answer: float = 600.0
    room: int = 1 << 15


BRIEF = Patience(tries=2, pause=10.0, longest=10.0, timeout=30.0, answer=30.0)


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
        self.url, self._host = str(url).rstrip("/"), url.netloc.decode("ascii")
        self.identity = digest(["openai", self.url, self.name])
        self._limit_name = "max_tokens"
        self._temperature = True  # whether the server lets one be chosen
        self._schema = True  # whether it can be told which JSON Schema a reply has to keep
        self._heard = False  # whether the server has ever said anything
        self._failed = 0  # questions in a row
        self._counting = threading.Lock()
        self._said = -math.inf  # when the last line was logged
        self._pause: Callable[[threading.Event, float], bool] = threading.Event.wait

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """The conversation as it is sent; the template and the ids are the server's own."""
        return Rendered(json.dumps([_turn(m) for m in messages], ensure_ascii=False))

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Yield completions in the order in which the server finishes them.

        Raises:
            UserError: the server is down, refuses the key, or has no such model or address.
        """
        todo: queue.SimpleQueue[tuple[int, Generate]] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Completion | Exception]] = queue.SimpleQueue()
        left = threading.Event()  # nobody listens any more
        for i, request in enumerate(requests):
            todo.put((i, request))
        lines = self._lines(min(self.patience.at_once, len(requests)))
        for line in lines:
            # Daemons: who leaves waits for no slow server, not even at the end of the process.
            threading.Thread(target=self._work, args=(line, todo, done, left), name="openai", daemon=True).start()
        try:
            for _ in requests:
                i, result = self._next(done, lines)
                if isinstance(result, Exception):
                    raise result
                yield i, result
        finally:
            left.set()
            for line in lines:
                line.cut()

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """Not offered: ``can`` lacks "score"."""
        raise UserError(
            f"{self.ref} gives no log-likelihood of given answers.",
            do="Use a local model for choosing among labels, or let this one write the label.",
        )

    def _lines(self, n: int) -> list[Line]:
        key = (os.environ.get("SHARPEN_OPENAI_KEY") or os.environ.get("OPENAI_API_KEY") or "").strip()
        if not (key.isascii() and key.isprintable()):
            what = "the key in SHARPEN_OPENAI_KEY or OPENAI_API_KEY holds characters that no key has."
            raise UserError(what, self.ref, "Set it anew, without quotation marks.")
        headers = {"Accept-Encoding": PACKED} | ({"Authorization": f"Bearer {key}"} if key else {})
        timeout = httpx.Timeout(self.patience.timeout, connect=min(10.0, self.patience.timeout))
        trusted = _trusted()
        # No cookies: one that holds odd characters could not be sent back.
        jars = [CookieJar(DefaultCookiePolicy(allowed_domains=[])) for _ in range(n)]
        return [Line(httpx.Client(headers=headers, timeout=timeout, verify=trusted, cookies=jar)) for jar in jars]

    def _next(self, done: Any, lines: Sequence[Line]) -> tuple[int, Completion | Exception]:
        """The next result; meanwhile, cut what takes too long and say what is waited for."""
        tick = min(1.0, self.patience.timeout / 8, self.patience.answer / 8)
        while True:
            try:
                found: tuple[int, Completion | Exception] = done.get(timeout=tick)
                return found
            except queue.Empty:
                pass
            for line in lines:
                if line.late():
                    line.cut()
                waited = line.silent(self.patience.timeout / 2)
                if waited:
                    self._say(f"has not answered for {waited:.0f} s", line.attempt)

    def _say(self, what: str, attempt: int) -> None:
        """Log what is waited for; all that wait say the same, so one line at a time is enough."""
        now = time.monotonic()
        with self._counting:
            if now - self._said < self.patience.timeout / 4:
                return
            self._said = now
        log.warning("%s %s (try %d of %d)", self._host, what, attempt + 1, self.patience.tries)

    def _work(self, line: Line, todo: Any, done: Any, left: threading.Event) -> None:
        with line.client:
            while not left.is_set():
                try:
                    i, request = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    done.put((i, self._answer(line, request, left)))
                except Exception as e:  # raised again where the answers are awaited
                    done.put((i, e))

    def _answer(self, line: Line, request: Generate, left: threading.Event) -> Completion:
        started = time.perf_counter()
        why, often = Again("was not asked"), ""
        for attempt in range(self.patience.tries):
            line.attempt = attempt
            try:
                completion = self._call(line, request)
            except Again as e:
                why = e
                often = ""
                if e.final or (e.down and not self._heard):
                    break  # a wrong address or a server not started: no pause mends that
                often = f", {attempt + 1} times in a row; try again later"
                pause = self.patience.pause * 2**attempt * (0.5 + random.random() / 2)
                if attempt == self.patience.tries - 1 or self._wait(left, pause, e.after or 0.0, attempt):
                    break
            else:
                self._failed = 0
                return completion
        if not left.is_set():
            self._stop_if_down(line, why)
        error = f"the model's server {why}{often}."
        return Completion("", seconds=time.perf_counter() - started, finish="error", error=error)

    def _wait(self, left: threading.Event, pause: float, asked: float, attempt: int) -> bool:
        """Pause before the next try, as long as the server asks within reason; whether nobody listens any more."""
        longest = self.patience.longest
        if asked >= NOTABLE:
            kept = f"; it is asked again after {longest:g} s" if asked > longest else ""
            self._say(f"asks to wait {round(asked):g} s{kept}", attempt)
        return self._pause(left, min(longest, max(pause, asked)))

    def _stop_if_down(self, line: Line, why: Again) -> None:
        """Raise where the server, and not this question, is the reason: an outage is not a wrong answer."""
        with self._counting:
            self._failed += 1
            many = self._failed >= self.patience.at_once
            self._failed = 0 if many else self._failed
        if many and not why.down:
            try:
                self._call(line, Generate(self.ref, (), (Message("user", "Hello"),), Decoding(1)))
                return  # it answers others: these questions alone fail
            except Again:
                pass
        if many or why.down:
            do = "See that it runs and that the address is right, then run the same command: what was answered is kept."
            raise UserError(f"the model's server {why}.", self.ref, do)

    def _call(self, line: Line, request: Generate) -> Completion:
        seconds = self.patience.answer * (1 + request.decoding.max_new_tokens / 256)
        line.begin(seconds)
        try:
            return self._ask(line, request)
        except Again as e:
            if line.late() and not e.final:  # it was cut for that
                within = f"within {round(seconds, 1):g} seconds"
                self._say(f"did not finish an answer {within}", line.attempt)
                raise Again(f"did not finish its answer {within}") from None
            raise
        finally:
            line.end()

    def _ask(self, line: Line, request: Generate) -> Completion:
        tokens = request.decoding.max_new_tokens + self.patience.room
        while True:
            started = time.perf_counter()
            body = self._body(request)
            try:
                with line.post(f"{self.url}/chat/completions", body) as response:
                    self._heard = True
                    if response.status_code == 200:
                        return _ended(answered(response, tokens, started, line.heard), request.decoding.stop)
                    said = refusal(response)
            except (httpx.ConnectError, httpx.ConnectTimeout) as e:
                raise Again(f"could not be reached ({type(e).__name__})", down=True) from None
            except httpx.TimeoutException:
                raise Again(f"did not answer within {self.patience.timeout:g} seconds") from None
            except httpx.RequestError as e:
                raise Again(f"broke off ({type(e).__name__})") from None
            if response.status_code != 400 or not self._adapted(body, said):
                return self._refused(response, said)

    def _adapted(self, body: Mapping[str, Any], said: str) -> bool:
        """Whether a refused request is worth another try in the words of newer models of OpenAI."""
        if "max_completion_tokens" in said and "max_tokens" in body:
            self._limit_name = "max_completion_tokens"
            return True
        if "temperature" in said and "support" in said and "temperature" in body:
            self._temperature = False
            return True
        if "response_format" in body and any(word in said for word in ("response_format", "json_schema", "schema")):
            self._schema = False  # what comes is checked all the same
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
        if d.schema and self._schema:
            form = {"name": "reply", "schema": json.loads(d.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        if d.stop:
            body["stop"] = list(d.stop)
        return body

    def _refused(self, response: httpx.Response, said: str) -> Completion:
        status, after = response.status_code, retry_after(response)
        if status in {408, 409, 425, 429} or status >= 500:
            asks = f" and asks to wait {round(after):g} s" if after and after >= NOTABLE else ""
            raise Again(f"answered with status {status}{asks}", after)
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


@cache
def _trusted() -> Any:
    """Reading the certificates that are trusted takes longer than a short answer."""
    return httpx.create_ssl_context()


def _ended(completion: Completion, stop: Sequence[str]) -> Completion:
    """An answer that ends before its stop string, which some servers send too, or go on after."""
    text, finish = cut(completion.text, stop)
    return replace(completion, text=text, finish="stop") if finish else completion


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
