"""Progress on the terminal: one live line a stage with an ETA; plain lines every ten seconds where nobody looks.

A clock draws too: a stage that says nothing for long is seen to be going on.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from sharpen.errors import clock, harmless, shown


def say(text: object, to: TextIO | None = None) -> None:
    """Print what may hold data, whose control characters are no business of the terminal."""
    print(harmless(str(text)), file=to, flush=True)


def brief(text: str, most: int = 160) -> str:
    """A text on one line, cut where it is longer than ``most`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


class Live:
    """A :class:`sharpen.types.Progress` that draws on stderr."""

    def __init__(self) -> None:
        self.stage = ""
        self.began = self.last = 0.0
        self.first = self.done = 0.0
        self.total: float | None = None
        self.tty = sys.stderr.isatty()
        self.lock = threading.RLock()

    def __call__(self, stage: str, done: float, total: float | None) -> None:
        with self.lock:
            now = time.monotonic()
            if stage != self.stage:
                self.finish()
                self.stage, self.began, self.last, self.first = stage, now, now if not self.tty else 0.0, done
            self.done, self.total = done, total
            ended = self.tty and total is not None and done >= total
            if ended or now - self.last >= (0.2 if self.tty else 10.0):
                self._draw(now)

    def tick(self) -> None:
        """Draw a stage that has said nothing for a while: its clock goes on."""
        with self.lock:
            now = time.monotonic()
            if self.stage and now - self.last >= (1.0 if self.tty else 10.0):
                self._draw(now)

    def _draw(self, now: float) -> None:
        self.last = now
        line = harmless(self._line(now - self.began, self.done, self.total))
        sys.stderr.write(f"\r\x1b[2K{line}" if self.tty else line + "\n")
        sys.stderr.flush()

    def _line(self, seconds: float, done: float, total: float | None) -> str:
        if total is None:
            return f"  {self.stage} … {clock(seconds)}"
        share = min(1.0, done / total) if total else 1.0
        fresh = done - self.first
        # Answers are computed many at once, so the very first say little of the rate.
        told = fresh > 0.05 * (total - self.first) and share < 1 and seconds > 2
        left = f", {clock(seconds * (total - done) / fresh)} left" if told else ""
        bar = "█" * round(20 * share) + "·" * (20 - round(20 * share))
        return f"  {self.stage:<34.34} {bar} {done:.0f}/{total:.0f} {clock(seconds)}{left}"

    def say(self, text: str) -> None:
        """Print a line that stays."""
        with self.lock:
            self.finish()
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def finish(self) -> None:
        """End the live line."""
        with self.lock:
            if self.stage and self.tty:
                sys.stderr.write("\r\x1b[2K")
                sys.stderr.flush()
            self.stage = ""


class _Said(logging.Handler):
    """Prints what sharpen logs above the live line."""

    def __init__(self, live: Live) -> None:
        super().__init__(logging.INFO)
        self.live = live

    def emit(self, record: logging.LogRecord) -> None:
        mark = "  ! " if record.levelno >= logging.WARNING else "  "
        self.live.say(mark + shown(record.getMessage()).replace("\n", "\n    "))


@contextmanager
def live() -> Iterator[Live]:
    """Progress on the terminal for the time of the block, with what sharpen has to say meanwhile."""
    drawn = Live()
    said, log = _Said(drawn), logging.getLogger("sharpen")
    level = log.level
    log.addHandler(said)
    log.setLevel(logging.INFO)
    ended = threading.Event()

    def clockwork() -> None:
        while not ended.wait(1.0):
            drawn.tick()

    ticking = threading.Thread(target=clockwork, daemon=True)
    ticking.start()
    try:
        yield drawn
    finally:
        ended.set()
        ticking.join()
        log.removeHandler(said)
        log.setLevel(level)
        drawn.finish()
