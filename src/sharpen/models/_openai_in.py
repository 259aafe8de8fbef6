"""What a server that speaks as OpenAI's sends: answers, refusals and pauses, however odd, and never more than asked."""

from __future__ import annotations

import json
import math
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from sharpen.types import Completion

# What one token takes at the very most: characters of text, bytes of JSON, and bytes of a stream that sends it alone.
CHARACTERS, BYTES, FRAMED = 32, 64, 1024
REFUSAL = 1 << 16  # bytes that are read of one
PORTION = 1 << 16  # bytes that are unpacked at once
PACKED = "gzip, deflate"


class Again(Exception):
    """Worth another try, unless ``final``; ``after`` seconds where the server said so; ``down``: nothing listens."""

    def __init__(self, why: str, after: float | None = None, down: bool = False, final: bool = False) -> None:
        super().__init__(why)
        self.after, self.down, self.final = after, down, final


def answered(response: httpx.Response, tokens: int, started: float, heard: Callable[[], None]) -> Completion:
    """Read an answer of at most so many tokens; ``heard`` is called as its parts come.

    Raises:
        Again: it is cut short, no chat completion, or longer than such an answer can be.
    """
    if "text/event-stream" in response.headers.get("content-type", ""):
        return _streamed(response, tokens, started, heard)
    return _whole(b"".join(_bounded(_unpacked(response), tokens * BYTES)), started)


def refusal(response: httpx.Response) -> str:
    """The server's own words, short, and without the key should it repeat it."""
    body = bytearray()
    for chunk in _unpacked(response):
        body += chunk
        if len(body) > REFUSAL:
            break
    text = body[:REFUSAL].decode("utf-8", "replace")
    with suppress(ValueError, AttributeError, RecursionError):
        error = json.loads(body).get("error")
        text = str((error.get("message") if isinstance(error, dict) else error) or text)
    for name in ("SHARPEN_OPENAI_KEY", "OPENAI_API_KEY"):
        key = (os.environ.get(name) or "").strip()  # as it is sent
        text = text.replace(key, "[key]") if key else text
    return " ".join(_whole_characters(text).split())[:300]


def retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait as the server asks (RFC 9110: a number, or a date); None where it asks nothing sensible."""
    value = response.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError, IndexError, OSError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The body's bytes as they come, unpacked in portions: httpx would unpack a bomb whole."""
    packed = response.headers.get("content-encoding", "").strip().lower()
    if packed in {"", "identity"}:
        yield from response.iter_raw()
        return
    if packed not in PACKED.split(", "):
        raise Again("packed its answer in a way that was not asked for")
    unpack = zlib.decompressobj(32 + zlib.MAX_WBITS)  # either of the two
    try:
        for chunk in response.iter_raw():
            while chunk and not unpack.eof:  # what is behind its end stays in the tail for ever
                yield unpack.decompress(chunk, PORTION)
                chunk = unpack.unconsumed_tail
        yield unpack.flush()
    except zlib.error:
        raise Again("sent something that cannot be unpacked") from None


def _bounded(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    read = 0
    for chunk in chunks:
        read += len(chunk)
        if read > most:
            raise _too_long(most, "bytes")
        yield chunk


def _too_long(most: int, what: str) -> Again:
    return Again(f"sent more than {most} {what} for one short answer", final=True)


def _streamed(response: httpx.Response, tokens: int, started: float, heard: Callable[[], None]) -> Completion:
    """Read server-sent events; a stream that ends without a reason to finish was cut."""
    text: list[str] = []
    first: float | None = None
    finish = ""
    usage: Any = {}
    room = tokens * CHARACTERS
    for line in _lines(_bounded(_unpacked(response), tokens * FRAMED), tokens * BYTES):
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data or data == b"[DONE]":
            continue
        try:
            event = json.loads(data)
            if event.get("error"):
                raise Again("broke off with an error")
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                heard()
                piece = _text((choice.get("delta") or {}).get("content"))
                if piece and first is None:
                    first = time.perf_counter() - started
                text.append(piece)
                room -= len(piece)
                finish = choice.get("finish_reason") or finish
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise Again("sent something that is not JSON") from None
        if room < 0:
            raise _too_long(tokens * CHARACTERS, "characters")
    if not finish:
        raise Again("cut its stream short")
    return _completion("".join(text), finish, usage, first, started)


def _whole(body: bytes, started: float) -> Completion:
    """Read a server's answer that ignores ``stream``."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        text, finish = _text(choice["message"]["content"]), choice.get("finish_reason") or "stop"
        return _completion(text, finish, data.get("usage"), None, started)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise Again("sent something that is not a chat completion") from None


def _lines(chunks: Iterable[bytes], longest: int) -> Iterator[bytes]:
    """Lines as server-sent events end them; httpx's own also end at U+2028, which JSON may hold."""
    rest = bytearray()
    for chunk in chunks:
        *whole, last = chunk.replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            yield bytes(rest + line)
            rest.clear()
        rest += last
        if len(rest) > longest:
            raise _too_long(longest, "bytes")
    yield bytes(rest)


def _text(content: Any) -> str:
    """Text as it is, or the text parts of a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text") or "" for part in content)


def _whole_characters(text: str) -> str:
    """Halves of a character from two pieces are joined; one without the other could not be written to a file."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(usage: Any, *names: str) -> int:
    """A number of tokens; 0 where the server tells none that can be read."""
    for name in names:
        usage = usage.get(name) if isinstance(usage, Mapping) else None
    return int(usage) if isinstance(usage, int | float) and 0 < usage < 1 << 53 else 0


def _completion(text: str, finish: str, usage: Any, first: float | None, started: float) -> Completion:
    return Completion(
        _whole_characters(text),
        prompt_tokens=_count(usage, "prompt_tokens"),
        cached_tokens=_count(usage, "prompt_tokens_details", "cached_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        first_seconds=first,
        seconds=time.perf_counter() - started,
        finish="length" if finish == "length" else "stop",
    )
