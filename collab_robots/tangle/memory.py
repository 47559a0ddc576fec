"""The ledger's in-memory twins: a team with keys, and a network that misbehaves on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import partial
import heapq
import random
from typing import Any, Protocol

from collab_robots.core.clock import Clock, ManualClock, SECOND
from collab_robots.core.fleet import Fleet, Member
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block_store import BlockStore
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store
from collab_robots.tangle.sync import Chunk, Have, Request, Transport


def make_team(count: int, name: str = 'twin') -> tuple[Fleet, list[PrivateKey]]:
    """
    Make a fleet whose private keys anybody can compute: for tests and simulations only.

    :param count: robots ``robot_00``, ``robot_01``, …, each of weight 1.
    :returns: the fleet, and the keys in roster order.
    """
    keys = [PrivateKey(index.to_bytes(32, 'big')) for index in range(1, count + 1)]
    members = tuple(
        Member(name=f'robot_{index:02}', public_key=key.public.hex())
        for index, key in enumerate(keys)
    )
    return Fleet(fleet=name, robots=members), keys


@dataclass(frozen=True)
class Weather:
    """
    How messages fare.

    :param delay: shortest and longest, s; messages overtake one another.
    :param loss: share of messages that a receiver does not get.
    :param duplication: share of messages that it gets twice.
    """

    delay: tuple[float, float] = (0.005, 0.05)
    loss: float = 0.0
    duplication: float = 0.0


class SkewedClock:
    """
    A clock that is wrong by a constant.

    :param clock: the right one.
    :param skew: s that this one is ahead.
    """

    def __init__(self, clock: Clock, skew: float) -> None:
        self._clock = clock
        self._skew = round(skew * SECOND)

    def now_ns(self) -> int:
        """Return what it shows, ns."""
        return self._clock.now_ns() + self._skew


class Station(Protocol):
    """Whoever takes part in the network: a ledger, or something that only behaves like one."""

    def tick(self) -> None:
        """Do what time demands."""
        ...

    def receive_block(self, raw: bytes, sender: str) -> None:
        """Take a block."""
        ...

    def receive_have(self, have: Have) -> None:
        """Take an announcement."""
        ...

    def receive_request(self, request: Request) -> None:
        """Take a request, also one that is meant for another."""
        ...

    def receive_chunk(self, chunk: Chunk) -> None:
        """Take a piece of a snapshot."""
        ...


class MemoryNetwork:
    """
    A broadcast network in virtual time: same seed, same run.

    :param fleet: who may join.
    :param seed: of delays, losses, duplicates and of when each robot ticks.
    """

    TICK = SECOND // 10  # ns

    def __init__(self, fleet: Fleet, seed: int, weather: Weather | None = None) -> None:
        self.clock = ManualClock(SECOND * 1_000)
        self.weather = weather or Weather()
        self.stations: dict[str, Station] = {}
        """Whoever takes part, by name."""
        self.ledgers: dict[str, Ledger] = {}
        """Those of them that were started here."""
        self.sent: Counter[str] = Counter()
        """Bytes of content handed to the network, per kind: block, have, request, chunk."""
        self._fleet = fleet
        self._names = dict.fromkeys(fleet.index_by_name)  # of whoever may hear
        self._random = random.Random(seed)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._hears: Callable[[str, str], bool] = lambda receiver, sender: True
        self._lag: Callable[[str, str], float] = lambda receiver, sender: 0.0

    def start(
        self,
        key: PrivateKey,
        store: BlockStore | None = None,
        config: LedgerConfig | None = None,
        **options: Any,
    ) -> Ledger:
        """
        Start a robot's ledger; it ticks ten times a second until it is stopped.

        :param store: by default a new one in memory.
        :param options: of the :class:`Ledger`, ``name`` if the key is not in the fleet file;
            ``clock`` is the network's if not given.
        """
        index = self._fleet.index_by_key.get(key.public)
        name = options['name'] if index is None else self._fleet.robots[index].name
        store = store or Store(':memory:', self._fleet, name)
        clock = options.pop('clock', self.clock)
        options.setdefault('fresh', True)
        ledger = Ledger(self._fleet, key, store, clock, self.transport(name), config, **options)
        self.ledgers[name] = ledger
        self.join(name, ledger)
        return ledger

    def join(self, name: str, station: Station) -> None:
        """Let a station hear and tick, in the place of any other of that name."""
        self.stations[name] = station
        self._names[name] = None
        self._at(self._random.randrange(self.TICK), lambda: self._tick(name, station))

    def stop(self, name: str) -> None:
        """Stop a station at once, as a crash does; what is in a ledger's store stays there."""
        del self.stations[name]
        self.ledgers.pop(name, None)

    def transport(self, name: str, audience: Container[str] | None = None) -> Transport:
        """
        Return the way out of a robot; also for senders that are no ledger.

        :param audience: names of those whom its messages may reach; all if not given.
        """
        return _MemoryTransport(self, name, audience)

    def call_at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        self._at(round(seconds * SECOND), action)

    def split(self, *groups: Iterable[str]) -> None:
        """Let robots hear only those of their own group."""
        group_of = {name: index for index, group in enumerate(groups) for name in group}
        self.hear_if(lambda receiver, sender: group_of.get(receiver) == group_of.get(sender))

    def heal(self) -> None:
        """Let every robot hear all others."""
        self.hear_if(lambda receiver, sender: True)

    def hear_if(self, hears: Callable[[str, str], bool]) -> None:
        """Let ``hears(receiver, sender)`` decide, also on what is under way."""
        self._hears = hears

    def lag_by(self, lag: Callable[[str, str], float]) -> None:
        """Let ``lag(receiver, sender)``, s, add to the delay of what is sent from now on."""
        self._lag = lag

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """
        Let time pass.

        :param seconds: at most.
        :param until: asked after every event.
        :returns: the seconds that passed.
        """
        start = self.clock.now_ns()
        end = start + round(seconds * SECOND)
        while self._events and self._events[0][0] <= end:
            at, _, action = heapq.heappop(self._events)
            self.clock.advance((at - self.clock.now_ns()) / SECOND)
            action()
            if until():
                break
        else:
            self.clock.advance((end - self.clock.now_ns()) / SECOND)
        return (self.clock.now_ns() - start) / SECOND

    def agree(self) -> bool:
        """Tell whether all robots hold the same blocks."""
        digests = {ledger.dag.digest for ledger in self.ledgers.values()}
        return len(digests) == 1

    def deliver(
        self,
        kind: str,
        size: int,
        sender: str,
        action: Callable[[Station], None],
        audience: Container[str] | None = None,
    ) -> None:
        """Bring one message to whoever hears it; used by the transports."""
        self.sent[kind] += size
        rng, weather = self._random, self.weather
        shortest, longest = weather.delay
        for name in self._names:
            if name == sender or rng.random() < weather.loss:
                continue
            copies = 1 + (rng.random() < weather.duplication)
            for _ in range(copies):
                delay = rng.uniform(shortest, longest)
                if audience is None or name in audience:
                    delay += self._lag(name, sender)
                    self._at(round(delay * SECOND), partial(self._arrive, name, sender, action))

    def _arrive(self, name: str, sender: str, action: Callable[[Station], None]) -> None:
        station = self.stations.get(name)
        if station is not None and self._hears(name, sender):
            action(station)

    def _tick(self, name: str, station: Station) -> None:
        if self.stations.get(name) is station:
            station.tick()
            self._at(self.TICK, lambda: self._tick(name, station))

    def _at(self, delay: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.clock.now_ns() + delay, self._count, action))


class _MemoryTransport:
    def __init__(self, network: MemoryNetwork, name: str, audience: Container[str] | None) -> None:
        self._network = network
        self._name = name
        self._audience = audience

    def broadcast_block(self, raw: bytes) -> None:
        name = self._name
        self._deliver('block', len(raw), lambda station: station.receive_block(raw, name))

    def broadcast_have(self, have: Have) -> None:
        self._deliver('have', have.size, lambda station: station.receive_have(have))

    def send_request(self, target: str, request: Request) -> None:
        self._deliver('request', request.size, lambda station: station.receive_request(request))

    def broadcast_chunk(self, chunk: Chunk) -> None:
        self._deliver('chunk', chunk.size, lambda station: station.receive_chunk(chunk))

    def _deliver(self, kind: str, size: int, action: Callable[[Station], None]) -> None:
        self._network.deliver(kind, size, self._name, action, self._audience)
