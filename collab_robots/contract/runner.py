"""
Executes the contract on the ledger's order, and again from where the past changed.

Two states are readable: ``tentative``, after all records, and ``final``, after the final ones
only. There is one machine. A record that arrives late belongs before others: the machine is then
taken back to the first changed position and executes from there, so the cost is that of what
changed. The final state is read in the same way: back to where the final records end, read, and
forward again; that happens only when somebody asks and the final part has changed.

The state after every record is the same as if all had been executed once, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode

from collab_robots.contract import receipt
from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import (
    call_name,
    describe,
    LEDGER,
    no_such_call,
    SELECTOR_BYTES,
    TELLING,
    UNKNOWN,
    WORD,
)
from collab_robots.contract.evm import Evm, make_evm, Result, ROW_BYTES
from collab_robots.contract.facts import Facts, Touched, touched_by
from collab_robots.contract.notes import LEASE_CALLS, Notes
from collab_robots.contract.receipt import Receipt
from collab_robots.contract.state import decode_state, encode_state, State
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import CallError, Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import ADDRESS_BYTES
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.order import Order

_NOT_RUN = (LEDGER, UNKNOWN)
GAS_LIMIT = 4_000_000  # per call; the dearest honest call, MAX_TILES new tiles, needs two thirds


@dataclass(eq=False, slots=True)
class _Step:
    """
    One executed record.

    :param note: the notes before it.
    :param mark: the machine before it; None if it executes nothing in the machine.
    :param runs: those of its calls that the machine executes.
    :param touched: what they changed.
    """

    entry: Entry
    note: int
    mark: Any = None
    runs: Sequence[bytes] = ()
    touched: Sequence[Touched] = ()


class Runner:
    """
    The contract of one fleet, executed on this robot.

    :param fleet: its members, in roster order, are the only ones who may call.
    :param evm: the machine to run it in.
    :raises ConfigError: if there is no machine for this computer, or no compiled contract.
    """

    def __init__(self, fleet: Fleet, evm: Evm | None = None) -> None:
        self.fleet = fleet
        self.receipts: dict[bytes, tuple[Receipt, ...]] = {}
        """Of the held records that have calls, by id, in the order of the records."""
        self.reverted = 0
        """How many calls were reverted or void."""
        self.version = 0
        """Changes whenever the tentative state may have; equal versions are equal states."""
        self.final_version = 0
        """The same for the final state."""
        self._addresses = [robot.address for robot in fleet.robots]
        self._notes = Notes(fleet)
        self.names = self._notes.names
        self._evm = evm or make_evm()
        self._facts = Facts(len(fleet.robots))
        self._final_facts = Facts(len(fleet.robots))
        self._roots: dict[bool, tuple[int, bytes]] = {}  # final or not: version, root
        self._order: Order | None = None
        self._start = 0  # position of the first step; what is before cannot be undone
        self._steps: list[_Step] = []
        self._final = 0  # as of the last update
        self._final_read = 0  # the version that the final facts are of
        self._held: deque[tuple[int, bytes]] = deque()  # position and id of each receipt
        self._told = 0  # version at the last update
        self._dumped: tuple[int, bytes] | None = None  # the last state_at
        roster = ['0x' + address.hex() for address in self._addresses]
        self._evm.deploy(artifact().bytecode + encode(['address[]'], [roster]))

    def follow(self, order: Order) -> None:
        """
        Say which order is executed, before its first update and after :meth:`restore`.

        :param order: of which this is the only consumer of ``changed_from``.
        """
        self._order = order

    def update(self, order: Order) -> bool:
        """
        Execute what is new, and again what follows a record that came late.

        :param order: see :meth:`follow`.
        :returns: whether the tentative state may have changed since the last update.
        :raises LookupError: if records were pruned that were never executed here.
        """
        self.follow(order)
        self._catch_up(order)
        changed, self._told = self.version != self._told, self.version
        return changed

    def facts(self) -> Facts:
        """Return everything the contract knows; only what changed is read."""
        self._facts.refresh(self._evm)
        return self._facts

    def final_facts(self) -> Facts:
        """Return everything the contract knows of the final records."""
        if self._final_read != self.final_version:
            with self._machine_at(self._final):
                self._final_facts.refresh(self._evm)
            self._final_read = self.final_version
        return self._final_facts

    def state_root(self) -> bytes:
        """Return the digest of all facts, 32 bytes: equal on robots that have equal records."""
        return self._root(False)

    def final_root(self) -> bytes:
        """Return the digest of the facts of the final records, 32 bytes."""
        return self._root(True)

    def award_record(self, key: bytes, robot: str) -> bytes | None:
        """
        Return the record that gave a robot the lease it has, or had last, of a task.

        It is the first award of an unbroken row of awards and renewals, in the present order: once
        that record is accepted the robot may act.

        :returns: block id; None if the robot was not awarded the task or has released it.
        """
        lease = self._notes.leases.get((key, self.fleet.index_of(robot)))
        return lease.record if lease else None

    def state_at(self, position: int) -> bytes:
        """
        Return the state after the first final records: the same bytes on every robot.

        The machine begins anew there, which frees the memory that the way back to before took.

        :param position: how many records; never less than before, at most those that are final.
        :raises LookupError: if that state cannot be returned to.
        """
        if self._order is not None:
            self._catch_up(self._order)
        if self._dumped is None or self._dumped[0] != position:
            if not self._start <= position <= self._final:
                raise LookupError(
                    f'no state after {position} records, only {self._start} to {self._final}'
                )
            self._dumped = (position, encode_state(self._cut(position), self.fleet))
        return self._dumped[1]

    def next_roster(self, position: int) -> None:
        """Return the roster from there on, if the first final records changed it."""

    def restore(self, position: int, state: bytes, fleet: Fleet) -> None:
        """
        Take over a state instead of executing what led to it.

        :param position: the base of the order that is given to the next update.
        :param state: as another robot's :meth:`state_at` returned it; whoever calls this knows
            from its digest that it is the fleet's.
        :raises RefusedError: SNAPSHOT if it is malformed; nothing has changed then.
        """
        found = decode_state(state, self.fleet)
        evm, facts = self._evm.with_storage(found.storage), Facts(len(self.fleet.robots))
        try:
            facts.read_all(evm, len(found.storage) // ROW_BYTES)
        except CallError as error:
            raise RefusedError(Refusal.SNAPSHOT, f'state of the contract: {error}') from None
        self._evm, self._facts, self._final_facts = evm, facts, facts.copy()
        self._notes.restart(found.heads, found.leases, dict(facts.proposed()))
        self._steps.clear()
        self._order = None
        self._start = self._final = position
        self._held.clear()
        self.receipts.clear()
        self._dumped = (position, state)
        self.version += 1
        self.final_version += 1
        self._final_read = self.final_version

    def _catch_up(self, order: Order) -> None:
        first = order.changed_from()
        if first < self._start + len(self._steps):
            self._rollback(max(first, self._start))
        if order.base > self._start + len(self._steps):
            raise LookupError(
                f'records up to {order.base} are pruned, and {self._start + len(self._steps)} '
                'were executed'
            )
        for entry in order.entries[self._start + len(self._steps) - order.base :]:
            self._execute(entry)
        for step in self._steps[self._final - self._start : order.final - self._start]:
            if step.touched:
                self._final_facts.touch(step.touched)
                self.final_version += 1
        self._final = order.final
        self._forget(order.base)

    def _forget(self, base: int) -> None:
        """Drop what belongs to pruned records."""
        while self._held and self._held[0][0] < base:
            del self.receipts[self._held.popleft()[1]]
        if base > self._start:
            self._cut(base)

    def _execute(self, entry: Entry) -> None:
        """Execute one record's calls."""
        step = _Step(entry, self._notes.mark())
        self._steps.append(step)
        if entry.issuer == FOREIGN:
            return
        counts, said = self._notes.follow(entry), entry.record.calls
        if not said:
            return
        if counts:
            receipts = self._run(step, said)
        else:
            robot = self.fleet.robots[entry.issuer].name
            receipts = tuple(receipt.void(call_name(data), robot) for data in said)
        self.reverted += sum(not item.ok for item in receipts)
        self.receipts[entry.id] = receipts
        self._held.append((self._start + len(self._steps) - 1, entry.id))

    def _run(self, step: _Step, said: Sequence[bytes]) -> tuple[Receipt, ...]:
        """Run what a valid record says."""
        entry, evm = step.entry, self._evm
        sender, time = self._addresses[entry.issuer], entry.record.issued_at // SECOND
        names = [call_name(data) for data in said]
        step.runs = [data for name, data in zip(names, said, strict=True) if name not in _NOT_RUN]
        if step.runs:
            step.mark = evm.mark()
            self.version += 1
        receipts, touched = [], []
        for name, data in zip(names, said, strict=True):
            if name == LEDGER:
                receipts.append(receipt.done(name))
                continue
            if name == UNKNOWN:
                result = Result(False, no_such_call(data), '', 0)
            else:
                result = evm.call(sender, data, time, GAS_LIMIT)
            if not result.ok:
                receipts.append(receipt.failed(name, result, GAS_LIMIT, self.names))
                continue
            touched.append(touched_by(entry.issuer, name, data, result.output))
            receipts.append(
                receipt.told(name, evm.logs(), self.names)
                if name in TELLING
                else receipt.done(name)
            )
            self._note(entry, name, data, result.output)
        step.touched = touched
        self._facts.touch(touched)
        return tuple(receipts)

    def _note(self, entry: Entry, name: str, data: bytes, output: bytes) -> None:
        """Remember what :attr:`names` and :meth:`award_record` need of a successful call."""
        if name == 'propose':
            if output not in self.names:
                self._notes.name(output, describe(data).removeprefix('propose '))
        elif name in LEASE_CALLS:
            key = data[SELECTOR_BYTES : SELECTOR_BYTES + WORD]
            robot = entry.issuer
            if name == 'award':
                end = SELECTOR_BYTES + 2 * WORD
                robot = self._addresses.index(data[end - ADDRESS_BYTES : end])
            self._notes.lease(name, key, robot, entry)

    def _rollback(self, first: int) -> None:
        """Return to the state before a position of the order."""
        undone = self._steps[first - self._start :]
        del self._steps[first - self._start :]
        self._notes.rollback(undone[0].note)
        while self._held and self._held[-1][0] >= first:
            for item in self.receipts.pop(self._held.pop()[1]):
                self.reverted -= not item.ok
        if self._rewind(undone):
            self.version += 1
        for step in undone:
            self._facts.touch(step.touched)

    def _rewind(self, steps: Sequence[_Step]) -> bool:
        """Take the machine back to before the first of the newest steps."""
        mark = next((step.mark for step in steps if step.runs), None)
        if mark is not None:
            self._evm.rollback(mark)
        return mark is not None

    @contextmanager
    def _machine_at(self, position: int) -> Iterator[None]:
        """Take the machine back to a position for a while; then it executes the rest again."""
        later = self._steps[position - self._start :]
        if not self._rewind(later):
            later = []
        try:
            yield
        finally:
            for step in later:
                self._run_again(step)

    def _run_again(self, step: _Step) -> None:
        """Run a record whose outcome is known."""
        if not step.runs:
            return
        sender = self._addresses[step.entry.issuer]
        time = step.entry.record.issued_at // SECOND
        step.mark = self._evm.mark()
        for data in step.runs:
            self._evm.call(sender, data, time, GAS_LIMIT)

    def _cut(self, position: int) -> State:
        """
        Give up the way back to before a final position.

        :returns: the state there.
        """
        at = position - self._start
        note = self._steps[at].note if at < len(self._steps) else self._notes.mark()
        heads, leases = self._notes.at(note)
        with self._machine_at(position):
            storage = self._evm.dump()
            self._evm = self._evm.with_storage(storage)
        self._notes.forget(note)
        del self._steps[:at]
        self._start = position
        return State(storage, list(heads.values()), leases)

    def _root(self, final: bool) -> bytes:
        version = self.final_version if final else self.version
        known = self._roots.get(final)
        if known is None or known[0] != version:
            facts = self.final_facts() if final else self.facts()
            known = self._roots[final] = (version, facts.digest(self.fleet.id))
        return known[1]
