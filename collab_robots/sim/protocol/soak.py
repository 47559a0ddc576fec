"""Many runs, one after the other or in several processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, ExitStack
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
import signal

from collab_robots.core.errors import SimulationError
from collab_robots.sim.protocol.breakage import Breakage
from collab_robots.sim.protocol.run import Outcome, Run
from collab_robots.sim.protocol.scenario import draw


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

    A signal handler may raise at any moment; no process is left then. That is why this is no
    ProcessPoolExecutor: what interrupts its shutdown makes it wait for ever.

    :param jobs: processes.
    :raises SimulationError: if one of them ends by itself.
    """
    one = partial(run, robots=robots, breakage=breakage)
    if jobs == 1 or len(seeds) == 1:
        yield from map(one, seeds)
        return
    coming = iter(seeds)
    ahead: dict[int, Outcome] = {}  # by seed, until those before it are done
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(one)) for _ in seeds[:jobs]]
        for seed in seeds:
            while seed not in ahead:
                ready = wait(workers)
                for worker in workers:
                    if worker in ready:
                        ahead |= _exchange(worker, coming)
            yield ahead.pop(seed)


def _exchange(worker: Connection, coming: Iterator[int]) -> dict[int, Outcome]:
    """Take what a worker has done, if it is not its first word, and give it the next seed."""
    try:
        outcome: Outcome | None = worker.recv()
        seed = next(coming, None)
        if seed is not None:
            worker.send(seed)
    except (EOFError, OSError):
        raise SimulationError('a process that runs seeds ended by itself') from None
    return {} if outcome is None else {outcome.seed: outcome}


@contextmanager
def _worker(one: Callable[[int], Outcome]) -> Iterator[Connection]:
    """Start a process that runs the seeds it is sent, until it is killed or the parent is gone."""
    context = get_context('spawn')
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(one, there), daemon=True)
    with here:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process.start()  # it goes on ignoring it: Ctrl-C is for the parent
        finally:
            signal.signal(signal.SIGINT, handler)
        there.close()
        try:
            yield here
        finally:
            process.kill()
            process.join()


def _serve(one: Callable[[int], Outcome], parent: Connection) -> None:
    outcome = None
    while True:
        try:
            parent.send(outcome)
            seed = parent.recv()
        except (EOFError, OSError):
            return
        outcome = one(seed)
