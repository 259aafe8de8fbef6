"""One thread that owns an OpenVINO model: requests of all callers are answered together, as they come.

A pass reads one token of every answer under way and as much of waiting prompts as it has room for. Keys and values of
what has been read are found again by prompts that begin alike. So the prompts of a call are put in order, and one that
shares more with an earlier one waits until that one has been read. Calls take turns, request by request.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.models._chat import Chat
from sharpen.models._openvino_blocks import Blocks, Lease
from sharpen.models._openvino_pages import BLOCK, Pages, Part
from sharpen.models._prefix import common_prefix
from sharpen.models._stop import cut, may_begin
from sharpen.types import Completion, Decoding

LOG = logging.getLogger(__name__)

PASS = 2048  # tokens of prompts and answers in one pass: with fewer all takes longer, with more whoever waits
AT_ONCE = 64  # requests under way at a time: more are no faster on CPU and hold memory
WORTH = 16  # tokens that a prompt must share with another one for it to wait
BROKEN = "\ufffd"  # what half a character is decoded to


@dataclass(eq=False)
class Job:
    """One request on its way.

    ``told`` receives ``(job, new text, None)`` as a streamed answer grows, ``(job, rest, completion)`` at its end, or
    ``(job, exception, None)`` when the engine broke.
    """

    index: int
    ids: tuple[int, ...]
    decoding: Decoding
    limit: int  # most new tokens
    told: queue.SimpleQueue[tuple[Job, Any, Completion | None]]
    streams: bool = False
    after: Job | None = None  # shares a beginning that this one computes
    followers: list[Job] = field(default_factory=list)
    cancelled: bool = False
    turn: tuple[int, int] = (0, 0)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    said: int = 0  # characters already streamed
    lease: Lease | None = None
    past: int = 0  # tokens of the prompt that have been read
    cached: int = 0  # of these, how many were there before
    random: Any = None
    started: float = 0.0
    first: float | None = None
    read: bool = False  # its whole prompt has been


def chained(jobs: Sequence[Job]) -> list[Job]:
    """Put jobs in order and let each wait for the first one that shares as much as any before it, in steps of WORTH."""
    order = sorted(jobs, key=lambda j: j.ids)
    shared: list[tuple[int, Job]] = []  # steps that the present prompt shares, and with whom first
    for before, job in itertools.pairwise(order):
        common = min(common_prefix(before.ids, job.ids), len(job.ids) - 1) // WORTH
        first = before
        while shared and shared[-1][0] > common:
            first = shared.pop()[1]
        if shared and shared[-1][0] == common:
            first = shared[-1][1]
        elif common:
            shared.append((common, first))
        job.after = first if common else None
    return order


class Engine:
    """The thread, started with the first job and ended by :meth:`close`.

    ``open_pages`` is called in it.
    """

    def __init__(self, open_pages: Callable[[], Pages], chat: Chat) -> None:
        self._open = open_pages
        self._chat = chat
        self._inbox: queue.SimpleQueue[Sequence[Job] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def submit(self, jobs: Sequence[Job]) -> None:
        """Hand jobs over; each ends with exactly one completion or exception in its ``told``."""
        with self._starting:
            if self._closed:
                raise RuntimeError("this model was closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="openvino", daemon=True)
                self._thread.start()
            elif not self._thread.is_alive():  # threads do not survive a fork
                raise RuntimeError("this model was opened in another process; open it anew in this one")
            self._inbox.put(jobs)

    def close(self) -> None:
        """End the thread and let the model's memory go; jobs on their way end as cancelled."""
        with self._starting:
            self._closed = True
            self._inbox.put(None)
            thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        error = self._work()
        while error and (jobs := self._inbox.get()) is not None:
            for job in jobs:
                job.told.put((job, error, None))

    def _work(self) -> Exception | None:
        """Answer until the model is closed (None) or breaks: whoever waits is told, and it is not used again."""
        loop, closed = None, False
        try:
            loop = Loop(self._open(), self._chat)
            while not (closed := not self._taken(loop)):
                loop.turn()
            loop.cancel_all()
        except Exception as e:
            LOG.debug("the engine stopped", exc_info=e)
            error = fresh(e)
            if loop:
                loop.fail(error)
            return None if closed else error
        return None

    def _taken(self, loop: Loop) -> bool:
        """Take what lies in the inbox, waiting for it when there is nothing else to do; False: close."""
        while True:
            try:
                jobs = self._inbox.get(block=not loop.busy)
            except queue.Empty:
                return True
            if jobs is None:
                return False
            loop.take(jobs)


def fresh(error: Exception) -> Exception:
    """The same error without its traceback, whose frames would keep the model in memory."""
    made: Exception = type(error).__new__(type(error), *error.args)
    made.__dict__.update(error.__dict__)
    return made


