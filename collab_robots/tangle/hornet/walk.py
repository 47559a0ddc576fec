"""
What to read from the node: from its tips back to what the ledger has.

Tips may be anybody's blocks, and a teammate's record may lie under them. So the walk goes back
through foreign blocks too, but a foreign one reaches the ledger only below a teammate's record. A
record is handed over when its parents are; until then it is held here, within a limit of memory:
beyond it the blocks nearest the tips are let go and read again later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from collab_robots.core.budget import Budget
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import decode_block, decode_parents, GENESIS
from collab_robots.tangle.dag import Dag, FOREIGN
from collab_robots.tangle.hornet.node import Answer, Job, Kind, Outcome
from collab_robots.tangle.record import decode_record, RECORD_TAG, verify_record

MAX_WANTED = 65_536
MAX_BAD = 4_096
MAX_TRIES = 10
OVERHEAD = 800  # bytes that a held block takes beside its own
STRANGERS = (100, 2_000)  # strangers' blocks that are read: 1/s, and at once
PACE = 0.1  # s until a record that came too fast for the ledger is tried again
OPAQUE = -2
"""Issuer of what is a block, but none that a ledger takes: of transactions, milestones."""


class Ledger(Protocol):
    """What the walk needs of a ledger."""

    fleet: Fleet
    dag: Dag

    def receive_block(self, raw: bytes, sender: str) -> None:
        """Take a block."""
        ...


class _Held(NamedTuple):
    raw: bytes
    parents: tuple[bytes, ...]
    issuer: int


class Walk:
    """
    Decides what to get next, and hands on what came.

    :param refused: counts what is refused here.
    :param max_held: bytes of memory for blocks whose past is not complete.
    :param retry: s until a block that was absent, or that the ledger did not take, is tried again.
    :param rate: records/s of one issuer that the ledger takes.
    :param burst: how many of them at once.
    """

    def __init__(
        self,
        ledger: Ledger,
        refused: Counter[Refusal],
        max_held: int,
        retry: float,
        rate: int,
        burst: int,
    ) -> None:
        self._ledger = ledger
        self._refused = refused
        self._max_held = max_held
        self._retry = retry
        self._wanted: dict[bytes, None] = {}
        self._asked: set[bytes] = set()
        self._held: dict[bytes, _Held] = {}
        self._size = 0
        self._children: dict[bytes, dict[bytes, None]] = {}
        self._ready: set[bytes] = set()
        """Held blocks of which the whole past is known or held, and only foreign ones are held."""
        self._later: dict[bytes, tuple[float, int]] = {}  # not before, tries so far
        self._bad: dict[bytes, None] = {}
        self._overfull = False
        self._budgets = [Budget(rate, burst) for _ in ledger.fleet.robots]
        self._strangers = Budget(*STRANGERS)

    @property
    def is_idle(self) -> bool:
        """Tell whether there is nothing to get at the moment."""
        return not self._wanted and not self._asked

    @property
    def may_start(self) -> bool:
        """Tell whether to ask for tips: not while a walk that does not fit is under way."""
        return self.is_idle or not self._overfull

    def want(self, ids: Iterable[bytes]) -> None:
        """Get these blocks, and what is missing of their past."""
        for identity in ids:
            if (
                len(self._wanted) < MAX_WANTED
                and not self._knows(identity)
                and identity not in self._held
                and identity not in self._asked
                and identity not in self._bad
                and identity not in self._later
            ):
                self._wanted.pop(identity, None)
                self._wanted[identity] = None

    def next(self, now: float) -> Job | None:
        """Return the next job: depth first, so that what is held is as little as can be."""
        while self._wanted and self._strangers.has(round(now * SECOND), 1):
            identity, _ = self._wanted.popitem()
            if not self._knows(identity) and identity not in self._held:
                self._asked.add(identity)
                return Job(Kind.GET, identity)
        if self._overfull and self.is_idle:
            self._overfull = False
        return None

    def tick(self, now: float) -> None:
        """Try again what did not work, s."""
        for identity in [key for key, (at, _) in self._later.items() if at <= now]:
            _, tries = self._later.pop(identity)
            if identity in self._held:
                self._hand_over([identity], now, tries)
            elif identity in self._children:
                self.want([identity])

    def answered(self, answer: Answer, now: float) -> None:
        """Take the answer to a job of :meth:`next`."""
        identity = answer.job.id
        self._asked.discard(identity)
        if answer.outcome is not Outcome.DONE:
            # Others first: the node may be unable to give just this one.
            self._later[identity] = (now + self._retry, 0)
        elif not self._knows(identity):
            self._take(identity, answer.raw, now)

    def _knows(self, identity: bytes) -> bool:
        return identity == GENESIS or identity in self._ledger.dag.entries

    def _take(self, identity: bytes, raw: bytes, now: float) -> None:
        try:
            held = self._decode(raw)
        except RefusedError as error:
            self._refused[error.reason] += 1
            self._strangers.take(round(now * SECOND), 1)
            self._bad[identity] = None
            if len(self._bad) > MAX_BAD:
                del self._bad[next(iter(self._bad))]
            return
        if held.issuer < 0:
            self._strangers.take(round(now * SECOND), 1)
        self._held[identity] = held
        self._size += len(raw) + OVERHEAD
        for parent in held.parents:
            if not self._knows(parent):
                self._children.setdefault(parent, {})[identity] = None
        self.want(held.parents)
        self._hand_over([identity], now)
        while self._size > self._max_held:
            self._overfull = True
            oldest = next(iter(self._held))
            self._drop(oldest)
            if oldest in self._children:
                self._later[oldest] = (now + self._retry, 0)

    def _decode(self, raw: bytes) -> _Held:
        parents = decode_parents(raw)
        try:
            block = decode_block(raw)
        except RefusedError:
            return _Held(raw, parents, OPAQUE)
        if block.tag != RECORD_TAG:
            return _Held(raw, parents, FOREIGN)
        record = decode_record(block)
        issuer = verify_record(record, self._ledger.fleet)
        if record.seq < self._ledger.dag.bases[issuer]:
            raise RefusedError(Refusal.PRUNED, f'record {record.seq} of {issuer} is pruned here')
        return _Held(raw, parents, issuer)

    def _hand_over(self, ids: list[bytes], now: float, tries: int = 0) -> None:
        """Hand on those of these blocks that are ready, and then those above them."""
        while ids:
            identity = ids.pop()
            held = self._held.get(identity)
            if held is None or not self._is_ready(held):
                continue
            if held.issuer < 0:
                self._ready.add(identity)
            elif not self._budgets[held.issuer].take(round(now * SECOND), 1):
                self._later[identity] = (now + PACE, tries)
                continue
            elif not self._deliver(identity, held):
                if tries < MAX_TRIES:
                    self._later[identity] = (now + self._retry, tries + 1)
                else:
                    self._drop(identity)
                continue
            ids += self._children.get(identity, ())
            if identity not in self._held:
                self._children.pop(identity, None)

    def _is_ready(self, held: _Held) -> bool:
        return all(self._knows(parent) or parent in self._ready for parent in held.parents)

    def _deliver(self, identity: bytes, held: _Held) -> bool:
        """Give the ledger a record and the foreign blocks right below it."""
        name = self._ledger.fleet.robots[held.issuer].name
        below = [held]
        for block in below:
            self._ledger.receive_block(block.raw, name)
            below += [
                self._held[parent]
                for parent in block.parents
                if parent in self._held and not self._knows(parent)
            ]
        if not self._knows(identity):
            return False
        for delivered in [identity, *(parent for block in below for parent in block.parents)]:
            if delivered in self._held and self._knows(delivered):
                self._drop(delivered)
        return True

    def _drop(self, identity: bytes) -> None:
        held = self._held.pop(identity)
        self._size -= len(held.raw) + OVERHEAD
        self._ready.discard(identity)
        self._later.pop(identity, None)
        for parent in held.parents:
            children = self._children.get(parent)
            if children is not None:
                children.pop(identity, None)
                if not children:
                    del self._children[parent]
