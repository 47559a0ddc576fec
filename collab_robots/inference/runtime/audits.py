"""Samples of helpers' answers, computed again: who answers plausible nonsense is found out."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import numpy as np

from collab_robots.inference.runtime.away import Away, Result
from collab_robots.inference.runtime.engine import agree, Engine
from collab_robots.inference.runtime.events import Event, Fault
from collab_robots.inference.runtime.messages import FrameId
from collab_robots.inference.runtime.roster import Roster
from collab_robots.inference.runtime.worker import Done, Job, Worker

MAX_AUDITS = 2  # at a time


class AuditKey(NamedTuple):
    """Names an audit's job."""

    frame: FrameId


class Audits:
    """
    Compares answers with what comes out here of the very chunks that were sent.

    The frame has its answer already: a verdict comes later, and counts for the next frames. Along
    a route of several robots all of them are left alone for a while; only where one robot alone
    computed is the wrong answer its own.

    :param share: of the answers, 0 to 1.
    """

    def __init__(
        self, engine: Engine, worker: Worker, roster: Roster, draw: Random, share: float
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._roster = roster
        self._draw = draw
        self._share = share
        self._results: dict[AuditKey, Result] = {}
        self.done = 0

    def consider(self, frame: FrameId, away: Away, result: Result) -> None:
        """Audit an answer, or not: all of it was there when it was computed."""
        if len(self._results) >= MAX_AUDITS or self._draw.random() >= self._share:
            return
        key = AuditKey(frame)
        self._results[key] = result
        option, chunks, route = away.option, away.chunks, result.route

        def run() -> object:
            return self._engine.follow(option, chunks, route)

        self._worker.submit(Job(key, option.cut, self._engine.last, run))

    def on_done(self, done: Done, now: int) -> list[Event]:
        """Compare; return the faults of who computed something else."""
        assert isinstance(done.key, AuditKey)
        result = self._results.pop(done.key)
        self.done += 1
        if isinstance(done.value, np.ndarray) and agree(
            done.value, result.logits, result.route[-1].bits
        ):
            return []
        events = []
        for hop in result.route:
            known = self._roster.get(hop.robot)
            if known is not None:
                known.breaker.failed(Fault.WRONG, now)
            events.append(Event(hop.robot, Fault.WRONG, 'audit', now))
        return events if len(result.route) == 1 else []
