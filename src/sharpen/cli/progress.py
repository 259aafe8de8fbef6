"""Progress on the terminal: one live line a stage with an ETA; plain lines every ten seconds where nobody looks."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Live:
    """A :class:`sharpen.types.Progress` that draws on stderr."""

    def __init__(self) -> None:
        self.stage = ""
        self.began = self.last = 0.0
        self.first = 0.0
        self.tty = sys.stderr.isatty()

    def __call__(self, stage: str, done: float, total: float | None) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.finish()
            self.stage, self.began, self.last, self.first = stage, now, now if not self.tty else 0.0, done
        pause = 0.2 if self.tty else 10.0
        if now - self.last < pause and not (self.tty and total is not None and done >= total):
            return
        self.last = now
        line = self._line(now - self.began, done, total)
        if self.tty:
            sys.stderr.write(f"\r\x1b[2K{line}")
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def _line(self, seconds: float, done: float, total: float | None) -> str:
        if total is None:
            return f"  {self.stage} … {clock(seconds)}"
        share = min(1.0, done / total) if total else 1.0
        fresh = done - self.first
        left = f", {clock(seconds * (total - done) / fresh)} left" if fresh > 0 and share < 1 and seconds > 2 else ""
        bar = "█" * round(20 * share) + "·" * (20 - round(20 * share))
        return f"  {self.stage:<34.34} {bar} {done:.0f}/{total:.0f} {clock(seconds)}{left}"

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.finish()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def finish(self) -> None:
        """End the live line."""
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
        self.live.say(mark + record.getMessage().replace("\n", "\n    "))


@contextmanager
def live() -> Iterator[Live]:
    """Progress on the terminal for the time of the block, with what sharpen has to say meanwhile."""
    drawn = Live()
    said, log = _Said(drawn), logging.getLogger("sharpen")
    level = log.level
    log.addHandler(said)
    log.setLevel(logging.INFO)
    try:
        yield drawn
    finally:
        log.removeHandler(said)
        log.setLevel(level)
        drawn.finish()


def clock(seconds: float) -> str:
    """``75`` as ``1:15``."""
    s = int(max(0, seconds))
    return f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}" if s >= 3600 else f"{s // 60}:{s % 60:02d}"
