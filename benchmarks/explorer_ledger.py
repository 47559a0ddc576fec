"""
Makes a large ledger as four robots would: every record signed, every block kept.

``python -m benchmarks.explorer_ledger`` writes ``ledger.db`` and ``fleet.yaml`` to look at. One
robot is real, the others only make records. Half of the team is cut off from the other half for a
while; later one robot lies, is expelled, and then signs two records with one number.
"""

from __future__ import annotations

import argparse
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
import heapq
import json
from pathlib import Path
import random
import time
from typing import NamedTuple

from benchmarks.explorer_work import Work
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block import block_id, decode_block, GENESIS
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import (
    decode_record,
    encode_record,
    LEDGER_CALL,
    MAX_CALLS,
    Record,
    sign_record,
)
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store
from collab_robots.tangle.sync import Chunk, Have, Request

FOLDER = Path('runs/benchmarks/explorer')
BLOCKS = 100_000
ROBOTS, LIAR = 4, 3
SEED = 6
PACE = 0.25  # s between two records of a robot
DELAY = 0.04  # s that a block is under way
INTERVAL = 10.0  # s that are planned at a time
SPLIT_AT, SPLIT_FOR = 0.2, 120.0  # share of the blocks, s
LIES_FROM = 0.55  # share of the blocks
CONFIG = LedgerConfig(
    min_interval=PACE, heartbeat_interval=PACE, archive=True, new_rate=10_000, new_burst=1 << 20
)


class _Heard(NamedTuple):
    """A robot's newest record, as another one knows it; ``past`` counts what it has seen."""

    id: bytes
    seq: int
    issued_at: int
    past: tuple[int, ...]


