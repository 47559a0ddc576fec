"""The virtual network of the benchmarks: the project's own, which also counts what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any, cast, Protocol, TypeVar

from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import block_id
from collab_robots.tangle.memory import MemoryNetwork, Station, Weather
from collab_robots.tangle.sync import Transport

Said = TypeVar('Said', contravariant=True)


class Message(Protocol):
    """What a model says."""

    @property
    def size(self) -> int:
        """Bytes on the wire."""


class Model(Protocol[Said]):
    """A robot's part in the model of another protocol."""

    name: str

    def tick(self) -> None:
        """Do what time demands."""

    def receive(self, message: Said) -> None:
        """Take what another robot said."""


class Network(MemoryNetwork):
    """
    Counts what is sent, also of single blocks, and takes models beside ledgers.

    :param seed: of delays and of when each robot ticks: two protocols with one seed meet the same
        network, as far as they send the same.
    """

    def __init__(self, fleet: Fleet, seed: int, weather: Weather | None = None) -> None:
        super().__init__(fleet, seed, weather)
        self.names = tuple(robot.name for robot in fleet.robots)
        self.block_bytes: dict[bytes, int] = {}
        """Size of each block that was ever sent, by id."""
        self.block_sent: Counter[bytes] = Counter()
        """How often each was sent."""

    def seconds(self) -> float:
        """Return the virtual time, s."""
        return self.clock.now_ns() / SECOND

    def add(self, model: Model[Any]) -> None:
        """Let a model take part; it ticks ten times a second from now on."""
        self.join(model.name, cast(Station, model))

    def say(self, sender: str, message: Message) -> None:
        """Bring a model's message to whoever hears it."""

        def arrive(station: Station) -> None:
            cast(Model[Any], station).receive(message)

        self.deliver(type(message).__name__.lower(), message.size, sender, arrive)

    def transport(self, name: str, audience: Container[str] | None = None) -> Transport:
        """Return the way out of a robot."""
        return cast(Transport, _Metered(self, super().transport(name, audience)))


class _Metered:
    """Takes note of blocks; hands everything on."""

    def __init__(self, network: Network, transport: Transport) -> None:
        self._network = network
        self._transport = transport

    def broadcast_block(self, raw: bytes) -> None:
        identity = block_id(raw)
        self._network.block_bytes[identity] = len(raw)
        self._network.block_sent[identity] += 1
        self._transport.broadcast_block(raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
