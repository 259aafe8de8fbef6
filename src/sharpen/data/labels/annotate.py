"""The annotation queue in a browser: one page, keyboard first (a accept, e edit, r refuse, s skip, u undo).

Served on 127.0.0.1 by the standard library; every person has a link of their own, whose random token says who decides.
Whoever has the link is that person, so it is not for sending around. The page loads nothing from elsewhere, puts texts
in as text, and a strict content security policy holds it to that. Requests for another host name are refused (a page
elsewhere cannot reach this one by renaming itself), and what changes something must be JSON sent by this page.

What it does not do: encrypt, log in, or serve other machines.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from sharpen.data.labels.queue import ACTIONS, Item, Queue
from sharpen.errors import UserError

HOST = "127.0.0.1"
LARGEST = 1_000_000  # bytes of a request
SECONDS = 30  # for a request to arrive


class Annotating:
    """A running server; ``links`` holds each annotator's address. Use it as a context, or call :meth:`close`."""

    def __init__(
        self, queue: Queue, annotators: Sequence[str], port: int = 0, told: Callable[[], object] = lambda: None
    ) -> None:
        if not annotators or any(not a.strip() for a in annotators) or len(set(annotators)) != len(annotators):
            raise UserError("annotators need names, each another.", "annotate", "Name everybody who will decide.")
        self.queue, self.told = queue, told
        self.classes = queue.classes
        self._who = {secrets.token_urlsafe(24): name for name in annotators}
        try:
            self._server = _Server((HOST, port), _Page, self)
        except (OSError, OverflowError) as e:
            what = f"port {port} of this machine cannot be used ({e})."
            raise UserError(what, "annotate", "Take another port, or 0 for any that is free.") from None
        self.port = int(self._server.server_address[1])
        self.links = {name: f"http://{HOST}:{self.port}/{token}/" for token, name in self._who.items()}
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def who(self, token: str) -> str | None:
        """Return whose token it is; all are compared, each in constant time."""
        given = token.encode("utf-8", "surrogateescape")
        found = [name for known, name in self._who.items() if secrets.compare_digest(known.encode(), given)]
        return found[0] if found else None

    def wait(self) -> None:
        """Serve until the server is closed or the program is interrupted."""
        self._thread.join()

    def close(self) -> None:
        """Stop serving; the queue stays open."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Annotating:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def annotate(
    queue: Queue, annotators: Sequence[str], port: int = 0, told: Callable[[], object] = lambda: None
) -> Annotating:
    """Serve ``queue`` to ``annotators`` on a port of this machine (0: any that is free), and return at once.

    ``told`` is called after each decision.

    Raises:
        UserError: nobody is named, or the port is taken.
    """
    return Annotating(queue, annotators, port, told)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], page: type[BaseHTTPRequestHandler], owner: Annotating) -> None:
        self.owner = owner
        super().__init__(address, page)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is nobody's concern."""


class _Page(BaseHTTPRequestHandler):
    server: _Server
    server_version = "sharpen"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses hold tokens."""

    def do_GET(self) -> None:
        who, action = self._asked()
        if who is None:
            return
        if action == "":
            nonce = secrets.token_urlsafe(16)
            page = resources.files("sharpen.data.labels").joinpath("annotate.html").read_text(encoding="utf-8")
            self._send(HTTPStatus.OK, page.replace("{nonce}", nonce).encode(), "text/html; charset=utf-8", nonce)
        elif action == "next":
            self._state(who, self.server.owner.queue.next(who))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def do_POST(self) -> None:
        who, action = self._asked()
        if who is None:
            return
        row = self._body()
        if row is None:
            return
        queue = self.server.owner.queue
        try:
            if action == "undo":
                self._state(who, queue.undo(who) or queue.next(who))
            elif action == "decide":
                self._decide(who, row)
                self.server.owner.told()
                self._state(who, queue.next(who))
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")
        except UserError as e:
            self._refuse(HTTPStatus.BAD_REQUEST, str(e))
        except UnicodeError:
            self._refuse(HTTPStatus.BAD_REQUEST, "A text holds half a character.")

    def _decide(self, who: str, row: dict[str, Any]) -> None:
        """Write down what was sent; where there are classes, an edit names one, and naming the guess accepts it."""
        owner = self.server.owner
        said = [row.get(k) for k in ("item", "action", "value", "text")]
        if not isinstance(said[0], str) or not all(v is None or isinstance(v, str) for v in said):
            raise UserError("a decision names its item and an action.", "annotate", f"Take one of {ACTIONS}.")
        item, action, value, text = said[0], said[1] or "", said[2], said[3]
        if owner.classes and action == "edit":
            if value not in owner.classes:
                raise UserError("that is no class.", "annotate", "Take one that the page offers.")
            action, text = "accept" if value == owner.queue.item(item).proposal else "edit", None
        owner.queue.decide(item, who, action, value, text)

    def _asked(self) -> tuple[str | None, str]:
        """Who asks for what; (None, "") after refusing."""
        host = self.headers.get("Host", "")
        port = self.server.owner.port
        token, _, action = self.path.partition("?")[0].lstrip("/").partition("/")
        if host not in (f"{HOST}:{port}", f"localhost:{port}"):
            self._refuse(HTTPStatus.FORBIDDEN, "This page is for this machine alone.")
            return None, ""
        who = self.server.owner.who(token)
        if who is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such page. Take the whole link, with its token.")
            return None, ""
        return who, action

    def _body(self) -> dict[str, Any] | None:
        """The JSON object that was sent, or None after refusing."""
        origin, port = self.headers.get("Origin"), self.server.owner.port
        if origin not in (None, f"http://{HOST}:{port}", f"http://localhost:{port}"):
            self._refuse(HTTPStatus.FORBIDDEN, "Only the page itself may decide.")
            return None
        if self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON.")
            return None
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Say how long it is.")
            return None
        if len(length) > 9 or int(length) > LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {LARGEST:,} bytes.")
            return None
        try:
            row = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            self._refuse(HTTPStatus.BAD_REQUEST, "That is no JSON object.")
            return None
        return row

    def _state(self, who: str, item: Item | None) -> None:
        progress = self.server.owner.queue.progress(who)
        shown = None
        if item is not None:
            shown = {"id": item.id, "text": item.text, "passage": item.passage, "proposal": item.proposal}
            shown |= {k: item.meta.get(k) for k in ("at", "likely", "sure")} | {"origin": item.origin}
        made: dict[str, Any] = {"who": who, "item": shown, "done": dict(progress.done), "left": progress.left}
        made["classes"] = self.server.owner.classes
        self._send(HTTPStatus.OK, json.dumps(made).encode(), "application/json")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what was sent and not read must not be taken for the next request
        self._send(status, json.dumps({"error": why}).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str, nonce: str = "") -> None:
        own = f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
        allowed = own if nonce else ""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        policy = f"default-src 'none'; {allowed}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
