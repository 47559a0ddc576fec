"""
Byzantine robots: each holds a real key, and what it sends is real bytes.

The strongest use real ledgers in part: a robot that votes both ways is two ledgers with one key.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
import random

from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import CollabError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.sim.protocol.hive import Hive
from collab_robots.sim.protocol.scenario import Fault
from collab_robots.tangle.block import block_id, ID_BYTES
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import MAX_SEQ
from collab_robots.tangle.sync import Chunk, Have, Range, Request, Transport

Reach = Callable[[Container[str] | None], Transport]
"""Make a way out that reaches these robots only, or all."""

Start = Callable[[Transport, MemoryStore], Ledger]
"""Start a ledger with a way out and a store."""

_AHEAD = 4.9  # s; as far in the future as most clocks take


@dataclass(frozen=True)
class Habits:
    """
    What a liar does in a tick of 0.1 s, as probabilities.

    :param issue: sign a record.
    :param fork: go on from an older own record instead of the last.
    :param reach: each robot is sent the record.
    :param late: send an old record to somebody.
    :param forge: date a record otherwise than now.
    :param noise: send garbage, a false announcement or a senseless request.
    :param answer: answer a request.
    """

    issue: float = 0.25
    fork: float = 0.0
    reach: float = 1.0
    late: float = 0.1
    forge: float = 0.0
    noise: float = 0.0
    answer: float = 0.7


HABITS = {
    Fault.EQUIVOCATE: Habits(fork=0.35, reach=0.5, late=0.2),
    Fault.FORGE_TIME: Habits(forge=0.8, reach=0.8),
    Fault.SPAM: Habits(issue=0.6, noise=0.6, forge=0.1),
}


class Silent:
    """A robot that says nothing."""

    def tick(self) -> None:
        """Do nothing."""

    def receive_block(self, raw: bytes, sender: str) -> None:
        """Ignore it."""

    def receive_have(self, have: Have) -> None:
        """Ignore it."""

    def receive_request(self, request: Request) -> None:
        """Ignore it."""

    def receive_chunk(self, chunk: Chunk) -> None:
        """Ignore it."""


class Liar(Silent):
    """
    Signs whatever the DAG's rules let pass, anywhere in the DAG, and says anything.

    Each record is made to fit what one robot can know now, so that it is taken on that robot's
    side of a cut: across a cut, there is a branch for each side.

    :param hive: what it knows, perhaps together with others.
    :param clock: the right one.
    :param heard_by: whom a robot hears now, as a bit mask.
    """

    def __init__(
        self,
        fleet: Fleet,
        key: PrivateKey,
        hive: Hive,
        reach: Reach,
        clock: Clock,
        rng: random.Random,
        habits: Habits,
        heard_by: Callable[[int], int],
    ) -> None:
        self._fleet = fleet
        self._key = key
        self._hive = hive
        self._reach = reach
        self._clock = clock
        self._rng = rng
        self._habits = habits
        self._heard_by = heard_by
        self._me = fleet.index_by_key[key.public]
        self._name = fleet.robots[self._me].name
        self._others = [robot.name for robot in fleet.robots if robot.name != self._name]
        self._own: list[Entry] = []
        self._lines: dict[int, Entry] = {}  # by side: the last record made for it

    def tick(self) -> None:
        """Lie a little."""
        rng, habits = self._rng, self._habits
        if rng.random() < habits.issue:
            self._issue()
        if self._own and rng.random() < habits.late:
            self._send(rng.choice(self._own[-20:]).id, {rng.choice(self._others)})
        if rng.random() < habits.noise:
            rng.choice((self._send_garbage, self._claim, self._ask))()
        if rng.random() < 0.1:
            self._announce(self._hive.dag.heights())

    def receive_block(self, raw: bytes, sender: str) -> None:
        """Learn it."""
        self._hive.take(raw)

    def receive_request(self, request: Request) -> None:
        """Answer some, with what it signed itself: what it names stays missing."""
        if request.target != self._name or self._rng.random() > self._habits.answer:
            return
        wanted = set(request.ids)
        ranges = [(first, last) for issuer, first, last in request.ranges if issuer == self._me]
        for entry in self._own[-64:]:
            seq = entry.record.seq
            if entry.id in wanted or any(first <= seq <= last for first, last in ranges):
                self._send(entry.id, {request.sender})

    def _issue(self) -> None:
        rng, side = self._rng, self._heard_by(self._rng.randrange(len(self._fleet.robots)))
        last = self._own[-1] if self._own else None
        previous = self._lines.get(side, last) if self._habits.fork else last
        if self._own and rng.random() < self._habits.fork:
            previous = rng.choice([None, *self._own[-6:]])
        issued_at = self._clock.now_ns()
        if rng.random() < self._habits.forge:
            shift = rng.choice((-1_000.0, -3.0, _AHEAD, _AHEAD, 9.0))
            issued_at = max(0, issued_at + round(shift * SECOND))
        calls = (rng.randbytes(8),) if rng.random() < 0.3 else ()
        entry = self._hive.grow(self._key, previous, issued_at, calls, side)
        if entry is None:
            return
        self._own.append(entry)
        self._lines[side] = entry
        audience = [name for name in self._others if rng.random() < self._habits.reach]
        self._send(entry.id, set(audience))

    def _send(self, identity: bytes, audience: Container[str]) -> None:
        raw = self._hive.raw.get(identity)
        if raw is not None:
            self._reach(audience).broadcast_block(raw)

    def _send_garbage(self) -> None:
        rng = self._rng
        raw = bytearray(rng.choice(list(self._hive.raw.values())) if self._hive.raw else b'\2')
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        self._reach(None).broadcast_block(bytes(raw[: rng.choice((len(raw), 40))]))

    def _claim(self) -> None:
        rng, heights = self._rng, self._hive.dag.heights()
        most = rng.choice((3, 1_000, MAX_SEQ))
        lies = [max(0, min(height + rng.randint(-3, most), MAX_SEQ)) for height in heights]
        self._announce(tuple(lies))

    def _announce(self, heights: tuple[int, ...]) -> None:
        digest = self._rng.randbytes(ID_BYTES)
        self._reach(None).broadcast_have(Have(self._name, self._fleet.id, heights, digest))

    def _ask(self) -> None:
        rng, target = self._rng, self._rng.choice(self._others)
        issuer = rng.randrange(len(self._fleet.robots))
        request = Request(
            self._name,
            target,
            (Range(issuer, 0, rng.choice((5, MAX_SEQ))),),
            (rng.randbytes(ID_BYTES),),
            rng.choice((0, 0, 1, 7)),
        )
        self._reach(None).send_request(target, replace(request, chunks=(0,)))


class Withholder:
    """A real ledger whose records reach some only, others each time, and that answers nobody."""

    def __init__(self, start: Start, reach: Reach, names: list[str], seed: str) -> None:
        self._rng = random.Random(seed)
        self._reach = reach
        self._names = names
        self._ledger = start(self, MemoryStore())

    def tick(self) -> None:
        """Go on."""
        if self._rng.random() < 0.05:
            self._ledger.submit(self._rng.randbytes(8))
        self._ledger.tick()

    def receive_block(self, raw: bytes, sender: str) -> None:
        """Take it."""
        self._ledger.receive_block(raw, sender)

    def receive_have(self, have: Have) -> None:
        """Take it."""
        self._ledger.receive_have(have)

    def receive_request(self, request: Request) -> None:
        """Answer nobody."""

    def receive_chunk(self, chunk: Chunk) -> None:
        """Take it."""
        self._ledger.receive_chunk(chunk)

    def broadcast_block(self, raw: bytes) -> None:
        """Send a block to some."""
        some = self._rng.sample(self._names, self._rng.randint(0, len(self._names)))
        self._reach(set(some)).broadcast_block(raw)

    def broadcast_have(self, have: Have) -> None:
        """Announce to all."""
        self._reach(None).broadcast_have(have)

    def send_request(self, target: str, request: Request) -> None:
        """Ask as an honest robot would."""
        self._reach(None).send_request(target, request)

    def broadcast_chunk(self, chunk: Chunk) -> None:
        """Send none."""


class Plot:
    """
    What two-faced robots agree on.

    :param sides: names of the robots that each face looks at, the two-faced ones included.
    """

    def __init__(self, sides: list[frozenset[str]]) -> None:
        self.sides = sides
        self.made_for: dict[bytes, int] = {}
        """For which side a record is; those from before the parting are for all."""

    def may_see(self, side: int, raw: bytes) -> bool:
        """Tell whether a block is not of a face that looks elsewhere."""
        return self.made_for.get(block_id(raw), side) == side


class TwoFaced:
    """
    One key, and a ledger for each side that hears only that side; at first there is only one.

    :param start: make a ledger with a way out and a store.
    :param is_time: says from when on to part. It then waits until it may lead the next round, so
        that the two records that follow are rival candidates for one leader slot: each face
        begins with a copy of the store.
    """

    def __init__(
        self, start: Start, reach: Reach, plot: Plot, is_time: Callable[[], bool], seed: str
    ) -> None:
        self._start = start
        self._reach = reach
        self._plot = plot
        self._is_time = is_time
        self._rng = random.Random(seed)
        self._store = MemoryStore()
        everybody = frozenset[str]().union(*plot.sides)
        self._faces = [_Face(start, reach(None), self._store, plot, None, everybody)]

    @property
    def has_parted(self) -> bool:
        """Tell whether it has two faces by now."""
        return len(self._faces) > 1

    def tick(self) -> None:
        """Go on with each face."""
        if not self.has_parted and self._is_time():
            self._faces[0].ledger.hold = True
            if self._rng.random() < 0.03:
                self._part()
        for face in self._faces:
            if self._rng.random() < 0.1:
                face.ledger.submit(self._rng.randbytes(8))
            with suppress(CollabError):  # what confuses a liar is no fault of the ledger
                face.ledger.tick()

    def receive_block(self, raw: bytes, sender: str) -> None:
        """Show it to the face that looks there, unless it would see its other face in it."""
        for face in self._looking_at(sender):
            if face.side is None or self._plot.may_see(face.side, raw):
                with suppress(CollabError):
                    face.ledger.receive_block(raw, sender)
        if not self.has_parted and self._is_time() and _may_lead_next(self._faces[0].ledger):
            self._part()

    def receive_have(self, have: Have) -> None:
        """Show it to the face that looks there."""
        for face in self._looking_at(have.sender):
            face.ledger.receive_have(have)

    def receive_request(self, request: Request) -> None:
        """Show it to the face that looks there."""
        for face in self._looking_at(request.sender):
            face.ledger.receive_request(request)

    def receive_chunk(self, chunk: Chunk) -> None:
        """Show it to the face that looks there."""
        for face in self._looking_at(chunk.sender):
            face.ledger.receive_chunk(chunk)

    def _part(self) -> None:
        self._faces = [
            _Face(self._start, self._reach(side), deepcopy(self._store), self._plot, at, side)
            for at, side in enumerate(self._plot.sides)
        ]
        for face in self._faces:
            face.ledger.submit(self._rng.randbytes(8))
            face.ledger.tick()

    def _looking_at(self, sender: str) -> list[_Face]:
        return [face for face in self._faces if sender in face.names]


def _may_lead_next(ledger: Ledger) -> bool:
    """Tell whether the next own record opens a round for this robot in which it has a slot."""
    own = ledger.dag.newest(ledger.index)
    top = max((tip.round for tip in ledger.dag.tips.values()), default=0)
    leads = ledger.index in map(ledger.finality.issuer_of, ledger.finality.slots(top))
    return (own is None or own.round < top) and leads


class _Face:
    """
    One ledger of a two-faced robot.

    :param side: index of what it looks at; None before the parting.
    :param names: the robots there.
    """

    def __init__(
        self,
        start: Start,
        transport: Transport,
        store: MemoryStore,
        plot: Plot,
        side: int | None,
        names: frozenset[str],
    ) -> None:
        self.side = side
        self.names = names
        self._plot = plot
        self._transport = transport
        self.ledger = start(self, store)

    def broadcast_block(self, raw: bytes) -> None:
        """Send a block to this side."""
        if self.side is not None and self._is_own(raw):
            self._plot.made_for.setdefault(block_id(raw), self.side)
        self._transport.broadcast_block(raw)

    def broadcast_have(self, have: Have) -> None:
        """Announce to this side."""
        self._transport.broadcast_have(have)

    def send_request(self, target: str, request: Request) -> None:
        """Ask this side."""
        self._transport.send_request(target, request)

    def broadcast_chunk(self, chunk: Chunk) -> None:
        """Send to this side."""
        self._transport.broadcast_chunk(chunk)

    def _is_own(self, raw: bytes) -> bool:
        entry = self.ledger.dag.entries.get(block_id(raw))
        return entry is not None and entry.issuer == self.ledger.index
