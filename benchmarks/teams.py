"""One team of robots under each protocol, with the same four questions to all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from benchmarks.baselines.clique import CliqueNode
from benchmarks.baselines.quorum import QuorumNode
from benchmarks.network import Network
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory_store import MemoryStore


class Team(Protocol):
    """A team under one protocol."""

    title: str

    def submit(self, robot: int, call: bytes) -> None:
        """Give a robot something to say."""

    def done(self, robot: int) -> Collection[bytes]:
        """Return the calls that this robot takes for irrevocable (a chain: k-deep) now."""

    def usable(self, robot: int) -> Collection[bytes]:
        """Return the calls that this robot may act on now, be they irrevocable or not."""

    def withdrawn(self) -> int:
        """Return how many calls some robot took for irrevocable and had to take back."""

    def equal(self) -> bool:
        """Tell whether all robots know and have decided the same."""


class LedgerTeam:
    """The ledger itself."""

    title = 'ledger'

    def __init__(self, network: Network, keys: list[PrivateKey]) -> None:
        self._network = network
        self.ledgers: list[Ledger] = [
            network.start(key, MemoryStore(), fresh=True) for key in keys
        ]
        self._final: list[Entry] = []
        """The final order, as the robot that was first at each position told it."""
        self._differ: set[int] = set()
        self._calls: list[set[bytes]] = [set() for _ in keys]
        self._counted = [0] * len(keys)
        for ledger in self.ledgers:
            ledger.on_final(self._note)

    def _note(self, entry: Entry) -> None:
        if entry.position == len(self._final):
            self._final.append(entry)
        elif self._final[entry.position].id != entry.id:
            self._differ.add(entry.position)

    def submit(self, robot: int, call: bytes) -> None:
        """See :meth:`Team.submit`."""
        self.ledgers[robot].submit(call)

    def done(self, robot: int) -> Collection[bytes]:
        """
        See :meth:`Team.done`.

        A robot that went on from a snapshot was not told of the records before it; that they are
        the same :meth:`equal` shows by the digest of the final order.
        """
        final = self.ledgers[robot].order.final
        for entry in self._final[self._counted[robot] : final]:
            self._calls[robot].update(entry.record.calls)
        self._counted[robot] = min(final, len(self._final))
        return self._calls[robot]

    def usable(self, robot: int) -> Collection[bytes]:
        """Return what is accepted or final: see :meth:`Team.usable`."""
        ledger = self.ledgers[robot]
        accepted = {
            call
            for entry in ledger.order.tentative
            if ledger.is_accepted(entry.id)
            for call in entry.record.calls
        }
        return accepted | set(self.done(robot))

    def withdrawn(self) -> int:
        """
        Return at how many places of the final order robots have different records.

        What is final is never taken back, so what differs was called final wrongly.
        """
        return len(self._differ)

    def equal(self) -> bool:
        """See :meth:`Team.equal`."""
        digests = {(one.order.final, one.order.final_digest) for one in self.ledgers}
        return len(digests) == 1 and self.same_sets()

    def same_sets(self) -> bool:
        """Tell whether all robots hold the same blocks."""
        return self._network.agree()


ModelNode = TypeVar('ModelNode', CliqueNode, QuorumNode)


class _ModelTeam(Generic[ModelNode]):
    """
    Robots that each have a part in a model.

    :param make: returns the part of the robot with this index, which says things with the second
        argument.
    """

    def __init__(
        self, network: Network, make: Callable[[int, Callable[[Any], None]], ModelNode]
    ) -> None:
        self.nodes: list[ModelNode] = [
            make(index, partial(network.say, name)) for index, name in enumerate(network.names)
        ]
        for node in self.nodes:
            network.add(node)

    def submit(self, robot: int, call: bytes) -> None:
        """See :meth:`Team.submit`."""
        self.nodes[robot].submit(call)


class CliqueTeam(_ModelTeam[CliqueNode]):
    """
    The model of a proof-of-authority chain.

    :param depth: that many blocks deep counts as confirmed; 1 = in the chain.
    :param limited: False: without Clique's limit on signers, that is, any longest chain.
    """

    def __init__(
        self,
        network: Network,
        seed: int,
        depth: int = 6,
        limited: bool = True,
        reinject: bool = True,
    ) -> None:
        rules = 'Clique' if limited else 'longest chain'
        self.title = f'{rules} k={depth}' + ('' if reinject else ', dropped')
        self.depth = depth
        super().__init__(
            network,
            lambda index, say: CliqueNode(
                index,
                len(network.names),
                network.seconds,
                say,
                seed,
                limit=None if limited else 1,
                reinject=reinject,
                depths=(1, depth),
            ),
        )

    def done(self, robot: int) -> Collection[bytes]:
        """See :meth:`Team.done`."""
        return self.nodes[robot].confirmed[self.depth]

    def usable(self, robot: int) -> Collection[bytes]:
        """Return what is in the chain: see :meth:`Team.usable`."""
        return self.nodes[robot].confirmed[1]

    def withdrawn(self) -> int:
        """See :meth:`Team.withdrawn`."""
        return len(set().union(*(node.withdrawn[self.depth] for node in self.nodes)))

    def equal(self) -> bool:
        """See :meth:`Team.equal`."""
        confirmed = [node.confirmed[self.depth] for node in self.nodes]
        return all(one == confirmed[0] for one in confirmed)


class QuorumTeam(_ModelTeam[QuorumNode]):
    """The model of a log that needs a quorum of the roster."""

    title = 'quorum log'

    def __init__(self, network: Network) -> None:
        count = len(network.names)
        super().__init__(
            network, lambda index, say: QuorumNode(index, count, network.seconds, say)
        )

    def done(self, robot: int) -> Collection[bytes]:
        """See :meth:`Team.done`."""
        return self.nodes[robot].decided

    def usable(self, robot: int) -> Collection[bytes]:
        """Return what is decided: see :meth:`Team.usable`."""
        return self.nodes[robot].decided

    def withdrawn(self) -> int:
        """See :meth:`Team.withdrawn`."""
        return 0  # a decision is never taken back

    def equal(self) -> bool:
        """See :meth:`Team.equal`."""
        return len({len(node.log) for node in self.nodes}) == 1
