"""Many runs, one after the other or in several processes."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
import signal

from collab_robots.sim.protocol.breakage import Breakage
from collab_robots.sim.protocol.run import Outcome, Run
from collab_robots.sim.protocol.scenario import draw

_BATCH = 4  # seeds that a process takes at a time


def run(seed: int, robots: int | None = None, breakage: Breakage = Breakage.NONE) -> Outcome:
    """
    Run a seed.

    :param robots: team size; drawn from the seed if not given.
    """
    return Run(draw(seed, robots), breakage).execute()


def run_all(
    seeds: range, robots: int | None = None, breakage: Breakage = Breakage.NONE, jobs: int = 1
) -> Generator[Outcome, None, None]:
    """
    Yield the outcome of each seed, in their order.

    :param jobs: processes.
    """
    one = partial(run, robots=robots, breakage=breakage)
    if jobs == 1 or len(seeds) == 1:
        yield from map(one, seeds)
        return
    pool = ProcessPoolExecutor(jobs, get_context('spawn'), _prepare)
    try:
        yield from pool.map(one, seeds, chunksize=_BATCH)
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
