"""What happens in a run, drawn from its seed before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
import random

from collab_robots.tangle.memory import Weather

TEAMS = (4, 7, 10)
_SHARES = (5, 3, 2)  # of the seeds, of these team sizes
MAX_SKEW = 2.4  # s; two robots that differ by less than future_tolerance
WILD_SKEW = 8.0  # s; beyond it


class Fault(str, Enum):
    """What a faulty robot does; the first is a crash, the others lie."""

    AMNESIA = 'crashes and loses its disk'
    SILENT = 'stays silent'
    TWO_FACED = 'votes both ways: one key, a ledger for each side'
    EQUIVOCATE = 'signs many records with one seq'
    WITHHOLD = 'sends its records to some only, and answers nobody'
    FORGE_TIME = 'forges the time of its records'
    SPAM = 'floods, sends garbage and lies about what it has'


@dataclass(frozen=True)
class Phase:
    """
    Who hears whom from a time on.

    :param start: s.
    :param hears: per receiver: bit mask of the robots it hears.
    :param words: what it is.
    :param lag: s by which it hears the others later; 0: it does not hear them.
    """

    start: float
    hears: tuple[int, ...]
    words: str
    lag: float = 0.0


@dataclass(frozen=True)
class Crash:
    """
    A robot loses its power.

    :param at: s.
    :param back_at: s, when it runs again.
    :param disk: what it committed to its disk is still there.
    """

    robot: int
    at: float
    back_at: float
    disk: bool


@dataclass(frozen=True)
class Change:
    """
    The honest robots vote for another roster.

    :param at: s, when they do.
    :param joins: the last robot joins; it is not in the fleet file.
    :param leaves: roster index of a robot that leaves, or is put out; None if nobody does.
    :param returns: the same of one that left and comes back.
    """

    at: float
    joins: bool = False
    leaves: int | None = None
    returns: int | None = None


@dataclass(frozen=True)
class Scenario:
    """
    A run's script; robots by roster index, times in s from the start.

    :param robots: how many there are, with one that joins.
    :param faults: at most f robots, so that less than a third is faulty.
    :param conspiracy: the liars hear and reach everybody, whatever cuts the others.
    :param phases: by start; the first starts at 0, in the last all hear all.
    :param skews: s that each robot's clock is ahead.
    :param calls: when who submits a call.
    :param changes: of the roster.
    :param quiet_at: when the liars fall silent, and each honest robot submits its last call.
    :param snapshot_interval: final records between two snapshots.
    :param root_window: final records that a snapshot keeps beyond what robots that are away need;
        fewer than there really are, so that a short run prunes, too.
    """

    seed: int
    robots: int
    faults: dict[int, Fault]
    conspiracy: bool
    weather: Weather
    phases: tuple[Phase, ...]
    crashes: tuple[Crash, ...]
    skews: tuple[float, ...]
    calls: tuple[tuple[float, int], ...]
    changes: tuple[Change, ...]
    quiet_at: float
    snapshot_interval: int
    root_window: int

    @property
    def healed_at(self) -> float:
        """When the last cut ends, s."""
        return self.phases[-1].start

    @property
    def founders(self) -> int:
        """How many robots are in the fleet file: those with the lowest indexes."""
        return self.robots - any(change.joins for change in self.changes)

    @property
    def leavers(self) -> frozenset[int]:
        """Those that leave, for ever or for a while."""
        return frozenset(change.leaves for change in self.changes if change.leaves is not None)

    @property
    def liars(self) -> frozenset[int]:
        """Those that are faulty on purpose."""
        return frozenset(
            robot for robot, fault in self.faults.items() if fault is not Fault.AMNESIA
        )

    def describe(self) -> Iterator[str]:
        """Yield the script, a line each."""
        yield (
            f'{self.robots} robots, {len(self.faults)} of them faulty; delays '
            f'{self.weather.delay[0] * 1e3:.0f}–{self.weather.delay[1] * 1e3:.0f} ms, loss '
            f'{self.weather.loss:.0%}, duplication {self.weather.duplication:.0%}, a snapshot '
            f'every {self.snapshot_interval} final records that keeps {self.root_window} of them'
        )
        for robot, fault in sorted(self.faults.items()):
            yield f'{name(robot)} {fault.value}'
        if self.conspiracy and self.liars:
            yield 'no cut holds for the liars'
        skewed = {robot: skew for robot, skew in enumerate(self.skews) if skew}
        if skewed:
            told = ', '.join(f'{name(robot)} {skew:+.1f} s' for robot, skew in skewed.items())
            yield f'clocks: {told}'
        for phase in self.phases:
            yield f'{phase.start:6.2f} s: {phase.words}'
        for change in self.changes:
            words = [f'{name(self.robots - 1)} joins'] if change.joins else []
            words += [f'{name(change.leaves)} leaves'] if change.leaves is not None else []
            words += [f'{name(change.returns)} returns'] if change.returns is not None else []
            yield f'{change.at:6.2f} s: the honest robots vote: {", ".join(words)}'
        for crash in self.crashes:
            kept = 'disk kept' if crash.disk else 'disk lost'
            yield (
                f'{crash.at:6.2f} s: {name(crash.robot)} crashes, {kept}, '
                f'back at {crash.back_at:.2f} s'
            )


def name(robot: int) -> str:
    """Return the name that :func:`collab_robots.tangle.memory.make_team` gives."""
    return f'robot_{robot:02}'


def draw(seed: int, robots: int | None = None) -> Scenario:
    """
    Draw a scenario.

    In one of five all liars plot together while the network is good: the two faces of each are
    then rivals for one leader slot at the same moment.

    :param robots: team size; drawn, too, if not given.
    """
    rng = random.Random(f'scenario {seed}')
    drawn = rng.choices(TEAMS, _SHARES)[0]
    robots = robots or drawn
    faulty = rng.sample(range(robots), (robots - 1) // 3)
    ambush = rng.random() < 0.2
    roster = random.Random(f'roster {seed}')
    kind = roster.choice(('', '', '', 'join', 'leave', 'swap'))
    robots += kind in ('join', 'swap')
    leaves = roster.randrange(robots - (kind == 'swap')) if kind in ('leave', 'swap') else None
    if kind == 'leave' and leaves not in faulty:
        faulty.pop()  # a smaller fleet bears fewer
    plot = Fault.TWO_FACED if ambush else rng.choice((None, None, None, Fault.EQUIVOCATE))
    faults = {robot: plot or rng.choice(list(Fault)) for robot in faulty}
    phases = tuple(_phases(rng, robots))
    if ambush and rng.random() < 0.7:
        phases = phases[:1]
    span = max(phases[-1].start, 4.0)
    changes = []
    if kind:
        changes.append(Change(roster.uniform(0.5, span), kind != 'leave', leaves))
    if leaves is not None and roster.random() < 0.5:
        changes.append(Change(roster.uniform(changes[0].at, span + 1.0), returns=leaves))
    return Scenario(
        seed=seed,
        robots=robots,
        faults=faults,
        conspiracy=ambush or rng.random() < 0.6,
        weather=_weather(rng, ambush),
        phases=phases,
        crashes=tuple(_crashes(rng, robots, faults, span)),
        skews=tuple(_skew(rng) for _ in range(robots)),
        calls=tuple(_calls(rng, robots, span + 1.0)),
        changes=tuple(changes),
        quiet_at=span + rng.uniform(2.5, 4.0),
        snapshot_interval=robots * rng.choice((15, 40, 10_000)),
        root_window=rng.choice((20, 500)),
    )


def _weather(rng: random.Random, good: bool) -> Weather:
    shortest = rng.uniform(0.001, 0.05)
    if good:
        return Weather((shortest, shortest + 0.02))
    return Weather(
        delay=(shortest, shortest + rng.choice((0.02, 0.1, 0.4))),
        loss=rng.choice((0.0, 0.0, 0.05, 0.2)),
        duplication=rng.choice((0.0, 0.1)),
    )


def _skew(rng: random.Random) -> float:
    kind = rng.random()
    if kind < 0.5:
        return 0.0
    limit = MAX_SKEW if kind < 0.95 else WILD_SKEW
    return round(rng.uniform(-limit, limit), 2)


def _calls(rng: random.Random, robots: int, until: float) -> Iterator[tuple[float, int]]:
    for robot in range(robots):
        pause = rng.choice((0.5, 1.5, 4.0))
        at = rng.expovariate(1 / pause)
        while at < until:
            yield at, robot
            at += rng.expovariate(1 / pause)


def _crashes(
    rng: random.Random, robots: int, faults: dict[int, Fault], span: float
) -> Iterator[Crash]:
    for robot in range(robots):
        fault = faults.get(robot)
        times = 1 if fault is Fault.AMNESIA else rng.choice((0, 0, 0, 1, 2))
        if fault not in (None, Fault.AMNESIA):
            continue
        at = 0.0
        for _ in range(times):
            at += rng.uniform(0.3, span)
            if at > span:
                break
            back_at = at + rng.choice((0.05, 0.5, 2.0))
            yield Crash(robot, at, back_at, fault is None)
            at = back_at


def _phases(rng: random.Random, robots: int) -> Iterator[Phase]:
    everybody = (1 << robots) - 1
    whole = (everybody,) * robots
    at = 0.0
    yield Phase(at, whole, 'all hear all')
    for _ in range(rng.choice((0, 1, 1, 2))):
        at += rng.uniform(0.3, 2.0)
        kind = rng.choice((_two_ways, _two_ways, _three_ways, _one_way, _flapping))
        lag = rng.choice((0.0, 0.0, rng.uniform(0.1, 1.0)))
        slow = f', {lag:.2f} s apart' if lag else ''
        for length, hears, words in kind(rng, robots):
            yield Phase(at, hears, words + slow, lag)
            at += length
        yield Phase(at, whole, 'all hear all')


Cuts = Iterator[tuple[float, tuple[int, ...], str]]


def _two_ways(rng: random.Random, robots: int) -> Cuts:
    yield rng.uniform(0.5, 5.0), *_split(_groups(rng, robots, 2))


def _three_ways(rng: random.Random, robots: int) -> Cuts:
    yield rng.uniform(0.5, 5.0), *_split(_groups(rng, robots, 3))


def _flapping(rng: random.Random, robots: int) -> Cuts:
    for _ in range(rng.randint(2, 5)):
        yield rng.uniform(0.2, 1.0), *_split(_groups(rng, robots, rng.choice((1, 2, 2, 3))))


def _one_way(rng: random.Random, robots: int) -> Cuts:
    deaf, heard = _groups(rng, robots, 2)
    everybody = (1 << robots) - 1
    hears = [everybody] * robots
    for robot in deaf:
        hears[robot] = _mask(deaf)
    words = f'{_names(deaf)} do not hear {_names(heard)}, but are heard'
    yield rng.uniform(0.5, 5.0), tuple(hears), words


def _groups(rng: random.Random, robots: int, count: int) -> list[list[int]]:
    order = rng.sample(range(robots), robots)
    cuts = [0, *sorted(rng.sample(range(1, robots), count - 1)), robots]
    return [sorted(order[first:last]) for first, last in pairwise(cuts)]


def _split(groups: list[list[int]]) -> tuple[tuple[int, ...], str]:
    hears = {robot: _mask(group) for group in groups for robot in group}
    words = ' | '.join(_names(group) for group in groups)
    return tuple(hears[robot] for robot in range(len(hears))), words


def _mask(robots: Sequence[int]) -> int:
    return sum(1 << robot for robot in robots)


def _names(robots: Sequence[int]) -> str:
    return ' '.join(f'{robot:02}' for robot in robots)
