"""A smaller processor than this one, stated in numbers: it waits after each job."""

from __future__ import annotations

import time

from collab_robots.inference.runtime.worker import Done, Job, Worker


class SlowWorker:
    """
    Lets each job take so many times as long as it computes.

    What counts is the thread's time on the processor: that others use it too is not multiplied.
    It is all of the job's, as a model with one thread computes in the worker's own.

    :param worker: computes.
    :param factor: 1 or more.
    """

    def __init__(self, worker: Worker, factor: float) -> None:
        self._worker = worker
        self._factor = factor

    def submit(self, job: Job) -> None:
        """Take a job; its submitter bounds how many there are."""

        def run() -> object:
            began, used = time.perf_counter(), time.thread_time()
            try:
                return job.run()
            finally:
                wanted = self._factor * (time.thread_time() - used)
                # Nothing to wait for: the smaller processor would compute until then.
                time.sleep(max(0.0, wanted - (time.perf_counter() - began)))

        self._worker.submit(job._replace(run=run))

    def poll(self) -> list[Done]:
        """Return what was done since the last time."""
        return self._worker.poll()
