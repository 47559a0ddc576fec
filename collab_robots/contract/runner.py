"""
Executes the contract on the ledger's order, and again from where the past changed.

A record that arrives late belongs before others. The machine is then taken back to the first
changed position and executes from there, so the cost is that of what changed. The state is the
same as if everything had been executed once, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode

from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import (
    call_name,
    describe,
    describe_error,
    describe_event,
    key_of,
    SELECTOR_BYTES,
    WORD,
)
from collab_robots.contract.evm import Evm, make_evm, Result
from collab_robots.contract.facts import Facts
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import ADDRESS_BYTES
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.order import Order

GAS_LIMIT = 4_000_000  # per call; the dearest honest call, MAX_TILES new tiles, needs two thirds
LEASE_S = 10  # Fleet.LEASE

_LEASE_CALLS = ('award', 'renew', 'release')


@dataclass(frozen=True)
class Receipt:
    """
    What became of one call.

    :param reason: why it was reverted, in words; empty if it was not.
    :param events: what the contract told somebody, in words (who was superseded).
    """

    call: str
    ok: bool
    reason: str = ''
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Lease:
    """A successful award, renewal or release: what :meth:`Runner.award_record` looks through."""

    call: str
    robot: bytes
    record: bytes
    issued_at: int


class Runner:
    """
    The contract of one fleet, executed on this robot.

    :param fleet: its members, in roster order, are the only ones who may call.
    :param evm: the machine to run it in.
    :raises ConfigError: if there is no machine for this computer, or no compiled contract.
    """

    def __init__(self, fleet: Fleet, evm: Evm | None = None) -> None:
        self.fleet = fleet
        self.version = 0
        """Grows whenever the state may have changed."""
        self.receipts: dict[bytes, tuple[Receipt, ...]] = {}
        """By record id; heartbeats have none."""
        self.reverted = 0
        """How many calls of the present order were reverted."""
        self._evm = evm or make_evm()
        self.names: dict[bytes, str] = dict(fleet.name_by_address)
        """Words for robots by address and for tasks by key, as ``calls.describe`` takes them."""
        self._facts = Facts(self._evm, len(fleet.robots))
        self._marks: list[tuple[Entry, Any]] = []  # per executed entry, the state before it
        self._named: list[tuple[bytes, bytes]] = []  # record and key of each task's first proposal
        self._leases: dict[bytes, list[_Lease]] = {}
        self._root: tuple[int, bytes] | None = None
        roster = ['0x' + robot.address.hex() for robot in fleet.robots]
        self._evm.deploy(artifact().bytecode + encode(['address[]'], [roster]))

    def update(self, order: Order) -> bool:
        """
        Execute what is new, and again what follows a record that came late.

        :param order: always the same one; this is its only consumer of ``changed_from``.
        :returns: whether the state may have changed.
        """
        before = self.version
        first = order.changed_from()
        if first < len(self._marks):
            self._rollback(first)
        for position in range(len(self._marks), len(order.entries)):
            self._execute(order.entries[position])
        return self.version != before

    def facts(self) -> Facts:
        """Return everything the contract knows; only what changed is read."""
        self._facts.refresh()
        return self._facts

    def state_root(self) -> bytes:
        """Return the digest of all facts, 32 bytes: equal on robots that have equal records."""
        if self._root is None or self._root[0] != self.version:
            self._root = (self.version, self.facts().digest(self.fleet.id))
        return self._root[1]

    def award_record(self, key: bytes, robot: str) -> bytes | None:
        """
        Return the record that gave a robot the lease it has, or had last, of a task.

        It is the first award of an unbroken row of awards and renewals, in the present order: once
        that record is accepted the robot may act.

        :returns: block id; None if the robot was not awarded the task or has released it.
        """
        address = self.fleet.robots[self.fleet.index_of(robot)].address
        first: _Lease | None = None
        until = 0
        for item in self._leases.get(key, ()):
            if item.robot != address:
                continue
            if item.call == 'release':
                first = None
            elif first is None or (item.call == 'award' and item.issued_at >= until):
                first = item
            until = item.issued_at + LEASE_S * SECOND
        return first.record if first else None

    def _execute(self, entry: Entry) -> None:
        """Execute one record's calls."""
        record = entry.record
        if not record.calls:
            self._marks.append((entry, None))
            return
        self._marks.append((entry, self._evm.mark()))
        self.version += 1
        sender = self.fleet.robots[entry.issuer].address
        receipts = []
        for data in record.calls:
            result = self._evm.call(sender, data, record.issued_at // SECOND, GAS_LIMIT)
            receipts.append(self._receipt(data, result))
            self._facts.touch(entry.issuer, data)
            if result.ok:
                self._note(entry, sender, data)
            else:
                self.reverted += 1
        self.receipts[entry.id] = tuple(receipts)

    def _receipt(self, data: bytes, result: Result) -> Receipt:
        name = call_name(data)
        if result.ok:
            told = (describe_event(log.topics, self.names) for log in result.logs)
            return Receipt(name, True, '', tuple(words for words in told if words))
        if result.halt:
            return Receipt(name, False, f'stopped: {result.halt}, gas limit {GAS_LIMIT}')
        return Receipt(name, False, describe_error(result.output, self.names))

    def _note(self, entry: Entry, sender: bytes, data: bytes) -> None:
        """Remember what :attr:`names` and :meth:`award_record` need of a successful call."""
        name, key = call_name(data), key_of(data)
        if name == 'propose' and key is not None and key not in self.names:
            self.names[key] = describe(data).removeprefix('propose ')
            self._named.append((entry.id, key))
        if name not in _LEASE_CALLS or key is None:
            return
        end = SELECTOR_BYTES + 2 * WORD
        robot = data[end - ADDRESS_BYTES : end] if name == 'award' else sender
        lease = _Lease(name, robot, entry.id, entry.record.issued_at)
        self._leases.setdefault(key, []).append(lease)

    def _rollback(self, first: int) -> None:
        """Return to the state before a position of the order."""
        undone = self._marks[first:]
        del self._marks[first:]
        marks = [mark for _, mark in undone if mark is not None]
        if not marks:
            return
        self._evm.rollback(marks[0])
        self.version += 1
        for entry, _ in undone:
            for data in entry.record.calls:
                self._facts.touch(entry.issuer, data)
            for receipt in self.receipts.pop(entry.id, ()):
                self.reverted -= not receipt.ok
        gone = {entry.id for entry, _ in undone}
        while self._named and self._named[-1][0] in gone:
            del self.names[self._named.pop()[1]]
        for leases in self._leases.values():
            while leases and leases[-1].record in gone:
                leases.pop()