class Loop:
    """What the thread does: admit, pass, hand out, until nothing is left."""

    def __init__(self, pages: Pages, chat: Chat) -> None:
        self._pages = pages
        self._chat = chat
        self._blocks = Blocks(pages.count)
        self._jobs: dict[Job, None] = {}  # that have not been told their end, in the order in which they came
        self._ready: list[tuple[tuple[int, int], Job]] = []
        self._running: list[Job] = []
        self._round = 0  # of the request that was admitted last
        self._numbers = itertools.count()

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._ready or self._running)

    def take(self, jobs: Sequence[Job]) -> None:
        """Queue a call's jobs; those that share a beginning with one not read yet wait for it."""
        for place, job in enumerate(jobs, self._round + 1):
            self._jobs[job] = None
            job.turn = (place, next(self._numbers))
            job.started = time.perf_counter()
            if job.after is None:
                heapq.heappush(self._ready, (job.turn, job))
            else:
                job.after.followers.append(job)

    def turn(self) -> None:
        """Admit what is ready, make one pass, hand out what it made."""
        for job in [j for j in self._running if j.cancelled]:
            self._finish(job, "cancelled")
        while self._ready and len(self._running) < AT_ONCE and self._admitted(self._ready[0][1]):
            (self._round, _), _ = heapq.heappop(self._ready)
        jobs, parts = self._next()
        if parts:
            self._hand_out(jobs, parts, *self._pages.run(parts))

    def cancel_all(self) -> None:
        """End everything that is on its way as cancelled."""
        for job in list(self._jobs):
            self._finish(job, "cancelled")

    def fail(self, error: Exception) -> None:
        """Tell everyone that the engine broke."""
        for job in self._jobs:
            job.told.put((job, error, None))

    def _admitted(self, job: Job) -> bool:
        """Let a job begin; False: it has to wait for room."""
        if job.cancelled:
            self._finish(job, "cancelled")
            return True
        need = len(job.ids) + job.limit
        job.lease = self._blocks.begin(job.ids, need)
        if job.lease is None:
            room = self._blocks.count * BLOCK
            if need <= room:
                return False
            why = f"the prompt and its answer need {need} tokens, and there is memory for {room}; close other programs."
            self._finish(job, "error", why)
            return True
        if job.lease.copy:
            self._pages.copy(*job.lease.copy)
        job.past = job.cached = job.lease.past
        if job.decoding.temperature > 0:
            from sharpen.models._decode import randomness

            job.random = randomness(job.ids, job.decoding)
        self._running.append(job)
        return True

    def _next(self) -> tuple[list[Job], list[Part]]:
        """What the next pass reads: a token of each answer, then prompts in the order in which they came."""
        jobs = [j for j in self._running if j.read]
        parts = [Part(j.tokens[-1:], len(j.ids) + len(j.tokens) - 1, _blocks(j)) for j in jobs]
        left = max(PASS - len(parts), BLOCK)
        for job in self._running:
            if not job.read and left > 0:
                ids = job.ids[job.past : job.past + left]
                parts.append(Part(ids, job.past, _blocks(job), job.past + len(ids) == len(job.ids)))
                jobs.append(job)
                left -= len(ids)
        return jobs, parts

    def _hand_out(self, jobs: Sequence[Job], parts: Sequence[Part], logits: Any, norms: Any) -> None:
        rows = iter(zip(logits, norms, logits.argmax(-1).tolist(), strict=True))
        for job, part in zip(jobs, parts, strict=True):
            if not job.read:
                job.past += len(part.ids)
            if not part.picked:
                continue
            values, norm, token = next(rows)
            if not job.read:
                job.first = time.perf_counter()
                self._blocks.read(_lease(job), job.ids)
                job.read = True
                self._release_followers(job)
            try:
                self._say(job, values, norm, token)
            except Exception as e:  # of this request alone; the others go on
                self._finish(job, "error", f"the answer cannot be drawn: {e}")

    def _say(self, job: Job, values: Any, norm: Any, token: int) -> None:
        """Add a token, and end the answer when it is over; else stream what is certain of it."""
        if job.random is not None:
            import torch

            from sharpen.models._decode import sample

            token = sample(torch.from_numpy(values), job.decoding, job.random)
        job.tokens.append(token)
        job.logprobs.append(float(values[token] - norm))
        over, stop = token in self._chat.ends, job.decoding.stop
        text = self._chat.decode(job.tokens[:-1] if over else job.tokens) if job.streams or stop else ""
        if over or cut(text, stop)[1]:
            self._finish(job, "stop")
        elif len(job.tokens) >= job.limit:
            self._finish(job, "length")
        elif job.streams:
            whole = text.rstrip(BROKEN)
            certain = len(whole) - may_begin(whole, stop)
            if certain > job.said:
                job.told.put((job, text[job.said : certain], None))
                job.said = certain

    def _finish(self, job: Job, finish: str, error: str | None = None) -> None:
        if job.lease:
            self._running.remove(job)
            self._blocks.end(job.lease)
            job.lease = None
        self._release_followers(job)
        kept = job.tokens[:-1] if job.tokens and job.tokens[-1] in self._chat.ends else job.tokens
        text = cut(self._chat.decode(kept), job.decoding.stop)[0]
        completion = Completion(
            text,
            tuple(kept),
            tuple(job.logprobs[: len(kept)]),
            prompt_tokens=len(job.ids),
            cached_tokens=job.cached,
            completion_tokens=len(job.tokens),
            first_seconds=job.first - job.started if job.first else None,
            seconds=time.perf_counter() - job.started,
            finish=finish,
            error=error,
        )
        del self._jobs[job]
        job.told.put((job, text[job.said :], completion))

    def _release_followers(self, job: Job) -> None:
        """Let go whoever waits for a prompt; where it was never read, the first of them reads it for the others."""
        first, rest = job.followers[:1], job.followers[1:]
        if not job.read:
            for follower in first:
                follower.followers += rest
            rest = []
        for follower in first + rest:
            heapq.heappush(self._ready, (follower.turn, follower))
        job.followers = []


def _lease(job: Job) -> Lease:
    assert job.lease is not None  # a job that runs has one
    return job.lease


def _blocks(job: Job) -> list[int]:
    return _lease(job).blocks
