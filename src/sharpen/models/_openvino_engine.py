"""One thread that owns an OpenVINO pipeline: requests of all callers are answered together, as they come.

The pipeline keeps the keys and values of prompts in blocks and reuses whole blocks of a prompt that begins alike, but
only of prompts that it has already read. So prompts are put in order, and one that shares more with an earlier prompt
waits until that one has been read.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.models._chat import Chat
from sharpen.models._prefix import common_prefix
from sharpen.types import Completion, Decoding

BLOCK = 32  # tokens of a block of the cache on CPU
AT_ONCE = 64  # requests in the pipeline at a time: more are no faster on CPU and hold memory
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
    said: int = 0  # characters already streamed
    handle: Any = None
    started: float = 0.0
    first: float | None = None
    read: bool = False  # its prompt stands in the cache
    done: bool = False


def chained(jobs: Sequence[Job]) -> list[Job]:
    """Put jobs in order and let each wait for the first one that shares as many whole blocks as any before it."""
    order = sorted(jobs, key=lambda j: j.ids)
    shared: list[tuple[int, Job]] = []  # blocks that the present prompt shares, and with whom first
    for before, job in itertools.pairwise(order):
        common = min(common_prefix(before.ids, job.ids), len(job.ids) - 1) // BLOCK
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

    ``open_pipeline`` is called in it; ``room`` is the number of tokens whose keys and values the pipeline can hold.
    """

    def __init__(self, open_pipeline: Callable[[], Any], chat: Chat, room: int) -> None:
        self._open = open_pipeline
        self._chat = chat
        self._room = room
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
        """End the thread and let the pipeline's memory go; jobs on their way end as cancelled."""
        with self._starting:
            self._closed = True
            thread = self._thread
        self._inbox.put(None)
        if thread and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        loop = Loop(self._chat, self._room)
        try:
            loop.pipeline = self._open()
        except Exception as e:
            self._refuse(e)
            return
        while True:
            try:
                if not self._taken(loop):
                    loop.cancel_all()
                    return
                loop.turn()
            except Exception as e:  # whoever waits is told; the pipeline is not used again
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
    """What the thread does: admit, step, read, until nothing is left."""

    def __init__(self, chat: Chat, room: int) -> None:
        self.pipeline: Any = None
        self._chat = chat
        self._room = room
        self._ready: list[tuple[int, Job]] = []
        self._running: dict[int, Job] = {}
        self._waiting: set[Job] = set()
        self._turns = itertools.count()
        self._left = False  # the pipeline still holds cancelled requests, which a step lets go

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._ready or self._running or self._left)

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
        """Admit what is ready, let the pipeline make one step, hand out what it made."""
        while self._ready and len(self._running) < AT_ONCE and self._fits(self._ready[0][1]):
            self._admit(heapq.heappop(self._ready)[1])
        if self._running or self._left:
            self.pipeline.step()
            self._left = self.pipeline.has_non_finished_requests()
        for job in list(self._running.values()):
            self._look(job)

    def cancel_all(self) -> None:
        """End everything that is on its way as cancelled."""
        for job in [*self._running.values(), *(j for _, j in self._ready), *self._waiting]:
            if not job.done:
                self._finish(job, "cancelled")
        while self.pipeline.has_non_finished_requests():
            self.pipeline.step()

    def fail(self, error: Exception) -> None:
        """Tell everyone that the engine broke."""
        for job in [*self._running.values(), *(j for _, j in self._ready), *self._waiting]:
            job.done = True
            job.told.put((job, error, None))

    def _fits(self, job: Job) -> bool:
        """Whether there is room for one more, so that the pipeline never has to drop and repeat one that it began."""
        used = sum(len(j.ids) + j.limit for j in self._running.values())
        return not self._running or used + len(job.ids) + job.limit <= self._room

    def _admit(self, job: Job) -> None:
        import numpy as np
        import openvino

        if job.cancelled:
            self._finish(job, "cancelled")
            return
        ids = openvino.Tensor(np.array([job.ids], dtype=np.int64))
        job.handle = self.pipeline.add_request(job.turn, ids, _config(job, self._chat))
        self._running[job.turn] = job

    def _look(self, job: Job) -> None:
        """Take what the pipeline made for one job."""
        from openvino_genai import GenerationStatus

        new = False
        while job.handle.can_read():
            for output in job.handle.read().values():
                job.tokens += output.generated_ids
                new = True
        if new and job.first is None:
            job.first = time.perf_counter()
            self._release_followers(job)
        if job.cancelled:
            self._finish(job, "cancelled")
        elif new:
            self._speak(job)
        elif job.handle.get_status() == GenerationStatus.IGNORED:
            self._finish(job, "error", "the prompt does not fit the memory that is left for it; close other programs.")

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
        if job.handle is not None and (not job.tokens or job.tokens[-1] not in self._chat.ends):
            job.handle.cancel()  # without effect on one that is over
            self._left = True
        self._running.pop(job.turn, None)
        kept = job.tokens[:-1] if job.tokens and job.tokens[-1] in self._chat.ends else job.tokens
        text = self._chat.decode(kept)
        places = [text.find(s) for s in job.decoding.stop if s in text]
        text = text[: min(places)] if places else text
        completion = Completion(
            text,
            tuple(kept),
            prompt_tokens=len(job.ids),
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


def _config(job: Job, chat: Chat) -> Any:
    from openvino_genai import GenerationConfig

    decoding = job.decoding
    config = GenerationConfig(
        max_new_tokens=job.limit, stop_token_ids=set(chat.ends), eos_token_id=chat.ends[0], apply_chat_template=False
    )
    if decoding.temperature > 0:
        config.do_sample = True
        config.temperature = decoding.temperature
        config.top_p = decoding.top_p
        # a prompt's own random numbers: what is drawn does not depend on its neighbours
        config.rng_seed = zlib.crc32(repr((decoding.seed, job.ids)).encode())
    return config
