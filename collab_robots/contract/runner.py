"""
Executes the contracts on the ledger's order, and again from where the past changed.

Two states are readable: ``tentative``, after all records, and ``final``, after the final ones
only. There is one machine. A record that arrives late belongs before others: the machine is then
taken back to the first changed position and executes from there, so the cost is that of what
changed. The final state is read in the same way: back to where the final records end, read, and
forward again; that happens only when somebody asks and the final part has changed.

The state after every record is the same as if all had been executed once, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from collab_robots.contract.artifact import SELECTOR_BYTES, suite
from collab_robots.contract.deployment import Deployment, robot_names
from collab_robots.contract.evm import Evm, make_evm
from collab_robots.contract.execution import Execution
from collab_robots.contract.facts import Facts
from collab_robots.contract.receipt import Receipt
from collab_robots.contract.state import decode_state, encode_state
from collab_robots.core.errors import CallError, Refusal, RefusedError
from collab_robots.core.fleet import Fleet, MAX_ROBOTS
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.handover import Roster, roster_of
from collab_robots.tangle.order import Order

_CHANGING = frozenset(('vote', 'submitSketch'))  # calls that may make it time to close an epoch


class Agreed(NamedTuple):
    """
    What all robots have at a height.

    :param epoch: of the membership.
    :param root: digest of all facts, 32 bytes.
    """

    epoch: int
    root: bytes


class Runner:
    """
    The contracts of one fleet, executed on this robot.

    :param fleet: its members, in roster order, are the only ones who may call.
    :param evm: the machine to run it in.
    :raises ConfigError: if a compiled contract is missing.
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
        self.names = fleet.name_by_address
        """Of robots by address."""
        deployment = Deployment(suite(), fleet, evm or make_evm())
        self._execution = Execution(deployment, fleet)
        self._facts = Facts()
        self._facts.touch(deployment.genesis)
        self._final_facts = self._facts.copy()
        self._roots: dict[bool, tuple[int, bytes]] = {}  # final or not: version, root
        self._order: Order | None = None
        self._asked = 0  # how many final records were looked at for what changes the roster
        self._ending = -1  # the position where they did
        self._final = 0  # as of the last update
        self._final_read = -1  # the version that the final facts are of
        self._away = False  # the machine is at the final state
        self._held: deque[tuple[int, bytes]] = deque()  # position and id of each receipt
        self._told = 0  # version at the last update
        self._dumped: tuple[int, bytes] | None = None  # the last state_at

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

    def next_roster(self, position: int) -> Roster | None:
        """
        Return the roster from a position on, by index, if it is time to close the epoch there.

        :param position: how many records are final. It is asked at the end of every batch that
            becomes final, and only batches with votes or sketches may end an epoch.
        """
        order = self._order
        assert order is not None
        batch = order.entries[self._asked - order.base : position - order.base]
        self._asked = position
        said = (data[:SELECTOR_BYTES] for entry in batch for data in entry.record.calls)
        if _CHANGING.isdisjoint(
            call.name for selector in said if (call := suite().calls.get(selector))
        ):
            return None
        self._catch_up(order)
        with self.final() as deployment:
            if not deployment.is_epoch_due():
                return None
            with self._execution.closed(batch[-1]):
                roster = _roster(self.fleet, deployment)
        if roster == roster_of(self.fleet):
            return None
        self._ending = position
        return roster

    def facts(self) -> Facts:
        """Return everything the contracts know; only what changed is read."""
        self._facts.refresh(self.tentative())
        return self._facts

    def final_facts(self) -> Facts:
        """Return everything the contracts know of the final records."""
        if self._final_read != self.final_version:
            with self.final() as deployment:
                self._final_facts.refresh(deployment)
            self._final_read = self.final_version
        return self._final_facts

    def tentative(self) -> Deployment:
        """
        Return the contracts after all records, to ask them.

        It is good until the next update.

        :raises RuntimeError: inside :meth:`final`, where there is no tentative state.
        """
        if self._away:
            raise RuntimeError('the machine is at the final state')
        return self._execution.deployment

    @contextmanager
    def final(self) -> Iterator[Deployment]:
        """
        Give the contracts after the final records, to ask them.

        The machine goes back there for as long as the context lasts, so ask everything in one.
        """
        if self._away:  # by somebody further out
            yield self._execution.deployment
            return
        with self._execution.at(self._final) as deployment:
            self._away = True
            try:
                yield deployment
            finally:
                self._away = False

    def state_root(self) -> bytes:
        """Return the digest of all facts, 32 bytes: equal on robots that have equal records."""
        return self._root(False)

    def final_root(self) -> bytes:
        """Return the digest of the facts of the final records, 32 bytes."""
        return self._root(True)

    def agreed_at(self, position: int) -> Agreed:
        """
        Return what all robots have after the first final records.

        :param position: how many records.
        :raises LookupError: if that state cannot be returned to, or the ledger is about to close
            the epoch there.
        """
        self._check(position)
        if position == self._ending:
            raise LookupError(f'the epoch that ends after {position} records is not closed yet')
        facts = self._final_facts.copy()
        for step in self._execution.between(position, self._final):
            facts.touch(step.touched)
        with self._execution.at(position) as deployment:
            facts.refresh(deployment)
            (epoch,) = deployment.ask('Fleet', 'epoch')
        return Agreed(epoch, facts.digest(self.fleet.id))

    def award_record(self, key: bytes, robot: str) -> bytes | None:
        """
        Return the record that gave a robot the lease it has, or had last, of a task.

        It is the first award of an unbroken row of awards and renewals, in the present order: once
        that record is accepted the robot may act.

        :returns: block id; None if the robot was not awarded the task or has released it.
        """
        lease = self._execution.lease(key, robot)
        return lease.record if lease else None

    def state_at(self, position: int) -> bytes:
        """
        Return the state after the first final records: the same bytes on every robot.

        Where they ended the epoch it is the state with the epoch closed. Otherwise the machine
        begins anew there, which frees the memory that the way back to before took.

        :param position: how many records; never less than before, at most those that are final.
        :raises LookupError: if that state cannot be returned to.
        """
        if self._order is not None:
            self._catch_up(self._order)
        if self._dumped is None or self._dumped[0] != position:
            self._check(position)
            execution = self._execution
            cut = execution.end_epoch if position == self._ending else execution.cut
            self._dumped = (position, encode_state(cut(position), self.fleet))
        return self._dumped[1]

    def restore(self, position: int, state: bytes, fleet: Fleet) -> None:
        """
        Take over a state instead of executing what led to it.

        :param position: the base of the order that is given to the next update.
        :param state: as another robot's :meth:`state_at` returned it; whoever calls this knows
            from its digest that it is the fleet's.
        :param fleet: with the roster from there on.
        :raises RefusedError: SNAPSHOT if it is malformed; nothing has changed then.
        """
        found = decode_state(state, fleet)
        deployment, facts = self._execution.deployment.with_storage(found.storages), Facts()
        facts.touch(found.ids)
        try:
            facts.refresh(deployment)
        except CallError as error:
            raise RefusedError(Refusal.SNAPSHOT, f'state of the contracts: {error}') from None
        if len(facts.known) != len(found.ids):
            raise RefusedError(Refusal.SNAPSHOT, 'state of the contracts: it has empty facts')
        self.fleet = fleet
        self.names = fleet.name_by_address
        self._execution = Execution(deployment, fleet, position, found)
        self._facts, self._final_facts = facts, facts.copy()
        self._order = None
        self._final = self._asked = position
        self._ending = -1
        self._held.clear()
        self.receipts.clear()
        self._dumped = (position, state)
        self.version += 1
        self.final_version += 1
        self._final_read = self.final_version

    def _catch_up(self, order: Order) -> None:
        self.tentative()  # or it must not be called
        execution, first = self._execution, order.changed_from()
        if first < execution.end:
            self._rollback(max(first, execution.start))
        if order.base > execution.end:
            raise LookupError(
                f'records up to {order.base} are pruned, and {execution.end} were executed'
            )
        for entry in order.entries[execution.end - order.base :]:
            self._execute(entry)
        for step in execution.between(self._final, order.final):
            if step.touched:
                self._final_facts.touch(step.touched)
                self.final_version += 1
        self._final = order.final
        self._forget(order.base)

    def _check(self, position: int) -> None:
        """
        See to it that a final position can be returned to.

        :raises LookupError: if it cannot.
        """
        if not self._execution.start <= position <= self._final:
            raise LookupError(
                f'no state after {position} records, only {self._execution.start} to {self._final}'
            )

    def _forget(self, base: int) -> None:
        """Drop what belongs to pruned records."""
        while self._held and self._held[0][0] < base:
            del self.receipts[self._held.popleft()[1]]
        if base > self._execution.start:
            self._execution.cut(base)

    def _execute(self, entry: Entry) -> None:
        """Execute one record."""
        step = self._execution.execute(entry)
        if step.runs:
            self.version += 1
        if step.receipts:
            self.reverted += sum(not item.ok for item in step.receipts)
            self.receipts[entry.id] = step.receipts
            self._held.append((self._execution.end - 1, entry.id))
        self._facts.touch(step.touched)

    def _rollback(self, first: int) -> None:
        """Return to the state before a position of the order."""
        while self._held and self._held[-1][0] >= first:
            for item in self.receipts.pop(self._held.pop()[1]):
                self.reverted -= not item.ok
        for step in self._execution.rollback(first):
            self.version += bool(step.runs)
            self._facts.touch(step.touched)

    def _root(self, final: bool) -> bytes:
        version = self.final_version if final else self.version
        known = self._roots.get(final)
        if known is None or known[0] != version:
            facts = self.final_facts() if final else self.facts()
            known = self._roots[final] = (version, facts.digest(self.fleet.id))
        return known[1]


def _roster(fleet: Fleet, deployment: Deployment) -> Roster:
    """
    Return the ledger's roster as the contract has it.

    A robot with a new key has its index in the contract, and in the ledger a new one.

    :param fleet: with the roster before.
    """
    _, robots = deployment.ask('Fleet', 'roster')
    weights, _ = deployment.ask('Fleet', 'weights')
    known = {robot.address: index for index, robot in enumerate(fleet.robots)}
    names = robot_names(fleet, robots)
    roster = [(robot.name, robot.key, 0) for robot in fleet.robots]
    for name, (address, *_, key, _), weight in zip(names, robots, weights, strict=True):
        at = known.get(address)
        if at is not None:
            roster[at] = (*roster[at][:2], weight)
        elif weight and len(roster) < MAX_ROBOTS:  # else its new key has no place in the ledger
            roster.append((name, key, weight))
    return roster
