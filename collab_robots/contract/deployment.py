"""The suite in a machine: every call finds its contract by its selector, every reading by name."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from collab_robots.contract.artifact import SELECTOR_BYTES, Suite, WORD
from collab_robots.contract.evm import Evm, GAS_LIMIT, Log, Result, SYSTEM
from collab_robots.core.fleet import Fleet

ID_BYTES = 32
NAME_LENGTH = 32
FactId = tuple[str, bytes]
"""The contract's name and the id that it gave the fact."""

EPOCH_GAS = 100_000_000  # closing an epoch may look at every vote

# Contracts whose addresses each constructor wants; Fleet's wants the roster.
_NEEDS = {'Maps': ('Fleet',), 'Models': ('Fleet',), 'Tasks': ('Fleet', 'Maps')}


class Deployment:
    """
    Deployed contracts. Only this knows their addresses.

    :param suite: what to deploy.
    :param fleet: its members, in roster order, are the first in the roster.
    :param evm: an empty machine.
    """

    def __init__(self, suite: Suite, fleet: Fleet, evm: Evm) -> None:
        self.suite = suite
        self.evm = evm
        self._addresses: dict[str, bytes] = {}
        self._names: dict[bytes, str] = {}
        self.genesis: list[FactId] = []
        """The facts that are there before any call."""
        roster = [robot.address for robot in fleet.robots]
        weights = [robot.weight for robot in fleet.robots]
        for name, contract in suite.contracts.items():
            needs = [self._addresses[other] for other in _NEEDS.get(name, ())]
            given = needs or (roster, weights)
            address = evm.deploy(contract.constructor.creation(contract.bytecode, *given))
            self._addresses[name], self._names[address] = address, name
            self.genesis += self.touched(evm.logs())
        self._routes = {
            selector: self._addresses[call.contract] for selector, call in suite.calls.items()
        }
        self._fact = suite.contracts['Fleet'].functions['fact'].selector  # all have the same

    def call(self, sender: bytes, data: bytes, time: int, gas: int = GAS_LIMIT) -> Result:
        """
        Execute a call.

        :param sender: address, 20 bytes.
        :param data: a call whose selector is in ``suite.calls``.
        :param time: s.
        :param gas: at most.
        """
        return self.evm.call(sender, self._routes[data[:SELECTOR_BYTES]], data, time, gas)

    def close_epoch(self, time: int) -> list[FactId]:
        """
        Let what needs a position take effect: expulsions and changes of the roster.

        :param time: s.
        :returns: the facts that it may have changed.
        :raises RuntimeError: if the contract refuses: then it is wrong.
        """
        (convicted,) = self.ask('Maps', 'convicted')
        data = self.suite.call_by_name['closeEpoch'].encode(convicted)
        result = self.call(SYSTEM, data, time, EPOCH_GAS)
        if not result.ok:
            raise RuntimeError(f'the epoch cannot be closed: {result}')
        return self.touched(self.evm.logs())

    def is_epoch_due(self) -> bool:
        """Tell whether closing the epoch now would change more than its number."""
        return bool(self.ask('Fleet', 'due', *self.ask('Maps', 'convicted'))[0])

    def address(self, contract: str) -> bytes:
        """Return where a contract is, 20 bytes; it depends on the suite only."""
        return self._addresses[contract]

    def touched(self, logs: Sequence[Log]) -> list[FactId]:
        """Return the facts that a call may have changed, by its events."""
        return [(self._names[log.address], log.topics[1]) for log in logs]

    def with_storage(self, storages: Sequence[bytes]) -> Deployment:
        """Return the same contracts in a new machine; see :meth:`.evm.Evm.with_storage`."""
        other = copy(self)
        other.evm = self.evm.with_storage(storages)
        return other

    def ask(self, contract: str, function: str, *values: Any) -> tuple[Any, ...]:
        """
        Ask a view.

        :returns: the values that it returns.
        :raises CallError: if it reverts, or a value is of another type or out of range.
        """
        signature = self.suite.contracts[contract].functions[function]
        return signature.returned(self.read(contract, signature.encode(*values)))

    def read(self, contract: str, data: bytes) -> bytes:
        """
        Ask a view in bytes.

        :raises CallError: if it reverts.
        """
        return self.evm.read(self._addresses[contract], data)

    def fact(self, identity: FactId) -> bytes:
        """
        Return everything that a contract stores under an id, empty if there is nothing.

        :raises CallError: if the storage is not what calls could have made.
        """
        name, key = identity
        raw = self.evm.read(self._addresses[name], self._fact + key, GAS_LIMIT)
        length = int.from_bytes(raw[WORD : 2 * WORD], 'big')  # one value of type bytes
        return raw[2 * WORD : 2 * WORD + length]


def robot_names(fleet: Fleet, robots: Sequence[Sequence[Any]]) -> list[str]:
    """
    Return the name of each robot that the contract Fleet has, by its index there.

    The contract sees to it that no two robots join with one name, but it does not know the names
    of the fleet file. A robot that has one of those gets its index behind it.

    :param robots: as ``Fleet.roster`` returns them: the name comes last.
    """
    names = [robot.name for robot in fleet.founders]
    for *_, raw in robots[len(names) :]:
        name = raw.rstrip(b'\0').decode('ascii')
        index, free = str(len(names)), name
        for length in range(len(index) + 1, NAME_LENGTH):
            if free not in names:
                break
            free = name[: NAME_LENGTH - length] + index.rjust(length, '_')
        names.append(free)
    return names
