"""
How long a record takes to be accepted and to be final, with the robot that issued it.

In message delays: a lock-step network, where all that is said in one step is heard by all in the
next, and every robot may speak in every step. In ms: the virtual network with real delays, and the
ledger's own pace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from benchmarks.network import Network
from benchmarks.report import spread
from benchmarks.teams import CliqueTeam, QuorumTeam, Team
from benchmarks.workload import Workload
from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team, Weather
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import Transport

LIMITS = {'accepted': 2, 'final': 3}  # message delays: the lower bounds of theory
STEP = 0.1  # s of virtual time
WARM_UP = 40  # steps, or tenths of a second
QUIET = 30  # steps at most until a team that heard one record is silent again
EAGER = LedgerConfig(min_interval=0.0, heartbeat_interval=0.0)


class Probe:
    """
    Watches the records with calls that robots issue themselves.

    :param now: the time, in the unit of the result.
    """

    def __init__(self, ledgers: Sequence[Ledger], now: Callable[[], float]) -> None:
        self.accepted: list[float] = []
        self.final: list[float] = []
        self.watches = True
        self._now = now
        self._issued: list[dict[bytes, float]] = [{} for _ in ledgers]  # not final yet
        self._pending: list[set[bytes]] = [set() for _ in ledgers]
        self._ledgers = ledgers
        for index, ledger in enumerate(ledgers):
            ledger.on_solid(partial(self._solid, index))
            ledger.on_final(partial(self._final, index))

    @property
    def open(self) -> int:
        """How many of the watched records are not final yet."""
        return sum(map(len, self._issued))

    def look(self) -> bool:
        """Look for what was accepted; call it after everything that happens."""
        for pending, ledger, issued in zip(
            self._pending, self._ledgers, self._issued, strict=True
        ):
            for identity in [one for one in pending if ledger.is_accepted(one)]:
                pending.discard(identity)
                if identity in issued:
                    self.accepted.append(self._now() - issued[identity])
        return False

    def _solid(self, index: int, entry: Entry) -> None:
        if entry.issuer == self._ledgers[index].index and entry.record.calls and self.watches:
            self._issued[index][entry.id] = self._now()
            self._pending[index].add(entry.id)

    def _final(self, index: int, entry: Entry) -> None:
        if entry.id in self._issued[index]:
            if entry.id in self._pending[index]:  # final implies accepted
                self._pending[index].discard(entry.id)
                self.accepted.append(self._now() - self._issued[index][entry.id])
            self.final.append(self._now() - self._issued[index].pop(entry.id))


class LockStep:
    """Robots that hear in each step what all said in the one before, and then may speak."""

    def __init__(self, fleet: Fleet, keys: Sequence[PrivateKey]) -> None:
        self.clock = ManualClock(1_000 * SECOND)
        self.steps = 0
        self._said: list[tuple[str, str, tuple[Any, ...]]] = []
        self.ledgers = [
            Ledger(
                fleet,
                key,
                MemoryStore(),
                self.clock,
                cast(Transport, _Said(self._said, fleet.robots[index].name)),
                EAGER,
                fresh=True,
            )
            for index, key in enumerate(keys)
        ]
        for ledger in self.ledgers:
            ledger.hold = True

    @property
    def blocks(self) -> int:
        """How many blocks were said in the last step."""
        return sum(method == 'receive_block' for _, method, _ in self._said)

    def step(self) -> None:
        """Let all hear, then let all speak."""
        self.clock.advance(STEP)
        self.steps += 1
        said = list(self._said)
        self._said.clear()
        for sender, method, arguments in said:
            for ledger in self.ledgers:
                if ledger.name != sender:
                    getattr(ledger, method)(*arguments)
        for ledger in self.ledgers:
            ledger.hold = False  # nobody answers before it heard all of this step
            ledger.tick()
            ledger.hold = True


class _Said:
    def __init__(self, said: list[tuple[str, str, tuple[Any, ...]]], name: str) -> None:
        self._said = said
        self._name = name

    def broadcast_block(self, raw: bytes) -> None:
        self._said.append((self._name, 'receive_block', (raw, self._name)))

    def broadcast_have(self, have: Any) -> None:
        self._said.append((self._name, 'receive_have', (have,)))

    def send_request(self, target: str, request: Any) -> None:
        self._said.append((self._name, 'receive_request', (request,)))

    def broadcast_chunk(self, chunk: Any) -> None:
        self._said.append((self._name, 'receive_chunk', (chunk,)))


def in_delays(robots: int, records: int, seed: int) -> dict[str, Any]:
    """
    Measure in message delays.

    :param records: to watch, in a quiet team and under load (every robot, every step).
    """
    return {
        'robots': robots,
        'quiet': _in_delays(robots, records, seed, False),
        'steady': _in_delays(robots, records, seed, True),
    }


def _in_delays(robots: int, records: int, seed: int, steady: bool) -> dict[str, Any]:
    fleet, keys = make_team(robots)
    team = LockStep(fleet, keys)
    workload = Workload(fleet, seed)
    probe = Probe(team.ledgers, lambda: float(team.steps))
    everybody = range(robots) if steady else range(0)

    def step(speakers: Iterable[int] = ()) -> None:
        for robot in speakers:
            team.ledgers[robot].submit(workload.call(robot))
        team.step()
        probe.look()

    probe.watches = False
    for _ in range(WARM_UP):
        step(everybody)
    probe.watches = True
    for turn in range(-(-records // robots) if steady else records):
        step(everybody or (turn % robots,))
        for _ in range(0 if steady else QUIET):
            step()
            if not team.blocks:
                break
    probe.watches = False
    for _ in range(WARM_UP):
        step(everybody)
    return _result(probe)


def in_ms(robots: int, seconds: float, rate: float, seed: int, weather: Weather) -> dict[str, Any]:
    """
    Measure in ms of virtual time, at the ledger's own pace.

    :param seconds: for which every robot issues, under load.
    :param rate: calls/s of each robot then.
    """
    return {
        'robots': robots,
        'delay_ms': [1e3 * one for one in weather.delay],
        'quiet': _in_ms(
            robots, [8.0 * turn for turn in range(max(4, round(seconds / 8)))], seed, weather, 1
        ),
        'steady': _in_ms(
            robots, [turn / rate for turn in range(round(seconds * rate))], seed, weather, robots
        ),
    }


def _in_ms(
    robots: int, times: Sequence[float], seed: int, weather: Weather, speakers: int
) -> dict[str, Any]:
    """Let so many robots, in turn, say something at each of these times, s, and until the next."""
    fleet, keys = make_team(robots)
    network = Network(fleet, seed, weather)
    ledgers = [network.start(key, MemoryStore(), fresh=True) for key in keys]
    probe = Probe(ledgers, lambda: 1e3 * network.seconds())
    workload = Workload(fleet, seed)
    gap = times[1] - times[0]

    def say(robot: int) -> None:
        ledgers[robot].submit(workload.call(robot))

    for turn, at in enumerate(times):
        for number in range(speakers):
            robot = (turn * speakers + number) % robots
            network.call_at(WARM_UP / 10 + at + gap * number / speakers, partial(say, robot))
    network.run(WARM_UP / 10 + times[-1] + gap + 5.0, probe.look)
    return _result(probe)


def models_in_ms(robots: int, seconds: float, rate: float, seed: int, weather: Weather) -> Any:
    """
    Measure our models of other protocols in the same network, under the same load.

    Accepted means in the chain, final 6 blocks deep; the quorum log only knows decided.
    """
    return {
        'robots': robots,
        'Clique k=6 (model)': _model_in_ms(
            robots, seconds, rate, seed, weather, lambda network: CliqueTeam(network, seed)
        ),
        'quorum log (model)': _model_in_ms(robots, seconds, rate, seed, weather, QuorumTeam),
    }


def _model_in_ms(
    robots: int,
    seconds: float,
    rate: float,
    seed: int,
    weather: Weather,
    make: Callable[[Network], Team],
) -> dict[str, Any]:
    fleet, _ = make_team(robots)
    network = Network(fleet, seed, weather)
    team = make(network)
    workload = Workload(fleet, seed)
    pending: dict[str, dict[bytes, tuple[int, float]]] = {'accepted': {}, 'final': {}}
    taken: dict[str, list[float]] = {'accepted': [], 'final': []}

    def say(robot: int) -> None:
        call = workload.call(robot)
        team.submit(robot, call)
        for waiting in pending.values():
            waiting[call] = (robot, network.seconds())

    def look() -> bool:
        for what, known in (('accepted', team.usable), ('final', team.done)):
            waiting = pending[what]
            for call in [one for one, (robot, _) in waiting.items() if one in known(robot)]:
                taken[what].append(1e3 * (network.seconds() - waiting.pop(call)[1]))
        return False

    for turn in range(round(seconds * rate)):
        for robot in range(robots):
            at = WARM_UP / 10 + (turn + robot / robots) / rate
            network.call_at(at, partial(say, robot))
    network.run(WARM_UP / 10 + seconds + 30.0, look)
    return {**{what: spread(taken[what]) for what in taken}, 'not_final': len(pending['final'])}


def _result(probe: Probe) -> dict[str, Any]:
    return {
        'accepted': spread(probe.accepted),
        'final': spread(probe.final),
        'not_final': probe.open,
    }
