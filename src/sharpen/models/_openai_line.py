"""A worker's own connection to a hosted model, which can be cut from outside.

httpx limits the time between two bytes, so a server that sends one now and then would be waited for without end.
Whoever waits for the answers looks at the clock instead, and shuts the socket of what takes too long.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

import httpx


class Line:
    """One client with one connection: which try it is at, since when it is silent, and until when it may take."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.attempt = 0
        self.end()
        self._stream: Any = None

    def begin(self, seconds: float) -> None:
        """Start the clocks of one try, which may take so many seconds."""
        self.heard()
        self._until = time.monotonic() + seconds

    def end(self) -> None:
        """Stop the clocks: nothing is waited for."""
        self._since = self._until = math.inf
        self._told = 0.0

    def heard(self) -> None:
        """Note that a part of an answer came."""
        self._since, self._told = time.monotonic(), 0.0

    def late(self) -> bool:
        """Whether the try takes longer than it may."""
        return time.monotonic() > self._until

    def silent(self, every: float) -> float:
        """Seconds without a part of an answer, told once in ``every`` seconds; else 0."""
        waited = time.monotonic() - self._since
        if waited < self._told + every:
            return 0.0
        self._told = waited
        return waited

    def post(self, url: str, body: Mapping[str, Any]) -> AbstractContextManager[httpx.Response]:
        """Send a request; the reply is read by the caller."""
        return self.client.stream("POST", url, json=body, extensions={"trace": self._traced})

    def cut(self) -> None:
        """Shut the connection: whoever reads from it in another thread reads its end at once."""
        with suppress(OSError, AttributeError):  # closed already, or not yet there
            self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _traced(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._stream = info["return_value"]
