"""
What the ledger does when the clock of one robot of a team is wrong, in virtual time.

Robots take the time from their own clocks. A record that is issued more than ``future_tolerance``
ahead of the receiver's clock waits there, and no record is issued before its parents, so the
time of the records follows the fastest clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from rich.progress import track
import typer

from benchmarks.latency import Probe
from benchmarks.network import Network
from benchmarks.report import OutOption, Report, spread
from benchmarks.workload import Workload
from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import Refusal
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.memory_store import MemoryStore

ROBOTS = 4
SKEWS = (0.0, 0.05, 0.5, 2.0, 4.0, 6.0, 10.0)  # s
WARM_UP = 4.0  # s
SETTLE = 10.0  # s until nobody says anything any more
PATIENCE = (
    60.0  # s of virtual time until what is not final on all counts as open, and then as lost
)


class Wrong:
    """
    A clock that is wrong until it is put right; then one that was ahead waits for the right time.

    :param skew: s that it is ahead; less than 0: behind.
    """

    def __init__(self, clock: Clock, skew: float) -> None:
        self._clock = clock
        self._skew = round(skew * SECOND)
        self._least = 0

    def now_ns(self) -> int:
        """Return what it shows, ns."""
        self._least = max(self._least, self._clock.now_ns() + self._skew)
        return self._least

    def put_right(self) -> None:
        """Show the right time from now on."""
        self._skew = 0


class Team:
    """
    A team whose first robot has a wrong clock.

    :param skew: s that it is ahead; less than 0: behind.
    """

    def __init__(self, skew: float, seed: int) -> None:
        fleet, keys = make_team(ROBOTS)
        self.network = Network(fleet, seed)
        self.ahead: list[float] = []
        """s that each record of the right robots was issued ahead of the right time."""
        self._workload = Workload(fleet, seed)
        self._clock = Wrong(self.network.clock, skew)
        self.ledgers: list[Ledger] = [
            self.network.start(
                key,
                MemoryStore(),
                fresh=True,
                clock=self._clock if index == 0 else self.network.clock,
            )
            for index, key in enumerate(keys)
        ]

        def milliseconds() -> float:
            return 1e3 * self.network.seconds()

        self.wrong = Probe(self.ledgers[:1], milliseconds)
        self.right = Probe(self.ledgers[1:], milliseconds)
        self.alarms: set[str] = set()
        """What the robots said was wrong, when the last had spoken."""
        self.open_before = 0
        """Calls that were not final on all before the clock was put right."""
        self.calls: set[bytes] = set()
        """All that robots were told to say."""
        self.final: list[set[bytes]] = [set() for _ in keys]
        """What of it is final, on each."""
        for index, ledger in enumerate(self.ledgers):
            ledger.on_solid(partial(self._solid, index))
            ledger.on_final(partial(self._final, index))

    def say(self, robot: int) -> None:
        """Let a robot say something."""
        call = self._workload.call(robot)
        self.calls.add(call)
        self.ledgers[robot].submit(call)

    def look(self) -> bool:
        """Look for what was accepted."""
        return self.wrong.look() or self.right.look()

    def open(self) -> int:
        """Return how many calls are not final on all robots."""
        return sum(not all(call in final for final in self.final) for call in self.calls)

    def set_clock(self) -> None:
        """Put the clock right, as time goes on: one that is ahead stands still until it is."""
        self._clock.put_right()

    def is_done(self) -> bool:
        """Tell whether all that was said is final on all robots."""
        self.look()
        return not self.open()

    def _solid(self, index: int, entry: Entry) -> None:
        if index and entry.issuer == self.ledgers[index].index:
            ahead = entry.record.issued_at - self.network.clock.now_ns()
            self.ahead.append(ahead / SECOND)

    def _final(self, index: int, entry: Entry) -> None:
        self.final[index].update(entry.record.calls)


def measure(skew: float, seconds: float, rate: float, seeds: Sequence[int]) -> dict[str, Any]:
    """
    Let every robot say something so often for so long, then wait until all of it is final.

    What is still open after a minute is looked at again a minute after the clock was put right.

    :returns: latencies in ms with the robot whose clock is wrong and with the others, how often a
        record was put off, what was lost, and what the robots said was wrong.
    """
    teams = [_run(skew, seconds, rate, seed) for seed in seeds]
    wrong, right = [team.wrong for team in teams], [team.right for team in teams]
    ledgers = [ledger for team in teams for ledger in team.ledgers]
    return {
        'skew_s': skew,
        'wrong': _latencies(wrong),
        'right': _latencies(right),
        'calls': sum(len(team.calls) for team in teams),
        'open': sum(team.open_before for team in teams),
        'lost': sum(team.open() for team in teams),
        'put_off': sum(ledger.status().refused.get(Refusal.FUTURE, 0) for ledger in ledgers),
        'records': sum(sum(team.ledgers[0].dag.heights()) for team in teams),
        'ahead_s': spread([ahead for team in teams for ahead in team.ahead])['median'],
        'alarms': sorted(set[str]().union(*(team.alarms for team in teams))),
        'same': all(len({one.order.final_digest for one in team.ledgers}) == 1 for team in teams),
    }


def _run(skew: float, seconds: float, rate: float, seed: int) -> Team:
    team = Team(skew, seed)
    for turn in range(round(seconds * rate)):
        for robot in range(ROBOTS):
            at = WARM_UP + (turn + robot / ROBOTS) / rate
            team.network.call_at(at, partial(team.say, robot))
    team.network.run(WARM_UP + seconds, team.look)
    team.alarms = {ledger.status().alarm for ledger in team.ledgers} - {''}
    team.network.run(PATIENCE, team.is_done)
    team.open_before = team.open()
    team.set_clock()
    team.network.run(PATIENCE, team.is_done)
    team.network.run(SETTLE)
    return team


def _latencies(probes: Sequence[Probe]) -> dict[str, Any]:
    return {
        'accepted': spread([one for probe in probes for one in probe.accepted]),
        'final': spread([one for probe in probes for one in probe.final]),
    }


def main(
    seconds: Annotated[float, typer.Option(min=1.0, help='For which robots speak.')] = 60.0,
    rate: Annotated[float, typer.Option(min=0.1, help='Calls/s of a robot.')] = 1.0,
    seeds: Annotated[
        list[int] | None, typer.Option('--seed', help='Of delays and ticks; repeatable.')
    ] = None,
    quick: Annotated[bool, typer.Option('--quick', help='Few skews, for 10 s.')] = False,
    out: OutOption = None,
) -> None:
    r"""
    Measure what a wrong clock of one robot of four does to the ledger.

    \b
    Examples:
      python -m benchmarks.skew --quick
      python -m benchmarks.skew --seed 1 --seed 2 --seed 3
    """
    chosen = seeds or [1]
    skews = (0.0, 2.0, 6.0) if quick else SKEWS
    length = min(seconds, 10.0) if quick else seconds
    report = Report('skew', {'seconds': length, 'rate': rate, 'seeds': chosen, 'robots': ROBOTS})
    every = [*skews, *(-skew for skew in skews if skew)]
    figures = [
        measure(skew, length, rate, chosen) for skew in track(every, 'measuring', transient=True)
    ]
    rows = [
        [
            _words(one['skew_s']),
            *(
                one[who][what]['median']
                for who in ('wrong', 'right')
                for what in ('accepted', 'final')
            ),
            one['put_off'],
            one['ahead_s'],
            one['open'],
            one['lost'],
        ]
        for one in figures
    ]
    report.table(
        'skew',
        f'One clock of {ROBOTS} is wrong, {rate:g} call/s a robot: medians in ms',
        (
            *('clock', 'its own: accepted', 'final', 'others: accepted', 'final'),
            *('put off', 'records ahead, s', 'open', 'lost'),
        ),
        rows,
        figures,
    )
    for alarm in sorted({alarm for one in figures for alarm in one['alarms']}):
        report.note(f'a robot said: {alarm}')
    report.write(out)


def _words(skew: float) -> str:
    return f'{abs(skew):g} s {"ahead" if skew > 0 else "behind"}' if skew else 'right'


if __name__ == '__main__':
    typer.run(main)
