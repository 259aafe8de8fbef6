"""One thread that owns an OpenVINO model: requests of all callers are answered together, as they come.

A pass reads one token of every answer under way and as much of waiting prompts as it has room for. Keys and values of
what has been read are found again by prompts that begin alike. So prompts are put in order, and one that shares more
with an earlier prompt waits until that one has been read.
"""

from __future__ import annotations

import heapq
import itertools
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
from sharpen.types import Completion, Decoding

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
    turn: int = 0
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
    done: bool = False


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
        self._inbox.put(jobs)

    def close(self) -> None:
        """End the thread and let the model's memory go; jobs on their way end as cancelled."""
        with self._starting:
            self._closed = True
            thread = self._thread
        self._inbox.put(None)
        if thread and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        try:
            loop = Loop(self._open(), self._chat)
        except Exception as e:
            self._refuse(e)
            return
        while True:
            try:
                if not self._taken(loop):
                    loop.cancel_all()
                    return
                loop.turn()
            except Exception as e:  # whoever waits is told; the model is not used again
                loop.fail(e)
                self._refuse(e)
                return

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

    def _refuse(self, error: Exception) -> None:
        while (jobs := self._inbox.get()) is not None:
            for job in jobs:
                job.told.put((job, error, None))


class Loop:
    """What the thread does: admit, pass, hand out, until nothing is left."""

    def __init__(self, pages: Pages, chat: Chat) -> None:
        self._pages = pages
        self._chat = chat
        self._blocks = Blocks(pages.count)
        self._ready: list[tuple[int, Job]] = []
        self._running: list[Job] = []
        self._waiting: set[Job] = set()
        self._turns = itertools.count()

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._ready or self._running)

    def take(self, jobs: Sequence[Job]) -> None:
        """Queue jobs; those that share a beginning with one not read yet wait for it."""
        for job in jobs:
            job.turn = next(self._turns)
            job.started = time.perf_counter()
            if job.after is None or job.after.read or job.after.done:
                heapq.heappush(self._ready, (job.turn, job))
            else:
                job.after.followers.append(job)
                self._waiting.add(job)

    def turn(self) -> None:
        """Admit what is ready, make one pass, hand out what it made."""
        for job in [j for j in self._running if j.cancelled]:
            self._finish(job, "cancelled")
        while self._ready and len(self._running) < AT_ONCE and self._admitted(self._ready[0][1]):
            heapq.heappop(self._ready)
        jobs, parts = self._next()
        if parts:
            self._hand_out(jobs, parts, *self._pages.run(parts))

    def cancel_all(self) -> None:
        """End everything that is on its way as cancelled."""
        for job in [*self._running, *(j for _, j in self._ready), *self._waiting]:
            if not job.done:
                self._finish(job, "cancelled")

    def fail(self, error: Exception) -> None:
        """Tell everyone that the engine broke."""
        for job in [*self._running, *(j for _, j in self._ready), *self._waiting]:
            job.done = True
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
                self._release_followers(job)
            if job.random is not None:
                import torch

                from sharpen.models._decode import sample

                token = sample(torch.from_numpy(values), job.decoding, job.random)
            job.tokens.append(token)
            job.logprobs.append(float(values[token] - norm))
            self._speak(job)

    def _speak(self, job: Job) -> None:
        """End the answer when it is over; else stream what is certain of it."""
        over = job.tokens[-1] in self._chat.ends
        text = self._chat.decode(job.tokens[:-1] if over else job.tokens) if job.streams or job.decoding.stop else ""
        if over or any(s in text for s in job.decoding.stop):
            self._finish(job, "stop")
        elif len(job.tokens) >= job.limit:
            self._finish(job, "length")
        elif job.streams:
            certain = len(text.rstrip(BROKEN)) - _may_begin(text, job.decoding.stop)
            if certain > job.said:
                job.told.put((job, text[job.said : certain], None))
                job.said = certain

    def _finish(self, job: Job, finish: str, error: str | None = None) -> None:
        if job.lease:
            self._running.remove(job)
            self._blocks.end(job.lease)
        kept = job.tokens[:-1] if job.tokens and job.tokens[-1] in self._chat.ends else job.tokens
        text = self._chat.decode(kept)
        places = [text.find(s) for s in job.decoding.stop if s in text]
        text = text[: min(places)] if places else text
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
        job.done = True
        self._release_followers(job)
        job.told.put((job, text[job.said :], completion))

    def _release_followers(self, job: Job) -> None:
        job.read = True
        for follower in job.followers:
            self._waiting.discard(follower)
            heapq.heappush(self._ready, (follower.turn, follower))
        job.followers.clear()


def _may_begin(text: str, stop: Sequence[str]) -> int:
    """How many characters at the end of ``text`` may be the beginning of a stop string."""
    return max((k for s in stop for k in range(1, len(s)) if text.endswith(s[:k])), default=0)


def _lease(job: Job) -> Lease:
    assert job.lease is not None  # a job that runs has one
    return job.lease


def _blocks(job: Job) -> list[int]:
    return _lease(job).blocks
