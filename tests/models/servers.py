"""Local servers that speak a hub's and a hosted model's HTTP, and misbehave when told to."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Answer; who hangs up is no error."""
        with suppress(ConnectionError):
            super().handle()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Hub:
    """A hub with one model. ``cut`` maps a file to how many bytes of it are sent before the line breaks, once each."""

    folder: Path
    name: str = "org/tiny"
    commit: str = "c0ffee" + "0" * 34
    large: tuple[str, ...] = (".safetensors",)
    cut: dict[str, list[int]] = field(default_factory=dict)
    lie: set[str] = field(default_factory=set)
    status: dict[str, list[int]] = field(default_factory=dict)
    hashes_in_info: bool = True
    ranges: bool = True
    renamed: str = ""  # what the model was called before: asked for by that name, it is redirected, as a real hub does
    moved: str = ""  # large files are redirected there, as a real hub sends them to another host
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def files(self) -> dict[str, bytes]:
        return {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}

    def hash(self, name: str, content: bytes) -> str:
        """Git's sha1 of small files, sha256 of large ones; a lie where told to."""
        content = content + b"!" if name in self.lie else content
        if name.endswith(self.large):
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()

    def info(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.files().items():
            entry: dict[str, Any] = {"rfilename": name}
            if self.hashes_in_info:
                entry |= {"size": len(content), "blobId": "0" * 40}
                if name.endswith(self.large):
                    entry["lfs"] = {"sha256": self.hash(name, content), "size": len(content)}
                else:
                    entry["blobId"] = self.hash(name, content)
            siblings.append(entry)
        return {"id": self.name, "sha": self.commit, "cardData": {"license": "mit"}, "siblings": siblings}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """The hub as a handler of HTTP requests."""
        hub = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                hub.asked.append((path, self.headers.get("Range"), self.headers.get("Authorization")))
                for part, codes in hub.status.items():
                    if part in path and codes:
                        return self.plain(codes.pop(0), b"{}")
                if hub.renamed and f"/{hub.renamed}/" in path:
                    self.send_response(307)
                    self.send_header("Location", self.path.replace(hub.renamed, hub.name))
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                if path.startswith(f"/api/models/{hub.name}/revision/"):
                    return self.plain(200, json.dumps(hub.info()).encode())
                start = f"/{hub.name}/resolve/{hub.commit}/"
                content = hub.files().get(path.removeprefix(start))
                if not path.startswith(start) or content is None:
                    return self.plain(404, b'{"error":"Repository not found"}')
                self.file(path.removeprefix(start), content)

            def plain(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def file(self, name: str, content: bytes) -> None:
                large = name.endswith(hub.large)
                if large and hub.moved:
                    self.send_response(302)
                    self.send_header("X-Linked-Etag", f'"{hub.hash(name, content)}"')
                    self.send_header("Location", hub.moved + self.path)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                wanted = self.headers.get("Range")
                first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.ranges else 0
                body = content[first:]
                self.send_response(206 if first else 200)
                if large:
                    self.send_header("X-Linked-Etag", f'"{hub.hash(name, content)}"')
                    self.send_header("ETag", '"some-storage-etag"')
                else:
                    self.send_header("ETag", f'"{hub.hash(name, content)}"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if hub.cut.get(name):
                    self.wfile.write(body[: hub.cut[name].pop(0)])
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.wfile.write(body)

        return Handler


_OK = b"HTTP/1.1 200 OK\r\n"
_EVENTS = _OK + b"Content-Type: text/event-stream\r\n\r\n"
_PIECES = b"".join(b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % (b"a" * n) for n in (9, 99, 999))

# How a server keeps a client waiting without end: what it sends first, what again and again, and how often.
ENDLESS: dict[str, tuple[bytes, bytes, float]] = {
    "pings": (_EVENTS, b": ping\n\n", 0.02),
    "empty deltas": (_EVENTS, b'data: {"choices": [{"delta": {}}]}\n\n', 0.02),
    "interim replies": (b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.02),
    "slow headers": (_OK + b"X-Slow: ", b"a", 0.02),
    "slow json": (_OK + b"Content-Type: application/json\r\n\r\n", b" ", 0.02),
    "slow refusal": (b"HTTP/1.1 400 Bad\r\nContent-Length: 99999\r\n\r\n", b"no ", 0.02),
    "deltas": (_EVENTS, _PIECES, 0.0),
    "thoughts": (_EVENTS, _PIECES.replace(b"content", b"reasoning_content"), 0.0),
    "one line": (_EVENTS + b"data: ", b"a" * 4096, 0.0),
    "json": (_OK + b"Content-Type: application/json\r\n\r\n{", b" " * 4096, 0.0),
    "refusal": (b"HTTP/1.1 400 Bad\r\n\r\n", b"no " * 1024, 0.0),
}


Reply = Callable[[dict[str, Any], BaseHTTPRequestHandler], None]


@dataclass
class Hosted:
    """An OpenAI-compatible server.

    ``moods`` are taken one a call: a status, a fault's name, the bytes of an answer, or what answers instead; then it
    is as ``mood`` says.
    """

    moods: list[Any] = field(default_factory=list)
    mood: Any = "well"
    retry_after: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    slow: float = 0.0
    hangs: float = 1.5
    stream: bool = True
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """The server as a handler of HTTP requests."""
        hosted = self

        class Handler(_Handler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                if len(sent) < int(self.headers["Content-Length"]):
                    return  # who asked has gone
                body = json.loads(sent)
                with hosted.lock:
                    hosted.calls.append(body)
                    hosted.times.append(time.monotonic())
                    hosted.keys.append(self.headers.get("Authorization"))
                    mood = hosted.moods.pop(0) if hosted.moods else hosted.mood
                    hosted.at_once += 1
                    hosted.most_at_once = max(hosted.most_at_once, hosted.at_once)
                try:
                    self.answer(body, mood)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                finally:
                    with hosted.lock:
                        hosted.at_once -= 1

            def answer(self, body: dict[str, Any], mood: Any) -> None:
                if self.path != "/v1/chat/completions":
                    mood = 404
                if isinstance(mood, tuple):
                    return self.send(mood[0], {"error": {"message": mood[1]}})
                if isinstance(mood, int):
                    return self.send(mood, {"error": {"message": f"no, said with {self.headers['Authorization']}"}})
                if callable(mood):
                    return mood(body, self)
                if mood == "hang":
                    time.sleep(hosted.hangs)
                    return
                if mood in ENDLESS:
                    return self.endless(ENDLESS[mood])
                time.sleep(hosted.slow * (1 + len(hosted.calls) % 3))
                text = body["messages"][-1]["content"].upper()
                if mood == "not json":
                    return self.raw(200, "application/json", b"<html>busy</html>")
                if mood == "no choices":
                    return self.send(200, {"choices": []})
                if mood == "close":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                if isinstance(mood, bytes):
                    return self.raw(200, "text/event-stream" if hosted.stream else "application/json", mood)
                if not hosted.stream:
                    usage = {"prompt_tokens": 5, "completion_tokens": 2}
                    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                    return self.send(200, {"choices": [choice], "usage": usage})
                self.events(text, mood)

            def endless(self, says: tuple[bytes, bytes, float]) -> None:
                """Send a start, and then the same again and again as long as a hanging server hangs."""
                start, again, pause = says
                until = time.monotonic() + hosted.hangs
                self.close_connection = True
                self.wfile.write(start)
                while time.monotonic() < until:
                    self.wfile.write(again)
                    time.sleep(pause)

            def events(self, text: str, mood: Any) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for i, piece in enumerate([text[:2], text[2:]]):
                    if i and mood == "cut":
                        break
                    self.event({"choices": [{"delta": {"content": piece}, "finish_reason": None}]})
                    if i == 0 and mood == "broken event":
                        self.wfile.write(b"data: {not json\n\n")
                if mood != "cut":
                    self.event({"choices": [{"delta": {}, "finish_reason": "length" if mood == "long" else "stop"}]})
                    self.event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
                    self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True

            def event(self, data: dict[str, Any]) -> None:
                self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
                self.wfile.flush()

            def send(self, status: int, data: dict[str, Any]) -> None:
                self.raw(status, "application/json", json.dumps(data).encode())

            def raw(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                if hosted.retry_after and status in {429, 503}:
                    self.send_header("Retry-After", hosted.retry_after)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler
