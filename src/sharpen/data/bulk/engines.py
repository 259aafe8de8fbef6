"""The same work on many things: one after the other, in several processes, or on Ray; results in the order given.

Ray carries the work on single files of ``sharpen data clean`` (reading and cleaning them) as tasks, ``ray.remote``, and
nothing else: what needs all files at once (duplicates, repeated spans) runs in this process, and so does the preparing
of a study. Ray Data is not used.

Ray is started for this machine with ``workers`` processors, without its dashboard and without reports on its use; where
RAY_ADDRESS names a cluster it is that cluster, whose machines must all see the files under the same paths.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from itertools import islice
from typing import Any, TypeVar

from sharpen.errors import MissingExtra, UserError

ENGINES = ("local", "ray")
AHEAD = 4
"""Jobs of each worker that are handed out beforehand."""
STORE = 100_000_000
"""Bytes that Ray sets apart for results, which are small here."""

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: port 9 discards, and mostly nobody listens."""

Given = TypeVar("Given")
Made = TypeVar("Made")


def usable(engine: str, workers: int) -> None:
    """See that an engine can be had.

    Raises:
        UserError: there is none of that name, its package is missing, or it is to have no worker.
    """
    if engine not in ENGINES:
        raise UserError(f"there is no engine called {engine!r}.", "--engine", f"There are: {', '.join(ENGINES)}.")
    if not 1 <= workers <= 1024:
        raise UserError(f"{workers} workers cannot be had.", "--workers", "Ask for 1 or more.")
    if engine == "ray" and find_spec("ray") is None:
        raise MissingExtra("--engine ray", "ray", "ray")


def spread(work: Callable[[Given], Made], jobs: Iterable[Given], engine: str, workers: int) -> Iterator[Made]:
    """Yield what ``work`` makes of each job, in order. ``work`` is a function of a module."""
    usable(engine, workers)
    if engine == "ray":
        yield from _on_ray(work, jobs, workers)
    elif workers > 1:
        yield from _in_processes(work, jobs, workers)
    else:
        yield from map(work, jobs)


def _in_processes(work: Callable[[Given], Made], jobs: Iterable[Given], workers: int) -> Iterator[Made]:
    context = multiprocessing.get_context("spawn")  # a fork would take locks along that nobody holds there
    pool = ProcessPoolExecutor(workers, context, _begin)
    rest, waiting = iter(jobs), deque[Future[Made]]()
    try:
        while True:
            waiting += [pool.submit(work, job) for job in islice(rest, AHEAD * workers - len(waiting))]
            if not waiting:
                return
            yield waiting.popleft().result()
    except BrokenProcessPool:
        do = "Use fewer --workers; the same command goes on from here."
        raise UserError("a worker was ended by the system, most likely for want of memory.", do=do) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """A worker leaves interruptions to who started it, and ends when that one has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_it() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()


def _on_ray(work: Callable[[Given], Made], jobs: Iterable[Given], workers: int) -> Iterator[Made]:
    cluster = os.environ.get("RAY_ADDRESS")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before the import, which reads it
    if not cluster:  # addresses of this machine alone, so that it need not look for others
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    started = not ray.is_initialized()
    if started:
        quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        here: dict[str, Any] = {"num_cpus": workers, "object_store_memory": STORE, "_node_ip_address": "127.0.0.1"}
        with nullcontext() if cluster else _nowhere():
            ray.init(cluster or "local", **quiet, **({} if cluster else here))
    try:
        remote = ray.remote(work)
        rest, waiting = iter(jobs), deque[Any]()
        while True:
            waiting += [remote.remote(job) for job in islice(rest, AHEAD * workers - len(waiting))]
            if not waiting:
                return
            yield ray.get(waiting.popleft())
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        do = "Use fewer --workers; the same command goes on from here."
        raise UserError("a worker was ended by the system, most likely for want of memory.", do=do) from None
    finally:
        if started:
            ray.shutdown()


@contextmanager
def _nowhere() -> Iterator[None]:
    """What is started in here finds no way out of this machine by HTTP.

    Ray asks the address at which clouds say which they are, even where its reports are off.
    """
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: NOWHERE if "http" in name.lower() else "" for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