class _Mate:
    """A robot that makes records on what it heard, without a ledger of its own."""

    def __init__(self, fleet: Fleet, index: int, key: PrivateKey) -> None:
        self._fleet, self._index, self._key = fleet, index, key
        self._newest: dict[int, _Heard] = {}
        self._calls: deque[bytes] = deque()

    def submit(self, call: bytes) -> None:
        """Take a call for the next record."""
        self._calls.append(call)

    def hear(self, issuer: int, heard: _Heard) -> None:
        """Take a robot's next record."""
        self._newest[issuer] = heard

    def say(self, now: int) -> tuple[_Heard, bytes]:
        """Make the next record; return it and its block."""
        own, others = self._newest.get(self._index), self._newest.items()
        tips = [
            heard
            for issuer, heard in others
            if issuer != self._index
            and all(heard.seq >= other.past[issuer] for mate, other in others if mate != issuer)
        ]
        calls = [self._calls.popleft() for _ in range(min(len(self._calls), MAX_CALLS // 2))]
        times = [now, *(tip.issued_at for tip in tips), own.issued_at + 1 if own else 0]
        record = sign_record(
            self._key,
            self._fleet.id,
            own.seq + 1 if own else 0,
            [own.id if own else GENESIS, *(tip.id for tip in tips)],
            max(times),
            tuple(calls),
        )
        raw = encode_record(record)
        heard = _heard(raw, record, self._index, [*tips, *([own] if own else [])])
        self.hear(self._index, heard)
        return heard, raw

    def equivocate(self, now: int) -> list[bytes]:
        """Make two records with one number."""
        own = self._newest[self._index]
        return [
            encode_record(
                sign_record(self._key, self._fleet.id, own.seq + 1, [own.id], now, calls)
            )
            for calls in ((), (bytes(8),))
        ]


def _heard(raw: bytes, record: Record, issuer: int, parents: Iterable[_Heard]) -> _Heard:
    past = [max(seen) for seen in zip((0,) * ROBOTS, *(one.past for one in parents), strict=True)]
    past[issuer] = record.seq + 1
    return _Heard(block_id(raw), record.seq, record.issued_at, tuple(past))


class Team:
    """Four robots in virtual time."""

    def __init__(self, seed: int) -> None:
        self.fleet, keys = make_team(ROBOTS, 'hall')
        self.store, self.clock = MemoryStore(), ManualClock(1_000 * SECOND)
        self.runner = Runner(self.fleet)
        self.ledger = Ledger(
            self.fleet,
            keys[0],
            self.store,
            self.clock,
            _Mouth(self._spoken, self._answer),
            CONFIG,
            fresh=True,
            state=self.runner,
        )
        self.work = Work(self.fleet, self._submit, seed)
        self.sides: Sequence[Sequence[int]] = [range(ROBOTS)]
        self._mates = {index: _Mate(self.fleet, index, keys[index]) for index in range(1, ROBOTS)}
        self._known: dict[bytes, _Heard] = {}
        self._raws: dict[bytes, bytes] = {}
        self._held_back: defaultdict[int, list[Callable[[], None]]] = defaultdict(list)
        self._random = random.Random(seed)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        for index in self._mates:
            self._at(self._random.uniform(0, PACE), partial(self._speak, index))
        self._tick()

    @property
    def robots(self) -> list[int]:
        """Roster indexes of those who work."""
        return [0, *self._mates]

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.ledger.order)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.now_ns() + round(seconds * SECOND)
        while self._events[0][0] <= end:
            at, _, action = heapq.heappop(self._events)
            self._wait(at)
            action()
        self._wait(end)
        self.runner.update(self.ledger.order)

    def split(self, *sides: Sequence[int]) -> None:
        """Let robots hear only their side, until the next call; then all that they missed."""
        self.sides = sides
        missed, self._held_back = self._held_back, defaultdict(list)
        for actions in missed.values():
            for action in actions:
                self._at(DELAY, action)

    def dismiss(self, robot: int) -> None:
        """Let an expelled robot sign two records with one number, and never speak again."""
        for raw in self._mates.pop(robot).equivocate(self.clock.now_ns()):
            self.ledger.receive_block(raw, self.fleet.robots[robot].name)
        self.split(self.robots)

    def _submit(self, seconds: float, robot: int, call: bytes) -> None:
        def submit() -> None:
            speaker = self._mates.get(robot) if robot else self.ledger
            if speaker is not None:
                speaker.submit(call)

        self._at(seconds, submit)

    def _speak(self, robot: int) -> None:
        mate = self._mates.get(robot)
        if mate is None:
            return
        heard, raw = mate.say(self.clock.now_ns())
        self._send(robot, heard, raw)
        self._at(PACE * self._random.uniform(0.9, 1.1), partial(self._speak, robot))

    def _spoken(self, raw: bytes) -> None:
        """Take a record of the real robot; the mates attest what it attests."""
        record = decode_record(decode_block(raw))
        parents = [self._known[one] for one in record.parents if one != GENESIS]
        heard = _heard(raw, record, 0, parents)
        self._send(0, heard, raw)
        for mate in self._mates.values():
            for call in record.calls:
                if call.startswith(LEDGER_CALL):
                    mate.submit(call)

    def _answer(self, request: Request) -> None:
        for identity in request.ids:
            raw = self._raws[identity]
            self._at(DELAY, partial(self.ledger.receive_block, raw, request.target))

    def _send(self, sender: int, heard: _Heard, raw: bytes) -> None:
        self._known[heard.id], self._raws[heard.id] = heard, raw
        name = self.fleet.robots[sender].name
        side = next(side for side in self.sides if sender in side)
        for robot in self.robots:
            mate = self._mates.get(robot)
            if mate is None:
                action = partial(self.ledger.receive_block, raw, name)
            else:
                action = partial(mate.hear, sender, heard)
            if robot != sender and robot in side:
                self._at(DELAY, action)
            elif robot != sender:
                self._held_back[robot].append(action)

    def _tick(self) -> None:
        self.ledger.tick()
        self._at(0.1, self._tick)

    def _wait(self, at: int) -> None:
        self.clock.advance((at - self.clock.now_ns()) / SECOND)

    def _at(self, delay: float, action: Callable[[], None]) -> None:
        self._count += 1
        at = self.clock.now_ns() + round(delay * SECOND)
        heapq.heappush(self._events, (at, self._count, action))


class _Mouth:
    """The real robot's transport."""

    def __init__(self, spoken: Callable[[bytes], None], asked: Callable[[Request], None]) -> None:
        self._spoken, self._asked = spoken, asked

    def broadcast_block(self, raw: bytes) -> None:
        self._spoken(raw)

    def broadcast_have(self, have: Have) -> None:
        pass

    def send_request(self, target: str, request: Request) -> None:
        self._asked(request)

    def broadcast_chunk(self, chunk: Chunk) -> None:
        pass


def make(
    folder: Path,
    blocks: int = BLOCKS,
    seed: int = SEED,
    told: Callable[[int], None] = print,
    split_for: float = SPLIT_FOR,
) -> Path:
    """
    Write a ledger and its fleet file, unless they are there.

    :param blocks: at least so many.
    :param told: how many there are.
    :param split_for: s.
    :returns: path of the ledger.
    """
    path = folder / f'{blocks}-{seed}' / 'ledger.db'
    if path.is_file():
        return path
    team = Team(seed)
    split_at, lies_from = SPLIT_AT * blocks, LIES_FROM * blocks
    split_until = 0
    lies = False
    while team.blocks < blocks:
        now = team.clock.now_ns()
        if not split_until and team.blocks >= split_at:
            split_until = now + round(split_for * SECOND)
            team.split((0, 1), (2, 3))
        elif len(team.sides) > 1 and now >= split_until:
            team.split(team.robots)
        if not lies and team.blocks >= lies_from:
            lies = True
            team.work.accuse(LIAR, (0, 1, 2))
        if LIAR in team.robots and team.ledger.fleet.epoch:
            team.dismiss(LIAR)
        team.work.plan(INTERVAL, team.sides, LIAR if lies else None)
        team.run(INTERVAL)
        told(team.blocks)
    _write(path, team)
    return path


def _write(path: Path, team: Team) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    robots = [{'name': one.name, 'public_key': one.public_key} for one in team.fleet.robots]
    fleet = json.dumps({'fleet': team.fleet.fleet, 'robots': robots}, indent=1)
    (path.parent / 'fleet.yaml').write_text(fleet, 'utf-8')  # JSON is YAML
    new = path.with_suffix('.new')
    new.unlink(missing_ok=True)
    with closing(Store(new, team.fleet, team.fleet.robots[0].name)) as store:
        for row in team.store.load():
            store.add(row)
        for issuer, proof in team.store.proofs().items():
            store.add_proof(issuer, *proof)
        store.commit()
        snapshot = team.store.snapshot()
        if snapshot is not None:
            store.save_snapshot(*snapshot, ())
    new.rename(path)
    new.with_name(f'{new.name}.lock').rename(f'{path}.lock')


def main() -> None:
    """Make one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--blocks', type=int, default=BLOCKS)
    parser.add_argument('--seed', type=int, default=SEED)
    parser.add_argument('--folder', type=Path, default=FOLDER)
    args = parser.parse_args()
    began = time.perf_counter()
    path = make(args.folder, args.blocks, args.seed, lambda done: print(f'\r{done}', end=''))
    print(f'\r{path}: {time.perf_counter() - began:.0f} s')


if __name__ == '__main__':
    main()
