"""
Executes records one after the other, and knows the way back to each of them.

It holds the machine and the notes beside it. It does not know the ledger's order: who uses it says
which record comes next, and from which position on all is to be undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from collab_robots.contract import receipt
from collab_robots.contract.artifact import SELECTOR_BYTES, suite
from collab_robots.contract.calls.words import call_name, LEDGER
from collab_robots.contract.deployment import Deployment, FactId
from collab_robots.contract.notes import Lease, Notes
from collab_robots.contract.receipt import Receipt
from collab_robots.contract.state import State
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.record import LEDGER_CALL


@dataclass(eq=False, slots=True)
class Step:
    """
    One executed record.

    :param note: the notes before it.
    :param mark: the machine before it; None if it executes nothing in the machine.
    :param runs: those of its calls that the machine executes.
    :param touched: the facts that it changed.
    :param receipts: of all its calls.
    """

    entry: Entry
    note: int
    mark: Any = None
    runs: Sequence[bytes] = ()
    touched: list[FactId] = field(default_factory=list)
    receipts: tuple[Receipt, ...] = ()


class Execution:
    """
    See the module.

    :param deployment: after the records that came before; it is replaced where :meth:`cut` says.
    :param fleet: whose robots may call.
    :param start: position of the first record.
    :param state: what the deployment was made from, if it is not new.
    """

    def __init__(
        self, deployment: Deployment, fleet: Fleet, start: int = 0, state: State | None = None
    ) -> None:
        self.deployment = deployment
        self.start = start
        """What is before this position cannot be undone."""
        self.steps: list[Step] = []
        self._fleet = fleet
        self._addresses = [robot.address for robot in fleet.robots]
        self._notes = Notes(fleet)
        self._ids = set(deployment.genesis)  # of all facts at the start
        if state is not None:
            self._notes.restart(fleet, state.heads, state.leases)
            self._ids = set(state.ids)

    @property
    def end(self) -> int:
        """The position of the next record."""
        return self.start + len(self.steps)

    def between(self, first: int, last: int) -> Sequence[Step]:
        """Return the steps from a position to before another."""
        return self.steps[first - self.start : last - self.start]

    def lease(self, key: bytes, robot: str) -> Lease | None:
        """Return the lease that a robot has, or had last, of a task."""
        return self._notes.leases.get((key, self._addresses[self._fleet.index_of(robot)]))

    def execute(self, entry: Entry) -> Step:
        """Execute the next record."""
        step = Step(entry, self._notes.mark())
        self.steps.append(step)
        counts = entry.issuer != FOREIGN and self._notes.follow(entry)
        if counts:
            said = entry.record.calls
            step.runs = [data for data in said if data[:SELECTOR_BYTES] in suite().calls]
        if step.runs:
            step.mark = self.deployment.evm.mark()
        if entry.record.calls:
            step.receipts = self._call_all(step) if counts else self._void(entry)
        return step

    def rollback(self, first: int) -> list[Step]:
        """
        Return to the state before a position.

        :returns: the steps that are undone.
        """
        undone = self.steps[first - self.start :]
        del self.steps[first - self.start :]
        self._notes.rollback(undone[0].note)
        self._rewind(undone)
        return undone

    @contextmanager
    def at(self, position: int) -> Iterator[Deployment]:
        """Take the machine back to a position for a while; then it executes the rest again."""
        later = self.steps[position - self.start :]
        if not self._rewind(later):
            later = []
        try:
            yield self.deployment
        finally:
            for step in later:
                self._run_again(step)

    def cut(self, position: int) -> State:
        """
        Give up the way back to before a position. The machine begins anew there.

        :returns: the state there.
        """
        count = position - self.start
        with self.at(position):
            state = self._state(count)
            self._ids = set(state.ids)
            self.deployment = self.deployment.with_storage(state.storages)
        self._notes.forget(self._note_at(count))
        del self.steps[:count]
        self.start = position
        return state

    def end_epoch(self, position: int) -> State:
        """Return the state after a position with the epoch closed; nothing changes."""
        count = position - self.start
        with self.at(position), self.closed(self.steps[count - 1].entry) as touched:
            return self._state(count, touched)

    @contextmanager
    def closed(self, last: Entry) -> Iterator[list[FactId]]:
        """
        Close the epoch after a record, where the machine is, for as long as the context lasts.

        It gives the facts that this changes.
        """
        mark = self.deployment.evm.mark()
        yield self.deployment.close_epoch(_seconds(last))
        self.deployment.evm.rollback(mark)

    def _call_all(self, step: Step) -> tuple[Receipt, ...]:
        """Execute all calls of a record that counts."""
        entry, deployment, names = step.entry, self.deployment, self._fleet.name_by_address
        sender, time = self._addresses[entry.issuer], _seconds(entry)
        receipts = []
        for data in entry.record.calls:
            call = suite().calls.get(data[:SELECTOR_BYTES])
            if call is None:
                ledger = data.startswith(LEDGER_CALL)
                receipts.append(receipt.done(LEDGER) if ledger else receipt.unknown(data))
                continue
            result = deployment.call(sender, data, time)
            if not result.ok:
                receipts.append(receipt.failed(call.name, result, names))
                continue
            logs = deployment.evm.logs()
            step.touched += deployment.touched(logs)
            self._notes.learn(logs, entry)
            receipts.append(receipt.told(call.name, logs, names))
        return tuple(receipts)

    def _void(self, entry: Entry) -> tuple[Receipt, ...]:
        """Return the receipts of a record that does not count."""
        robot = self._fleet.robots[entry.issuer].name
        return tuple(receipt.void(call_name(data), robot) for data in entry.record.calls)

    def _rewind(self, steps: Sequence[Step]) -> bool:
        """Take the machine back to before the first of the newest steps."""
        mark = next((step.mark for step in steps if step.mark is not None), None)
        if mark is not None:
            self.deployment.evm.rollback(mark)
        return mark is not None

    def _run_again(self, step: Step) -> None:
        """Run a record whose outcome is known."""
        if step.mark is None:
            return
        step.mark = self.deployment.evm.mark()
        time = _seconds(step.entry)
        for data in step.runs:
            self.deployment.call(self._addresses[step.entry.issuer], data, time)

    def _state(self, count: int, more: Sequence[FactId] = ()) -> State:
        """
        Return the state after so many steps, where the machine is.

        :param more: facts that were changed, beside those that the steps changed.
        """
        touched = {*more, *(identity for step in self.steps[:count] for identity in step.touched)}
        kept = {identity for identity in touched if self.deployment.fact(identity)}
        heads, leases = self._notes.at(self._note_at(count))
        storages = self.deployment.evm.dump()
        return State(storages, (self._ids - touched) | kept, list(heads.values()), leases)

    def _note_at(self, count: int) -> int:
        return self.steps[count].note if count < len(self.steps) else self._notes.mark()


def _seconds(entry: Entry) -> int:
    """Return the time that a record's calls are executed at."""
    return entry.record.issued_at // SECOND
