"""
What to post to the node: own new blocks in their order, and whatever it turns out to lack.

Only ids are kept here; the bytes are in the ledger, where they are durable. So nothing is lost by
a node that is away, by a restart, or by a node that lost its own disk: an audit now and then asks
the node for the ledger's tips, goes back through what it lacks, and posts that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from collab_robots.tangle.block import GENESIS
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.hornet.node import Answer, Job, Kind, Outcome

MAX_REFUSED = 64
MAX_LOOSE = 64


class Ledger(Protocol):
    """What the upload needs of a ledger."""

    dag: Dag

    def raw_block(self, identity: bytes) -> bytes | None:
        """Return a block's bytes, if it is held."""
        ...


class Upload:
    """
    Decides what to post next.

    :param interval: between two audits, s.
    :param max_queue: ids that wait; beyond it the next audit finds what was left out.
    """

    def __init__(self, ledger: Ledger, interval: float, max_queue: int = 65_536) -> None:
        self._ledger = ledger
        self._interval = interval
        self._max_queue = max_queue
        self._queue: dict[bytes, None] = {}
        self._loose: dict[bytes, bytes] = {}  # bytes of what the ledger does not hold
        self._posting = False
        self._audit_at: float | None = None
        self._seen: set[bytes] = set()  # by the audit under way
        self._to_check: list[bytes] = []
        self._checking = False
        self._lacking: list[bytes] = []
        self.posted = 0
        """How many blocks the node took."""
        self.refused: dict[bytes, str] = {}
        """What the node will not take, and why it said so; the newest 64."""

    @property
    def waiting(self) -> int:
        """How many blocks wait to be posted."""
        return len(self._queue)

    def add(self, identity: bytes) -> None:
        """Post a block of the ledger, after those that wait."""
        if len(self._queue) < self._max_queue:
            self._queue[identity] = None

    def add_loose(self, identity: bytes, raw: bytes) -> None:
        """Post a block that the ledger does not hold, such as one half of a proof."""
        if len(self._loose) < MAX_LOOSE:
            self._loose[identity] = raw
            self.add(identity)

    def tick(self, now: float) -> None:
        """Begin an audit if one is due, s."""
        if self._to_check or self._checking or self._queue:
            return
        if self._audit_at is None or now >= self._audit_at:
            self._audit_at = now + self._interval
            self._seen.clear()
            self._look_at(self._ledger.dag.tips)

    def next(self) -> list[Job]:
        """Return the jobs to do now: one post and one check at a time, so that order is kept."""
        jobs = []
        while self._queue and not self._posting:
            identity = next(iter(self._queue))
            raw = self._loose.get(identity) or self._ledger.raw_block(identity)
            if raw is None:  # pruned meanwhile, so it is final and others have it
                del self._queue[identity]
                continue
            self._posting = True
            jobs.append(Job(Kind.POST, identity, raw))
        if self._to_check and not self._checking:
            self._checking = True
            jobs.append(Job(Kind.CHECK, self._to_check.pop()))
        return jobs

    def answered(self, answer: Answer) -> None:
        """Take the answer to a job of :meth:`next`."""
        identity = answer.job.id
        if answer.job.kind is Kind.POST:
            self._posting = False
            if answer.outcome is Outcome.FAILED:
                return
            self._queue.pop(identity, None)
            self._loose.pop(identity, None)
            self.refused.pop(identity, None)
            if answer.outcome is Outcome.DONE:
                self.posted += 1
                return
            self.refused[identity] = answer.text
            if len(self.refused) > MAX_REFUSED:
                del self.refused[next(iter(self.refused))]
            return
        self._checking = False
        if answer.outcome is Outcome.FAILED:
            self._to_check.append(identity)
        elif answer.outcome is Outcome.ABSENT:
            entry = self._ledger.dag.entries.get(identity)
            if entry is not None:
                if not answer.known:
                    self._lacking.append(identity)
                self._look_at(entry.record.parents)
        if not self._to_check and not self._checking:
            self._post_lacking()

    def _look_at(self, ids: Iterable[bytes]) -> None:
        for identity in ids:
            if identity not in self._seen and identity not in self._queue and identity != GENESIS:
                self._seen.add(identity)
                self._to_check.append(identity)

    def _post_lacking(self) -> None:
        entries = self._ledger.dag.entries
        held = [identity for identity in self._lacking if identity in entries]
        for identity in sorted(held, key=lambda held: entries[held].depth):
            self.add(identity)
        self._lacking.clear()
        self._seen.clear()
