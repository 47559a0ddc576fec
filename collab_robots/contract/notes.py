"""
What a runner remembers beside the machine: chains and leases, each with a way back.

The machine undoes its storage by its own journal; these tables keep one of their own, with marks
of the same kind, so that both go back together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from collab_robots.contract.artifact import suite
from collab_robots.contract.evm import Log
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import ADDRESS_BYTES
from collab_robots.tangle.dag import Entry

LEASE_S = 10  # Tasks.LEASE


class Head(NamedTuple):
    """
    How far the order has come with an issuer.

    :param length: how many of its records count.
    :param last: id of the last one, empty if there is none.
    :param void: a record did not continue the last one; neither that nor any later one counts.
    """

    length: int = 0
    last: bytes = b''
    void: bool = False


class Lease(NamedTuple):
    """
    A lease that a robot has or had of a task.

    :param record: id of the first of its unbroken row of awards and renewals.
    :param until: ns.
    """

    record: bytes
    until: int


LeaseKey = tuple[bytes, bytes]  # task key, address of the robot


class Notes:
    """
    Tables that a rollback takes back; change them by the methods only.

    :param fleet: whose chains they are about.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.heads = dict.fromkeys(range(len(fleet.robots)), Head())
        """By roster index."""
        self.leases: dict[LeaseKey, Lease] = {}
        named = {event.name: topic for topic, event in suite().events.items()}
        self._awarded, self._renewed, self._released = (
            named[name] for name in ('Awarded', 'Renewed', 'Released')
        )
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []  # table, key, value before
        self._forgotten = 0

    def mark(self) -> int:
        """Return a mark of the present state."""
        return self._forgotten + len(self._undo)

    def rollback(self, mark: int) -> None:
        """Return to a mark."""
        while self.mark() > mark:
            _restore(*self._undo.pop())

    def forget(self, mark: int) -> None:
        """Give up the way back to before a mark."""
        del self._undo[: mark - self._forgotten]
        self._forgotten = mark

    def at(self, mark: int) -> tuple[dict[int, Head], dict[LeaseKey, Lease]]:
        """Return copies of heads and leases as they were at a mark."""
        heads, leases = self.heads.copy(), self.leases.copy()
        for table, key, value in reversed(self._undo[mark - self._forgotten :]):
            if table is self.heads:
                _restore(heads, key, value)
            elif table is self.leases:
                _restore(leases, key, value)
        return heads, leases

    def follow(self, entry: Entry) -> bool:
        """
        Take the next record of an issuer in the order.

        :returns: whether it counts. A robot that equivocated has records that do not continue the
            one before; from the first of these on all its records are void. That depends on the
            order only, so every robot decides the same.
        """
        issuer, record = entry.issuer, entry.record
        head = self.heads[issuer]
        if head.void:
            return False
        counts = record.seq == head.length and (not head.length or head.last in record.parents)
        self._put(
            self.heads,
            issuer,
            Head(head.length + 1, entry.id) if counts else Head(head.length, head.last, True),
        )
        return counts

    def learn(self, logs: Iterable[Log], entry: Entry) -> None:
        """
        Note what awards, renewals and releases the events of a successful call tell.

        :param entry: the record that the call is in.
        """
        for log in logs:
            event = log.topics[0]
            if event in (self._awarded, self._renewed):
                self._lease(log, entry, event == self._renewed)
            elif event == self._released:
                self._put(self.leases, _lease_key(log), None)

    def _lease(self, log: Log, entry: Entry, renewed: bool) -> None:
        lease = _lease_key(log)
        known = self.leases.get(lease)
        now = entry.record.issued_at
        unbroken = known is not None and (renewed or now < known.until)
        record = known.record if known is not None and unbroken else entry.id
        self._put(self.leases, lease, Lease(record, now + LEASE_S * SECOND))

    def restart(self, fleet: Fleet, heads: Sequence[Head], leases: dict[LeaseKey, Lease]) -> None:
        """Take over other tables, without a way back; who has just joined has no head yet."""
        self.heads = dict.fromkeys(range(len(fleet.robots)), Head()) | dict(enumerate(heads))
        self.leases = leases
        self._forgotten = self.mark()
        self._undo.clear()

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key)))
        _restore(table, key, value)


def _lease_key(log: Log) -> LeaseKey:
    return log.topics[1], log.topics[2][-ADDRESS_BYTES:]


def _restore(table: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
