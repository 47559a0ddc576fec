"""Where networks run: in a thread of a node, at once in tests, in virtual time in the lab."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
import time
from typing import NamedTuple, Protocol

from collab_robots.core.errors import RefusedError


class Job(NamedTuple):
    """
    Something to compute.

    :param key: names it to who submitted it.
    :param start: cut where it begins.
    :param end: cut where it ends.
    :param run: computes; raises nothing but RefusedError.
    """

    key: Hashable
    start: int
    end: int
    run: Callable[[], object]


class Done(NamedTuple):
    """
    A job that is done.

    :param key: of the job.
    :param value: what it returned, or the refusal that it raised.
    :param seconds: how long it computed.
    """

    key: Hashable
    value: object
    seconds: float


class Worker(Protocol):
    """Computes jobs one after the other, in the order in which they were submitted."""

    def submit(self, job: Job) -> None:
        """Take a job; its submitter bounds how many there are."""

    def poll(self) -> list[Done]:
        """Return what was done since the last time."""


def attempt(job: Job) -> object:
    """Return what a job returns, or the refusal that it raises."""
    try:
        return job.run()
    except RefusedError as error:
        return error


class ImmediateWorker:
    """Computes in the caller's thread, as soon as a job is submitted."""

    def __init__(self) -> None:
        self._done: list[Done] = []

    def submit(self, job: Job) -> None:
        """Compute."""
        self._done.append(_timed(job))

    def poll(self) -> list[Done]:
        """Return what was done since the last time."""
        done, self._done = self._done, []
        return done


class ThreadWorker:
    """
    Computes in one thread beside the caller's: ONNX Runtime frees the interpreter's lock.

    :param wake: called in that thread when a job is done, so that nobody has to ask all the time.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._pool = ThreadPoolExecutor(1, 'inference')
        self._futures: list[Future[Done]] = []

    def submit(self, job: Job) -> None:
        """Compute when the jobs before it are done."""
        future = self._pool.submit(_timed, job)
        self._futures.append(future)
        future.add_done_callback(lambda _: self._wake())

    def poll(self) -> list[Done]:
        """Return what was done since the last time; what a job raised, if it was no refusal."""
        done = []
        while self._futures and self._futures[0].done():
            done.append(self._futures.pop(0).result())
        return done

    def close(self) -> None:
        """Wait for the job that runs and forget those that wait."""
        self._pool.shutdown(cancel_futures=True)


def _timed(job: Job) -> Done:
    began = time.perf_counter()
    value = attempt(job)
    return Done(job.key, value, time.perf_counter() - began)
